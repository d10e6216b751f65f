package strict

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	keptOfLiteral = 1 << 10   // what no value that is looked at needs more of
	maxLine       = 256 << 20 // a response without its literals; a mailbox of ten million messages fits into one SEARCH
)

// Checker follows one connection. Its methods may be called at the same time.
type Checker struct {
	mu     sync.Mutex
	report func(error)
	err    error // the first violation, or why nothing is looked at any more
	commands

	text     []byte // the response so far, as parser has it
	literals []literal
	left     int64 // octets that the last literal still lacks

	greeted bool
	bye     bool
	enabled []string
	exists  int64 // messages in the selected mailbox; -1: not known
	notify  bool  // RFC 5465: anything may be told at any time
}

var errOff = errors.New("what follows is in another layer")

// New makes a Checker for a connection on which nothing was sent. The first violation is reported, once.
func New(report func(error)) *Checker { return &Checker{report: report, exists: -1} }

// Resume makes this the rest of a connection of which others saw the greeting and sent the command with this tag.
func (c *Checker) Resume(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.greeted = true
	c.pending = append(c.pending, sentCommand{tag: tag, name: "LOGIN"})
}

// Err is the first violation.
func (c *Checker) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, errOff) {
		return nil
	}
	return c.err
}

// Finish demands, when the server has sent all it will, that every command was answered, unless it said BYE.
func (c *Checker) Finish() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil || c.bye:
	case len(c.text) > 0 || c.left > 0:
		c.violation(errors.New("response without an end"))
	case len(c.pending) > 0:
		c.violation(fmt.Errorf("command %s %s has no answer", c.pending[0].tag, c.pending[0].name))
	}
	if errors.Is(c.err, errOff) {
		return nil
	}
	return c.err
}

func (c *Checker) violation(err error) {
	c.err = err
	if c.report != nil {
		c.report(err)
	}
}

// Received takes what the server sent.
func (c *Checker) Received(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 && c.err == nil {
		if c.left > 0 {
			b = c.literal(b)
			continue
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			c.text = append(c.text, b...)
			if len(c.text) > maxLine {
				c.violation(fmt.Errorf("endless response %.60q", c.text))
			}
			return
		}
		c.text = append(c.text, b[:i+1]...)
		b = b[i+1:]
		c.line()
	}
}

func (c *Checker) literal(b []byte) (rest []byte) {
	l := &c.literals[len(c.literals)-1]
	n := int(min(int64(len(b)), c.left))
	if room := keptOfLiteral - len(l.begin); room > 0 {
		l.begin = append(l.begin, b[:min(room, n)]...)
	}
	l.nul = l.nul || bytes.IndexByte(b[:n], 0) >= 0
	c.left -= int64(n)
	return b[n:]
}

// line is called when text ends in LF: it ends the response, unless a literal follows.
func (c *Checker) line() {
	line, ok := bytes.CutSuffix(c.text, []byte("\r\n"))
	if !ok {
		c.violation(fmt.Errorf("LF without CR at the end of %.200q", c.text))
		return
	}
	if n, ok := announced(line); ok && !isStatus(line) {
		c.literals = append(c.literals, literal{size: n})
		c.left = n
		return
	}
	p := &parser{text: string(line), literals: c.literals, utf8: c.has("UTF8=ACCEPT") || c.has("IMAP4REV2")}
	c.text, c.literals = c.text[:0], nil
	k := p.response()
	if p.err == nil {
		p.err = c.follow(k)
	}
	if p.err != nil {
		c.violation(fmt.Errorf("%w\nin the response %.500q", p.err, p.text))
	}
}

// announced is the size of the literal that a line ends in.
func announced(line []byte) (int64, bool) {
	s, ok := bytes.CutSuffix(line, []byte("}"))
	i := bytes.LastIndexByte(s, '{')
	if !ok || i < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[i+1:]), 10, 63)
	return int64(n), err == nil
}

// isStatus tells the responses that end in text, in which "{5}" is nothing special.
func isStatus(line []byte) bool {
	words := bytes.SplitN(line, []byte(" "), 3)
	if len(words) < 2 || !bytes.Equal(words[0], []byte("*")) {
		return true
	}
	switch strings.ToUpper(string(words[1])) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}

func (c *Checker) has(capability string) bool { return slices.Contains(c.enabled, capability) }

// follow is what a response means for those that come after it.
func (c *Checker) follow(k kind) error {
	if !c.greeted {
		c.greeted = true
		c.bye = k.name == "BYE"
		if k.tag != "*" || k.name != "OK" && k.name != "PREAUTH" && k.name != "BYE" {
			return errors.New("no greeting")
		}
		return nil
	}
	switch {
	case k.tag == "+":
		return c.continued(k.name == "")
	case k.tag != "*":
		return c.tagged(k)
	case c.bye:
		return errors.New("untagged response after BYE")
	}
	switch k.name {
	case "PREAUTH":
		return errors.New("PREAUTH after the greeting")
	case "BYE":
		c.bye = true
	case "ENABLED":
		c.enabled = append(c.enabled, k.data...)
	}
	if c.has("IMAP4REV2") && (k.name == "SEARCH" || k.name == "RECENT" || k.code == "UNSEEN") {
		return fmt.Errorf("%s%s after ENABLE IMAP4rev2", k.name, k.code)
	}
	return c.count(k)
}

func (c *Checker) tagged(k kind) error {
	cmd, err := c.answered(k.tag)
	if err != nil || k.name != "OK" {
		if cmd.selects() && k.name == "NO" {
			c.exists = -1
		}
		return err
	}
	switch cmd.name {
	case "STARTTLS", "COMPRESS":
		c.err = errOff
	case "CLOSE", "UNSELECT":
		c.exists = -1
	}
	return nil
}

// count follows the number of messages in the mailbox.
func (c *Checker) count(k kind) error {
	running := c.running()
	switch k.name {
	case "EXISTS":
		if c.exists > int64(k.n) && !c.selecting() {
			return fmt.Errorf("EXISTS takes back %d messages", c.exists-int64(k.n))
		}
		c.exists = int64(k.n)
	case "EXPUNGE", "VANISHED":
		if k.n == 0 {
			return nil // VANISHED (EARLIER)
		}
		if err := c.mayExpunge(k, running); err != nil {
			return err
		}
		gone := k.n
		if k.name == "EXPUNGE" {
			gone = 1
		}
		if c.exists >= 0 && (int64(k.n) > c.exists) && !c.selecting() {
			return fmt.Errorf("%s %d of %d messages", k.name, k.n, c.exists)
		}
		if c.exists >= 0 {
			c.exists = max(0, c.exists-int64(gone))
		}
	case "FETCH":
		if c.exists >= 0 && int64(k.n) > c.exists {
			return fmt.Errorf("FETCH %d of %d messages", k.n, c.exists)
		}
	}
	return nil
}

// mayExpunge is RFC 3501 section 7.4.1: not without a command, and not during those that have message numbers.
func (c *Checker) mayExpunge(k kind, running string) error {
	switch {
	case k.name == "EXPUNGE" && c.has("QRESYNC"):
		return errors.New("EXPUNGE after ENABLE QRESYNC")
	case k.name == "VANISHED" && !c.has("QRESYNC") && !c.has("UIDONLY"):
		return errors.New("VANISHED without ENABLE QRESYNC")
	case running == "" && !c.notify:
		return fmt.Errorf("%s while no command runs", k.name)
	case running == "FETCH" || running == "STORE" || running == "SEARCH":
		return fmt.Errorf("%s during %s", k.name, running)
	}
	return nil
}
