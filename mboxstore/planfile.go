package mboxstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"os"

	"spoold/spool"
)

// planFile is a plan with its file:
//
//	0        the plan record
//	base     sector of the record X
//	+512     sector of the record T
//	+1024    window slot 0, window slot 1
//
// Window i is in slot i mod 2: a sector with its head, a CRC-32C of every sector (as far as the window covers it) of
// what the window is going to overwrite, and the new bytes. Every part begins a sector of its own.
type planFile struct {
	*rewritePlan
	f       spool.File
	name    planName
	windows []redoWindow
	base    int64
}

func wholeSectors(n int64) int64 { return (n + sectorSize - 1) / sectorSize * sectorSize }

func (p *planFile) markAt(kind recordKind) int64 {
	if kind == recWritten {
		return p.base + sectorSize
	}
	return p.base
}

func (p *planFile) slotAt(i int) int64 { return p.base + 2*sectorSize + int64(i%2)*p.slot }

// sumsLen is how long the checksums of what window i overwrites are.
func (p *planFile) sumsLen(i int) (n int64) {
	p.windows[i].sectors(p.layout.oldSize, func(_, _, _ int64) error { n += 4; return nil })
	return n
}

func (p *planFile) slotLen(i int) int64 {
	return sectorSize + wholeSectors(p.sumsLen(i)) + wholeSectors(p.windows[i].n)
}

// dataAt is where the new bytes of window i are.
func (p *planFile) dataAt(i int) int64 { return p.slotAt(i) + sectorSize + wholeSectors(p.sumsLen(i)) }

// sectors cuts what w writes below limit at sector boundaries. pos counts w's bytes.
func (w *redoWindow) sectors(limit int64, f func(pos, off, n int64) error) error {
	pos := int64(0)
	for _, e := range w.extents() {
		for off, end := e.off, min(e.off+e.n, limit); off < end; {
			next := min((off/sectorSize+1)*sectorSize, end)
			if err := f(pos+off-e.off, off, next-off); err != nil {
				return err
			}
			off = next
		}
		pos += e.n
	}
	return nil
}

// source reads a file for somebody who goes through it upwards.
type source struct {
	r     io.ReaderAt
	piece int64
	off   int64
	buf   []byte
}

const readAhead = 64 << 10

// at returns n bytes from off on, valid until the next call.
func (s *source) at(off, n int64) ([]byte, error) {
	if off < s.off || off+n > s.off+int64(len(s.buf)) {
		want := max(n, min(readAhead, s.piece))
		if int64(cap(s.buf)) < want {
			s.buf = make([]byte, want)
		}
		k, err := s.r.ReadAt(s.buf[:want], off)
		s.off, s.buf = off, s.buf[:k]
		switch {
		case int64(k) >= n:
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
	return s.buf[off-s.off:][:n], nil
}

// content gives the new bytes of w in pieces.
func (w *redoWindow) content(box io.ReaderAt, piece int64, f func([]byte) error) error {
	src := source{r: box, piece: piece}
	for c := range w.chunks() {
		for rest := c.segment; rest.size() > 0; {
			var head segment
			head, rest = rest.cut(min(piece, rest.size()))
			b, err := head.lit, error(nil)
			if b == nil {
				b, err = src.at(head.src, head.n)
			}
			if err == nil {
				err = f(b)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sum is the checksum of the new bytes of w.
func (w *redoWindow) sum(box io.ReaderAt, piece int64) (sum uint32, err error) {
	err = w.content(box, piece, func(b []byte) error {
		sum = crc32.Update(sum, castagnoli, b)
		return nil
	})
	return sum, err
}

// oldSums are the checksums of what window i overwrites, if that has not been done yet.
func (p *planFile) oldSums(box io.ReaderAt, i int) ([]byte, error) {
	var sums []byte
	src := source{r: box, piece: p.piece()}
	err := p.windows[i].sectors(p.layout.oldSize, func(_, off, n int64) error {
		b, err := src.at(off, n)
		sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(b, castagnoli))
		return err
	})
	return sums, err
}

// save puts window i into its slot; durable it becomes later. ErrForeign: its sources are not those of the plan.
func (p *planFile) save(box io.ReaderAt, i int) error {
	old, err := p.oldSums(box, i)
	if err != nil {
		return err
	}
	at := p.slotAt(i)
	if _, err := p.f.WriteAt(old, at+sectorSize); err != nil {
		return err
	}
	out := bufio.NewWriterSize(io.NewOffsetWriter(p.f, p.dataAt(i)), int(p.piece()))
	sum, content := p.id.bodySum(old), uint32(0)
	err = p.windows[i].content(box, p.piece(), func(b []byte) error {
		sum = crc64.Update(sum, crc64Table, b)
		content = crc32.Update(content, castagnoli, b)
		_, err := out.Write(b)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil && content != p.sums[i] {
		err = fmt.Errorf("source of window %d: %w", i, ErrForeign)
	}
	if err == nil {
		h := recordHead{kind: recWindow, id: p.id, seq: uint64(i), length: int64(len(old)) + p.windows[i].n, sum: sum}
		_, err = p.f.WriteAt(h.encode(), at)
	}
	return err
}

// saved returns which window is in slot k: -1 for none that is whole.
func (p *planFile) saved(k int) (int, error) {
	b := make([]byte, headSize)
	if err := readFull(p.f, b, p.slotAt(k)); err != nil {
		return -1, ignoreEnd(err)
	}
	h, err := decodeHead(b)
	i := int(h.seq)
	if err != nil || h.kind != recWindow || h.id != p.id || h.seq >= uint64(len(p.windows)) || i%2 != k {
		return -1, nil
	}
	sum := p.id.bodySum(nil)
	for _, e := range []extent{{p.slotAt(i) + sectorSize, p.sumsLen(i)}, {p.dataAt(i), p.windows[i].n}} {
		err := eachPiece(p.f, e, 0, p.piece(), func(_ int64, b []byte) error {
			sum = crc64.Update(sum, crc64Table, b)
			return nil
		})
		if err != nil {
			return -1, ignoreEnd(err)
		}
	}
	if sum != h.sum {
		return -1, nil
	}
	return i, nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// eachPiece reads e in pieces that end at multiples of piece when shift is added.
func eachPiece(r io.ReaderAt, e extent, shift, piece int64, f func(off int64, b []byte) error) error {
	buf := make([]byte, min(piece, e.n))
	for off, end := e.off, e.off+e.n; off < end; {
		b := buf[:min(int64(len(buf)), piece-(off+shift)%piece, end-off)]
		if err := readFull(r, b, off); err != nil {
			return err
		}
		if err := f(off, b); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// apply writes window i from its slot to the mailbox, with no write ending inside a sector that the next goes on with.
func (p *planFile) apply(box spool.File, i int) error {
	at := p.dataAt(i)
	for _, e := range p.windows[i].extents() {
		shift := e.off - at
		err := eachPiece(p.f, extent{at, e.n}, shift, p.piece(), func(off int64, b []byte) error {
			return writeSectors(box, b, off+shift)
		})
		if err != nil {
			return err
		}
		at += e.n
	}
	return nil
}

// writeSectors writes b. A write that fails may end inside a sector, which replay could not tell from a foreign
// change; so it is done once more, only to leave whole sectors behind.
func writeSectors(box spool.File, b []byte, off int64) error {
	_, err := box.WriteAt(b, off)
	if err == nil {
		return nil
	}
	if _, again := box.WriteAt(b, off); again != nil {
		return errors.Join(err, again)
	}
	return errors.Join(err, box.Datasync())
}

// mark writes one of the records X and T, durably.
func (p *planFile) mark(kind recordKind, sync bool) error {
	if _, err := p.f.WriteAt(appendRecord(nil, kind, p.id, 0, nil), p.markAt(kind)); err != nil || !sync {
		return err
	}
	return p.f.Datasync()
}

func (p *planFile) marked(kind recordKind) (bool, error) {
	b := make([]byte, headSize)
	if err := readFull(p.f, b, p.markAt(kind)); err != nil {
		return false, ignoreEnd(err)
	}
	h, err := decodeHead(b)
	return err == nil && h.kind == kind && h.id == p.id, nil
}

// fill writes all that a new plan's file begins with: the plan, empty marks, the first two windows. Slots that are
// used again are filled up, so that space cannot run out later.
func (p *planFile) fill(box io.ReaderAt, body *bodySummer) error {
	h := recordHead{kind: recPlan, id: p.id, seq: p.gen, length: body.n, sum: body.sum}
	out := bufio.NewWriterSize(io.NewOffsetWriter(p.f, 0), int(p.piece()))
	_, err := out.Write(h.encode())
	if err == nil {
		err = p.encode(out)
	}
	if err == nil {
		_, err = out.Write(make([]byte, p.slotAt(0)-headSize-body.n))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	for i := range min(2, len(p.windows)) {
		if err := p.save(box, i); err != nil {
			return err
		}
		if len(p.windows) > 2 {
			if err := p.padSlot(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planFile) padSlot(i int) error {
	from, to := p.dataAt(i)+p.windows[i].n, p.slotAt(i)+p.slot
	return eachPiece(zeros{}, extent{from, to - from}, 0, p.piece(), func(off int64, b []byte) error {
		_, err := p.f.WriteAt(b, off)
		return err
	})
}

// zeros is a file of NULs.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

// refresh writes the file's bytes over themselves: after a failed sync the kernel takes them for durable though the
// disk never got them.
func (p *planFile) refresh() error {
	info, err := p.f.Stat()
	if err != nil {
		return err
	}
	return copyBytes(p.f, 0, p.f, 0, info.Size)
}

// openPlan opens a plan that is in force. ErrJournal: it cannot be read.
func openPlan(dir spool.Dir, name planName) (*planFile, error) {
	f, err := dir.Open(name.String(), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	p, err := readPlan(f, name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return p, nil
}

func readPlan(f spool.File, name planName) (*planFile, error) {
	h, body, err := readRecord(f, headSize)
	if err != nil {
		return nil, err
	}
	if h.kind != recPlan || h.seq != name.gen {
		return nil, ErrJournal
	}
	plan, err := decodePlan(h, body)
	if err != nil || plan.box.name() != name.id {
		return nil, ErrJournal
	}
	p := &planFile{rewritePlan: plan, f: f, name: name}
	return p, p.cutWindows(int64(len(body)))
}

// readRecord reads the record at the beginning of a file, whose body is at off.
func readRecord(f io.ReaderAt, off int64) (h recordHead, body []byte, err error) {
	b := make([]byte, headSize)
	if err = readFull(f, b, 0); err == nil {
		h, err = decodeHead(b)
	}
	if err == nil && h.length > maxRecord {
		err = errTornRecord
	}
	if err == nil {
		body = make([]byte, h.length)
		err = readFull(f, body, off)
	}
	if err == nil && h.id.bodySum(body) != h.sum {
		err = errTornRecord
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errTornRecord) || errors.Is(err, errVersion) {
		err = fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return h, body, err
}

// cutWindows finds the windows of a plan that was read, and whether they are those of whoever wrote it.
func (p *planFile) cutWindows(body int64) error {
	if p.layout.written()/p.window > int64(len(p.sums)) {
		return ErrJournal
	}
	p.base = wholeSectors(headSize + body)
	p.windows = p.layout.windows(p.window)
	if len(p.windows) != len(p.sums) {
		return ErrJournal
	}
	for i := range p.windows {
		if p.slotLen(i) > p.slot {
			return ErrJournal
		}
	}
	return nil
}
