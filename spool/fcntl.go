package spool

import (
	"errors"

	"golang.org/x/sys/unix"
)

// tryFcntl takes a lock on the whole file, however long it gets, for this open
// file description.
func tryFcntl(f osFile, mode LockMode) (held, outcome, error) {
	err := f.do(func(fd int) error { return ofd(fd, unix.F_OFD_SETLK, lockType(mode)) })
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return held{}, no, nil
	case err != nil:
		return held{}, no, err
	}
	return held{method: Fcntl, free: func() error {
		return f.do(func(fd int) error { return ofd(fd, unix.F_OFD_SETLK, unix.F_UNLCK) })
	}}, yes, nil
}

// queueFcntl waits in the kernel until own has the lock. Closing own gives it back.
func queueFcntl(own osFile, mode LockMode) (held, error) {
	err := own.do(func(fd int) error { return ofd(fd, unix.F_OFD_SETLKW, lockType(mode)) })
	return held{method: Fcntl, free: own.Close}, err
}

func ofd(fd, cmd int, typ int16) error {
	return unix.FcntlFlock(uintptr(fd), cmd, &unix.Flock_t{Type: typ, Whence: unix.SEEK_SET})
}

func lockType(mode LockMode) int16 {
	if mode == Shared {
		return unix.F_RDLCK
	}
	return unix.F_WRLCK
}
