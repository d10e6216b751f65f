package mboxstore

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"spoold/spool"
)

// A rewrite, step by step.
//
// The new file is cut into windows (layout.go): ranges of it with their new bytes, in an order in which no window
// overwrites a source of itself or of a later one that has not been read. Sizes: old, new, and ext, the size while
// windows are written. ext is old when the file shrinks by 32 bytes or more or keeps its size; new when it grows by as
// much; else 32 more than both. So the gap between new and ext is nothing, or has room for two marks of 16 bytes.
//
//	1  The plan is written under a temporary name: layout, sizes, identity, a checksum of every window's new bytes,
//	   and windows 0 and 1 themselves. fsync, rename, fsync of the directory. Until here the mailbox is untouched.
//	2  Only when ext > old: the mailbox grows to ext in one ftruncate, fsync; is filled with LFs (harmless to every
//	   reader), fsync, so that space cannot run out later; record X. An error before X takes it all back.
//	3  Window by window: if its slot was used before, fdatasync(mailbox), then the window goes into the slot (i mod 2)
//	   and fdatasync(plan); then its bytes go from the slot to the mailbox.
//	4  The plan's random id is written to both ends of the gap, if there is one, and of dead ranges. fdatasync(mailbox).
//	   Record T.
//	5  ftruncate to new, fsync; then dead ranges are taken out (collapse.go). The change is durable. If others have
//	   appended meanwhile, at ext or behind, the gap is deleted instead, with the dead ranges, by a plan of a higher
//	   generation, which is in force before this one is removed.
//	6  The plan's file is removed, lazily.
//
// Syncs: 5 + 2 for every window after the second; 3 more when the file is extended first; 1 more for every dead range,
// without gap 1 less. An error in steps 3 to 5
// leaves the plan in force: ErrPending, nothing else may be written, replay (replay.go) finishes it.
//
// None of the five can be joined with another, even when there is no window: the name may not be durable before the plan
// is, marks may not be there before the name is, nor T before the marks (T without marks says that the file was cut), nor
// may the file be cut before T is. Of the three of an extension the first keeps other sizes than old and ext from being
// found after a crash, the second keeps space from running out once X is there, and the third is X.
//
// Why there is no third state. Let p be the plan in force after a crash, its file as it was when last synced, plus any
// part of what was written since.
//
//   - No X though the file had to be extended: no window was written. The old content is whole. Either the file was
//     extended (at old there are ext-old LFs or NULs, at least 32) and this is taken back, or it was not and there is
//     nothing to do. Others' bytes lie behind ext, or behind old. The ftruncate is synced by itself, so no other size
//     is possible.
//   - No T: a window i is written to the mailbox only when it is durable in its slot, and a slot is used again only when
//     the window in it before is durable in the mailbox. So if m is the last window that is whole in a slot: windows
//     up to m-2 are durable; windows m-1 and m may be there in any mixture of sectors, and are both in their slots, or
//     m-1 is durable and its slot was being overwritten with m+1; windows from m+1 on were not begun, and their
//     sources are untouched. Writing m-1 and m again and going on with m+1 is what would have happened without crash.
//   - T: all windows are durable, and so are the marks. A mark at new, or NULs up to a mark at the end (a file system
//     may zero the rest of the last block before the size is durable), mean that the file was not cut yet; it is cut,
//     or the gap deleted when the file is longer than ext. Without mark it was cut, whatever its size is now: others
//     cannot know the id.
//   - The file never gets shorter than ext before T. So what others append lies behind ext, or behind new after the cut,
//     and is never overwritten.
//   - Several plans: one replaces another only after T (or as the taking back of step 2). When its removal is lost but
//     that of its successor is not, it is found with T and without mark: nothing to do. A plan that is made when no
//     other is in force syncs the directory and with it all removals before.
//   - A crash in replay is a crash at the same step, after replay has made durable what it acts on.

// rewrite makes the file what l says. It is durable when nil is returned. ErrTooLarge, ErrForeign, ErrNoJournal and
// whatever is not ErrPending mean that the mailbox is as it was.
func (j *journal) rewrite(f spool.File, l *layout) error {
	info, err := j.ready(f)
	if err != nil {
		return err
	}
	if j.dir == nil {
		return fmt.Errorf("rewrite %s: %w", j.path, ErrNoJournal)
	}
	if info.Size != l.oldSize {
		return fmt.Errorf("rewrite %s: size %d, not %d: %w", j.path, info.Size, l.oldSize, ErrForeign)
	}
	change, err := j.possible(f, *l)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", j.path, err)
	}
	p, err := j.begin(f, info, change)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", j.path, err)
	}
	if p == nil {
		return nil
	}
	return j.finish(f, p, 0)
}

// possible is l as this file system and this process can carry it out: once a plan is in force nothing may stand in its
// way.
func (j *journal) possible(f spool.File, l layout) (layout, error) {
	collapse, err := j.canCollapse(f, l.oldSize)
	if err != nil {
		return l, err
	}
	if !collapse {
		l = l.withoutDead()
	}
	return l, spool.WithinLimit(max(l.oldSize, extendedSize(l.oldSize, l.newSize())))
}

// ready sees to it that nothing waits in the journal.
func (j *journal) ready(f spool.File) (spool.Info, error) {
	info, err := f.Stat()
	if err != nil || j.dir == nil || j.clean == identityOf(info) {
		return info, err
	}
	switch replayed, err := j.replay(f); {
	case err != nil:
		return info, err
	case replayed:
		return info, fmt.Errorf("replayed %s: %w", j.path, ErrForeign)
	}
	return info, nil
}

// begin puts a plan in force and extends the mailbox if need be: steps 1 and 2. No plan: nothing to do. After an error
// that is not ErrPending the mailbox is as it was.
func (j *journal) begin(f spool.File, info spool.Info, l layout) (*planFile, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	l.simplify()
	p, err := j.draft(f, info, l)
	if err != nil {
		return nil, err
	}
	if len(p.windows) == 0 && p.extSize == l.oldSize && p.gap() == 0 && len(l.dead()) == 0 {
		return nil, nil
	}
	if err := j.enact(f, p); err != nil {
		return nil, err
	}
	j.announce(f, p)
	if !p.extends() {
		return p, nil
	}
	if err := j.extend(f, p); err != nil {
		j.clean = identity{}
		return nil, errors.Join(err, p.f.Close())
	}
	return p, nil
}

// draft works a plan out.
func (j *journal) draft(f spool.File, info spool.Info, l layout) (*planFile, error) {
	id := identityOf(info)
	gen, err := j.nextGeneration(id.name())
	if err != nil {
		return nil, err
	}
	p := &planFile{
		rewritePlan: &rewritePlan{
			id: j.newPlanID(), gen: gen, box: id, path: j.path, layout: l,
			extSize: extendedSize(l.oldSize, l.newSize()), window: j.window,
		},
		name:    planName{id: id.name(), gen: gen, tmp: true},
		windows: l.windows(j.window),
	}
	if !j.keeps(ruleOrder) {
		slices.Reverse(p.windows)
	}
	for i := range p.windows {
		p.slot = max(p.slot, p.slotLen(i))
		sum, err := p.windows[i].sum(f, p.piece())
		if err != nil {
			return nil, err
		}
		p.sums = append(p.sums, sum)
	}
	if p.edges, err = p.edgesOf(f); err != nil {
		return nil, err
	}
	p.rears, err = p.rearsOf(f)
	return p, err
}

// extendedSize is the size that the mailbox has while windows are written.
func extendedSize(oldSize, newSize int64) int64 {
	const marks = 2 * int64(len(planID{}))
	switch d := newSize - oldSize; {
	case d == 0 || d <= -marks:
		return oldSize
	case d >= marks:
		return newSize
	}
	return max(oldSize, newSize) + marks
}

// enact writes the plan's file and puts it in force.
func (j *journal) enact(f spool.File, p *planFile) error {
	body := &bodySummer{sum: p.id.bodySum(nil)}
	err := p.encode(body)
	switch {
	case err != nil:
		return err
	case body.n > maxRecord:
		return fmt.Errorf("plan of %d bytes: %w", body.n, ErrTooLarge)
	}
	p.base = wholeSectors(headSize + body.n)
	p.f, err = j.dir.Open(p.name.String(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = p.fill(f, body)
	if err == nil && j.keeps(rulePlanSync) {
		err = p.f.Sync()
	}
	if err == nil {
		err = j.publish(p)
	}
	if err != nil {
		return errors.Join(err, j.retire(p, true))
	}
	return nil
}

// publish gives the plan the name under which it is in force.
func (j *journal) publish(p *planFile) error {
	named := p.name
	named.tmp = false
	if err := j.dir.Rename(p.name.String(), named.String()); err != nil {
		return err
	}
	p.name = named
	if !j.keeps(rulePlanSync) {
		return nil
	}
	return j.dir.Sync()
}

// retire removes the plan's file; durably when somebody may not find it again.
func (j *journal) retire(p *planFile, durable bool) error {
	err := errors.Join(p.f.Close(), j.dir.Remove(p.name.String()))
	if err == nil && durable {
		err = j.dir.Sync()
	}
	if err != nil {
		j.clean = identity{}
	}
	return err
}

// shorten is cutFile for a change that goes on.
func shorten(f spool.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// cutFile shortens the file, with which a change is done.
func cutFile(f spool.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	return withdrawAndSync(f)
}

// finish carries a plan that is in force out from window from on: steps 3 to 6, for its successors, too.
func (j *journal) finish(f spool.File, p *planFile, from int) error {
	for p != nil {
		j.clean = identity{}
		next, err := j.carryOut(f, p, from)
		if err != nil {
			return fmt.Errorf("rewrite %s: %w", j.path, errors.Join(ErrPending, err, p.f.Close()))
		}
		j.clean = p.box
		if err := j.complete(f, p, next); err != nil {
			j.log.Warn("journal of a finished change stays", "path", j.path, "err", err) // harmless: see T above
		}
		p, from = next, 0
	}
	return nil
}

// carryOut does steps 3 to 5. It returns the plan that replaces p, if one has to.
func (j *journal) carryOut(f spool.File, p *planFile, from int) (*planFile, error) {
	if err := j.writeWindows(f, p, from); err != nil {
		return nil, err
	}
	if j.keeps(ruleNonce) {
		if err := p.writeMarks(f); err != nil {
			return nil, err
		}
	}
	if err := j.syncWindows(f, p); err != nil {
		return nil, err
	}
	if err := p.mark(recWritten, j.keeps(ruleWritten)); err != nil {
		return nil, err
	}
	return j.closeGap(f, p)
}

func (j *journal) writeWindows(f spool.File, p *planFile, from int) error {
	for i := from; i < len(p.windows); i++ {
		if i >= 2 {
			if err := j.saveWindow(f, p, i); err != nil {
				return err
			}
		}
		if err := p.apply(f, i); err != nil {
			return err
		}
	}
	return nil
}

// saveWindow puts window i into a slot that was used before.
func (j *journal) saveWindow(f spool.File, p *planFile, i int) error {
	if j.keeps(ruleSlotSync) {
		if err := f.Datasync(); err != nil {
			return err
		}
	}
	if err := p.save(f, i); err != nil {
		return err
	}
	if !j.keeps(ruleWindow) {
		return nil
	}
	return p.f.Datasync()
}

// writeMarks writes the plan's id to both ends of the gap and of dead ranges.
func (p *planFile) writeMarks(f spool.File) error {
	for _, e := range append(p.layout.dead(), extent{p.layout.newSize(), p.gap()}) {
		if e.n == 0 {
			continue
		}
		if err := writeSectors(f, p.id[:], e.off); err != nil {
			return err
		}
		if err := writeSectors(f, p.id[:], e.off+e.n-int64(len(p.id))); err != nil {
			return err
		}
	}
	return nil
}

// closeGap does step 5, the gap and all dead ranges being there.
func (j *journal) closeGap(f spool.File, p *planFile) (*planFile, error) {
	dead := p.layout.dead()
	if p.gap() == 0 {
		return j.collapseAll(f, p, len(dead))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size > p.extSize {
		if err := writeBack(f, p.layout.newSize()); err != nil {
			return nil, err
		}
		return j.replace(f, info, p, append(dead, extent{p.layout.newSize(), p.gap()}))
	}
	if len(dead) == 0 {
		return nil, cutFile(f, p.layout.newSize())
	}
	if err := shorten(f, p.layout.newSize()); err != nil {
		return nil, err
	}
	return j.collapseAll(f, p, len(dead))
}

// replace puts a plan in force that deletes ranges of which the last ends at p.extSize, behind which others have
// appended. Such a plan only shrinks the file, by a gap with room for marks. The caller retires p.
func (j *journal) replace(f spool.File, info spool.Info, p *planFile, ranges []extent) (*planFile, error) {
	j.log.Info("mail arrived behind an unfinished change", "path", j.path, "bytes", info.Size-p.extSize)
	if !j.keeps(ruleSupersede) {
		if err := j.dir.Remove(p.name.String()); err != nil {
			return nil, err
		}
	}
	return j.deleteRanges(f, ranges)
}
