package mboxstore

import (
	"errors"
	"slices"

	"spoold/spool"
)

// openJournal readies the journal of this mailbox; without a state directory nothing that moves bytes is done.
func (m *Mailbox) openJournal() error {
	var dir spool.Dir
	if m.o.State != nil {
		var err error
		if dir, err = m.o.State.Sub(JournalName); err != nil {
			return err
		}
	}
	m.journal = newJournal(dir, m.sp.Path(), m.o.Now, m.log, 0)
	return nil
}

// JournalName is the directory of the journal, in a user's state directory.
const JournalName = "journal"

// HasPlan says whether one of the names of files in a journal is that of a rewrite in force. It is for somebody who
// may not look into them.
func HasPlan(names []string) bool {
	return slices.ContainsFunc(names, func(s string) bool {
		n, ok := parsePlanName(s)
		return ok && !n.tmp
	})
}

// PendingPaths lists the mailboxes for which a journal in a user's state directory waits: opening them replays it.
func PendingPaths(state spool.Dir) ([]string, error) {
	dir, err := state.Sub(JournalName)
	if err != nil {
		return nil, err
	}
	return pendingPaths(dir)
}

// replay finishes what a crash or a full disk interrupted. The caller holds the locks. A journal that does not fit the
// file is kept, and the mailbox is served read-only until somebody has looked at it. One that cannot be finished now is
// an error: the file is in a state that nobody may read, and may be finished later.
func (m *Mailbox) replay() error {
	if err := m.journal.recallTold(m.file); err != nil {
		return err
	}
	pending, err := m.journal.pending(m.file)
	if err != nil {
		return err
	}
	switch err := m.journal.explain(m.file); {
	case err != nil:
		return m.setDamaged(err)
	case !pending: // or somebody has repaired it
		m.mu.Lock()
		defer m.mu.Unlock()
		m.finished()
		m.damaged = nil
		return nil
	case !m.write:
		return m.setDamaged(errors.New("a journal waits for its replay, but the mailbox cannot be written"))
	}
	m.mu.Lock()
	replayed, err := m.journal.replay(m.file)
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrJournal) {
		err = m.unfinishedStill(err)
		m.mu.Unlock()
		return err
	}
	m.finished()
	if replayed {
		m.stamp = spool.Stamp{}
	}
	m.mu.Unlock()
	return m.setDamaged(err)
}

func (m *Mailbox) setDamaged(err error) error {
	if err == nil && m.Damaged() == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && m.damaged == nil {
		m.log.Error("mailbox is read-only until its journal has been looked at", "err", err)
	}
	m.damaged = err
	return nil
}
