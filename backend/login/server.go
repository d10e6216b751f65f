package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"spoold/backend/wire"
)

// Server takes connections up to their login.
type Server struct {
	cfg Config

	mu    sync.Mutex
	total int
	per   map[netip.Prefix]int
}

// NewServer makes a Server.
func NewServer(cfg Config) *Server {
	return &Server{cfg: cfg.withDefaults(), per: make(map[netip.Prefix]int)}
}

// Serve takes connections from ln until ctx is done, says BYE to those that have not logged in
// then, waits for them and closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	// Closing twice is no harm: the error of the second is dropped.
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	defer func() { _ = ln.Close() }()
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			conns.Go(func() { s.ServeConn(ctx, nc) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("listen %s: %w", ln.Addr(), err)
		default:
			// Out of descriptors, or the client was gone before we came: neither is a reason to end.
			s.cfg.Log.Error("Connection not accepted", "err", err)
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// ServeConn serves one connection until it is handed over or ends, and closes nc.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) {
	addr := addressOf(nc)
	hangUp := net.Conn.Close
	// An error of it tells nothing that could still be told to the client.
	defer func() { _ = hangUp(nc) }()
	if !s.enter(addr) {
		s.cfg.Log.Warn("Too many connections", "host", bracketed(addr))
		s.turnAway(nc)
		return
	}
	defer s.leave(addr)
	c := newConn(s, nc, addr)
	c.run(ctx)
	if c.said {
		hangUp = wire.HangUp
	}
}

// turnAway never blocks on the client: there are too many of them already.
func (s *Server) turnAway(nc net.Conn) {
	if nc.SetWriteDeadline(time.Now().Add(100*time.Millisecond)) == nil {
		_, _ = io.WriteString(nc, "* BYE [UNAVAILABLE] Too many connections\r\n") // as a courtesy only
	}
}

func (s *Server) enter(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := prefixOf(a)
	if s.total >= s.cfg.MaxConnections || s.per[p] >= s.cfg.MaxPerAddress {
		return false
	}
	s.total++
	s.per[p]++
	return true
}

func (s *Server) leave(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := prefixOf(a)
	s.total--
	if s.per[p]--; s.per[p] == 0 {
		delete(s.per, p)
	}
}

// prefixOf is what one client has: an IPv4 address, or an IPv6 network of 64 bits.
func prefixOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no IP address: all of those together
	}
	return p
}

func addressOf(nc net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// bracketed writes an address as UW-IMAP's log lines have it, for which fail2ban has filters.
func bracketed(a netip.Addr) string {
	if !a.IsValid() {
		return "UNKNOWN"
	}
	return "[" + a.String() + "]"
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
