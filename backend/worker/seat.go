package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"spoold/backend/privsep"
	"spoold/spool"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// seat is what makes a process the worker: the lock in the state directory, and the socket at
// which others find it. Both are used by way of the open directory, so that they are in the one
// that was looked at, and so that a long path does not matter (sun_path has 108 bytes).
type seat struct {
	state  spool.Dir
	dir    *os.File // the same directory
	lock   *flock.Flock
	listen *net.UnixListener
}

// errTaken: another process is the worker.
var errTaken = errors.New("another process serves this user")

const (
	lockName   = "worker.lock"
	socketName = "worker.sock"
)

// takeSeat becomes the worker of the state directory path. Errors: errTaken, or what is wrong
// with the directory.
func takeSeat(path string) (_ *seat, err error) {
	s, err := openState(path)
	if err != nil {
		return nil, err
	}
	dir := s.dir
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.lock = flock.New(below(dir, lockName), flock.SetFlag(os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW), flock.SetPermissions(0o600))
	got, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("worker lock: %w", err)
	}
	if !got {
		return nil, errTaken
	}
	// What lies there is of a worker that died: we have its lock.
	if err := os.Remove(below(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	s.listen, err = net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: below(dir, socketName)})
	if err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	if err := os.Chmod(below(dir, socketName), 0o600); err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	return s, nil
}

// openState opens a state directory, which must be ours alone. A missing one is made, if its
// parent is ours to write to.
func openState(path string) (*seat, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	state, err := spool.OpenDir(path)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	dir, err := os.OpenFile(filepath.Clean(path), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return &seat{state: state, dir: dir}, nil
}

// below names a file in an open directory.
func below(dir *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)
}

// close gives the seat up: the socket first, so that nobody finds it and waits.
func (s *seat) close() error {
	var err error
	if s.listen != nil {
		err = s.listen.Close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return errors.Join(err, s.dir.Close())
}

// call connects to the process that has the seat.
func call(path string) (_ *privsep.Conn, err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	uc, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: below(dir, socketName)})
	if err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	if err := samePeer(uc); err != nil {
		return nil, errors.Join(err, uc.Close())
	}
	return privsep.NewConn(uc), nil
}

// samePeer checks who is at the other end: ourselves in another process, or root. The socket's
// mode says the same; this does not depend on it.
func samePeer(uc *net.UnixConn) error {
	raw, err := uc.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return fmt.Errorf("worker socket: %w", err)
	}
	if cred.Uid != 0 && int64(cred.Uid) != int64(os.Getuid()) {
		return fmt.Errorf("worker socket: peer has uid %d: %w", cred.Uid, fs.ErrPermission)
	}
	return nil
}
