package imapconn

import (
	"errors"
	"net"
	"os"
	"time"
)

// Reasons for which a read ends without the client.
var (
	errIdle   = errors.New("idle for too long")
	errStall  = errors.New("stopped inside a command")
	errKicked = errors.New("read interrupted")
)

// source reads from the client, with deadlines.
type source struct {
	c       *Conn
	unread  []byte // comes first
	begun   bool   // a part of the present command has arrived
	waiting bool   // Await reads on another goroutine, which may not write
	inflate bool   // what is read is compressed: it may be the start of a command, or no more than the end of a flush
}

// Read flushes before it may block: the client may be waiting for output
// before it sends.
func (s *source) Read(p []byte) (int, error) {
	if len(s.unread) > 0 {
		n := copy(p, s.unread)
		s.unread, s.begun = s.unread[n:], s.begun || !s.inflate
		return n, nil
	}
	if !s.waiting {
		if err := s.c.w.Flush(); err != nil {
			return 0, err
		}
	}
	if !s.arm() {
		return 0, errKicked
	}
	n, err := s.c.nc.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = s.expired()
	}
	s.begun = s.begun || n > 0 && !s.inflate
	return n, err
}

// arm sets the deadline for one read.
func (s *source) arm() bool {
	c := s.c
	timeout := c.cfg.IdleTimeout
	if s.begun {
		timeout = c.cfg.LiteralTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kicked || c.closed {
		return false
	}
	c.deadline(c.nc.SetReadDeadline, time.Now().Add(timeout))
	return true
}

func (s *source) expired() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.c.kicked || s.c.closed:
		return errKicked
	case s.begun:
		return errStall
	}
	return errIdle
}

// sink writes to the client, with deadlines.
type sink struct{ c *Conn }

// slice is what a client must take within one write time-out.
const slice = 32 << 10

func (s sink) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if !s.arm() {
			return written, net.ErrClosed
		}
		n, err := s.c.nc.Write(p[:min(len(p), slice)])
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

func (s sink) arm() bool {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.deadline(c.nc.SetWriteDeadline, time.Now().Add(c.cfg.WriteTimeout))
	}
	return !c.closed
}
