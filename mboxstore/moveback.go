package mboxstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"spoold/spool"
)

// Copies are taken back when the messages could not be removed from where they are. Often that is for want of space,
// and then a plan that removes the copies has none either. But they were appended: while nothing has come behind them
// they are cut off, which needs no plan, since a power cut leaves the old size or the new one, and no space. Before that
// their UIDs, which clients of the target may have seen, have to be known durably: by the cache, or, when there is no
// room for it, by the base line, which is raised in place.

// Where that fails too, the messages are in both mailboxes, and their client was told that the move failed. It is settled
// as soon as that is possible: the copies of what is still in the source are removed. Before that the messages do not
// move again; else the copies of the first move would stay beside those of the second. A crash in between makes a move
// of it that was interrupted, which the next start finishes: nobody can know then what its client was told.

// errNoTail: the copies cannot be cut off.
var errNoTail = errors.New("not at the end of the mailbox")

// takeBack removes the copies of uids.
func (m *Mailbox) takeBack(ctx context.Context, uids []UID) error {
	_, err := m.Remove(ctx, uids)
	if err == nil {
		return nil
	}
	for _, hopeless := range []error{ErrPending, ErrInUse, ErrReadOnly, spool.ErrLocked} {
		if errors.Is(err, hopeless) {
			return err
		}
	}
	if cutErr := m.cutCopies(ctx, uids); cutErr != nil {
		return errors.Join(err, cutErr)
	}
	m.log.Info("copies of a refused move cut off", "messages", len(uids), "err", err)
	return nil
}

// leave remembers a move of which the copies are not taken back. The caller holds the moves locks.
func (m *Mailbox) leave(r *moveRecord, refused error) {
	if r.id == (planID{}) {
		return // nothing was copied
	}
	v := &Move{dir: m.journal.dir, rec: r, refused: refused}
	m.left = append(m.left, v)
	if m.o.MoveLeft != nil {
		m.o.MoveLeft(v)
	}
}

// settleLeft settles the refused moves of the messages of uids before they move to dst. The caller holds the moves locks.
func (m *Mailbox) settleLeft(ctx context.Context, dst *Mailbox, uids []UID) (err error) {
	m.left = slices.DeleteFunc(m.left, func(v *Move) bool {
		if v.settled || !v.concerns(uids) {
			return v.settled
		}
		if v.Target() != dst.sp.Path() || v.settle(ctx, m, dst) != nil {
			err = v.refused
			return false
		}
		return true
	})
	return err
}

// concerns reports whether one of the messages of uids was to move.
func (v *Move) concerns(uids []UID) bool {
	return slices.ContainsFunc(v.rec.pairs, func(p movedMessage) bool { return slices.Contains(uids, p.from) })
}

// takeBack removes the copies of what is still in the source.
func (v *Move) takeBack(ctx context.Context, src, dst *Mailbox) error {
	uids, err := v.inBoth(ctx, v.from(src), v.to(dst))
	if err != nil || len(uids) == 0 {
		return err
	}
	err = dst.takeBack(ctx, uids)
	src.log.Info("copies of a refused move taken back", "target", v.Target(), "messages", len(uids), "err", err)
	return err
}

// cutCopies takes the messages of uids, which are ascending, off the end of the file.
func (m *Mailbox) cutCopies(ctx context.Context, uids []UID) error {
	m.op.Lock()
	defer m.op.Unlock()
	if m.file == nil || m.o.State == nil {
		return errNoTail
	}
	return m.locked(ctx, func() error {
		before, err := m.file.Stat()
		if err != nil {
			return err
		}
		p, err := m.planCut(uids, before.Size)
		if err != nil || p == nil {
			return err
		}
		if err := m.keepLastWithoutSpace(p); err != nil {
			return err
		}
		m.mu.Lock()
		err = m.journal.cut(m.file, before.Size, p.end)
		if err == nil {
			m.unsure.durable()
			err = m.carriedOut(p)
		}
		m.mu.Unlock()
		if err != nil {
			return m.writeFailed(err, p)
		}
		m.news.tell()
		return m.afterWrite(before, p)
	})
}

// planCut is nil when no message of uids is left. Something has to stay that carries the base line.
func (m *Mailbox) planCut(uids []UID, size int64) (*plan, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	x := &m.index
	there := x.pick(uids, func(*record) bool { return true })
	if len(there) == 0 {
		return nil, nil
	}
	stay := len(x.records) - len(there)
	for _, u := range x.uids[stay:] {
		if !there[u] {
			return nil, errNoTail
		}
	}
	if stay == 0 && x.pseudo == nil || x.displaced > 0 || size != x.end {
		return nil, errNoTail
	}
	for i := stay; i < len(x.records); i++ {
		if !m.stands(&x.records[i]) {
			return nil, errMoved
		}
	}
	at := x.records[stay].off
	return &plan{
		layout: &layout{oldSize: size, start: at}, end: at, pseudo: x.pseudo, base: x.onFile,
		gone: slices.Clone(x.uids[stay:]),
	}, nil
}

// cut takes off what is behind size. A power cut leaves all of it or nothing, so that no plan is needed. But a full btrfs
// that refuses to cut has zeroed the beginning nonetheless: so an intent says first what was there, and the replay takes
// it for a torn append.
func (j *journal) cut(f spool.File, oldSize, size int64) error {
	info, err := j.ready(f)
	if err != nil {
		return err
	}
	if info.Size != oldSize {
		return fmt.Errorf("cut of %s at %d: %d bytes: %w", j.path, oldSize, info.Size, ErrForeign)
	}
	box, n := identityOf(info), oldSize-size
	if err := j.intendAppend(f, box, size, io.NewSectionReader(f, size, n), n); err != nil {
		return err
	}
	err = cutFile(f, size)
	if err == nil {
		err = j.clearIntent(box)
	}
	if err != nil {
		j.clean = identity{}
		return errors.Join(ErrPending, err)
	}
	return nil
}

// keepLastWithoutSpace makes the last UID durable, in the cache or in the base line. The caller holds op and the locks.
func (m *Mailbox) keepLastWithoutSpace(p *plan) error {
	if m.unsure.is { // a base line is not to outlive UIDs that it tells of
		err := m.writeAgain()
		if err == nil {
			err = m.synced(m.file.Datasync())
		}
		if err != nil {
			return err
		}
	}
	x := &m.index
	if x.onFile.UIDValidity == x.base.UIDValidity && x.onFile.LastUID >= x.base.LastUID {
		return nil
	}
	err := m.saveCache(true)
	if err == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if raiseErr := m.raiseBaseLine(); raiseErr != nil {
		return errors.Join(err, raiseErr)
	}
	p.base = x.onFile
	return nil
}

// errNoBaseLine: the last UID cannot be written in place.
var errNoBaseLine = errors.New("no base line that can tell of the last UID")

// raiseBaseLine writes the last UID into the base line, in place and durably. That line must not run ahead of messages
// whose UID is not in the file: after a crash they would get those that follow. The caller holds op, mu and the locks.
func (m *Mailbox) raiseBaseLine() error {
	x := &m.index
	if !x.numberedInFile() {
		return errNoBaseLine
	}
	r := x.pseudo
	if r == nil {
		r = &x.records[0]
	}
	b, err := m.read(nil, r.header(), r.body())
	if err != nil {
		return err
	}
	with := replaceLast(b, x.onFile, x.base.LastUID)
	if base := ParseHeader(with).Status.Base; !m.stands(r) || base == nil || base.LastUID != x.base.LastUID {
		return errNoBaseLine
	}
	if err := m.journal.patch(m.file, []edit{{off: r.header(), old: b, new: with}}); err != nil {
		return m.writeFailedLocked(err, r.header())
	}
	if err := m.file.Datasync(); err != nil {
		m.unsure.is = true
		return m.writeFailedLocked(err, r.header())
	}
	x.onFile.LastUID = x.base.LastUID
	return nil
}

// replaceLast returns a header whose base line, if it tells of b in ten digits each, tells of another last UID.
func replaceLast(header []byte, b Base, last UID) []byte {
	values := func(last UID) []byte { return fmt.Appendf(nil, ": %010d %010d", b.UIDValidity, last) }
	return bytes.Replace(header, values(b.LastUID), values(last), 1)
}

// numberedInFile reports whether the file has a base line, and the UID of every message.
func (x *index) numberedInFile() bool {
	if x.onFile.UIDValidity == 0 || x.onFile.UIDValidity != x.base.UIDValidity || x.displaced > 0 {
		return false
	}
	return !slices.ContainsFunc(x.records, func(r record) bool { return r.onFile.uid != r.UID })
}
