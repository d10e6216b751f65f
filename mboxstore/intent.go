package mboxstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"spoold/spool"
)

// An intent says what is about to be appended to a mailbox, or edited in it across a sector boundary. Its file holds
// one record, written in place: the head in the first sector, the body behind it. The order is
//
//	intent, fdatasync – bytes to the mailbox, fdatasync – intent cleared, fdatasync – the change is acknowledged.
//
// The mailbox is written and synced twice where half of an edit has to be durable before the other (see inOrder).
//
// So an intent found by replay is of a change that nobody was told of: an append is cut off again if any sector of it
// is missing, edits are made again. And an append that was acknowledged, and could have been changed since by others,
// is never cut: its intent is gone from the disk. An intent that is torn itself was never acted on.
type intent struct {
	kind recordKind
	box  identity
	path string

	at, n  int64    // recAppend: n bytes at offset at, the end of the file
	before uint32   // checksum of what is just before at: others have moved it if it differs
	sums   []uint32 // of the appended bytes, sector by sector

	edits []edit // recEdits
}

const (
	intentRoom   = 16 << 10 // written when the file is made, so that no block is allocated later
	intentBefore = 64       // how many bytes before an append are checked
)

func (i *intent) encode() []byte {
	b := appendBytes(i.box.encode(nil), []byte(i.path))
	if i.kind == recAppend {
		b = binary.LittleEndian.AppendUint32(appendInt(appendInt(b, i.at), i.n), i.before)
		for _, s := range i.sums {
			b = binary.LittleEndian.AppendUint32(b, s)
		}
		return b
	}
	for _, e := range i.edits {
		b = appendBytes(append(appendBytes(appendInt(b, e.off), e.old), e.new...), e.after)
	}
	return b
}

func decodeIntent(kind recordKind, body []byte) (*intent, bool) {
	r := recordReader{b: body}
	i := &intent{kind: kind, box: r.identity(), path: string(r.bytes(r.int()))}
	switch kind {
	case recAppend:
		i.at, i.n = r.int(), r.int()
		i.before = r.sum()
		i.sums = r.sums(int64(len(r.b)) / 4)
		ok := i.at >= 0 && i.n >= 0 && i.at+i.n >= i.at && int64(len(i.sums)) == countSectors(i.at, i.n)
		return i, ok && !r.bad && len(r.b) == 0
	case recEdits:
		for len(r.b) > 0 {
			e := edit{off: r.int(), old: r.bytes(r.int())}
			e.new = r.bytes(int64(len(e.old)))
			e.after = r.bytes(r.int())
			i.edits = append(i.edits, e)
			r.bad = r.bad || e.off < 0
		}
		return i, !r.bad
	}
	return nil, false
}

// countSectors is how many sectors [off, off+n) touches.
func countSectors(off, n int64) int64 {
	if n == 0 {
		return 0
	}
	return (off+n-1)/sectorSize - off/sectorSize + 1
}

// readIntent returns the intent in force for the mailbox with that name in the journal, nil when there is none.
func readIntent(dir spool.Dir, id string) (*intent, error) {
	f, err := dir.Open(id+intentSuffix, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h, body, err := readRecord(f, sectorSize)
	err = errors.Join(err, f.Close())
	switch {
	case errors.Is(err, errVersion):
		return nil, fmt.Errorf("%s%s: %w", id, intentSuffix, err)
	case errors.Is(err, ErrJournal):
		return nil, nil
	case err != nil || h.kind == recNothing:
		return nil, err
	}
	i, ok := decodeIntent(h.kind, body)
	if !ok || i.box.name() != id {
		return nil, fmt.Errorf("%s%s: %w", id, intentSuffix, ErrJournal)
	}
	return i, nil
}

// writeIntent puts i in force, durably.
func (j *journal) writeIntent(i *intent) error {
	body := i.encode()
	if len(body) > maxRecord {
		return fmt.Errorf("intent of %d bytes: %w", len(body), ErrTooLarge)
	}
	if err := j.mergeTold(i.box); err != nil {
		return err
	}
	id := randomID()
	j.wrote = id
	h := recordHead{kind: i.kind, id: id, seq: j.told.pack(), length: int64(len(body)), sum: id.bodySum(body)}
	b := append(make([]byte, 0, sectorSize+len(body)), h.encode()...)
	b = append(b[:sectorSize], body...)
	if err := j.putIntent(i.box, b, j.keeps(ruleIntent)); err != nil {
		j.clean = identity{}
		return errors.Join(err, j.clearIntent(i.box)) // it may be there in spite of the error
	}
	return nil
}

// clearIntent says, durably, that nothing is intended.
func (j *journal) clearIntent(box identity) error {
	if err := j.mergeTold(box); err != nil {
		return err
	}
	j.wrote = randomID()
	return j.putIntent(box, appendRecord(nil, recNothing, j.wrote, j.told.pack(), nil), j.keeps(ruleCleared))
}

func (j *journal) putIntent(box identity, b []byte, sync bool) error {
	f, err := j.dir.Open(box.name()+intentSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if len(b) > headSize && j.named != box {
		b = append(b, make([]byte, max(0, intentRoom-len(b)))...)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil && sync {
		err = f.Datasync()
	}
	if err = errors.Join(err, f.Close()); err == nil && sync && j.named != box {
		err = j.dir.Sync()
		j.named = box
	}
	if err != nil {
		j.named = identity{}
	}
	return err
}

// append writes n bytes at the end of the file, which is at, with UIDs up to those of last. open gives them; it is called
// twice. They are durable when nil is returned; after an error that is not ErrPending the file ends at at.
func (j *journal) append(f spool.File, at int64, open func() io.Reader, n int64, last told) error {
	info, err := j.ready(f)
	if err != nil {
		return err
	}
	if info.Size != at {
		return fmt.Errorf("append at %d to %s of %d bytes: %w", at, j.path, info.Size, ErrForeign)
	}
	if j.dir != nil {
		if err := j.intendAppend(f, identityOf(info), at, open(), n); err != nil {
			return fmt.Errorf("append to %s: %w", j.path, err)
		}
	}
	done, err := j.writeAppend(f, at, open(), n)
	if err == nil {
		err = f.Datasync()
	}
	if err == nil && j.dir != nil {
		err = j.acknowledge(identityOf(info), last)
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", j.path, j.undoAppend(f, at, done, err))
	}
	return nil
}

func (j *journal) intendAppend(f spool.File, box identity, at int64, r io.Reader, n int64) error {
	i := &intent{kind: recAppend, box: box, path: j.path, at: at, n: n}
	var err error
	if i.before, err = sumBefore(f, at); err != nil {
		return err
	}
	i.sums = make([]uint32, 0, countSectors(at, n))
	err = j.inPieces(at, r, n, func(off int64, b []byte) error {
		i.sums = appendSums(i.sums, off, b)
		return nil
	})
	if err != nil {
		return err
	}
	return j.writeIntent(i)
}

func sumBefore(f io.ReaderAt, at int64) (uint32, error) {
	b := make([]byte, min(at, intentBefore))
	err := readFull(f, b, at-int64(len(b)))
	return crc32.Checksum(b, castagnoli), err
}

// appendSums adds the checksums of b, which is for offset off, sector by sector.
func appendSums(sums []uint32, off int64, b []byte) []uint32 {
	for len(b) > 0 {
		n := min(int64(len(b)), sectorSize-off%sectorSize)
		sums = append(sums, crc32.Checksum(b[:n], castagnoli))
		off, b = off+n, b[n:]
	}
	return sums
}

// inPieces reads n bytes for offset off in pieces that end where pages do.
func (j *journal) inPieces(off int64, r io.Reader, n int64, f func(off int64, b []byte) error) error {
	piece := pieceOf(j.window)
	buf := make([]byte, min(piece, n))
	for end := off + n; off < end; {
		b := buf[:min(int64(len(buf)), piece-off%piece, end-off)]
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		if err := f(off, b); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

func (j *journal) writeAppend(f spool.File, at int64, r io.Reader, n int64) (done int64, err error) {
	err = j.inPieces(at, r, n, func(off int64, b []byte) error {
		k, err := f.WriteAt(b, off)
		done += int64(k)
		return err
	})
	return done, err
}

// undoAppend cuts off what was written before err, unless others have appended behind it.
func (j *journal) undoAppend(f spool.File, at, done int64, err error) error {
	info, serr := f.Stat()
	if serr == nil && info.Size > at+done {
		serr = ErrForeign
	}
	if serr == nil {
		serr = cutFile(f, at)
	}
	if serr == nil && j.dir != nil {
		serr = j.clearIntent(identityOf(info))
	}
	if serr != nil {
		j.clean = identity{}
		return errors.Join(ErrPending, err, serr)
	}
	return err
}
