package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// byDescriptor names an open file, whatever its path is by now, so that what
// opens the name gets the inode that we have open.
func byDescriptor(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func flockOf(fd int, mode LockMode) *flock.Flock {
	flag := os.O_RDWR // NFS wants it for an exclusive lock
	if mode == Shared {
		flag = os.O_RDONLY
	}
	// Never O_CREATE, which is the package's default.
	return flock.New(byDescriptor(fd), flock.SetFlag(flag))
}

// tryFlock locks through a descriptor of the flock package's own. Closing that
// one leaves our fcntl lock alone because it is an OFD lock.
func tryFlock(f osFile, mode LockMode) (h held, got outcome, err error) {
	err = f.do(func(fd int) error {
		l := flockOf(fd, mode)
		try := l.TryLock
		if mode == Shared {
			try = l.TryRLock
		}
		ok, err := try()
		if ok {
			h, got = held{method: Flock, free: l.Unlock}, yes
		}
		return err
	})
	return h, got, err
}

// queueFlock waits in the kernel until it has the lock. It closes own in the end.
func queueFlock(own osFile, mode LockMode) (held, error) {
	var l *flock.Flock
	err := own.do(func(fd int) error {
		l = flockOf(fd, mode)
		if mode == Shared {
			return l.RLock()
		}
		return l.Lock()
	})
	return held{method: Flock, free: func() error { return errors.Join(l.Unlock(), own.Close()) }}, err
}

// onNetwork says whether flock is a byte-range lock in disguise here: on NFS
// and its like it would conflict with our own fcntl lock.
func onNetwork(f osFile) bool {
	var st unix.Statfs_t
	if err := f.do(func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return false
	}
	return slices.Contains([]uint32{
		unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.V9FS_MAGIC,
	}, uint32(st.Type))
}
