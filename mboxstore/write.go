package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"spoold/spool"
)

// Flush writes what is pending to the file and makes it durable (RFC 9051 CHECK, CLOSE, UNSELECT, LOGOUT). UIDs and
// \Recent for which much would have to move wait for a quiet moment when no flag does; and everything waits while
// another program holds UW's session lock. Errors: spool.ErrLocked, those of the file system; the change stays pending.
func (m *Mailbox) Flush(ctx context.Context) error {
	m.afterOp()
	if !m.waiting.Load() && (!m.numbering.Load() || m.wouldMove() >= m.o.BigMove) {
		return nil
	}
	return m.flushAll(ctx)
}

// flushAll is Flush for the last one who leaves.
func (m *Mailbox) flushAll(ctx context.Context) error {
	if !m.waiting.Load() && !m.numbering.Load() {
		return nil
	}
	err := m.writePending(ctx, true)
	if errors.Is(err, ErrInUse) {
		return m.keepPending() // the session lock may be younger than the last STORE
	}
	return err
}

// afterOp waits until a write in the background is over: it has taken what was waiting, and gives it back if it fails.
func (m *Mailbox) afterOp() {
	m.op.Lock()
	defer m.op.Unlock()
}

func (m *Mailbox) wouldMove() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index.estimateMove()
}

// writePending plans and writes all that is pending.
func (m *Mailbox) writePending(ctx context.Context, sync bool) error {
	m.op.Lock()
	defer m.op.Unlock()
	return m.writeAll(ctx, sync)
}

// writeAll is writePending for a caller that holds op. A sync that fails is tried once more: the kernel tells each of a
// file's failures once, also of what another program wrote when the disk was still full.
func (m *Mailbox) writeAll(ctx context.Context, sync bool) error {
	if m.closed || m.readOnly() || m.file == nil {
		return nil
	}
	err := m.writeOnce(ctx, sync)
	if syncFailed(err) {
		m.log.Warn("written once more after a failed sync", "err", err)
		err = m.writeOnce(ctx, true)
	}
	return err
}

// writeOnce writes all that is pending, and again what a failed sync has left in doubt.
func (m *Mailbox) writeOnce(ctx context.Context, sync bool) error {
	m.waiting.Store(false) // a STORE from here on sets it again
	m.numbering.Store(false)
	var err error
	for more := true; more && err == nil; {
		more = false
		err = m.locked(ctx, func() error {
			if err := m.writeAgain(); err != nil {
				return err
			}
			p, err := m.plan(nil)
			if err != nil {
				return err
			}
			more = p.partial
			return m.carryOut(p, sync)
		})
	}
	if refused(err) && !syncFailed(err) {
		fitting := m.locked(ctx, func() error { return m.writeFitting(sync, m.alien) })
		if errors.Is(err, ErrNotOwner) {
			return m.keepRest(fitting)
		}
		err = errors.Join(err, fitting)
	}
	if err != nil || m.unsure.is {
		m.waiting.Store(true)
	}
	if err != nil {
		m.numbering.Store(true)
		return err
	}
	if m.keeps || m.seen.due {
		return m.letGo()
	}
	return nil
}

// keepRest keeps in the state directory what has no room in another user's mailbox, where none can be made.
func (m *Mailbox) keepRest(err error) error {
	m.mu.RLock()
	wait, modseq := m.index.flagsWait(), m.index.modseq
	m.mu.RUnlock()
	m.waiting.Store(m.unsure.is)
	switch {
	case err != nil:
		return err
	case !wait && m.keeps:
		return m.letGo()
	case !wait || m.kept == modseq:
		return nil
	}
	m.keeps = true
	err = m.saveCache(true)
	if err == nil {
		m.kept = modseq
	}
	return err
}

// letGo makes the cache let go of flags that the file has now; durably, so the file must have them durably before. A new
// list of seen messages begins with it.
func (m *Mailbox) letGo() error {
	if m.unsure.is && m.file != nil {
		if err := m.synced(m.file.Datasync()); err != nil {
			return err
		}
	}
	kept := m.keeps
	m.keeps = false
	err := m.saveCache(true)
	if err != nil {
		m.keeps = kept
		m.waiting.Store(true)
	}
	return err
}

// syncWritten makes durable what was written in place. It needs no lock, unless that has to be written again: nobody
// else's bytes depend on it.
func (m *Mailbox) syncWritten(ctx context.Context) error {
	m.op.Lock()
	defer m.op.Unlock()
	switch {
	case m.closed || m.file == nil || !m.unsure.is:
		return nil
	case m.unsure.lost:
		return m.writeAll(ctx, true)
	}
	return m.synced(m.file.Datasync())
}

// locked runs f under the file's exclusive locks, on an index that is up to date. The caller holds op.
// ErrInUse while another program holds UW's session lock: then nothing in the file may move.
func (m *Mailbox) locked(ctx context.Context, f func() error) error {
	release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	if m.file == nil {
		return m.adoptEmpty()
	}
	err = m.lookLocked()
	if err == nil {
		err = m.writable()
	}
	if err == nil {
		err = f()
	}
	if errors.Is(err, errMoved) { // only plans say so: nothing was written; read the whole file and plan again
		m.doubt()
		if err = m.lookLocked(); err == nil {
			err = f()
		}
	}
	m.release(release)
	return err
}

func (m *Mailbox) writable() error {
	if m.ReadOnly() {
		return ErrReadOnly
	}
	held, err := m.sp.SessionHeld()
	if err != nil {
		return err
	}
	if held {
		return ErrInUse
	}
	return nil
}

func (m *Mailbox) plan(gone map[UID]bool) (*plan, error) {
	w, err := m.planner(gone)
	if err != nil {
		return nil, err
	}
	return m.makePlan(w)
}

// planner is for a plan without the messages in gone.
func (m *Mailbox) planner(gone map[UID]bool) (*planner, error) {
	info, err := m.file.Stat()
	if err != nil {
		return nil, err
	}
	w := &planner{x: &m.index, file: m.file, size: info.Size, gone: gone, spare: m.spare, pseudo: func(b Base) []byte {
		return AppendPseudo(nil, b, m.o.Hostname, m.o.Now(), false)
	}}
	if len(gone) > 0 {
		w.unit = m.file.CollapseUnit()
	}
	return w, nil
}

func (m *Mailbox) makePlan(w *planner) (*plan, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p, err := w.makePlan(m.headers)
	if err != nil {
		return nil, fmt.Errorf("plan a change of %s: %w", m.sp.Path(), err)
	}
	return p, nil
}

// carryOut makes the file and the index what p says. The caller holds op and the file's locks.
func (m *Mailbox) carryOut(p *plan, sync bool) error {
	before, err := m.file.Stat()
	if err != nil {
		return err
	}
	if p.layout != nil && m.alien {
		return ErrNotOwner
	}
	if !p.empty() {
		sync = m.noteUnsure(p) || sync
		m.markAhead(m.index.base.LastUID, p.end) // edits in place may bring UIDs, too
	}
	if m.unsure.is && !sync {
		m.flush.syncLater()
	}
	m.mu.Lock()
	m.keeps = m.keeps || m.index.lookalike(p) // until the cache says otherwise
	err = m.writePlan(p, sync)
	if err == nil {
		err = m.carriedOut(p)
	}
	m.mu.Unlock()
	if err != nil {
		return m.writeFailed(err, p)
	}
	return m.afterWrite(before, p)
}

// writePlan does the writing: what moves first, then the edits in place, which come before all that moves. One of them
// may be the base line. It must not tell of UIDs that are not in the file yet: after a crash between the two, the
// messages would get those that follow.
func (m *Mailbox) writePlan(p *plan, sync bool) error {
	if p.layout != nil {
		if err := m.journal.rewrite(m.file, p.layout); err != nil {
			return err
		}
		if len(p.edits) == 0 {
			m.unsure.durable()
		}
	}
	if len(p.edits) > 0 {
		if err := m.journal.patch(m.file, p.edits); err != nil {
			return err
		}
	}
	if sync && m.unsure.is {
		if err := m.file.Datasync(); err != nil {
			return fmt.Errorf("%w: %w", errSync, err)
		}
		m.unsure.durable()
	}
	return nil
}

// carriedOut takes the plan over into the index. The caller holds mu.
func (m *Mailbox) carriedOut(p *plan) error {
	x := &m.index
	x.wide = x.wide && p.inPlace
	x.relocate(p)
	if len(p.gone) > 0 {
		x.bump(expunged, p.gone...)
		m.unlist(p.gone)
	}
	x.pseudo = p.pseudo
	x.onFile = p.base
	if x.pseudo == nil && len(x.records) == 0 {
		x.onFile = Base{} // an empty file tells nothing
	}
	if p.layout == nil {
		return nil
	}
	// How the file ends now decides what the next append has to write first.
	last := p.pseudo
	if n := len(x.records); n > 0 {
		last = &x.records[n-1]
	}
	s, err := m.scan(last.off, p.end)
	if err != nil {
		return err
	}
	x.setEnd(s)
	return nil
}

// afterWrite sets the file's times as other readers expect them and remembers its stamp.
func (m *Mailbox) afterWrite(before spool.Info, p *plan) error {
	if p.empty() {
		return nil
	}
	m.log.Debug("mailbox written", "edits", len(p.edits), "moved", p.moved(), "collapsed", p.collapsed())
	if p.layout != nil && len(p.layout.dead()) > 0 {
		m.flush.compactLater()
	}
	m.restamp(before, false)
	m.setMark()
	return nil
}

// restamp: atime is now, so that shells do not announce mail that we wrote ourselves; after an append it is a second
// before mtime, so that they do (spec: UW §4.3). Dovecot trusts its offsets while size and whole second of mtime are
// the same; so a write that keeps the size gets the next second as soon as that has come.
//
// An error here changes nothing about the write, which is done: the next look reads the file anew.
func (m *Mailbox) restamp(before spool.Info, appended bool) {
	if err := m.setTimes(before, appended); err != nil {
		m.log.Warn("mailbox times", "err", err)
	}
}

func (m *Mailbox) setTimes(before spool.Info, appended bool) error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	now, mtime := m.o.Now(), time.Unix(0, info.Mtime)
	atime := now
	if appended {
		atime = mtime.Add(-time.Second)
	}
	if err := m.sp.SetTimes(m.file, atime, mtime); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	if err := m.keepStamp(); err != nil {
		return err
	}
	if m.sp.Grain(m.file) > 0 {
		m.flush.recheckLater() // others may write under our own stamp
	}
	if info.Size == before.Size && mtime.Unix() == before.Mtime/int64(time.Second) {
		m.flush.touchAt(mtime.Truncate(time.Second).Add(time.Second), m.stamp)
	}
	return nil
}

// keepStamp makes the file's present stamp the one that the index belongs to.
func (m *Mailbox) keepStamp() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	m.seeLayout()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamp = info.Stamp()
	return nil
}

// touch gives the file an mtime in a later second than our last write had, if nobody has written since.
func (m *Mailbox) touch(ctx context.Context, ours spool.Stamp) error {
	m.op.Lock()
	defer m.op.Unlock()
	if m.closed || m.file == nil || m.readOnly() || m.stamp != ours {
		return nil
	}
	return m.locked(ctx, func() error {
		if m.stamp != ours {
			return nil
		}
		now := m.o.Now()
		if err := m.sp.SetTimes(m.file, now, now); err != nil {
			return err
		}
		return m.keepStamp()
	})
}
