package spool

// Whose lock file is this, and is he alive? Our lock file says `spoold`, and
// whoever made it keeps it open with a flock on it. So when the process dies,
// however it dies and wherever it ran on this host, the next of us that finds
// the file gets the flock, and knows that nobody is behind it: no process id is
// compared, which might be another's by now, and no time has to pass. To every
// other program it is a lock file like any other; it takes the line for no
// process id, and judges by age, which is why we touch the file while we hold it.
//
// A power cut may take the line away and leave the file, which is not synced:
// that would cost too much. So the file has the sticky bit, too, which means
// nothing on files and which file systems log before the file's name.
//
// On a network file system a flock tells nothing of other hosts: there the file
// stays empty, and age decides. Whoever forges such a file, in a directory where
// he may, makes a lock that counts less than an empty one would. Only files of
// the user, the mailbox's owner or root are believed, so that no stranger can
// keep a dead lock alive.

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lockLine is what our lock file says. dotlockfile -p reads a process id with
// atoi(3), Dovecot one before a colon; this is neither.
const lockLine = "spoold\n"

// lockFile is FILE.lock, made by us.
type lockFile struct {
	f    osFile // keeps the flock
	info Info
}

// claim puts our line and the flock on a lock file that nobody else knows yet.
// Where that cannot be done it is an ordinary lock file, which is as good a lock.
func claim(f osFile) {
	if onNetwork(f) || f.do(func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }) != nil {
		return
	}
	_ = f.do(func(fd int) error { return unix.Fchmod(fd, 0o600|unix.S_ISVTX) }) // for power cuts only
	if _, err := f.WriteAt([]byte(lockLine), 0); err != nil {
		_ = f.Truncate(0) // a part of the line is not ours either
	}
}

// isOurs: it has our line, or our mode and nothing else.
func isOurs(f osFile, info Info) bool {
	if info.Size == 0 {
		return info.Mode&fs.ModeSticky != 0
	}
	line := make([]byte, len(lockLine))
	if _, err := f.ReadAt(line, 0); err != nil || info.Size != int64(len(line)) {
		return false
	}
	return string(line) == lockLine || info.Mode&fs.ModeSticky != 0 && len(bytes.Trim(line, "\x00")) == 0
}

// touch makes the lock file young, for programs that judge by age.
func (l *lockFile) touch() error {
	return l.f.do(func(fd int) error { return unix.UtimesNanoAt(fd, "", nil, unix.AT_EMPTY_PATH) })
}

// maker is what a lock file tells of the process that made it.
type maker int

const (
	unknown maker = iota // not one of us
	alive
	dead
)

// inspect opens a lock file and asks for a flock of that kind on it, which the
// answer dead comes with: it lasts until the file is closed. Otherwise there is no file.
func (b *Box) inspect(lock string, how int) (osFile, maker) {
	var fd int
	err := retry(func() (err error) {
		fd, err = openFD(unix.AT_FDCWD, lock, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
		return err
	})
	if err != nil {
		return osFile{}, unknown
	}
	f := newFile(fd, lock)
	if m := b.ask(f, how); m != dead {
		_ = f.Close() // it was only read
		return osFile{}, m
	}
	return f, dead
}

func (b *Box) ask(f osFile, how int) maker {
	info, err := f.Stat()
	trusted := []uint32{0, b.owner, uint32(os.Geteuid())}
	if err != nil || !info.Mode.IsRegular() || !slices.Contains(trusted, info.UID) || !isOurs(f, info) || onNetwork(f) {
		return unknown
	}
	err = f.do(func(fd int) error { return unix.Flock(fd, how|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return alive
	case err != nil:
		return unknown
	}
	return dead
}

// makerState is a first opinion: the flock is shared, so that two of us asking
// at once do not take each other for the maker.
func (b *Box) makerState() maker {
	f, m := b.inspect(b.path+lockSuffix, unix.LOCK_SH)
	if m == dead {
		_ = f.Close() // it was only read
	}
	return m
}

// removeAbandoned takes away the lock file of one of us that died. All of us do
// it with the file's flock in hand, so nobody takes away the next one by mistake.
func (b *Box) removeAbandoned() (bool, error) {
	lock := b.path + lockSuffix
	f, m := b.inspect(lock, unix.LOCK_EX)
	if m != dead {
		return false, nil
	}
	defer func() { _ = f.Close() }() // it was only read
	old, err := f.Stat()
	if err != nil {
		return false, err
	}
	if there, err := statPath(lock, unix.AT_SYMLINK_NOFOLLOW); err != nil || !there.sameFile(old) {
		return false, ignoreMissing(err)
	}
	removed, err := b.takeAway(old)
	if removed {
		b.policy.Log.Info("lock file of a process that died taken over", "path", lock, "owner", userName(old.UID))
	}
	return removed, err
}

// keepFresh touches the dot lock among locks, until stop, which waits for a
// touch under way.
func (b *Box) keepFresh(locks []held) (stop func()) {
	i := slices.IndexFunc(locks, func(h held) bool { return h.touch != nil })
	if i < 0 {
		return func() {}
	}
	var (
		mu      sync.Mutex
		stopped bool
		timer   *time.Timer
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(b.refresh, func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if err := locks[i].touch(); err != nil {
			b.policy.Log.Warn("lock file not touched: others may take it for stale", "path", b.path+lockSuffix, "err", err)
		}
		timer.Reset(b.refresh)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}
