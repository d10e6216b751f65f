package wire

import "errors"

// Literal is an argument of a streamed command, to be read up to io.EOF.
type Literal struct {
	Size            int64
	NonSync, Binary bool
	cmd             *Command
}

func (l *Literal) Read(p []byte) (int, error) {
	if l.cmd.literal != l {
		return 0, errStale
	}
	return l.cmd.frame.read(p)
}

// Mistakes of a caller.
var (
	errStale    = errors.New("literal read after its command went on")
	errNotBegun = errors.New("no literal was begun")
)

// Announced tells how long the literal is that Args stands at, before it is begun.
func (c *Command) Announced() (size int64, ok bool) {
	f := c.frame
	if f == nil || f.pos != announced || !c.Args.LiteralAhead() {
		return 0, false
	}
	return f.ann.size, true
}

// Literal begins the literal that Args stands at (see Parser.LiteralAhead) and
// prompts for it when the client waits. A literal above the limit is a
// *SyntaxError and is not asked for.
func (c *Command) Literal() (*Literal, error) {
	f := c.frame
	if f == nil || f.pos != announced || !c.Args.LiteralAhead() {
		return nil, syntax("Missing literal")
	}
	if f.ann.size > f.r.lim.Append {
		return nil, tagged(tooBig("Literal too large"), c.Tag)
	}
	if !f.ann.nonSync {
		if err := f.r.ask("Ready for literal data"); err != nil {
			return nil, err
		}
	}
	f.pos, f.left = inLiteral, f.ann.size
	c.literal = &Literal{Size: f.ann.size, NonSync: f.ann.nonSync, Binary: f.ann.binary, cmd: c}
	return c.literal, nil
}

// More goes on behind a literal: it skips what was not read of it and reads up
// to the next announcement or the end of the command. Args then parses that
// text. The limits for lines count anew, so that a MULTIAPPEND may have any
// number of messages.
func (c *Command) More() error {
	f := c.frame
	if f == nil || f.pos != inLiteral {
		return errNotBegun
	}
	c.literal = nil
	if err := f.skip(); err != nil {
		return err
	}
	f.buf, f.text, f.spent = nil, 0, 0
	if err := f.line(); err != nil {
		return tagged(err, c.Tag)
	}
	c.Args.b, c.Args.pos = f.buf, 0
	return nil
}

// Discard swallows what is unread of a streamed command, without ever
// prompting. The connection calls it when the command's handler is done.
func (c *Command) Discard() error {
	f := c.frame
	if f == nil {
		return nil
	}
	c.literal, c.frame = nil, nil
	if f.r.open == c {
		f.r.open = nil
	}
	return f.discard()
}

// load is called by the Parser at an announcement whose octets have not been
// read: a string argument in front of the streamed one.
func (c *Command) load() ([]byte, error) {
	f := c.frame
	if f == nil || f.pos != announced {
		return nil, syntax("Missing literal")
	}
	behind := len(f.buf) - len(c.Args.b)
	if err := f.memory(); err != nil {
		return nil, err
	}
	if err := f.line(); err != nil {
		return nil, err
	}
	return f.buf[behind:], nil
}
