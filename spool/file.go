package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// File is an open mailbox or journal file: the seam that spool/faultfs breaks in tests.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error     // fsync
	Datasync() error // fdatasync
	Stat() (Info, error)
	Collapse(off, n int64) error
	CollapseUnit() int64
	Hole(from int64) (off, end int64, err error)
	Pending() (string, error)   // the attribute PendingAttr
	SetPending(id string) error // "" removes it
	Layout() (string, error)    // the attribute LayoutAttr
	SetLayout(id string) error
	Close() error
}

// Info is what statx tells of a file.
type Info struct {
	Dev, Ino            uint64
	Birth               int64 // ns since 1970, 0 when the file system does not tell
	Nlink               uint64
	UID, GID            uint32
	Mode                fs.FileMode
	Size                int64
	Atime, Mtime, Ctime int64 // ns since 1970
}

// Stamp is the comparable identity of one state of a file. Times alone do not
// prove that a file is unchanged: they tick per jiffy on kernels before 6.13.
type Stamp struct {
	Dev, Ino           uint64
	Size, Mtime, Ctime int64
}

// Stamp returns the part of i that changes whenever the content does.
func (i Info) Stamp() Stamp {
	return Stamp{Dev: i.Dev, Ino: i.Ino, Size: i.Size, Mtime: i.Mtime, Ctime: i.Ctime}
}

// sameFile compares the birth too: the number of a removed file is soon that of
// a new one.
func (i Info) sameFile(j Info) bool {
	return i.Dev == j.Dev && i.Ino == j.Ino && i.Birth == j.Birth
}

// osFile is a File on this host.
type osFile struct{ *os.File }

// newFile takes fd, which was opened with O_NONBLOCK so that a FIFO could not
// block us; for a regular file the flag means nothing and is taken off again.
func newFile(fd int, name string) osFile {
	_ = unix.SetNonblock(fd, false) // cannot matter for a regular file
	return osFile{os.NewFile(uintptr(fd), name)}
}

// WriteAt says how much was written also when the disk is full in the middle of it: os.File says 0 then (go1.26), and
// what has to be taken back looks like somebody else's.
func (f osFile) WriteAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		err = f.do(func(fd int) (err error) {
			k, err = unix.Pwrite(fd, b[n:], off+int64(n))
			return err
		})
		n += max(k, 0)
	}
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return n, err
}

// Datasync writes the data and what is needed to find it, but not the times.
func (f osFile) Datasync() error {
	if err := f.do(unix.Fdatasync); err != nil {
		return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
	}
	return nil
}

// Stat tells about the open file, whatever its name is now.
func (f osFile) Stat() (info Info, err error) {
	err = f.do(func(fd int) error {
		info, err = statAt(fd, "", unix.AT_EMPTY_PATH)
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return info, nil
}

// do makes a system call with the descriptor, which stays open and ours meanwhile.
func (f osFile) do(call func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = c.Control(func(fd uintptr) {
		callErr = retry(func() error { return call(int(fd)) })
	})
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrClosed, err) // the only reason there is
	}
	return callErr
}

// statAt is statx(2): the only call that tells a file's birth.
func statAt(dirfd int, name string, flags int) (Info, error) {
	var st unix.Statx_t
	err := unix.Statx(dirfd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if err != nil {
		return Info{}, err
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Statx_t) Info {
	info := Info{
		Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino, Nlink: uint64(st.Nlink),
		UID: st.Uid, GID: st.Gid, Mode: modeOf(uint32(st.Mode)), Size: int64(st.Size),
		Atime: nanos(st.Atime), Mtime: nanos(st.Mtime), Ctime: nanos(st.Ctime),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		info.Birth = nanos(st.Btime)
	}
	return info
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// modeOf translates st_mode as package os does.
func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	return mode
}

// retry repeats a system call that a signal interrupted: Go's own preemption
// signals do that on network file systems.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
