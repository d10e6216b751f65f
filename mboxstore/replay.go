package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"spoold/spool"
)

// replay finishes what a crash interrupted, and says whether the mailbox may have changed by it. ErrDamaged: the
// mailbox is not what it was when the change was begun; ErrJournal: the journal cannot be read. Then both are left as
// they are, and the mailbox must not be written.
func (j *journal) replay(f spool.File) (replayed bool, err error) {
	if j.dir == nil {
		return false, nil
	}
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	id := identityOf(info)
	j.clean = identity{}
	replayed, err = j.replayPlans(f, id)
	if err == nil {
		var cut bool
		cut, err = j.replayIntent(f, id)
		replayed = replayed || cut
	}
	if err != nil {
		return replayed, fmt.Errorf("replay %s: %w", j.path, err)
	}
	j.clean = id
	return replayed, nil
}

// replayPlans finishes the plan in force for the mailbox id and removes all others of it.
func (j *journal) replayPlans(f spool.File, id identity) (replayed bool, err error) {
	names, err := j.plans()
	if err != nil {
		return false, err
	}
	var stale []planName
	var inForce *planName
	for _, n := range names {
		switch {
		case n.id != id.name():
			if err := j.setAside(n); err != nil {
				return false, err
			}
		case n.tmp:
			stale = append(stale, n)
		default:
			if inForce != nil {
				stale = append(stale, *inForce)
			}
			inForce = &n
		}
	}
	if inForce != nil {
		replayed, err = j.replayPlan(f, *inForce, stale)
	} else {
		err = j.removeAll(stale)
	}
	if err == nil && (inForce != nil || len(stale) > 0) {
		err = j.dir.Sync()
	}
	if err == nil && inForce != nil {
		return j.replayOlder(f, id, inForce.gen, replayed)
	}
	return replayed, err
}

// replayOlder goes on with the plans of a lower generation that are still there, because the newer one was taken back.
func (j *journal) replayOlder(f spool.File, id identity, gen uint64, replayed bool) (bool, error) {
	names, err := j.plans()
	if err != nil {
		return replayed, err
	}
	if !slices.ContainsFunc(names, func(n planName) bool { return n.id == id.name() && n.gen < gen }) {
		return replayed, nil
	}
	again, err := j.replayPlans(f, id)
	return replayed || again, err
}

func (j *journal) removeAll(names []planName) error {
	for _, n := range names {
		if err := j.dir.Remove(n.String()); err != nil {
			return err
		}
	}
	return nil
}

// setAside moves a plan to lost/ if it is for another file that had our path: the mailbox was replaced, and what is
// there now is taken as it is. Plans of other mailboxes stay.
func (j *journal) setAside(n planName) error {
	if n.tmp {
		return nil
	}
	p, err := openPlan(j.dir, n)
	if errors.Is(err, ErrJournal) {
		return nil // for its own mailbox to report
	}
	if err != nil {
		return err
	}
	if p.path != j.path {
		return p.f.Close()
	}
	j.log.Error("mailbox was replaced while a change was unfinished; journal moved to lost/", "path", j.path, "journal", n.String())
	info, err := p.f.Stat()
	if err == nil {
		err = j.saveLost(n.String(), p.f, 0, info.Size)
	}
	if err != nil {
		return errors.Join(err, p.f.Close())
	}
	return j.retire(p, true)
}

// replayPlan finishes one plan, and removes the others of the mailbox once it is certain that this one replaced them.
// One that is taken back has replaced nothing (repair.go).
func (j *journal) replayPlan(f spool.File, name planName, stale []planName) (replayed bool, err error) {
	p, err := openPlan(j.dir, name)
	if err != nil {
		return false, err
	}
	if j.keeps(ruleReplay) {
		err = j.makeDurable(f, p)
	}
	var written, extended bool
	if err == nil {
		written, extended, err = p.progress()
	}
	if err == nil && (written || extended) {
		err = j.removeAll(stale)
	}
	switch {
	case err != nil:
		return false, errors.Join(err, p.f.Close())
	case written:
		return j.replayCut(f, p)
	case extended:
		return true, j.replayWindows(f, p)
	}
	return j.replayExtension(f, p)
}

// progress tells whether all windows are written, and whether any may be.
func (p *planFile) progress() (written, extended bool, err error) {
	if written, err = p.marked(recWritten); err != nil {
		return false, false, err
	}
	if !p.extends() {
		return written, true, nil
	}
	extended, err = p.marked(recExtended)
	return written, extended, err
}

// makeDurable sees to it that what replay has read is on the disk.
func (j *journal) makeDurable(f spool.File, p *planFile) error {
	if err := p.refresh(); err != nil {
		return err
	}
	if err := p.f.Sync(); err != nil {
		return err
	}
	if err := j.dir.Sync(); err != nil {
		return err
	}
	return f.Sync()
}

// replayCut finishes a plan whose windows are all written.
func (j *journal) replayCut(f spool.File, p *planFile) (replayed bool, err error) {
	there, err := p.gapThere(f)
	var next *planFile
	switch {
	case err != nil:
	case there:
		next, err = j.closeGap(f, p)
	case len(p.layout.dead()) > 0:
		there, next, err = j.replayDead(f, p)
	case p.gap() > 0:
		if err = p.markNowhere(f, nil); err == nil {
			err = p.cutAgain(f)
		}
	}
	return there, j.goOn(f, p, next, err)
}

// cutAgain cuts a file that looks cut: the fsync after it may have failed, in this process's time, and lost it.
func (p *planFile) cutAgain(f spool.File) error {
	info, err := f.Stat()
	if err != nil || p.gap() == 0 || info.Size != p.layout.newSize() {
		return err
	}
	return shorten(f, info.Size)
}

// goOn retires p after a step that ended with err, and finishes its successor if there is one.
func (j *journal) goOn(f spool.File, p, next *planFile, err error) error {
	if err != nil {
		return errors.Join(ErrPending, err, p.f.Close())
	}
	switch err := j.complete(f, p, next); {
	case refused(err): // the mailbox is whole, and the next replay finds it so
		j.log.Warn("journal of a finished change stays", "path", j.path, "err", err)
	case err != nil:
		return err
	}
	return j.finish(f, next, 0)
}

// writeBack makes what is read in the block at off what the disk has. A full btrfs that refused to cut the file there has
// zeroed the block's end for readers alone, and a plan that was made of the zeros would not fit after a power cut.
func writeBack(f spool.File, off int64) error {
	var b [1]byte
	if err := readFull(f, b[:], off); err != nil {
		return err
	}
	if _, err := f.WriteAt(b[:], off); err != nil {
		return err
	}
	return f.Datasync()
}

// gapThere reports whether the stale bytes at the end have still to go. Their first block may have been zeroed: before
// the new size was durable, or by a full btrfs that has refused to cut them.
func (p *planFile) gapThere(f spool.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || p.gap() == 0 || info.Size < p.extSize {
		return false, err
	}
	from, mark := p.layout.newSize(), int64(len(p.id))
	head, tail := make([]byte, mark), make([]byte, mark)
	if err := readFull(f, head, from); err != nil {
		return false, err
	}
	if err := readFull(f, tail, p.extSize-mark); err != nil {
		return false, err
	}
	headZeros, headRest := p.zeroedMark(head)
	tailZeros, tailRest := p.zeroedMark(tail)
	switch {
	case !headRest || !tailRest || headZeros < mark && tailZeros > 0:
		return false, nil
	case tailZeros == 0:
		return true, nil
	}
	return onlyBytes(f, extent{from, p.gap() - mark}, "\x00")
}

// zeroedMark counts the NULs that a mark begins with, beyond its own, and reports whether the rest of it is there: the
// block whose end was zeroed may end within it.
func (p *planFile) zeroedMark(b []byte) (zeros int64, rest bool) {
	if bytes.Equal(b, p.id[:]) {
		return 0, true
	}
	n := len(b) - len(bytes.TrimLeft(b, "\x00"))
	return int64(n), bytes.Equal(b[n:], p.id[n:])
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// onlyBytes reports whether e holds nothing but bytes of set.
func onlyBytes(f io.ReaderAt, e extent, set string) (bool, error) {
	errOther := errors.New("another byte")
	err := eachPiece(f, e, 0, pieceSize, func(_ int64, b []byte) error {
		if len(bytes.TrimLeft(b, set)) > 0 {
			return errOther
		}
		return nil
	})
	if errors.Is(err, errOther) {
		return false, nil
	}
	return err == nil, err
}

// replayExtension takes back a plan that had not got beyond extending the mailbox.
func (j *journal) replayExtension(f spool.File, p *planFile) (replayed bool, err error) {
	info, err := f.Stat()
	extended := false
	if err == nil {
		extended, err = p.extensionThere(f)
	}
	var next *planFile
	switch {
	case err != nil || !extended:
	case info.Size == p.extSize:
		err = cutFile(f, p.layout.oldSize)
	default:
		if err = writeBack(f, p.layout.oldSize); err == nil {
			next, err = j.replace(f, info, p, []extent{{p.layout.oldSize, p.extSize - p.layout.oldSize}})
		}
	}
	return extended, j.goOn(f, p, next, err)
}

// extensionThere reports whether the mailbox has been extended, and nothing written there.
func (p *planFile) extensionThere(f spool.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size < p.extSize {
		return false, err
	}
	return onlyBytes(f, extent{p.layout.oldSize, p.extSize - p.layout.oldSize}, "\n\x00")
}

// replayWindows goes on where the windows in the slots end.
func (j *journal) replayWindows(f spool.File, p *planFile) error {
	redo, err := p.inDoubt()
	from := 0
	if len(redo) > 0 {
		from = redo[len(redo)-1] + 1
	}
	if err == nil {
		err = p.verify(f, redo, from)
	}
	for _, i := range redo {
		if err == nil {
			err = p.apply(f, i)
		}
	}
	if err != nil {
		return errors.Join(err, p.f.Close())
	}
	return j.finish(f, p, from)
}

// inDoubt returns the windows that may be in the mailbox in part.
func (p *planFile) inDoubt() ([]int, error) {
	var redo []int
	for k := range min(2, len(p.windows)) {
		i, err := p.saved(k)
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			redo = append(redo, i)
		}
	}
	slices.Sort(redo)
	switch n := len(redo); {
	case n == 0 && len(p.windows) > 0, n == 1 && redo[0] == 0 && len(p.windows) > 1, n == 2 && redo[0]+1 != redo[1]:
		return nil, fmt.Errorf("windows %v of %d: %w", redo, len(p.windows), ErrJournal)
	}
	return redo, nil
}

// verify makes sure that the mailbox is what the plan left: every sector of the windows in doubt is the old or the new
// one, and the sources of the windows to come are untouched. What is in no window may have changed.
func (p *planFile) verify(f spool.File, redo []int, from int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size < p.extSize {
		return &damage{info.Size, fmt.Sprintf("%d bytes missing", p.extSize-info.Size)}
	}
	if err := p.verifyEdges(f); err != nil {
		return err
	}
	for _, i := range redo {
		if err := errors.Join(p.verifyTarget(f, i), p.verifyExtension(f, i)); err != nil {
			return err
		}
	}
	for i := from; i < len(p.windows); i++ {
		sum, err := p.windows[i].sum(f, p.piece())
		if err != nil {
			return err
		}
		if sum != p.sums[i] {
			return &damage{p.windows[i].firstSource(), "changed bytes among those that move, the first of them"}
		}
	}
	return nil
}

// verifyTarget compares what window i overwrites with what it writes and what was there before.
func (p *planFile) verifyTarget(f spool.File, i int) error {
	now, to := source{r: f, piece: p.piece()}, source{r: p.f, piece: p.piece()}
	old := make([]byte, p.sumsLen(i))
	if err := readFull(p.f, old, p.slotAt(i)+sectorSize); err != nil {
		return err
	}
	sums := recordReader{b: old}
	data := p.dataAt(i)
	return p.windows[i].sectors(p.layout.oldSize, func(pos, off, n int64) error {
		want := sums.sum()
		a, err := now.at(off, n)
		if err != nil {
			return err
		}
		b, err := to.at(data+pos, n)
		if err == nil && !bytes.Equal(a, b) && crc32.Checksum(a, castagnoli) != want {
			err = &damage{off, "neither old nor new bytes"}
		}
		return err
	})
}
