package spool

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dqblk is the kernel's struct if_dqblk (linux/quota.h), what quotactl(2) tells of one user.
type dqblk struct {
	hardLimit, softLimit, space   uint64 // limits in 1024 octets, space in octets
	hardInodes, softInodes, nodes uint64
	spaceTime, inodeTime          uint64
	valid                         uint32
	_                             uint32
}

// getUserQuota is QCMD(Q_GETQUOTA, USRQUOTA).
const getUserQuota = 0x800007 << 8

// DiskQuota is what the file system that path is on lets a user have, and what he has there, in octets. ok is false
// where there is no quota, or none for him, or nobody tells (NFS, btrfs, a kernel before 5.14): then the error that writing
// meets is all there is. The hard limit counts; the soft one where it is the only one.
func DiskQuota(path string, uid uint32) (used, limit int64, ok bool) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, false
	}
	dir := os.NewFile(uintptr(fd), path)
	defer dir.Close()
	var q dqblk
	err = osFile{dir}.do(func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(fd), getUserQuota, uintptr(uid), uintptr(unsafe.Pointer(&q)), 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return 0, 0, false
	}
	blocks := q.hardLimit
	if blocks == 0 {
		blocks = q.softLimit
	}
	const most = 1 << 52 // in 1024 octets, so that the octets are a number
	return int64(min(q.space, most<<10)), int64(min(blocks, most) << 10), blocks > 0
}

// Device is the number of the file system that path is on.
func Device(path string) (uint64, error) {
	info, err := statPath(path, 0)
	if err != nil {
		return 0, fmt.Errorf("file system of %s: %w", path, err)
	}
	return info.Dev, nil
}
