package spool

// The lock file FILE.lock. It is made by a hitching post: a file with a name of
// its own in the same directory, then link(2) to the lock's name, which is
// atomic also on NFS, where its answer may get lost; so the post's link count
// tells, not the answer. The lock file names no process: Dovecot takes one that
// names a dead process away after seconds, and a journal may need it (store.md
// §3.4). That it is ours, and whether we live, is said otherwise: lockfile.go.
//
// A lock file is taken for left over when it is one of ours and its maker has
// died, or when neither it nor the mailbox changed for the policy's time. The lock file's age is that of its ctime, which nobody
// can set back, by the clock of the file system that it lies on. It is taken
// away only while we hold all other locks, and by renaming it first: if that
// catches a younger lock than the one that we looked at, it is put back.

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const lockSuffix = ".lock"

// mayWaive: only these say that nobody with our rights can make the lock here.
// ENOSPC is none of them: others still can.
func mayWaive(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
}

// tryDotlock makes the lock file, has it made, or does without.
func (b *Box) tryDotlock() (held, outcome, error) {
	made, err := makeDotlock(b.path)
	switch {
	case err == nil:
		return held{method: Dotlock, free: func() error { return b.removeDotlock(made) }, touch: made.touch}, yes, nil
	case errors.Is(err, fs.ErrExist):
		return b.tryHeldDotlock()
	case mayWaive(err):
		return b.delegate(err)
	}
	return held{}, no, err
}

// tryHeldDotlock judges a lock file that is there.
func (b *Box) tryHeldDotlock() (held, outcome, error) {
	switch b.makerState() {
	case dead:
		return held{}, leftover, nil
	case alive:
		// The supervisor may keep the lock of a worker that died, for the one that replays.
		if b.policy.Dotlock != nil && b.policy.Dotlock.Make(b.path) == nil {
			return b.delegated(b.policy.Dotlock), yes, nil
		}
		return held{}, no, nil
	}
	if b.looksStale() {
		return held{}, leftover, nil
	}
	return held{}, no, nil
}

// delegated is a lock that somebody else made for us.
func (b *Box) delegated(maker DotlockMaker) held {
	h := held{method: Dotlock, free: func() error { return maker.Remove(b.path) }}
	if t, ok := maker.(dotlockToucher); ok {
		h.touch = func() error { return t.touch(b.path) }
	}
	return h
}

// delegate asks a program with more rights.
func (b *Box) delegate(reason error) (held, outcome, error) {
	maker := b.policy.Dotlock
	if maker == nil {
		maker = setgidMaker{program: "/usr/bin/dotlockfile"}
	}
	err := maker.Make(b.path)
	switch {
	case err == nil:
		return b.delegated(maker), yes, nil
	case errors.Is(err, fs.ErrExist):
		return held{}, no, nil
	case !mayWaive(err):
		return held{}, no, err
	}
	b.warn.Do(func() {
		b.policy.Log.Warn("mailbox is used without lock file", "path", b.path, "reason", reason, "helper", err)
	})
	return held{method: Dotlock, free: func() error { return nil }}, yes, nil
}

// makeDotlock makes the lock file of a mailbox. fs.ErrExist: somebody has it.
func makeDotlock(mailbox string) (*lockFile, error) {
	lock := mailbox + lockSuffix
	// Looking first spares the post, and tells EEXIST from EACCES where we may
	// not write.
	switch there, err := statPath(lock, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil && there.Mode&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: %w", lock, ErrSymlink)
	case err == nil:
		return nil, fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	post := postName(mailbox)
	f, err := exclusiveFile(post)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(post) }() // litter at worst; the lock stands or not all the same
	claim(f)
	info, err := hitch(f, post, lock)
	if errors.Is(err, errors.ErrUnsupported) { // no hard links on this file system
		_ = f.Close() // it was never locked by
		if f, err = exclusiveFile(lock); err != nil {
			return nil, err
		}
		claim(f)
		info, err = f.Stat()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &lockFile{f, info}, nil
}

// postName: no folder can have this name, and the mailbox's own may be as long
// as names can be.
func postName(mailbox string) string {
	return filepath.Join(filepath.Dir(mailbox), fmt.Sprintf(".post%d.%016x%s", os.Getpid(), rand.Uint64(), lockSuffix))
}

func hitch(f osFile, post, lock string) (Info, error) {
	linkErr := os.Link(post, lock)
	info, err := f.Stat()
	switch {
	case err != nil:
		return Info{}, err
	case info.Nlink == 2:
		return info, nil
	case errors.Is(linkErr, unix.EPERM), errors.Is(linkErr, unix.EOPNOTSUPP), errors.Is(linkErr, unix.ENOSYS):
		return Info{}, errors.ErrUnsupported
	case linkErr == nil:
		return Info{}, fmt.Errorf("link %s: count is %d", lock, info.Nlink)
	}
	return Info{}, linkErr
}

func exclusiveFile(path string) (osFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return osFile{}, err
	}
	return osFile{f}, nil
}

// removeDotlock removes our lock file, but not one that somebody put in its
// place after deciding that ours was stale.
func (b *Box) removeDotlock(made *lockFile) (err error) {
	// Closed last: until then the lock has a living maker.
	defer func() { err = errors.Join(err, made.f.Close()) }()
	lock := b.path + lockSuffix
	there, err := statPath(lock, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !there.sameFile(made.info):
		b.policy.Log.Warn("our lock file was overridden by another program", "path", lock)
		return nil
	case err != nil:
		return err
	}
	return os.Remove(lock)
}

// looksStale is a first opinion, by our own clock.
func (b *Box) looksStale() bool {
	lock, err := statPath(b.path+lockSuffix, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && b.isStale(lock, time.Now().UnixNano())
}

func (b *Box) isStale(lock Info, now int64) bool {
	box, err := b.named()
	return err == nil && lock.Mode.IsRegular() &&
		now-max(lock.Ctime, box.Ctime, box.Mtime) >= int64(b.policy.Stale)
}

// seize replaces a lock file that was left over by ours. The caller holds all other locks.
func (b *Box) seize() (held, outcome, error) {
	removed, err := b.removeAbandoned()
	if err == nil && !removed && b.makerState() == unknown {
		removed, err = b.removeStale()
	}
	switch {
	case mayWaive(err):
		// We may not, but a helper that is asked for a lock also judges the old one.
		return b.delegate(err)
	case err != nil:
		return held{}, no, err
	case !removed:
		return held{}, no, nil
	}
	return b.tryDotlock()
}

func (b *Box) removeStale() (removed bool, err error) {
	lock := b.path + lockSuffix
	now, err := b.fileSystemTime()
	if err != nil {
		return false, err
	}
	old, err := statPath(lock, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || !b.isStale(old, now) {
		return false, ignoreMissing(err)
	}
	removed, err = b.takeAway(old)
	if removed {
		age := time.Duration(now - old.Ctime)
		b.policy.Log.Warn("stale lock file taken away", "path", lock, "owner", userName(old.UID), "age", age)
	}
	return removed, err
}

// fileSystemTime is told by a new file.
func (b *Box) fileSystemTime() (int64, error) {
	post := postName(b.path)
	f, err := exclusiveFile(post)
	if err != nil {
		return 0, err
	}
	now, err := f.Stat()
	return now.Ctime, errors.Join(err, f.Close(), os.Remove(post))
}

// takeAway removes the lock file old, by renaming it first: what was put in its
// place meanwhile is put back.
func (b *Box) takeAway(old Info) (bool, error) {
	lock, post := b.path+lockSuffix, postName(b.path)
	if err := os.Rename(lock, post); err != nil {
		return false, ignoreMissing(err)
	}
	caught, err := statPath(post, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && (!caught.sameFile(old) || caught.Mtime != old.Mtime) {
		return false, errors.Join(ignoreExisting(os.Link(post, lock)), os.Remove(post))
	}
	return true, errors.Join(err, os.Remove(post))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreExisting(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
