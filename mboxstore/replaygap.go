package mboxstore

import (
	"bytes"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// edge is how many bytes at the ends of a gap are looked at beside the marks.
const edge = 64

// edgesOf is a checksum of what no window writes and nothing else would show to have moved when another program wrote
// the whole file anew: the bytes beside the marks in a gap or a dead range, and what stands before it when nothing is
// written there.
func (p *planFile) edgesOf(f io.ReaderAt) (sum uint32, err error) {
	mark := int64(len(p.id))
	var parts []extent
	for _, e := range p.oldStale() {
		n := max(0, min(edge, e.n-2*mark))
		parts = append(parts, extent{e.off + mark, n}, extent{e.off + e.n - mark - n, n})
		if len(p.windows) == 0 {
			parts = append(parts, extent{max(0, e.off-edge), min(edge, e.off)})
		}
	}
	for _, e := range parts {
		b := make([]byte, e.n)
		if err := readFull(f, b, e.off); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, b)
	}
	return sum, nil
}

// oldStale is what is to go, as far as it is in the old file.
func (p *planFile) oldStale() []extent {
	stale := p.layout.dead()
	if p.gap() > 0 && !p.extends() {
		stale = append(stale, extent{p.layout.newSize(), p.gap()})
	}
	return stale
}

// rearMarks calls use for each sector's part of the places where a stale range has its second mark, with the mark and
// with what is there now.
func (p *planFile) rearMarks(f io.ReaderAt, use func(off int64, mark, now []byte) error) error {
	now := make([]byte, len(p.id))
	for _, e := range p.oldStale() {
		at, end := e.off+e.n-int64(len(p.id)), e.off+e.n
		if at < e.off {
			continue
		}
		if err := readFull(f, now, at); err != nil {
			return err
		}
		for off := at; off < end; {
			n := min(sectorSize-off%sectorSize, end-off)
			if err := use(off, p.id[off-at:off-at+n], now[off-at:off-at+n]); err != nil {
				return err
			}
			off += n
		}
	}
	return nil
}

// rearsOf lists the checksums of what rearMarks finds, in the old file.
func (p *planFile) rearsOf(f io.ReaderAt) (sums []uint32, err error) {
	err = p.rearMarks(f, func(_ int64, _, old []byte) error {
		sums = append(sums, crc32.Checksum(old, castagnoli))
		return nil
	})
	return sums, err
}

// verifyEdges notices what another program has moved. The place of a second mark holds that or what was there before:
// if it is longer by some bytes there, all that follows has moved.
func (p *planFile) verifyEdges(f io.ReaderAt) error {
	sum, err := p.edgesOf(f)
	if err == nil && sum != p.edges {
		err = &damage{p.layout.newSize(), "bytes around what is to go"}
	}
	if err != nil {
		return err
	}
	i := 0
	return p.rearMarks(f, func(off int64, mark, now []byte) error {
		if i >= len(p.rears) {
			return ErrJournal
		}
		if !bytes.Equal(mark, now) && crc32.Checksum(now, castagnoli) != p.rears[i] {
			return &damage{off, "neither the old bytes nor a mark"}
		}
		i++
		return nil
	})
}

// verifyExtension compares what window i writes behind the old end with what it writes and with the LFs that were durable
// there before. A program that wrote the whole file anew and changed the length of something before has moved the one
// and the other.
func (p *planFile) verifyExtension(f io.ReaderAt, i int) error {
	now, to := source{r: f, piece: p.piece()}, source{r: p.f, piece: p.piece()}
	data := p.dataAt(i)
	return p.windows[i].sectors(math.MaxInt64, func(pos, off, n int64) error {
		if off+n <= p.layout.oldSize {
			return nil
		}
		before := max(0, p.layout.oldSize-off)
		pos, off, n = pos+before, off+before, n-before
		a, err := now.at(off, n)
		if err != nil {
			return err
		}
		b, err := to.at(data+pos, n)
		if err == nil && !bytes.Equal(a, b) && len(bytes.TrimLeft(a, "\n")) > 0 {
			err = &damage{off, "neither new bytes nor blank lines"}
		}
		return err
	})
}

// markNowhere makes sure that a gap or a dead range that is not in its place has gone, and was not moved by a program
// that wrote the whole file anew: it took the stale messages in it for mail. Nobody else knows the plan's id, so where
// it is found the stale bytes are. It may be in the ranges but.
func (p *planFile) markNowhere(f io.ReaderAt, but []extent) error {
	from := int64(0)
	for _, e := range append(slices.Clone(but), extent{math.MaxInt64, 0}) {
		at, err := find(io.NewSectionReader(f, from, e.off-from), p.id[:])
		if err != nil {
			return err
		}
		if at >= 0 {
			return &damage{from + at, "stale bytes of an unfinished change were moved here"}
		}
		from = e.off + e.n
	}
	return nil
}

// find returns the offset of the first place in r that holds what; -1 when there is none.
func find(r io.ReaderAt, what []byte) (int64, error) {
	buf := make([]byte, pieceSize+len(what)-1)
	for off := int64(0); ; off += pieceSize {
		n, err := r.ReadAt(buf, off)
		if i := bytes.Index(buf[:n], what); i >= 0 {
			return off + int64(i), nil
		}
		if err == io.EOF {
			return -1, nil
		}
		if err != nil {
			return -1, err
		}
	}
}
