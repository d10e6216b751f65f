package mboxstore

import (
	"errors"
	"fmt"
	"slices"

	"spoold/spool"
)

// A change that breaks off in the middle, because a disk is full on which even overwriting needs space (btrfs, ZFS,
// bcachefs) or cannot be written, leaves a file that is neither the old mailbox nor the new one, and a journal that
// makes the new one of it. Until that is done nobody may write, and the file must not be read anew: messages would be
// found twice, or with another's end. So the index stays what it was. What lies before the change is served from the
// file as always; what lies behind it answers ErrPending. Flags are still taken, and wait. The background writer tries to
// finish the change, later and later; so does every command that needs the file.

// unfinished is such a change.
type unfinished struct {
	is   bool
	from int64 // where it begins to write
}

// hides reports whether the bytes of r may be anything.
func (u *unfinished) hides(r *record) bool { return u.is && r.end > u.from }

// writeFailed decides what an error means for a mailbox that was to be written as p says.
func (m *Mailbox) writeFailed(err error, p *plan) error {
	err = fmt.Errorf("write %s: %w", m.sp.Path(), err)
	if refused(err) && len(p.edits) == 0 && p.layout.keepsSize() {
		return err // before anything was done to the file, which need not be read again
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writeFailedLocked(err, p.from())
}

// keepsSize reports whether the file need not grow for the change.
func (l *layout) keepsSize() bool {
	return l != nil && extendedSize(l.oldSize, l.newSize()) == l.oldSize
}

// writeFailedLocked is writeFailed for a caller that holds mu.
func (m *Mailbox) writeFailedLocked(err error, from int64) error {
	m.distrust()
	m.stamp = spool.Stamp{} // whatever is there now has to be read again
	if !errors.Is(err, ErrPending) {
		return err
	}
	m.log.Error("change of the mailbox is unfinished", "err", err)
	if !m.unfinished.is {
		m.unfinished = unfinished{is: true, from: from}
	}
	m.stampUnfinished()
	m.flush.later(soon)
	return err
}

// unfinishedStill notes that a replay failed for now. A change that an earlier process began may be anywhere, and so may
// the messages be after others have written more than mail behind the last one. The caller holds mu.
func (m *Mailbox) unfinishedStill(err error) error {
	m.distrust()
	if !m.unfinished.is || !m.visibleStand() {
		m.unfinished = unfinished{is: true}
	}
	m.stampUnfinished()
	return fmt.Errorf("%w: %w", ErrPending, err)
}

// visibleStand reports whether the first and the last message before the change are where they were.
func (m *Mailbox) visibleStand() bool {
	records := m.index.records
	n, _ := slices.BinarySearchFunc(records, m.unfinished.from, func(r record, from int64) int {
		if r.end > from {
			return 1
		}
		return -1
	})
	return n == 0 || m.stands(&records[0]) && m.stands(&records[n-1])
}

// stampUnfinished makes the file's stamp the one under which the bytes before the change are what the index knows.
func (m *Mailbox) stampUnfinished() {
	m.stamp = spool.Stamp{}
	if info, err := m.file.Stat(); err == nil {
		m.stamp = info.Stamp()
	}
}

// finished notes that no change is under way. The caller holds mu.
func (m *Mailbox) finished() {
	if m.unfinished.is {
		m.log.Info("change of the mailbox is finished")
		m.unfinished = unfinished{}
		m.stamp = spool.Stamp{}
	}
}
