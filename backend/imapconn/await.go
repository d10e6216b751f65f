package imapconn

import (
	"bytes"
	"context"
	"fmt"
)

// maxAwaited is more than "DONE" needs.
const maxAwaited = 8 << 10

// Await waits for a line from the client, which it returns without its line
// end, and meanwhile calls onWake, on this goroutine, for every token from
// wake. It is what IDLE does between "+" and DONE. Octets behind the line stay
// for the next command: iOS 18 sends commands along with DONE.
//
// While it waits another goroutine fills the input buffer, and only fills it;
// it has ended when Await returns, unless Await fails on a compressed
// connection: then the next command waits for it. A handler returns Await's
// error as it is.
func (c *Conn) Await(ctx context.Context, wake <-chan struct{}, onWake func() error) (line string, err error) {
	if err := c.w.Flush(); err != nil {
		return "", err
	}
	c.in.begun, c.in.waiting = c.br.Buffered() > 0, true
	arrived := make(chan error, 1)
	go func() { arrived <- c.fill() }()

	err, waited := c.attend(ctx, wake, onWake, arrived)
	if !waited && c.Compressed() {
		c.behind = arrived
		return "", err
	}
	if !waited {
		c.kick()
		<-arrived
		c.unkick()
	}
	c.in.waiting = false
	if err != nil {
		return "", err
	}
	b, err := c.rd.Line(maxAwaited)
	return string(b), err
}

// attend runs until the line is there or something fails. waited says whether
// the filling goroutine has ended.
func (c *Conn) attend(ctx context.Context, wake <-chan struct{}, onWake func() error, arrived <-chan error) (err error, waited bool) {
	for {
		select {
		case err := <-arrived:
			c.readErr = err
			return err, true
		case <-ctx.Done():
			return fmt.Errorf("await: %w", ctx.Err()), false
		case _, open := <-wake:
			if !open {
				wake = nil
			}
			if err := onWake(); err != nil {
				return err, false
			}
			if err := c.w.Flush(); err != nil {
				return err, false
			}
		}
	}
}

// catchUp waits for a goroutine that a failed Await has left reading.
func (c *Conn) catchUp() error {
	if c.behind == nil {
		return nil
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	err := <-c.behind
	c.behind, c.in.waiting = nil, false
	return err
}

// fill reads until there is a whole line in the input buffer, or the buffer is
// full.
func (c *Conn) fill() error {
	for n := 1; n <= c.br.Size(); n = c.br.Buffered() + 1 {
		if _, err := c.br.Peek(n); err != nil {
			return err
		}
		b, err := c.br.Peek(c.br.Buffered())
		if err != nil || bytes.IndexByte(b, '\n') >= 0 {
			return err
		}
	}
	return nil
}
