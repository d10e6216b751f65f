package imapconn

import (
	"bytes"
	"errors"
	"fmt"

	"spoold/backend/wire"
)

// passTag is the tag under which imapserver sees every passed command: it does
// not know all tags that RFC 9051 allows ("]").
const passTag = "spoold"

// flight is the command that imapserver is working on.
type flight struct {
	open     bool
	tag      string // the client's
	name     string
	decorate Decorate
	omit     func(line string) bool
}

var errPassed = errors.New("a command is passed already")

// Pass forwards a command to imapserver as one plain line, and is the last
// thing that a handler does: imapserver reads it when the handler has
// returned. decorate, which may be nil, edits the completion.
func (c *Conn) Pass(cmd *wire.Command, decorate Decorate) error {
	line, err := wire.Flatten(cmd)
	if err != nil {
		return err
	}
	return c.pass(cmd.Tag, cmd.Name, line, decorate)
}

// PassLine is Pass with a line of the caller's, without tag and line end,
// which must be valid and may not contain a literal. The completion goes to
// the client under tag.
func (c *Conn) PassLine(tag, line string, decorate ...Decorate) error {
	cmd := &wire.Command{Tag: tag, Args: wire.NewParser([]byte(line), wire.Limits{})}
	flat, err := wire.Flatten(cmd)
	if err != nil {
		return fmt.Errorf("pass line: %v", err) // not %w: it is our mistake, not the client's
	}
	name, _, _ := bytes.Cut(flat, []byte(" "))
	return c.pass(tag, string(name), flat, chain(decorate))
}

// Omit keeps untagged lines of imapserver's answer to the command that is passed
// next from the client: those for which f returns true.
func (c *Conn) Omit(f func(line string) bool) { c.omit = f }

func chain(fs []Decorate) Decorate {
	return func(typ, code, text string) (string, string, string) {
		for _, f := range fs {
			if f != nil {
				typ, code, text = f(typ, code, text)
			}
		}
		return typ, code, text
	}
}

func (c *Conn) pass(tag, name string, line []byte, decorate Decorate) error {
	if len(c.pending) > 0 || c.flight.open {
		return errPassed
	}
	c.flight = flight{open: true, tag: tag, name: name, decorate: decorate, omit: c.omit}
	c.omit = nil
	c.pending = append(c.pending, passTag+" "...)
	c.pending = append(c.pending, line...)
	c.pending = append(c.pending, '\r', '\n')
	return nil
}

// landed writes the completion of the passed command. imapserver closes after
// LOGOUT without another read, so that is flushed here.
func (c *Conn) landed(status []byte) {
	typ, code, text := splitStatus(status)
	if c.flight.decorate != nil {
		typ, code, text = c.flight.decorate(typ, code, text)
	}
	c.w.Tagged(c.flight.tag, typ, code, text)
	if c.flight.name == "LOGOUT" && typ == "OK" {
		c.end("")
	}
	c.flight = flight{}
	c.count(typ)
}

// splitStatus takes "OK [CODE] text" apart.
func splitStatus(line []byte) (typ, code, text string) {
	t, rest, _ := bytes.Cut(line, []byte(" "))
	if after, ok := bytes.CutPrefix(rest, []byte("[")); ok {
		if c, tail, ok := bytes.Cut(after, []byte("]")); ok {
			return string(t), string(c), string(bytes.TrimPrefix(tail, []byte(" ")))
		}
	}
	return string(t), "", string(rest)
}
