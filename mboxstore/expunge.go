package mboxstore

import (
	"context"
	"errors"
)

// Expunge removes messages with \Deleted for good: all of them, or those of only. It is durable when it returns.
// It returns the UIDs that are gone, ascending. Errors: ErrInUse, ErrReadOnly, spool.ErrLocked, those of the file
// system; then nothing has changed.
func (m *Mailbox) Expunge(ctx context.Context, only []UID, all bool) ([]UID, error) {
	return m.remove(ctx, func(x *index) map[UID]bool {
		if all {
			only = x.uids
		}
		return x.pick(only, func(r *record) bool { return r.Flags&FlagDeleted != 0 })
	})
}

// Remove removes the messages of uids whatever their flags, as Expunge does: the second half of MOVE (RFC 6851).
func (m *Mailbox) Remove(ctx context.Context, uids []UID) ([]UID, error) {
	return m.remove(ctx, func(x *index) map[UID]bool {
		return x.pick(uids, func(*record) bool { return true })
	})
}

func (x *index) pick(uids []UID, want func(*record) bool) map[UID]bool {
	picked := map[UID]bool{}
	for _, u := range uids {
		if i, ok := x.find(u); ok && want(&x.records[i]) {
			picked[u] = true
		}
	}
	return picked
}

func (m *Mailbox) remove(ctx context.Context, pick func(*index) map[UID]bool) ([]UID, error) {
	m.op.Lock()
	defer m.op.Unlock()
	if m.ReadOnly() {
		return nil, ErrReadOnly
	}
	picked := func() map[UID]bool {
		m.mu.RLock()
		defer m.mu.RUnlock()
		return pick(&m.index)
	}
	if m.file == nil || len(picked()) == 0 {
		return nil, nil
	}
	if err := m.mayMove(); err != nil {
		return nil, err
	}
	gone, err := m.removeSet(ctx, picked)
	if errors.Is(err, errPartial) {
		if err := m.writeAll(ctx, true); err != nil {
			return nil, err
		}
		gone, err = m.removeSet(ctx, picked)
	}
	return gone, err
}

// keepLast makes the last UID durable in the state directory when a message goes whose UID the base line in the file
// does not cover: the message is gone before that line is written (writePlan), and a crash between the two would make
// its UID be given again. The mark does so for an inbox.
func (m *Mailbox) keepLast(gone map[UID]bool) error {
	if m.o.Inbox {
		return nil
	}
	m.mu.RLock()
	last := m.index.onFile.LastUID
	m.mu.RUnlock()
	for u := range gone {
		if u > last {
			return m.saveCache(true)
		}
	}
	return nil
}

func (m *Mailbox) removeSet(ctx context.Context, picked func() map[UID]bool) (gone []UID, err error) {
	err = m.locked(ctx, func() error {
		set := picked() // the look may have found messages gone
		if len(set) == 0 {
			return nil
		}
		if err := m.keepLast(set); err != nil {
			return err
		}
		p, err := m.plan(set)
		if err == nil {
			err = m.carryOut(p, true)
		}
		if err == nil {
			gone = p.gone
			m.news.tell()
		}
		return err
	})
	return gone, err
}
