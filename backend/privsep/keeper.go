package privsep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Keeper makes and removes one user's inbox lock, and his inbox, in a directory where the user
// may not write (Debian's /var/mail is root:mail 2775). It is the one place where root acts among
// files that a user may influence, so:
//
//   - the directory is the administrator's: it belongs to root, and Dir must come from the
//     configuration without anything of the user in it;
//   - names are looked up below an open directory, symbolic links are not followed, and nothing
//     is ever opened that exists already;
//   - only the lock that this Keeper made is removed, known by its inode; or that of a spoold that
//     died; or one that has been there for longer than Stale, which a program that was killed has
//     left behind.
//
// The lock file is like those that package spool makes: it says so, its maker keeps it open with a
// flock on it, and touches it while it is held. It is the user's, so that his worker may look into
// it, and nobody else can take the flock.
type Keeper struct {
	Stale time.Duration // 0: a lock of others is never removed

	dir, inbox string
	id         Identity

	mu       sync.Mutex
	held     *os.File // the lock file; nil: not held
	orphaned bool     // whom it was made for has died
	fresh    *time.Timer
}

const (
	lockLine  = "spoold\n" // what a lock file of ours says
	freshTime = 30 * time.Second
)

// NewKeeper is the Keeper of the inbox dir/name of id.
func NewKeeper(dir, name string, id Identity) *Keeper {
	return &Keeper{dir: dir, inbox: name, id: id}
}

// Lock makes the inbox's lock file; fs.ErrExist when there is one. What was orphaned is there already.
func (k *Keeper) Lock() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.inDir("lock inbox of", func(dir int, _ *unix.Stat_t) error {
		if k.orphaned {
			k.orphaned = false
			if k.isOurs(dir) {
				return nil
			}
			k.letGo()
		}
		f, err := k.create(dir)
		if errors.Is(err, unix.EEXIST) && (k.removeAbandoned(dir) || k.removeStale(dir)) {
			f, err = k.create(dir)
		}
		if err != nil {
			return err
		}
		k.held = f
		k.fresh = time.AfterFunc(freshTime, k.touch)
		return nil
	})
}

// create makes the lock file. Without the line in it, it is as good a lock.
func (k *Keeper) create(dir int) (*os.File, error) {
	fd, err := unix.Openat(dir, k.lockName(), createFlags, 0o600)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), k.lockName())
	if err := f.Chown(int(k.id.UID), -1); err != nil {
		return nil, errors.Join(err, unix.Unlinkat(dir, k.lockName(), 0), f.Close())
	}
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
		if _, err := f.WriteString(lockLine); err != nil {
			_ = f.Truncate(0) // a part of the line says nothing
		}
	}
	return f, nil
}

// touch makes the lock file young for programs that judge by age.
func (k *Keeper) touch() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		return
	}
	_ = unix.Futimes(int(k.held.Fd()), []unix.Timeval{now(), now()}) // the next time may be in time
	k.fresh.Reset(freshTime)
}

func now() unix.Timeval { return unix.NsecToTimeval(time.Now().UnixNano()) }

// removeAbandoned removes the lock file of a spoold that died: it says that it is one, and nobody
// has its flock.
func (k *Keeper) removeAbandoned(dir int) bool {
	fd, err := unix.Openat(dir, k.lockName(), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), k.lockName())
	defer func() { _ = f.Close() }() // it was only read
	var st unix.Stat_t
	line := make([]byte, len(lockLine)+1)
	n, _ := f.ReadAt(line, 0)
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && (st.Uid == 0 || st.Uid == k.id.UID) &&
		string(line[:n]) == lockLine && unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil &&
		sameEntry(dir, k.lockName(), &st) && unix.Unlinkat(dir, k.lockName(), 0) == nil
}

func sameEntry(dir int, name string, as *unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Dev == as.Dev && st.Ino == as.Ino
}

// removeStale removes a lock file that is older than Stale. Its ctime counts, which nobody can set back.
func (k *Keeper) removeStale(dir int) bool {
	var st unix.Stat_t
	if k.Stale == 0 || unix.Fstatat(dir, k.lockName(), &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	age := time.Since(time.Unix(st.Ctim.Unix()))
	return st.Mode&unix.S_IFMT == unix.S_IFREG && age > k.Stale && unix.Unlinkat(dir, k.lockName(), 0) == nil
}

// isOurs says that the name still stands for what Lock made.
func (k *Keeper) isOurs(dir int) bool {
	var st unix.Stat_t
	return unix.Fstat(int(k.held.Fd()), &st) == nil && sameEntry(dir, k.lockName(), &st)
}

// Unlock removes the lock that Lock made. It is no error when somebody else has removed it or
// put his own in its place: then there is nothing left of ours.
func (k *Keeper) Unlock() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unlock()
}

func (k *Keeper) unlock() error {
	if k.held == nil {
		return nil
	}
	return k.inDir("unlock inbox of", func(dir int, _ *unix.Stat_t) error {
		defer k.letGo() // not before it is removed: until then its maker lives
		if !k.isOurs(dir) {
			return nil
		}
		return unix.Unlinkat(dir, k.lockName(), 0)
	})
}

func (k *Keeper) letGo() {
	k.fresh.Stop()
	_ = k.held.Close() // all that matters is the flock
	k.held, k.orphaned = nil, false
}

// Orphan says that the worker that has the lock, if it has it, has died: it is kept for the next,
// which replays what the first has left undone, and whose Lock succeeds at once.
func (k *Keeper) Orphan() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.orphaned = k.held != nil
}

// Disown removes a lock that nobody has asked for since Orphan.
func (k *Keeper) Disown() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.orphaned {
		return nil
	}
	return k.unlock()
}

// Create makes an empty inbox that belongs to the user; fs.ErrExist when there is one. In a
// setgid directory it keeps the directory's group and lets it write, as mail programs there expect.
func (k *Keeper) Create() error {
	return k.inDir("create inbox of", func(dir int, st *unix.Stat_t) (err error) {
		fd, err := unix.Openat(dir, k.inbox, createFlags, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			if err = errors.Join(err, unix.Close(fd)); err != nil {
				err = errors.Join(err, unix.Unlinkat(dir, k.inbox, 0))
			}
		}()
		if st.Mode&unix.S_ISGID == 0 {
			return unix.Fchown(fd, int(k.id.UID), int(k.id.GID))
		}
		if err := unix.Fchown(fd, int(k.id.UID), -1); err != nil {
			return err
		}
		return unix.Fchmod(fd, 0o660)
	})
}

// createFlags make a file and never open one.
const createFlags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC

func (k *Keeper) lockName() string { return k.inbox + ".lock" }

// inDir runs f with the spool directory open, and names what was attempted in its error.
func (k *Keeper) inDir(what string, f func(dir int, st *unix.Stat_t) error) error {
	err := k.withDir(f)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, k.id.Name, err)
	}
	return nil
}

func (k *Keeper) withDir(f func(dir int, st *unix.Stat_t) error) (err error) {
	if k.inbox != filepath.Base(k.inbox) || CheckName(k.inbox) != nil {
		return fs.ErrPermission
	}
	dir, err := unix.Open(k.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fs.ErrPermission
	}
	return f(dir, &st)
}
