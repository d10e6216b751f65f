package imapconn

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"spoold/backend/wire"
)

// Read is called by imapserver on the goroutine that serves the connection. It
// runs commands until there is a line for imapserver.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 && !c.over {
		c.serve()
	}
	if c.over {
		return 0, io.EOF
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// serve runs commands until one is passed or the connection is over.
func (c *Conn) serve() {
	if c.flight.open {
		// imapserver wants to read on inside a command, or has forgotten to
		// answer one; whatever it would be given now, it would misread.
		c.log.Error("imapserver out of step", "command", c.flight.name)
		c.end("Internal server error")
		return
	}
	for len(c.pending) == 0 && !c.over {
		// Commands that are here already need no read that could fail.
		if bye := c.shutdownText(); bye != "" {
			c.end(bye)
			return
		}
		if err := c.catchUp(); err != nil {
			c.lost(err)
			return
		}
		c.in.begun = c.br.Buffered() > 0
		cmd, err := c.rd.Next()
		if err != nil {
			c.refuseFrame(err)
			continue
		}
		c.run(cmd)
	}
}

// refuseFrame deals with what could not be read as a command.
func (c *Conn) refuseFrame(err error) {
	if se, ok := errors.AsType[*wire.SyntaxError](err); ok {
		c.answerSyntax(se.Tag, se)
		return
	}
	c.lost(err)
}

// lost ends the connection after an error of the stream.
func (c *Conn) lost(err error) {
	fatal, isFatal := errors.AsType[*wire.FatalError](err)
	switch {
	case isFatal:
		c.log.Warn("command refused, connection ended", "reason", fatal.Text)
		c.end(fatal.Text)
	case errors.Is(err, errIdle):
		c.end("Autologout (idle for too long)")
	case errors.Is(err, errStall):
		c.end("Autologout")
	case errors.Is(err, errKicked):
		c.end(c.shutdownText())
	case errors.Is(err, io.EOF):
		c.end("") // the last block of compressed input is no read of the client's end, before which we had flushed
	default:
		c.log.Info("connection lost", "err", err)
		c.over = true
	}
}

// shutdownText is what Shutdown was called with; empty when it was not.
func (c *Conn) shutdownText() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bye
}

// end says BYE, if there is a text and the client can follow, and makes Read
// return io.EOF from now on.
func (c *Conn) end(text string) {
	c.over = true
	c.pending = nil
	if text != "" && c.w.Rollback() {
		c.w.Untagged("BYE", "", text)
	}
	if err := c.w.Flush(); err != nil {
		c.log.Info("connection lost", "err", err)
		return
	}
	c.spoken()
}

// run runs one command to its answer, or leaves it in pending.
func (c *Conn) run(cmd *wire.Command) {
	before := c.w.Answers()
	err := c.dispatch(cmd)
	if err == nil && len(c.pending) == 0 && c.w.Answers() == before {
		err = fmt.Errorf("command %s was not answered", cmd.Name)
	}
	switch {
	case c.ctx.Err() != nil: // closed by another goroutine: nobody listens
		c.over = true
		return
	case c.w.Err() != nil:
		c.lost(c.w.Err())
		return
	case c.streamErr() != nil:
		c.lost(c.streamErr())
		return
	case err != nil && c.w.Answers() != before:
		c.log.Error("command failed after its answer", "command", cmd.Name, "err", err)
		c.end("Internal server error")
		return
	case err != nil:
		c.pending, c.flight = nil, flight{}
		c.answerError(cmd, err)
	case len(c.pending) == 0:
		c.badRun = 0
	}
	if err := cmd.Discard(); err != nil {
		c.lost(err)
	}
}

// streamErr says why nothing more can be read. What the handler made of that
// error does not matter.
func (c *Conn) streamErr() error {
	if c.readErr != nil {
		return c.readErr
	}
	return c.rd.Err()
}

// dispatch finds the command's entry and runs it.
func (c *Conn) dispatch(cmd *wire.Command) (err error) {
	entry, known := c.cfg.Table[cmd.Name]
	switch {
	case !known || cmd.UID && !takesUID(cmd.Name):
		return &wire.SyntaxError{Text: "Command unrecognized: " + fullName(cmd)}
	case entry.States != 0 && entry.States&c.state == 0:
		return &wire.SyntaxError{Text: fullName(cmd) + " is not valid in this state"}
	case entry.Run == nil:
		return c.Pass(cmd, nil)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", fullName(cmd), v, debug.Stack())
		}
	}()
	return entry.Run(c.ctx, c, cmd)
}

// takesUID says which commands exist with UID in front (RFC 9051, 5256, 8508).
func takesUID(name string) bool {
	switch name {
	case "COPY", "EXPUNGE", "FETCH", "MOVE", "REPLACE", "SEARCH", "SORT", "STORE", "THREAD":
		return true
	}
	return false
}

func fullName(cmd *wire.Command) string {
	if cmd.UID {
		return "UID " + cmd.Name
	}
	return cmd.Name
}
