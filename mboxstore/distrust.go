package mboxstore

import (
	"errors"
	"fmt"
	"syscall"

	"spoold/spool"
)

// After a failed fsync the kernel takes the pages for clean: the next fsync succeeds and writes nothing of them. Some
// file systems (ext4) go on showing what was written, others (btrfs, older XFS) what the disk has. So what was written
// in place since the last fsync that succeeded has to be written once more, and it is not known what the file will show
// until then. What moved, what was appended and edits across a sector are their journal's business.

// manyUnsure is how many messages may wait for one sync. What changes more of them is synced at once.
const manyUnsure = 1 << 16

// unsure is what was written in place and is not durable. Guarded by Mailbox.op.
type unsure struct {
	is   bool // something was written
	lost bool // and a sync failed, so that it has to be written again
	all  bool // too many messages to name
	was  map[UID]fileState
}

// noteUnsure takes note of whose status headers a plan writes in place, and reports whether they are too many to wait
// for a sync. The caller holds op.
func (m *Mailbox) noteUnsure(p *plan) (many bool) {
	u := &m.unsure
	u.is = true
	m.mu.RLock()
	defer m.mu.RUnlock()
	if p.inPlace {
		for i := range p.changes {
			u.note(&m.index.records[p.changes[i].at])
		}
		return u.all
	}
	for i := range m.index.records {
		if r := &m.index.records[i]; r.end <= p.layout.start && r.pending() {
			u.note(r)
		}
	}
	return u.all
}

func (u *unsure) note(r *record) {
	if u.was == nil {
		u.was = map[UID]fileState{}
	}
	if _, ok := u.was[r.UID]; ok {
		return
	}
	if u.all = u.all || len(u.was) == manyUnsure; !u.all {
		u.was[r.UID] = r.onFile
	}
}

// durable is called after a sync that succeeded.
func (u *unsure) durable() {
	if !u.lost {
		*u = unsure{}
	}
}

// distrust is called when a sync may have failed: messages that wait for one count as not written. The UID that the file
// has of them stays: it is also told by their place. The caller holds op and mu.
func (m *Mailbox) distrust() {
	if !m.unsure.is {
		return
	}
	m.unsure.lost = true
	m.stamp = spool.Stamp{} // the file shows the old bytes or the new ones
	for uid, was := range m.unsure.was {
		if i, ok := m.index.find(uid); ok {
			on := &m.index.records[i].onFile
			on.flags, on.keywords = was.flags, was.keywords
		}
	}
	m.waiting.Store(true)
	m.flush.retry()
}

// writeAgain writes what the file shows of the headers in question, so that the next sync takes it to the disk. What it
// does not show of our changes is pending, since the file has been read anew. The caller holds op and the locks.
func (m *Mailbox) writeAgain() error {
	x, u := &m.index, &m.unsure
	if !u.lost {
		return nil
	}
	if x.pseudo != nil {
		if err := m.writeHeaderAgain(x.pseudo); err != nil {
			return err
		}
	}
	for i := range x.records {
		r := &x.records[i]
		_, in := u.was[r.UID]
		if !in && !u.all && i > 0 { // the first one may have the base line
			continue
		}
		if err := m.writeHeaderAgain(r); err != nil {
			return err
		}
	}
	u.lost = false
	m.log.Info("status headers written again after a failed sync", "messages", len(u.was))
	return nil
}

func (m *Mailbox) writeHeaderAgain(r *record) error {
	b := make([]byte, r.hdrLen)
	err := readFull(m.file, b, r.header())
	if err == nil {
		err = writeSectors(m.file, b, r.header())
	}
	if err != nil {
		return fmt.Errorf("message %d at offset %d: %w", r.UID, r.off, err)
	}
	return nil
}

// synced is the outcome of a sync. The caller holds op.
func (m *Mailbox) synced(err error) error {
	if err == nil {
		m.unsure.durable()
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.distrust()
	return fmt.Errorf("%w: %w", errSync, err)
}

// errSync: what was written in place may not be durable.
var errSync = errors.New("sync of what was written")

// syncFailed reports whether err is a failed sync, for a reason that may have gone.
func syncFailed(err error) bool {
	again := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
	return again && errors.Is(err, errSync)
}
