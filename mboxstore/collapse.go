package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"spoold/spool"
)

// Dead ranges (layout.go) are taken out of the file by the file system, which moves no byte for it, after record T, the
// last one first, each durable before the next. Both ends of each bear the plan's id since before T.
//
// The file system does not do it at once: a power cut may leave a part of the range without blocks; or, at the old
// size, everything up to some block moved, and a hole of the range's length behind it. The file had no hole before,
// others do not make any, and the marks of a range stand until it is begun. So replay finds in which range it is and
// goes on: what is behind the hole follows when the hole is taken out in place of the range.

const minDead = 2 * int64(len(planID{})) // room for the marks

// canCollapse reports whether the dead ranges of a layout may be left to the file system.
func (j *journal) canCollapse(f spool.File, size int64) (bool, error) {
	if j.noCollapse || f.CollapseUnit() == 0 {
		return false, nil
	}
	off, _, err := f.Hole(0)
	return off >= size, err
}

// collapseAll takes the first n dead ranges out. When the file system refuses, or others have appended, which would
// leave replay without the size to expect, it returns the plan that does it instead.
func (j *journal) collapseAll(f spool.File, p *planFile, n int) (*planFile, error) {
	dead := p.layout.dead()
	for i := n - 1; i >= 0; i-- {
		info, err := f.Stat()
		if err == nil && info.Size != p.sizeBefore(dead[i:]) {
			return j.deleteRanges(f, dead[:i+1])
		}
		if err == nil {
			err = f.Collapse(dead[i].off, dead[i].n)
		}
		if refused(err) { // it may need a block for its own list
			if err = p.dropSlots(); err == nil {
				err = f.Collapse(dead[i].off, dead[i].n)
			}
		}
		if cannotCollapse(err) {
			j.noCollapse = true
			j.log.Info("file system does not collapse", "path", j.path, "err", err)
			return j.deleteRanges(f, dead[:i+1])
		}
		switch {
		case err != nil:
		case i == 0:
			err = withdrawAndSync(f)
		case j.keeps(ruleCollapseSync):
			err = f.Sync()
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// cannotCollapse: the file system says so before it does anything.
func cannotCollapse(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) ||
		errors.Is(err, unix.ETXTBSY) || errors.Is(err, unix.EPERM)
}

// deleteRanges puts a plan in force that removes ranges of the file by moving what follows. Their ends are marked, so
// the new plan begins no earlier than the first of them. The caller retires the plan in force.
func (j *journal) deleteRanges(f spool.File, ranges []extent) (*planFile, error) {
	info, err := f.Stat()
	if err != nil || len(ranges) == 0 {
		return nil, err
	}
	l := layout{oldSize: info.Size, start: ranges[0].off}
	at := l.start
	for _, e := range ranges {
		l.segs = append(l.segs, segment{src: at, n: e.off - at})
		at = e.off + e.n
	}
	l.segs = append(l.segs, segment{src: at, n: info.Size - at})
	return j.begin(f, info, l)
}

// replayDead goes on with taking the dead ranges out. replayed: some were still there.
func (j *journal) replayDead(f spool.File, p *planFile) (replayed bool, next *planFile, err error) {
	if err := p.cutAgain(f); err != nil {
		return false, nil, err
	}
	dead := p.layout.dead()
	n, err := p.countMarked(f, dead)
	if err != nil {
		return false, nil, err
	}
	m, err := j.mendCollapse(f, p, dead, n)
	switch {
	case err != nil, m.next != nil:
		return true, m.next, err
	}
	if err := p.markNowhere(f, dead[:m.stay]); err != nil {
		return m.mended, nil, err
	}
	if m.stay == 0 && !m.mended {
		return false, nil, nil
	}
	if err := f.Sync(); err != nil {
		return true, nil, err
	}
	next, err = j.collapseAll(f, p, m.stay)
	return true, next, err
}

// countMarked counts the ranges, from the front, that bear both marks.
func (p *planFile) countMarked(f io.ReaderAt, dead []extent) (n int, err error) {
	b := make([]byte, len(p.id))
	for _, e := range dead {
		for _, at := range []int64{e.off, e.off + e.n - int64(len(b))} {
			clear(b)
			if err := ignoreEnd(readFull(f, b, at)); err != nil {
				return n, err
			}
			if !bytes.Equal(b, p.id[:]) {
				return n, nil
			}
		}
		n++
	}
	return n, nil
}

// mended is what mendCollapse has done: how many ranges stay to be taken out, or the plan that does everything else.
type mended struct {
	stay   int
	mended bool
	next   *planFile
}

// mendCollapse finishes the collapse that was interrupted, if there is one; the first n ranges were not begun.
func (j *journal) mendCollapse(f spool.File, p *planFile, dead []extent, n int) (mended, error) {
	if n < len(dead) {
		if err := p.markNowhere(f, dead[:n+1]); err != nil { // before NULs are taken for what the file system has left
			return mended{}, err
		}
		if m, done, err := j.mendSize(f, p, dead, n); done || err != nil {
			return m, err
		}
	}
	off, end, err := f.Hole(0)
	if err != nil {
		return mended{}, err
	}
	info, err := f.Stat()
	in := func(e extent) bool { return off >= e.off && end <= e.off+e.n }
	switch {
	case err != nil:
		return mended{}, err
	case off == info.Size && n < len(dead) && info.Size != p.sizeBefore(dead[n:])-dead[n].n:
		return mended{stay: n}, noFilledHole(f, info.Size, dead[n].n)
	case off == info.Size:
		return mended{stay: n}, nil
	case n < len(dead) && in(dead[n]):
		return mended{stay: n + 1, mended: true}, nil
	case n < len(dead) && off > dead[n].off && end-off == dead[n].n:
		j.log.Info("finishing an interrupted collapse", "path", j.path, "offset", off)
		if info.Size == p.sizeBefore(dead[n:]) {
			return mended{stay: n, mended: true}, f.Collapse(off, end-off)
		}
		next, err := j.deleteRanges(f, append(dead[:n:n], extent{off, end - off}))
		return mended{next: next, mended: true}, err
	}
	return mended{}, fmt.Errorf("hole at offset %d: %w", off, ErrDamaged)
}

// noFilledHole makes sure that no hole was there when another program wrote the file anew: it has written NULs in its
// place, as many as it was long, and mail on both sides of them belongs together.
func noFilledHole(f io.ReaderAt, size, hole int64) error {
	run := int64(0)
	return eachPiece(f, extent{0, size}, 0, pieceSize, func(off int64, b []byte) error {
		for i, c := range b {
			if c != 0 {
				run = 0
			} else if run++; run == hole {
				return &damage{off + int64(i) + 1 - hole, "NULs in place of the blocks that the file system had taken out"}
			}
		}
		return nil
	})
}

// mendSize finishes a collapse that lacks nothing but the new size of the file: it ends in NULs, behind which others
// may have appended.
func (j *journal) mendSize(f spool.File, p *planFile, dead []extent, n int) (m mended, done bool, err error) {
	info, err := f.Stat()
	was := p.sizeBefore(dead[n:])
	stale := extent{was - dead[n].n, dead[n].n}
	if err != nil || info.Size < was {
		return m, false, err
	}
	empty, err := onlyBytes(f, stale, "\x00")
	switch {
	case err != nil || !empty:
		return m, false, err
	case info.Size == was:
		return mended{stay: n, mended: true}, true, shorten(f, stale.off)
	}
	next, err := j.deleteRanges(f, append(dead[:n:n], stale))
	return mended{next: next}, true, err
}

// sizeBefore is the size that the file had before the first of these ranges was taken out, the last having gone first,
// without what others appended.
func (p *planFile) sizeBefore(dead []extent) int64 {
	size := p.layout.newSize()
	for _, e := range dead[1:] {
		size -= e.n
	}
	return size
}
