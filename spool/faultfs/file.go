package faultfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"spoold/spool"
)

// file is an open file.
type file struct {
	disk   *FS
	n      *node
	name   string
	life   int
	write  bool
	closed bool
}

// use takes the lock and checks that the handle is good. The caller unlocks, also after an error.
func (f *file) use(op string, write bool) error {
	f.disk.mu.Lock()
	err := f.disk.alive(f.life)
	switch {
	case f.closed:
		err = fs.ErrClosed
	case err == nil && write && !f.write:
		err = unix.EBADF
	}
	return f.wrap(op, err)
}

func (f *file) wrap(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &os.PathError{Op: op, Path: f.name, Err: err}
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	defer f.disk.mu.Unlock()
	if err := f.use("read", false); err != nil {
		return 0, err
	}
	switch {
	case off < 0:
		return 0, f.wrap("read", unix.EINVAL)
	case len(p) == 0:
		return 0, nil
	case off >= int64(len(f.n.cur)):
		return 0, io.EOF
	}
	done := copy(p, f.n.cur[off:])
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	defer f.disk.mu.Unlock()
	if err := f.use("write", true); err != nil {
		return 0, err
	}
	switch {
	case off < 0:
		return 0, f.wrap("write", unix.EINVAL)
	case len(p) == 0:
		return 0, nil
	}
	done, err := f.disk.write(f.n, f.name, p, off)
	return done, f.wrap("write", err)
}

func (f *file) Truncate(size int64) error {
	defer f.disk.mu.Unlock()
	if err := f.use("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return f.wrap("truncate", unix.EINVAL)
	}
	return f.wrap("truncate", f.disk.truncate(f.n, f.name, size))
}

func (f *file) Collapse(off, n int64) error {
	defer f.disk.mu.Unlock()
	if err := f.use("collapse", true); err != nil {
		return err
	}
	return f.wrap("collapse", f.disk.collapse(f.n, f.name, off, n))
}

func (f *file) CollapseUnit() int64 {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.unit
}

func (f *file) Hole(from int64) (off, end int64, err error) {
	defer f.disk.mu.Unlock()
	if err := f.use("seek", false); err != nil {
		return 0, 0, err
	}
	off, end = f.n.findHole(from)
	return off, end, nil
}

func (f *file) Sync() error     { return f.sync("fsync") }
func (f *file) Datasync() error { return f.sync("fdatasync") }

func (f *file) sync(what string) error {
	defer f.disk.mu.Unlock()
	if err := f.use(what, false); err != nil {
		return err
	}
	return f.wrap(what, f.disk.sync(f.n, what, f.name))
}

func (f *file) Stat() (spool.Info, error) {
	defer f.disk.mu.Unlock()
	if err := f.use("stat", false); err != nil {
		return spool.Info{}, err
	}
	return f.n.info(), nil
}

// info describes n as a file of this process's user on device 1.
func (n *node) info() spool.Info {
	return spool.Info{
		Dev: 1, Ino: n.ino, Birth: n.birth, Nlink: n.links,
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Mode: n.mode,
		Size: int64(len(n.cur)), Atime: n.a, Mtime: n.m, Ctime: n.c,
	}
}

func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return f.wrap("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}
