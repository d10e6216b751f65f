package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a flat directory of small files (the state directory's parts), the second seam.
type Dir interface {
	// Open is os.OpenFile below the directory; O_NOFOLLOW and O_CLOEXEC are added,
	// and what is not a regular file with one link is refused.
	Open(name string, flag int, perm fs.FileMode) (File, error)
	Remove(name string) error
	Rename(oldname, newname string) error
	Names() ([]string, error)
	Sync() error
	Sub(name string) (Dir, error) // made 0700 when missing
}

// osDir is a Dir on this host. Everything goes through its descriptor, so it
// stays the same directory when somebody renames it. The descriptor is closed
// when the value is no longer used.
type osDir struct{ osFile }

// OpenDir opens a directory that only the caller (or root) can have filled.
func OpenDir(path string) (Dir, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = openDirFD(unix.AT_FDCWD, path, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", path, err)
	}
	return ownDir(fd, path)
}

// openDirFD opens a directory for reading.
func openDirFD(dirfd int, name string, flags int) (fd int, err error) {
	return unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
}

func (d *osDir) openDir(name string) (fd int, err error) {
	err = d.do(func(dirfd int) error {
		fd, err = openDirFD(dirfd, name, unix.O_NOFOLLOW)
		return err
	})
	return fd, err
}

// ownDir takes fd and checks that nobody else can put files into the directory.
func ownDir(fd int, path string) (Dir, error) {
	d := &osDir{osFile{os.NewFile(uintptr(fd), path)}}
	info, err := d.Stat()
	switch {
	case err != nil:
	case info.UID != uint32(os.Geteuid()) && info.UID != 0:
		err = fmt.Errorf("directory %s: %w", path, ErrOwner)
	case info.Mode&0o022 != 0:
		err = fmt.Errorf("directory %s is writable by others (mode %v): %w", path, info.Mode.Perm(), fs.ErrPermission)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// flatName refuses everything that is not one component.
func flatName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("file name %q: %w", name, fs.ErrInvalid)
	}
	return nil
}

func (d *osDir) path(name string) string { return d.Name() + "/" + name }

func (d *osDir) Open(name string, flag int, perm fs.FileMode) (File, error) {
	if err := flatName(name); err != nil {
		return nil, err
	}
	var fd int
	err := d.do(func(dirfd int) (err error) {
		fd, err = openFD(dirfd, name, flag|unix.O_NOFOLLOW, perm)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.path(name), err)
	}
	f := newFile(fd, d.path(name))
	if err := checkPrivate(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", d.path(name), err), f.Close())
	}
	return f, nil
}

// openFD opens without blocking on a FIFO and names the errors that come from
// what lies there instead of a file.
func openFD(dirfd int, name string, flag int, perm fs.FileMode) (fd int, err error) {
	fd, err = unix.Openat(dirfd, name, flag|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, uint32(perm.Perm()))
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, fmt.Errorf("%w: %w", ErrSymlink, err)
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return -1, fmt.Errorf("%w: %w", ErrNotRegular, err)
	}
	return fd, err
}

func checkPrivate(f File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode.IsRegular():
		return ErrNotRegular
	case info.Nlink > 1:
		return ErrLinks
	}
	return nil
}

func (d *osDir) Remove(name string) error {
	if err := flatName(name); err != nil {
		return err
	}
	if err := d.do(func(fd int) error { return unix.Unlinkat(fd, name, 0) }); err != nil {
		return fmt.Errorf("remove %s: %w", d.path(name), err)
	}
	return nil
}

func (d *osDir) Rename(oldname, newname string) error {
	if err := errors.Join(flatName(oldname), flatName(newname)); err != nil {
		return err
	}
	if err := d.do(func(fd int) error { return unix.Renameat(fd, oldname, fd, newname) }); err != nil {
		return fmt.Errorf("rename %s to %s: %w", d.path(oldname), newname, err)
	}
	return nil
}

// Names lists the directory, unsorted.
func (d *osDir) Names() ([]string, error) {
	// A fresh description: reading moves the offset, which goroutines would share.
	fd, err := d.openDir(".")
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", d.Name(), err)
	}
	f := os.NewFile(uintptr(fd), d.Name())
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d *osDir) Sub(name string) (Dir, error) {
	if err := flatName(name); err != nil {
		return nil, err
	}
	err := d.do(func(fd int) error { return unix.Mkdirat(fd, name, 0o700) })
	switch {
	case err == nil:
		if err := d.Sync(); err != nil {
			return nil, err
		}
	case !errors.Is(err, unix.EEXIST):
		return nil, fmt.Errorf("make directory %s: %w", d.path(name), err)
	}
	fd, err := d.openDir(name)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", d.path(name), err)
	}
	return ownDir(fd, d.path(name))
}
