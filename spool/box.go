package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Box is one mailbox file on this host: how to open and lock it. Its methods
// are safe for concurrent use.
type Box struct {
	path   string
	owner  uint32
	policy LockPolicy

	sessions string        // where UW's session locks lie
	poll     time.Duration // how often Watch looks for what inotify cannot tell
	refresh  time.Duration // how often a lock file that is held is touched
	warn     sync.Once     // the warning about a lock that had to be waived

	turn chan struct{} // full while a Lock is waiting: one at a time, in order
	mu   sync.Mutex
	gate gate
	wait map[waitKey]*waiter
}

// NewBox describes the mailbox at path that belongs to owner. Nothing is opened yet.
func NewBox(path string, owner uint32, p LockPolicy) *Box {
	if len(p.Methods) == 0 {
		p.Methods = []Method{Fcntl, Dotlock, Flock}
	}
	if p.Timeout == 0 {
		p.Timeout = 30 * time.Second
	}
	if p.Stale == 0 {
		p.Stale = 5 * time.Minute
	}
	if p.Log == nil {
		p.Log = slog.Default()
	}
	return &Box{
		path: path, owner: owner, policy: p,
		sessions: "/tmp", poll: 10 * time.Second,
		refresh: min(30*time.Second, p.Stale/4),
		turn:    make(chan struct{}, 1),
		gate:    gate{shared: map[File]*sharing{}, freed: make(chan struct{})},
		wait:    map[waitKey]*waiter{},
	}
}

// Path returns the name that the mailbox was described with.
func (b *Box) Path() string { return b.path }

// Stat tells about what the path names now.
func (b *Box) Stat() (Info, error) {
	info, err := b.named()
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", b.path, err)
	}
	return info, nil
}

// named looks at the path without opening it. A symbolic link is followed only
// where Open would follow it.
func (b *Box) named() (Info, error) {
	info, err := statPath(b.path, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || info.Mode&fs.ModeSymlink == 0 {
		return info, err
	}
	dir, err := statPath(filepath.Dir(b.path), 0)
	if err != nil {
		return Info{}, err
	}
	if !b.trusts(dir) {
		return Info{}, ErrSymlink
	}
	return statPath(b.path, 0)
}

func statPath(path string, flags int) (info Info, err error) {
	err = retry(func() error {
		info, err = statAt(unix.AT_FDCWD, path, flags)
		return err
	})
	return info, err
}

// SetTimes sets both times of the open file; a zero time is left alone. Only
// the file's owner (or root) may.
func (b *Box) SetTimes(f File, atime, mtime time.Time) error {
	of, ok := f.(osFile)
	if !ok {
		return fmt.Errorf("set times of %s: %w", b.path, fs.ErrInvalid)
	}
	ts := []unix.Timespec{timespec(atime), timespec(mtime)}
	if err := of.do(func(fd int) error { return unix.UtimesNanoAt(fd, "", ts, unix.AT_EMPTY_PATH) }); err != nil {
		return fmt.Errorf("set times of %s: %w", b.path, err)
	}
	return nil
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.NsecToTimespec(t.UnixNano())
}

// Raw opens the mailbox to read its octets as they are. No lock is taken, and the time of the last reading, by which other
// programs know new mail, stays where the kernel lets it, which is in files of our own.
func (b *Box) Raw() (io.ReadCloser, error) {
	f, err := b.Open(false)
	if err != nil {
		return nil, err
	}
	of, ok := f.(osFile)
	if !ok {
		return nil, errors.Join(fmt.Errorf("read %s: %w", b.path, fs.ErrInvalid), f.Close())
	}
	_ = of.do(func(fd int) error { // a file of another user's is read all the same
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NOATIME)
		return err
	})
	return of, nil
}
