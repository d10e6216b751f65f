package faultfs

import (
	"context"
	"io/fs"
	"os"
	"time"

	"spoold/spool"
)

// Box is a mailbox on the simulated disk with the methods of a *spool.Box, on a
// host without other programs: locking always succeeds.
type Box struct {
	disk *FS
	name string
}

// Box describes the mailbox of that name, which need not exist.
func (d *FS) Box(name string) *Box { return &Box{d, name} }

func (b *Box) fail(op string, err error) error {
	return &os.PathError{Op: op, Path: b.name, Err: err}
}

// Path returns the name.
func (b *Box) Path() string { return b.name }

// Open opens the mailbox.
func (b *Box) Open(write bool) (spool.File, error) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	n := b.disk.names[b.name]
	if n == nil {
		return nil, b.fail("open", fs.ErrNotExist)
	}
	return &file{disk: b.disk, n: n, name: b.name, life: b.disk.life, write: write}, nil
}

// Stat tells about the file that has the name now.
func (b *Box) Stat() (spool.Info, error) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	n := b.disk.names[b.name]
	if n == nil {
		return spool.Info{}, b.fail("stat", fs.ErrNotExist)
	}
	return n.info(), nil
}

// Owns is true: there is one user.
func (b *Box) Owns(spool.Info) bool { return true }

// Lock answers spool.ErrReplaced when f is not what has the name now.
func (b *Box) Lock(ctx context.Context, f spool.File, _ spool.LockMode) (release func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, b.fail("lock", err)
	}
	return b.TryLock(f, spool.Exclusive)
}

// TryLock is Lock.
func (b *Box) TryLock(f spool.File, _ spool.LockMode) (release func() error, err error) {
	open, ok := f.(*file)
	if !ok {
		return nil, b.fail("lock", fs.ErrInvalid)
	}
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	if b.disk.names[b.name] != open.n {
		return nil, b.fail("lock", spool.ErrReplaced)
	}
	return func() error { return nil }, nil
}

// SessionHeld is always false.
func (b *Box) SessionHeld() (bool, error) { return false, nil }

// LockFile is never there.
func (b *Box) LockFile() (spool.LockState, error) { return spool.LockState{}, nil }

// Grain is 0: every operation has a stamp of its own.
func (b *Box) Grain(spool.File) time.Duration { return 0 }

// SetTimes sets the times of f. It is no operation: nothing may depend on it
// after a crash.
func (b *Box) SetTimes(f spool.File, atime, mtime time.Time) error {
	open, ok := f.(*file)
	if !ok {
		return b.fail("set times", fs.ErrInvalid)
	}
	defer b.disk.mu.Unlock()
	if err := open.use("set times", false); err != nil {
		return err
	}
	if !atime.IsZero() {
		open.n.a = atime.UnixNano()
	}
	if !mtime.IsZero() {
		open.n.m = mtime.UnixNano()
	}
	open.n.c = b.disk.tick()
	return nil
}

// NewFile makes the missing mailbox, durably.
func (b *Box) NewFile(perm fs.FileMode) (spool.File, error) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	if b.disk.names[b.name] != nil {
		return nil, b.fail("create", fs.ErrExist)
	}
	if err := b.disk.must("create %s", b.name); err != nil {
		return nil, b.fail("create", err)
	}
	n := b.disk.create(b.name, nil)
	n.mode = perm
	return &file{disk: b.disk, n: n, name: b.name, life: b.disk.life, write: true}, nil
}
