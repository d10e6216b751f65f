package privsep

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// handed is a connection on its way to a worker. The supervisor keeps a duplicate until the worker has said that it took
// it: a worker that is being killed still has an open socket for a moment, and what is sent there goes with it.
type handed struct {
	login Login
	conn  *os.File
}

// handTo sends a connection to w and notes that it is on its way.
func (s *Supervisor) handTo(w *worker, l Login, conn syscall.Conn) error {
	dup, err := duplicate(conn)
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	s.mu.Lock()
	w.handed = append(w.handed, handed{l, dup}) // before it is sent: the answer may be quick
	s.mu.Unlock()
	if err = w.proc.Conn.Send(Message{Kind: Hand, Login: &l}, conn); err == nil {
		return nil
	}
	s.mu.Lock()
	w.handed = slices.DeleteFunc(w.handed, func(h handed) bool { return h.conn == dup })
	s.mu.Unlock()
	return errors.Join(err, dup.Close())
}

// duplicate is another descriptor of conn.
func duplicate(conn syscall.Conn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	err = raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "connection on its way"), nil
}

// taken is told by a worker of the oldest connection on its way to it.
func (s *Supervisor) taken(w *worker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(w.handed) == 0 {
		return fmt.Errorf("%w: %s of nothing", ErrMessage, Taken)
	}
	conn := w.handed[0].conn
	w.handed, w.took = w.handed[1:], true
	return conn.Close()
}

// errStillborn: the next one would do no better.
var errStillborn = errors.New("worker died before it took its first connection")

// handOn gives the connections that a dead worker has not taken to the next one.
func (s *Supervisor) handOn(w *worker) {
	s.mu.Lock()
	left := w.handed
	w.handed = nil
	s.mu.Unlock()
	for _, h := range left {
		err := errStillborn
		if w.took {
			err = s.Hand(w.id, h.login, h.conn)
		}
		if err = errors.Join(err, h.conn.Close()); err != nil {
			s.o.Log.Error("Login without worker", "user", w.id.Name, "err", err)
		}
	}
}
