package privsep

import (
	"errors"
	"fmt"
	"io/fs"
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
//   - only the lock that this Keeper made is removed, known by its inode; or one that has been
//     there for longer than Stale, which a program that was killed has left behind.
type Keeper struct {
	Stale time.Duration // 0: a lock of others is never removed

	dir, inbox string
	id         Identity

	mu   sync.Mutex
	held bool
	dev  uint64
	ino  uint64
}

// NewKeeper is the Keeper of the inbox dir/name of id.
func NewKeeper(dir, name string, id Identity) *Keeper {
	return &Keeper{dir: dir, inbox: name, id: id}
}

// Lock makes the inbox's lock file; fs.ErrExist when there is one.
func (k *Keeper) Lock() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.inDir("lock inbox of", func(dir int, _ *unix.Stat_t) error {
		fd, err := unix.Openat(dir, k.lockName(), createFlags, 0o644)
		if errors.Is(err, unix.EEXIST) && k.removeStale(dir) {
			fd, err = unix.Openat(dir, k.lockName(), createFlags, 0o644)
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &st), unix.Close(fd)); err != nil {
			return errors.Join(err, unix.Unlinkat(dir, k.lockName(), 0))
		}
		k.held, k.dev, k.ino = true, st.Dev, st.Ino
		return nil
	})
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

// Unlock removes the lock that Lock made. It is no error when somebody else has removed it or
// put his own in its place: then there is nothing left of ours.
func (k *Keeper) Unlock() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.held {
		return nil
	}
	return k.inDir("unlock inbox of", func(dir int, _ *unix.Stat_t) error {
		k.held = false
		var st unix.Stat_t
		err := unix.Fstatat(dir, k.lockName(), &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil || st.Dev != k.dev || st.Ino != k.ino {
			return err
		}
		return unix.Unlinkat(dir, k.lockName(), 0)
	})
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
