package imapconn

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"spoold/backend/wire"
)

// Conn is the net.Conn for imapserver. Close and Shutdown may be called from
// any goroutine; everything else belongs to the one that calls Read.
type Conn struct {
	nc  net.Conn
	cfg Config
	log *slog.Logger

	ctx    context.Context // of the handlers; ends with Close
	cancel context.CancelFunc

	w  *wire.Writer
	in *source
	br *bufio.Reader
	rd *wire.Reader

	state   State
	badRun  int                    // BADs since the last other answer
	readErr error                  // of Await: the stream is over
	behind  <-chan error           // not nil: Await's reader still fills br, and will tell here when it is through
	pending []byte                 // of the line that imapserver is to read
	omit    func(line string) bool // of the next command that is passed
	flight  flight                 // the passed command
	filter  filter                 // of imapserver's output
	over    bool                   // the connection has ended: Read returns io.EOF

	mu     sync.Mutex // guards what Close and Shutdown touch
	bye    string     // Shutdown's text
	kicked bool       // reads fail at once
	closed bool
	said   bool          // end has written all there is to say
	gone   chan struct{} // closed when nc is
}

// New returns the connection for a client that has logged in.
func New(nc net.Conn, cfg Config) *Conn {
	cfg = cfg.withDefaults()
	c := &Conn{nc: nc, cfg: cfg, log: cfg.Log, state: Authenticated, gone: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.w = wire.NewWriter(sink{c})
	c.in = &source{c: c, unread: cfg.Unread}
	c.br = bufio.NewReader(c.in)
	c.rd = wire.NewReader(c.br, c.prompt, cfg.Limits)
	if cfg.Streamed != nil {
		c.rd.Stream(cfg.Streamed...)
	}
	return c
}

// W is the writer for responses. Handlers use it, and so may the methods of
// the imapserver.Session, since imapserver has no line half written when it
// calls them.
func (c *Conn) W() *wire.Writer { return c.w }

// Names sets what becomes of mailbox names: how those are read that clients
// send, and how those are shown that are written with wire.Writer.Mailbox.
func (c *Conn) Names(read func(string) (string, error), show func(string) string) {
	c.rd.Names(read)
	c.w.Names(show)
}

// OK writes the tagged OK of a command.
func (c *Conn) OK(cmd *wire.Command, code, text string) { c.w.Tagged(cmd.Tag, "OK", code, text) }

// Flush writes out what is buffered. A handler calls it before work that takes
// long, and about every second of it.
func (c *Conn) Flush() error { return c.w.Flush() }

// SetState notes whether a mailbox is selected: it mirrors imapserver's state,
// which cannot be asked for.
func (c *Conn) SetState(s State) { c.state = s }

// State is what SetState has set; a connection begins in Authenticated.
func (c *Conn) State() State { return c.state }

// Logger is the connection's logger.
func (c *Conn) Logger() *slog.Logger { return c.log }

func (c *Conn) prompt(text string) error {
	c.w.Continue(text)
	return c.w.Flush()
}

// Shutdown ends the connection with "* BYE text" at the next command boundary,
// at once when the client is idle. It does not wait.
func (c *Conn) Shutdown(text string) {
	c.mu.Lock()
	if c.bye == "" {
		c.bye = cmp.Or(text, "Server shutting down")
	}
	c.mu.Unlock()
	c.kick()
}

// kick makes the present and all later reads fail, until unkick.
func (c *Conn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kicked = true
	if !c.closed {
		c.deadline(c.nc.SetReadDeadline, past())
	}
}

// unkick allows reads again, unless Shutdown wants none.
func (c *Conn) unkick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kicked = c.bye != ""
}

// Close closes the client's connection, after [wire.HangUp] when it has ended
// by our last words. Otherwise what is buffered is not written: the peer may be
// stuck. For the same reason it sets a past deadline first.
func (c *Conn) Close() error {
	c.mu.Lock()
	closed, said := c.closed, c.said
	c.closed = true
	c.mu.Unlock()
	if closed {
		<-c.gone
		return nil
	}
	defer close(c.gone)
	c.cancel()
	hangUp := wire.HangUp
	if !said {
		c.deadline(c.nc.SetDeadline, past())
		hangUp = net.Conn.Close
	}
	if err := hangUp(c.nc); err != nil {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

// spoken notes that the client has been sent everything.
func (c *Conn) spoken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = true
}

// past is a deadline that has passed for every clock.
func past() time.Time { return time.Unix(1, 0) }

// deadline sets a deadline. It fails only on a connection that is closed
// already, which the next read or write will tell.
func (c *Conn) deadline(set func(time.Time) error, t time.Time) {
	if err := set(t); err != nil && !errors.Is(err, net.ErrClosed) {
		c.log.Debug("deadline not set", "err", err)
	}
}

// LocalAddr is the client connection's.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is the client connection's.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetDeadline does nothing: imapserver's time-outs are at odd places. Ours are
// set at each read and write.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, as SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
