package login

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"spoold/backend/wire"
)

// conn is one connection that has not logged in.
type conn struct {
	s    *Server
	nc   net.Conn
	addr netip.Addr
	log  *slog.Logger
	br   *bufio.Reader
	r    *wire.Reader
	w    *wire.Writer

	plaintext     bool // this client may send a password
	failures, bad int
	over          bool // nothing more is read
	handed        bool // the connection is the worker's now
	said          bool // it is not, and the client has been sent all there is to say
}

// limits of a client who has not said who he is. A line of 8 KiB is what RFC 7162 and others ask
// for; a password fits into far less.
var limits = wire.Limits{Line: 8 << 10, Literal: 1 << 10, Literals: 4, Total: 4 << 10, Append: 4 << 10, Nesting: 4}

const (
	maxSASL      = 4 << 10         // octets of a line of AUTHENTICATE
	lastWords    = 5 * time.Second // for a client to take our BYE
	replyTimeout = 30 * time.Second
)

func newConn(s *Server, nc net.Conn, addr netip.Addr) *conn {
	c := &conn{
		s: s, nc: nc, addr: addr, log: s.cfg.Log.With("host", bracketed(addr)),
		br: bufio.NewReader(nc), w: wire.NewWriter(nc), plaintext: s.cfg.Plaintext.allows(addr),
	}
	c.r = wire.NewReader(c.br, c.prompt, limits)
	c.r.Stream() // APPEND is as unknown as any other command here
	return c
}

func (c *conn) prompt(text string) error {
	c.w.Continue(text)
	return c.flush()
}

// run serves the connection until it is handed over or over.
func (c *conn) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.s.cfg.Timeout)
	defer cancel()
	// Ends a blocked read, when the time is over as well as when the server stops.
	defer context.AfterFunc(ctx, func() { _ = c.nc.SetReadDeadline(time.Now()) })()
	c.w.Untagged("OK", c.capability(), c.s.cfg.Hostname+" spoold ready")
	for !c.over {
		if c.flush() != nil {
			return
		}
		cmd, err := c.r.Next()
		if err != nil {
			c.unread(ctx, err)
			continue
		}
		if isHTTP(cmd.Tag) {
			c.log.Info("HTTP request")
			return
		}
		c.dispatch(ctx, cmd)
	}
	if !c.handed && c.nc.SetWriteDeadline(time.Now().Add(lastWords)) == nil {
		c.said = c.w.Flush() == nil // who does not take our last words need not
	}
}

func (c *conn) flush() error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	return c.w.Flush()
}

// unread answers what could not be read as a command.
func (c *conn) unread(ctx context.Context, err error) {
	var syntax *wire.SyntaxError
	var fatal *wire.FatalError
	switch {
	case errors.As(err, &syntax):
		if c.over = isHTTP(syntax.Tag); !c.over {
			c.refuse(syntax)
		}
	case errors.As(err, &fatal):
		c.bye("", fatal.Text)
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		c.log.Info("Autologout", "user", "???")
		c.bye("", "Autologout (login took too long)")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.bye("UNAVAILABLE", "Server shutting down")
	default:
		c.log.Debug("Client disconnected", "err", err)
		c.over = true
	}
}

// refuse answers a malformed command and counts it.
func (c *conn) refuse(e *wire.SyntaxError) {
	tag, typ := e.Tag, "BAD"
	if tag == "" {
		tag = "*"
	}
	if e.No {
		typ = "NO"
	}
	c.w.Tagged(tag, typ, e.Code, e.Text)
	c.countBad()
}

// countBad ends the connection of a program that does not speak IMAP: a web page that was made to
// send a form here, for example.
func (c *conn) countBad() {
	if c.bad++; c.bad >= c.s.cfg.MaxBad {
		c.log.Info("Too many bad commands before login")
		c.bye("", "Too many bad commands")
	}
}

func (c *conn) bye(code, text string) {
	c.w.Untagged("BYE", code, text)
	c.over = true
}

// isHTTP knows the methods of a request that a browser may send on somebody's behalf. They stand
// where IMAP has the tag, and no client has such tags.
func isHTTP(tag string) bool {
	switch tag {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return strings.HasPrefix(tag, "HTTP/")
}
