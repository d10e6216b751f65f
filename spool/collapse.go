package spool

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Collapse takes n bytes at off out of the file; what follows moves down by n (fallocate(2),
// FALLOC_FL_COLLAPSE_RANGE). Both are multiples of CollapseUnit, and bytes must follow. It is not atomic: after a power
// cut the file may have its old size and a hole of n bytes anywhere behind off, left of which all has moved.
func (f osFile) Collapse(off, n int64) error {
	err := f.do(func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_COLLAPSE_RANGE, off, n) })
	if err != nil {
		return fmt.Errorf("collapse %d bytes at %d of %s: %w", n, off, f.Name(), err)
	}
	return nil
}

// CollapseUnit is the block size of a file system that can collapse, 0 of any other. Some that have one refuse all the
// same (clusters, encrypted files): then Collapse answers EINVAL or EOPNOTSUPP, and has done nothing.
func (f osFile) CollapseUnit() int64 {
	var st unix.Statfs_t
	err := f.do(func(fd int) error { return unix.Fstatfs(fd, &st) })
	if err != nil || st.Type != unix.EXT4_SUPER_MAGIC && st.Type != unix.XFS_SUPER_MAGIC {
		return 0
	}
	return int64(st.Bsize)
}

// Hole finds the first hole at or behind from: [off, end). Without one both are the size of the file.
func (f osFile) Hole(from int64) (off, end int64, err error) {
	err = f.do(func(fd int) error {
		if off, err = unix.Seek(fd, from, unix.SEEK_HOLE); err != nil {
			return err
		}
		end, err = unix.Seek(fd, off, unix.SEEK_DATA)
		return err
	})
	if !errors.Is(err, unix.ENXIO) { // no data behind the hole, or from is the end
		return off, end, wrapSeek(f.Name(), err)
	}
	info, err := f.Stat()
	return max(off, from), info.Size, err
}

func wrapSeek(name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: "seek", Path: name, Err: err}
}
