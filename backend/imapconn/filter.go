package imapconn

import (
	"bytes"
	"net"
	"strconv"
)

// filter follows imapserver's output line by line.
type filter struct {
	greeted bool
	line    []byte // the part of a line that has been written
	literal int64  // octets of a literal that are to come
}

// Write takes imapserver's output. Its greeting is replaced by Config.Greeting
// and the completion of a passed command is edited; the rest goes through.
func (c *Conn) Write(p []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	total := len(p)
	for len(p) > 0 {
		p = c.filtered(p)
	}
	if err := c.w.Err(); err != nil {
		return 0, err
	}
	return total, nil
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// filtered deals with one line or a piece of a literal and returns the rest.
func (c *Conn) filtered(p []byte) []byte {
	f := &c.filter
	if n := min(int64(len(p)), f.literal); n > 0 {
		f.literal -= n
		c.w.Bytes(p[:n])
		return p[n:]
	}
	line, rest, whole := bytes.Cut(p, []byte("\n"))
	f.line = append(f.line, line...)
	if whole {
		c.output(bytes.TrimSuffix(f.line, []byte("\r")))
		f.line = f.line[:0]
	}
	return rest
}

// output deals with one line of imapserver's.
func (c *Conn) output(line []byte) {
	tag, rest, _ := bytes.Cut(line, []byte(" "))
	switch {
	case !c.filter.greeted:
		c.filter.greeted = true
		c.greet(rest)
	case string(tag) == passTag && c.flight.open:
		c.landed(rest)
	case c.flight.omit != nil && c.flight.omit(string(line)):
	default:
		c.w.Bytes(line)
		if n, ok := announced(line); ok {
			c.filter.literal = n
			c.w.Raw("\r\n")
			return
		}
		c.w.CRLF()
	}
}

// greet replaces the greeting. Anything but PREAUTH means that there is no
// session: the client is told so, and imapserver closes.
func (c *Conn) greet(status []byte) {
	typ, code, text := splitStatus(status)
	if typ == "PREAUTH" {
		c.cfg.Greeting(c)
		return
	}
	if typ == "OK" {
		c.log.Error("imapserver is not told that the client is authenticated")
		code, text = "", "Internal server error"
	}
	c.w.Untagged("BYE", code, text)
	c.end("")
}

// announced finds the literal at the end of a line. A status line ends in free
// text, which announces nothing.
func announced(line []byte) (int64, bool) {
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || line[len(line)-1] != '}' || isStatus(line) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(line[open+1:len(line)-1]), 10, 64)
	return n, err == nil && n >= 0
}

func isStatus(line []byte) bool {
	kind, _, _ := bytes.Cut(bytes.TrimPrefix(line, []byte("* ")), []byte(" "))
	switch string(kind) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}
