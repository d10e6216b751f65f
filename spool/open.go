package spool

// How a mailbox is opened (after Postfix's safe_open). Whoever may write to the
// directory chooses what the name stands for, so the name proves nothing; the
// open file does:
//
//   - It is opened with O_NONBLOCK: a FIFO cannot stop us. Then it has to be a
//     regular file.
//   - The last component may be a symbolic link only in a directory that nobody
//     but root, the mailbox's owner and we can write to, and then only to a file
//     of the owner's. The way to the directory is the administrator's business.
//   - It has exactly one link, and that is the name. Otherwise a stranger could
//     give somebody else's file this name in a directory that he may write to;
//     the name is looked at again after opening, because he could take his link
//     away in between.
//   - It belongs to the mailbox's owner. A file of another user's is served (a
//     shared folder) when it lies in a directory that only that user or root
//     can write to.

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// trusts says that only root, the mailbox's owner and we decide what lies in
// the directory.
func (b *Box) trusts(dir Info) bool {
	return dir.Mode&0o022 == 0 && (dir.UID == 0 || dir.UID == b.owner || dir.UID == uint32(os.Geteuid()))
}

// Open opens the mailbox for reading, or also for writing.
func (b *Box) Open(write bool) (File, error) {
	var err error
	// An MTA or another client may replace the file by rename at any time.
	for range 10 {
		var f File
		if f, err = b.openOnce(write); !errors.Is(err, ErrReplaced) {
			if err != nil {
				return nil, fmt.Errorf("open mailbox %s: %w", b.path, err)
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("open mailbox %s: %w", b.path, err)
}

func (b *Box) openOnce(write bool) (File, error) {
	d, err := openParent(b.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	dir, err := d.Stat()
	if err != nil {
		return nil, err
	}
	f, linked, err := b.openIn(d, dir, write)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = b.check(info, dir, linked)
	}
	if err == nil {
		err = b.stillNamed(f)
	}
	if err == nil && !b.trusts(dir) {
		err = b.onlyName(d, f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// onlyName makes sure that the name we opened is the only one of the file. The
// link count alone is not enough where others may write: they link another
// file of the owner's here, and remove the link before we look. But the name
// that a descriptor was opened by is gone for good once it was removed; so if
// it is still there after the count was one, it was the one. A removal under
// way has lowered the count and not yet taken the name; it keeps the directory
// locked, and so does the search for a name that nobody can have looked up.
func (b *Box) onlyName(d, f osFile) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Nlink != 1 {
		return ErrLinks
	}
	err = d.do(func(dirfd int) error {
		return unix.Fstatat(dirfd, "."+rand.Text(), new(unix.Stat_t), unix.AT_SYMLINK_NOFOLLOW)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("search of the directory: %w", err)
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return err
	}
	if filepath.Base(name) != filepath.Base(b.path) { // also "NAME (deleted)"
		return ErrReplaced
	}
	return nil
}

// openParent opens the directory of path only to open files in it.
func openParent(path string) (osFile, error) {
	dir := filepath.Dir(path)
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return osFile{}, err
	}
	return osFile{os.NewFile(uintptr(fd), dir)}, nil
}

// openIn opens the mailbox in its directory and says whether it went through a
// symbolic link.
func (b *Box) openIn(d osFile, dir Info, write bool) (f osFile, linked bool, err error) {
	flag := unix.O_RDONLY
	if write {
		flag = unix.O_RDWR
	}
	var fd int
	err = d.do(func(dirfd int) (err error) {
		fd, err = openFD(dirfd, filepath.Base(b.path), flag|unix.O_NOFOLLOW, 0)
		if errors.Is(err, ErrSymlink) && b.trusts(dir) {
			linked = true
			fd, err = openFD(dirfd, filepath.Base(b.path), flag, 0)
		}
		return err
	})
	if err != nil {
		return osFile{}, false, err
	}
	return newFile(fd, b.path), linked, nil
}

func (b *Box) check(file, dir Info, linked bool) error {
	switch {
	case !file.Mode.IsRegular():
		return ErrNotRegular
	case file.Nlink == 0:
		return ErrReplaced
	case file.Nlink > 1:
		return ErrLinks
	case file.UID == b.owner:
		return nil
	case linked, dir.Mode&0o022 != 0, dir.UID != 0 && dir.UID != file.UID:
		return ErrOwner
	}
	return nil
}

// Owns reports whether a file is the mailbox's owner's.
func (b *Box) Owns(info Info) bool { return info.UID == b.owner }

// NewFile makes the missing mailbox, durably, with exactly these permissions.
// It is an error (fs.ErrExist) when the name is taken by anything. Made by
// root it is given to its owner.
func (b *Box) NewFile(perm fs.FileMode) (File, error) {
	f, err := b.create(perm)
	if err != nil {
		return nil, fmt.Errorf("make mailbox %s: %w", b.path, err)
	}
	return f, nil
}

func (b *Box) create(perm fs.FileMode) (_ File, err error) {
	d, err := openParent(b.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var fd int
	err = d.do(func(dirfd int) (err error) {
		fd, err = openFD(dirfd, filepath.Base(b.path), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	f := newFile(fd, b.path)
	defer func() {
		if err != nil {
			remove := d.do(func(dirfd int) error { return unix.Unlinkat(dirfd, filepath.Base(b.path), 0) })
			err = errors.Join(err, remove, f.Close())
		}
	}()
	if os.Geteuid() == 0 && b.owner != 0 {
		if err := f.Chown(int(b.owner), -1); err != nil {
			return nil, err
		}
	}
	if err := f.Chmod(perm.Perm()); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	return f, syncDir(filepath.Dir(b.path))
}

// syncDir makes the names in a directory durable. A directory that we may
// search but not read cannot be opened for that: then the file system's own
// ordering has to do.
func syncDir(path string) error {
	d, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
