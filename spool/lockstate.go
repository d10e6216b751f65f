package spool

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// LockState is what can be seen of FILE.lock without touching it.
type LockState struct {
	There bool
	Stale bool          // Lock would take it for left over
	Idle  time.Duration // since anything happened to it or to the mailbox
}

// LockFile looks at the lock file. Only a Lock makes one or takes one away.
func (b *Box) LockFile() (LockState, error) {
	lock, err := statPath(b.path+lockSuffix, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return LockState{}, nil
	}
	if err != nil {
		return LockState{}, err
	}
	box, err := b.named()
	if err != nil {
		return LockState{}, err
	}
	now := time.Now().UnixNano()
	maker := b.makerState()
	idle := max(now-max(lock.Ctime, box.Ctime, box.Mtime), 0)
	return LockState{There: true, Stale: maker == dead || maker == unknown && b.isStale(lock, now), Idle: time.Duration(idle)}, nil
}

// Linked says whether the mailbox's name is a symbolic link.
func (b *Box) Linked() (bool, error) {
	info, err := statPath(b.path, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && info.Mode&fs.ModeSymlink != 0, err
}
