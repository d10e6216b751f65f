package mboxstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"spoold/spool"
)

// Between a crash and its replay a mailbox file is neither the old one nor the new one: messages stand in it twice, or
// with the end of another. All of that is gone after the replay, so it is no finding. A view is the file as the replay
// is going to make it, read from the file and from the journal; nothing is written for it.

// view is a file put together of pieces of others.
type view struct {
	pieces []viewPiece // by offset, without holes between them
	size   int64
}

// viewPiece is n bytes of r from off on, which stand at the offset at.
type viewPiece struct {
	at, n int64
	r     io.ReaderAt
	off   int64
}

// add puts a piece behind the last one.
func (v *view) add(r io.ReaderAt, off, n int64) {
	if n <= 0 {
		return
	}
	v.pieces = append(v.pieces, viewPiece{v.size, n, r, off})
	v.size += n
}

// addRange puts the range [from, to) of another view behind the last piece.
func (v *view) addRange(of *view, from, to int64) {
	for _, p := range of.pieces[of.find(from):] {
		if p.at >= to {
			return
		}
		skip := max(0, from-p.at)
		v.add(p.r, p.off+skip, min(p.n, to-p.at)-skip)
	}
}

// find returns the index of the piece that has the byte at off.
func (v *view) find(off int64) int {
	i, _ := slices.BinarySearchFunc(v.pieces, off, func(p viewPiece, off int64) int {
		if p.at+p.n <= off {
			return -1
		}
		return 1
	})
	return i
}

// ReadAt is that of io.ReaderAt.
func (v *view) ReadAt(b []byte, off int64) (n int, err error) {
	for _, p := range v.pieces[v.find(off):] {
		if n == len(b) {
			return n, nil
		}
		skip := off + int64(n) - p.at
		part := b[n:min(int64(len(b)), int64(n)+p.n-skip)]
		if err := readFull(p.r, part, p.off+skip); err != nil {
			return n, err
		}
		n += len(part)
	}
	if n < len(b) {
		err = io.EOF
	}
	return n, err
}

func wholeView(r io.ReaderAt, size int64) *view {
	v := &view{}
	v.add(r, 0, size)
	return v
}

// without is v after ranges, which ascend, have been taken out.
func (v *view) without(ranges []extent) *view {
	if len(ranges) == 0 {
		return v
	}
	out, at := &view{}, int64(0)
	for _, e := range ranges {
		out.addRange(v, at, e.off)
		at = e.off + e.n
	}
	out.addRange(v, at, v.size)
	return out
}

// with is v after pieces have been written over it. They do not overlap.
func (v *view) with(pieces []viewPiece) *view {
	slices.SortFunc(pieces, func(a, b viewPiece) int { return cmp.Compare(a.at, b.at) })
	out := &view{}
	for _, p := range pieces {
		out.addRange(v, out.size, p.at)
		out.add(p.r, p.off, p.n)
	}
	out.addRange(v, out.size, v.size)
	return out
}

// replayedView is f as the replay of w will leave it: nil when nothing waits that can be finished.
func (j *journal) replayedView(f spool.File, w *waiting) (*view, error) {
	switch {
	case w.fits != nil:
		return nil, nil
	case w.plan == nil && w.intent != nil:
		return j.intentView(f, w.intent)
	case w.plan == nil:
		return nil, nil
	}
	v, err := w.plan.replayedView(f)
	if err == nil && w.intent != nil && w.intent.kind == recAppend { // the plan that cuts a torn append off may be taken back
		return j.appendView(v, w.intent)
	}
	return v, err
}

// replayedView is f as the replay of p, which fits, will leave it.
func (p *planFile) replayedView(f spool.File) (*view, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := wholeView(f, info.Size)
	written, extended, err := p.progress()
	switch {
	case err != nil:
		return nil, err
	case written:
		stale, err := p.staleRanges(f)
		return now.without(stale), err
	case !extended:
		there, err := p.extensionThere(f)
		if err != nil || !there {
			return now, err
		}
		return now.without([]extent{{p.layout.oldSize, p.extSize - p.layout.oldSize}}), nil
	}
	pieces, err := p.piecesToWrite(f)
	if err != nil {
		return nil, err
	}
	return now.with(pieces).without(p.allStale()), nil
}

// allStale are the ranges of no use when all windows are written.
func (p *planFile) allStale() []extent {
	ranges := p.layout.dead()
	if p.gap() > 0 {
		ranges = append(ranges, extent{p.layout.newSize(), p.gap()})
	}
	return ranges
}

// piecesToWrite is what replay writes: the windows in doubt, from their slots, and those to come, whose sources are
// still in the file.
func (p *planFile) piecesToWrite(f io.ReaderAt) (pieces []viewPiece, err error) {
	redo, err := p.inDoubt()
	if err != nil {
		return nil, err
	}
	from := 0
	for _, i := range redo {
		at := p.dataAt(i)
		for _, e := range p.windows[i].extents() {
			pieces = append(pieces, viewPiece{e.off, e.n, p.f, at})
			at += e.n
		}
		from = i + 1
	}
	for i := range p.windows[from:] {
		for c := range p.windows[from+i].chunks() {
			if c.lit != nil {
				pieces = append(pieces, viewPiece{c.dst, c.size(), bytes.NewReader(c.lit), 0})
			} else {
				pieces = append(pieces, viewPiece{c.dst, c.n, f, c.src})
			}
		}
	}
	return pieces, nil
}

// staleRanges are the ranges that replay still has to take out, all windows being written: the gap and dead ranges, as
// far as a crash has left them.
func (p *planFile) staleRanges(f spool.File) ([]extent, error) {
	there, err := p.gapThere(f)
	if err != nil {
		return nil, err
	}
	if there {
		return p.allStale(), nil
	}
	dead := p.layout.dead()
	if len(dead) == 0 {
		return nil, nil
	}
	n, err := p.countMarked(f, dead)
	if err != nil {
		return nil, err
	}
	stale, err := p.halfCollapsed(f, dead, n)
	return append(dead[:n:n], stale...), err
}

// halfCollapsed is what an interrupted collapse of range n has left of it, as mendCollapse finishes it: nothing when
// there is none.
func (p *planFile) halfCollapsed(f spool.File, dead []extent, n int) ([]extent, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if n < len(dead) && info.Size >= p.sizeBefore(dead[n:]) {
		stale := extent{p.sizeBefore(dead[n:]) - dead[n].n, dead[n].n}
		if empty, err := onlyBytes(f, stale, "\x00"); err != nil || empty {
			return []extent{stale}, err
		}
	}
	off, end, err := f.Hole(0)
	switch {
	case err != nil || off == info.Size:
		return nil, err
	case n == len(dead):
	case off >= dead[n].off && end <= dead[n].off+dead[n].n:
		return []extent{dead[n]}, nil
	case off > dead[n].off && end-off == dead[n].n:
		return []extent{{off, end - off}}, nil
	}
	return nil, fmt.Errorf("hole at offset %d: %w", off, ErrDamaged)
}

// intentView is f without a torn append, or with the edits that replay makes again.
func (j *journal) intentView(f spool.File, i *intent) (*view, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := wholeView(f, info.Size)
	if i.kind == recAppend {
		return j.appendView(now, i)
	}
	var pieces []viewPiece
	edits, _, err := j.editsToMake(f, i)
	for _, e := range edits {
		pieces = append(pieces, viewPiece{e.off, int64(len(e.new)), bytes.NewReader(e.new), 0})
	}
	return now.with(pieces), err
}

// appendView is v without the append of i, if it is torn.
func (j *journal) appendView(v *view, i *intent) (*view, error) {
	end, err := j.tornAppend(v, i, v.size)
	if err != nil || end == i.at {
		return v, err
	}
	return v.without([]extent{{i.at, end - i.at}}), nil
}

// judgeReplayed makes the file as the replay of w will leave it what is judged.
func (c *checker) judgeReplayed(j *journal, w *waiting) error {
	v, err := j.replayedView(c.file, w)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrJournal) {
		w.fits = err // it shows only now
		return nil
	}
	if err == nil && v != nil {
		c.text, c.size, c.willBe = v, v.size, true
	}
	return err
}
