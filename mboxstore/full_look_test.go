package mboxstore

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// fullBox is a mailbox on a disk on which no lock file can be made any more.
type fullBox struct {
	*faultfs.Box
	full bool
	lock spool.LockState

	looked func() // after the next look at the lock file
}

func (b *fullBox) Lock(ctx context.Context, f spool.File, mode spool.LockMode) (func() error, error) {
	if b.full && mode == spool.Exclusive {
		return nil, unix.ENOSPC
	}
	return b.Box.Lock(ctx, f, mode)
}

func (b *fullBox) LockFile() (spool.LockState, error) {
	lock := b.lock
	if looked := b.looked; looked != nil {
		b.looked = nil
		looked()
	}
	return lock, nil
}

// Another program that can still make a lock file appends while the mailbox is read without one.
func TestLockFileDuringLookOnAFullDisk(t *testing.T) {
	disk, o := simMailbox(t, 1, true, false)
	box := &fullBox{Box: disk.Box(modelBox), full: true}
	m, err := Open(t.Context(), box, o)
	must(t, err)
	before, text := len(m.UIDs()), delivered(9)
	box.looked = func() {
		box.lock.There = true
		disk.Append(modelBox, []byte(text[:len(text)-5]))
	}
	disk.Append(modelBox, []byte(delivered(6)))
	must(t, m.Refresh(t.Context()))
	if n := len(m.UIDs()); n != before {
		t.Errorf("%d messages, not %d", n, before)
	}
	disk.Append(modelBox, []byte(text[len(text)-5:]))
	box.lock.There = false
	must(t, m.Refresh(t.Context()))
	box.full = false
	wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7  m9")
	must(t, m.Close(t.Context()))
}

// Mail can be read on such a disk, also what has just come, but not while another program has the lock file.
func TestReadingOnAFullDisk(t *testing.T) {
	disk, o := simMailbox(t, 1, true, false)
	box := &fullBox{Box: disk.Box(modelBox), full: true}
	m, err := Open(t.Context(), box, o)
	must(t, err)
	known := len(m.UIDs())
	disk.Append(modelBox, []byte(delivered(9)))
	box.lock.There = true
	if err := m.Refresh(t.Context()); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("with another's lock file: %v", err)
	}
	box.lock.There = false
	must(t, m.Refresh(t.Context()))
	if n := len(m.UIDs()); n != known+1 {
		t.Errorf("%d messages, not %d", n, known+1)
	}
	if _, err := m.Text(t.Context(), m.UIDs()[known], nil); err != nil {
		t.Error(err)
	}
	if _, err := m.Remove(t.Context(), m.UIDs()[:1]); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Remove: %v", err)
	}
	box.full = false
	must(t, m.Close(t.Context()))
}
