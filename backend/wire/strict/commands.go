package strict

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// commands follows what the client sends as far as a server has to: where each command begins and ends. Servers answer
// what has no tag with "* BAD", so nothing is expected for it.
type commands struct {
	sent    []byte // not taken apart yet
	pending []sentCommand
	cur     *sentCommand // that of which more lines come
	wait    wait
	skip    int64 // octets of a literal that come next
}

// maxTag is how long a tag may be that the server has to answer with.
const maxTag = 128

type sentCommand struct {
	tag, name string // name is in upper case, with "UID " before it
	answer    bool   // a line that is no command comes next
}

func (s sentCommand) selects() bool { return s.name == "SELECT" || s.name == "EXAMINE" }

// wait is what has to come from the server before it is known what the client's next line is.
type wait int

const (
	forNothing wait = iota
	forLiteral      // a continuation request, then the literal
	forLine         // a continuation request, then a line: IDLE and AUTHENTICATE
)

// Sent takes what the client sends, before the server gets it.
func (c *Checker) Sent(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.sent = append(c.sent, b...)
	c.frame()
}

// frame takes sent apart as far as is known what it is.
func (c *commands) frame() {
	for c.wait == forNothing {
		if c.skip > 0 {
			n := min(c.skip, int64(len(c.sent)))
			c.sent = c.sent[n:]
			if c.skip -= n; c.skip > 0 {
				return
			}
		}
		line, rest, ok := bytes.Cut(c.sent, []byte("\n"))
		if !ok {
			return
		}
		c.sent = rest
		c.line(bytes.TrimSuffix(line, []byte("\r")))
	}
}

func (c *commands) line(line []byte) {
	if c.cur == nil {
		c.begin(line)
	}
	n, sync, ok := literalOf(line)
	ok = ok && !c.cur.answer
	switch {
	case ok && !sync:
		c.skip = n
	case ok && c.waits(c.cur.tag):
		c.skip, c.wait = n, forLiteral
	case (c.cur.name == "IDLE" && !c.cur.answer || c.cur.name == "AUTHENTICATE") && c.waits(c.cur.tag):
		c.wait = forLine
	default:
		c.cur = nil
	}
}

// begin reads the tag and the name of a command.
func (c *commands) begin(line []byte) {
	tag, rest, _ := strings.Cut(string(line), " ")
	name, args, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	c.cur = &sentCommand{}
	if tag == "" || len(tag) > maxTag || strings.IndexFunc(tag, func(r rune) bool { return r >= 0x80 || !isTagChar(byte(r)) }) >= 0 {
		return
	}
	name = strings.ToUpper(name)
	if name == "UID" {
		second, _, _ := strings.Cut(strings.TrimLeft(args, " "), " ")
		name += " " + strings.ToUpper(second)
	}
	c.cur.tag, c.cur.name = tag, name
	c.pending = append(c.pending, *c.cur)
}

// waits reports whether a command has not been answered.
func (c *commands) waits(tag string) bool {
	return slices.ContainsFunc(c.pending, func(s sentCommand) bool { return s.tag == tag })
}

// literalOf tells the literal that a line ends in.
func literalOf(line []byte) (n int64, sync, ok bool) {
	s, ok := bytes.CutSuffix(line, []byte("}"))
	if !ok {
		return 0, false, false
	}
	s, nonSync := bytes.CutSuffix(s, []byte("+"))
	n, ok = announced(append(bytes.Clone(s), '}'))
	return n, !nonSync, ok
}

// running is the command that the server is at: it answers them in order.
func (c *Checker) running() string {
	if len(c.pending) == 0 {
		return ""
	}
	return c.pending[0].name
}

// selecting reports whether another mailbox may be open by now.
func (c *commands) selecting() bool { return slices.ContainsFunc(c.pending, sentCommand.selects) }

// continued is called for a continuation request.
func (c *Checker) continued(empty bool) error {
	switch {
	case c.wait == forNothing:
		return errors.New("continuation request that no command waits for")
	case empty && c.cur.name != "AUTHENTICATE":
		return errors.New("continuation request without text")
	case c.wait == forLine:
		c.cur.answer = true
	}
	c.wait = forNothing
	c.frame()
	return nil
}

// answered takes the command with this tag off the list.
func (c *Checker) answered(tag string) (sentCommand, error) {
	i := slices.IndexFunc(c.pending, func(s sentCommand) bool { return s.tag == tag })
	if i < 0 {
		return sentCommand{}, fmt.Errorf("answer to %s, of which no command waits for one", tag)
	}
	cmd := c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	if cmd.name == "NOTIFY" {
		c.notify = true
	}
	if c.cur != nil && c.cur.tag == tag && (c.wait != forNothing || c.cur.answer) {
		// What the command waited for is not coming.
		c.cur, c.wait, c.skip = nil, forNothing, 0
		c.frame()
	}
	return cmd, nil
}
