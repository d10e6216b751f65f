package mboxstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"io"

	"spoold/spool"
)

// The records of the journal. Each begins with a head of 64 bytes; all numbers are little endian:
//
//	0  magic    8   "spooldJ" and the version
//	8  kind     8
//	16 plan id 16   random: binds the records of one plan to each other
//	32 seq      8   of a plan: its generation; of a window: its number
//	40 length   8   of the body
//	48 sum      8   CRC-64 of plan id and body
//	56 sum      8   CRC-64 of the 56 bytes before
//
// A head never crosses a sector and is written together with its body or after it, so a record is there wholly or not.

const (
	sectorSize  = 512 // a disk writes so many bytes wholly or not at all
	recordMagic = "spooldJ\x02"
	headSize    = 64
	maxRecord   = 64 << 20
	maxWindow   = 1 << 30
)

// recordKind says what a record is for.
type recordKind uint64

const (
	recPlan     recordKind = 'P' // a rewrite, see commit.go
	recExtended recordKind = 'X' // the mailbox has been extended, durably
	recWindow   recordKind = 'W' // the new bytes of one window
	recWritten  recordKind = 'T' // all windows are durable in the mailbox
	recAppend   recordKind = 'A' // intent to append
	recEdits    recordKind = 'F' // intent to edit in place
	recNothing  recordKind = 'N' // no intent
)

// planID is 128 random bits. It is also the nonce that marks the gap at the end of a mailbox.
type planID [16]byte

type recordHead struct {
	kind   recordKind
	id     planID
	seq    uint64
	length int64
	sum    uint64
}

var (
	errTornRecord = errors.New("no valid record")
	errVersion    = errors.New("record of another version")
)

var crc64Table = crc64.MakeTable(crc64.ECMA)

// bodySum is the checksum of a body, or of its beginning.
func (id planID) bodySum(body []byte) uint64 {
	return crc64.Update(crc64.Checksum(id[:], crc64Table), crc64Table, body)
}

func (h recordHead) encode() []byte {
	b := append(make([]byte, 0, headSize), recordMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.kind))
	b = append(b, h.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.length))
	b = binary.LittleEndian.AppendUint64(b, h.sum)
	return binary.LittleEndian.AppendUint64(b, crc64.Checksum(b, crc64Table))
}

// decodeHead reads a head. errVersion means that it is whole, but not for us to understand.
func decodeHead(b []byte) (h recordHead, err error) {
	if len(b) < headSize || crc64.Checksum(b[:56], crc64Table) != binary.LittleEndian.Uint64(b[56:]) {
		return h, errTornRecord
	}
	if string(b[:8]) != recordMagic {
		return h, errVersion
	}
	h.kind = recordKind(binary.LittleEndian.Uint64(b[8:]))
	h.id = planID(b[16:32])
	h.seq = binary.LittleEndian.Uint64(b[32:])
	h.length = int64(binary.LittleEndian.Uint64(b[40:]))
	h.sum = binary.LittleEndian.Uint64(b[48:])
	if h.length < 0 {
		return h, errTornRecord
	}
	return h, nil
}

// appendRecord adds a whole record to b.
func appendRecord(b []byte, kind recordKind, id planID, seq uint64, body []byte) []byte {
	h := recordHead{kind: kind, id: id, seq: seq, length: int64(len(body)), sum: id.bodySum(body)}
	return append(append(b, h.encode()...), body...)
}

// identity tells a mailbox file from all others, also after a reboot: device numbers may change then, so the device
// counts only where the file system tells no time of birth.
type identity struct {
	dev, ino uint64
	birth    int64
}

func identityOf(i spool.Info) identity {
	if i.Birth != 0 {
		return identity{ino: i.Ino, birth: i.Birth}
	}
	return identity{dev: i.Dev, ino: i.Ino}
}

func (id identity) encode(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.dev)
	b = binary.LittleEndian.AppendUint64(b, id.ino)
	return binary.LittleEndian.AppendUint64(b, uint64(id.birth))
}

// name is what the journal files of that mailbox begin with.
func (id identity) name() string {
	sum := sha256.Sum256(id.encode(nil))
	return hex.EncodeToString(sum[:8])
}

// rewritePlan is the body of a plan record.
type rewritePlan struct {
	id      planID
	gen     uint64
	box     identity
	path    string
	layout  layout
	extSize int64 // size of the mailbox while the windows are written
	window  int64 // largest number of bytes in a window
	slot    int64 // length of a window slot
	sums    []uint32
	edges   uint32   // checksum of what edgesOf names, in the old file
	rears   []uint32 // checksums of what the second marks overwrite
}

// gap is what lies between the end of the new content and that of the extended file.
func (p *rewritePlan) gap() int64 { return p.extSize - p.layout.newSize() }

func (p *rewritePlan) extends() bool { return p.extSize > p.layout.oldSize }

func appendInt(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }

func appendBytes(b []byte, v []byte) []byte { return append(appendInt(b, int64(len(v))), v...) }

// encode writes the body of a plan record, which is too large to be in memory in one piece.
func (p *rewritePlan) encode(out io.Writer) error {
	b := appendBytes(p.box.encode(nil), []byte(p.path))
	for _, v := range []int64{p.layout.oldSize, p.layout.start, p.extSize, p.window, p.slot} {
		b = appendInt(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, p.edges)
	for _, sums := range [][]uint32{p.rears, p.sums} {
		b = appendInt(b, int64(len(sums)))
		for _, s := range sums {
			b = binary.LittleEndian.AppendUint32(b, s)
		}
	}
	for _, s := range p.layout.segs {
		switch {
		case s.dead:
			b = appendInt(appendInt(b, srcDead), s.n)
		case s.lit != nil:
			b = appendBytes(appendInt(b, srcLiteral), s.lit)
		default:
			b = appendInt(appendInt(b, s.src), s.n)
		}
		if len(b) < readAhead {
			continue
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	_, err := out.Write(b)
	return err
}

// bodySummer finds length and checksum of a body that is written to it.
type bodySummer struct {
	n   int64
	sum uint64
}

func (s *bodySummer) Write(b []byte) (int, error) {
	s.n += int64(len(b))
	s.sum = crc64.Update(s.sum, crc64Table, b)
	return len(b), nil
}

// recordReader takes numbers and bytes from the front of a body. After an error all it gives is zero.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) bytes(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.bad = true
		r.b = nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *recordReader) int() int64 {
	if b := r.bytes(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *recordReader) identity() identity {
	return identity{dev: uint64(r.int()), ino: uint64(r.int()), birth: r.int()}
}

func (r *recordReader) sum() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *recordReader) sums(n int64) []uint32 {
	if n < 0 || n > int64(len(r.b))/4 {
		r.bad = true
		return nil
	}
	sums := make([]uint32, 0, n)
	for range n {
		sums = append(sums, r.sum())
	}
	return sums
}

// What stands in a segment's src when it is no copy.
const (
	srcLiteral = -1
	srcDead    = -2
)

func (r *recordReader) segment() segment {
	switch src, n := r.int(), r.int(); src {
	case srcLiteral:
		return literal(r.bytes(n))
	case srcDead:
		return segment{n: n, dead: true}
	default:
		return segment{src: src, n: n}
	}
}

// decodePlan reads the body of a plan record.
func decodePlan(h recordHead, body []byte) (*rewritePlan, error) {
	r := recordReader{b: body}
	p := &rewritePlan{id: h.id, gen: h.seq, box: r.identity(), path: string(r.bytes(r.int()))}
	p.layout.oldSize, p.layout.start = r.int(), r.int()
	p.extSize, p.window, p.slot = r.int(), r.int(), r.int()
	p.edges = r.sum()
	p.rears = r.sums(r.int())
	p.sums = r.sums(r.int())
	for len(r.b) > 0 {
		p.layout.segs = append(p.layout.segs, r.segment())
	}
	const most = 1 << 60
	if r.bad || p.layout.oldSize > most || p.extSize > 2*most || p.layout.check() != nil ||
		p.window < 1 || p.window > maxWindow || p.slot < 0 || p.slot > 2*maxWindow ||
		p.extSize < max(p.layout.oldSize, p.layout.newSize()) {
		return nil, errTornRecord
	}
	return p, nil
}

// piece is how many bytes are read or written at once: whole sectors, and no more than a window.
func (p *rewritePlan) piece() int64 { return pieceOf(p.window) }

func pieceOf(window int64) int64 {
	return min(pieceSize, max(sectorSize, window/sectorSize*sectorSize))
}
