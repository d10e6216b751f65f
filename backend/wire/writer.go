package wire

import (
	"io"
	"strconv"
	"time"
)

const (
	handOver   = 16 << 10 // octets that wait before the buffer is handed on
	idleBuffer = 4 << 10  // a larger one is not kept over a wait
	keepBuffer = 64 << 10 // a larger buffer is not kept for reuse
	maxQuoted  = 1000     // octets of a quoted string; longer ones are literals
)

// Writer encodes responses. It is append-style: nothing is checked against the
// grammar of a response, and its buffer goes to the io.Writer at the end of a
// response line when it is large, or with Flush. Errors are sticky; after one
// everything is dropped.
type Writer struct {
	w       io.Writer
	buf     []byte
	line    int  // where in buf the unfinished line begins
	parted  bool // the start of the unfinished line has been handed on
	err     error
	answers int
	names   func(string) string // how Mailbox shows a name; nil: as it is
}

// NewWriter returns a Writer over w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Raw appends s as it is.
func (w *Writer) Raw(s string) { w.buf = append(w.buf, s...) }

// Bytes appends b as it is. Large ones are handed on without being copied.
func (w *Writer) Bytes(b []byte) {
	if len(b) < handOver {
		w.buf = append(w.buf, b...)
		w.relieve()
		return
	}
	w.hand()
	w.write(b)
	w.parted = true
}

// SP appends a space.
func (w *Writer) SP() {
	w.buf = append(w.buf, ' ')
	w.relieve()
}

// CRLF ends a response line.
func (w *Writer) CRLF() {
	w.buf = append(w.buf, '\r', '\n')
	w.line, w.parted = len(w.buf), false
	if len(w.buf) > handOver {
		w.hand()
	}
}

// Num appends a number.
func (w *Writer) Num(n uint64) { w.buf = strconv.AppendUint(w.buf, n, 10) }

// Atom appends s, which must be an atom.
func (w *Writer) Atom(s string) { w.Raw(s) }

// String appends a quoted string when b is short and printable ASCII, else a
// literal: RFC 3501 section 4.3 has no 8-bit quoted strings.
func (w *Writer) String(b []byte) {
	if len(b) > maxQuoted || span(b, isPrintable) < len(b) {
		w.Literal(b)
		return
	}
	w.buf = appendQuoted(w.buf, b)
}

func isPrintable(c byte) bool { return c >= 0x20 && c <= 0x7e }

func isASCII(c byte) bool { return c < 0x80 }

// NString is String, or NIL for a nil slice.
func (w *Writer) NString(b []byte) {
	if b == nil {
		w.Raw("NIL")
		return
	}
	w.String(b)
}

// Literal appends a literal.
func (w *Writer) Literal(b []byte) {
	w.announce(int64(len(b)))
	w.Bytes(b)
}

func (w *Writer) announce(n int64) {
	w.Raw("{")
	w.buf = strconv.AppendInt(w.buf, n, 10)
	w.Raw("}\r\n")
}

// LiteralStream appends a literal of n octets that f writes. When f fails or
// writes another number of octets, the unfinished response line is dropped if
// none of it has left; otherwise the Writer is broken, as the client waits for
// octets that do not exist.
func (w *Writer) LiteralStream(n int64, f func(io.Writer) error) error {
	w.announce(n)
	body := &counted{w: w, left: n}
	err := f(body)
	if err == nil && body.left != 0 {
		err = ErrShortLiteral
	}
	if w.err != nil {
		return w.err
	}
	if err != nil && !w.Rollback() {
		w.err = err
	}
	return err
}

// counted passes at most left octets on.
type counted struct {
	w    *Writer
	left int64
}

func (c *counted) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, ErrShortLiteral
	}
	c.left -= int64(len(p))
	c.w.Bytes(p)
	if len(c.w.buf) > handOver {
		c.w.hand()
	}
	return len(p), c.w.err
}

// Flag appends a flag or keyword. An octet that no flag may have, which a
// mailbox file may well contain, becomes "_".
func (w *Writer) Flag(s string) {
	if len(s) > 0 && s[0] == '\\' {
		w.Raw("\\")
		s = s[1:]
	}
	if s == "" {
		s = "_"
	}
	for i := range len(s) {
		if isAtomChar(s[i]) || s == "*" {
			w.buf = append(w.buf, s[i])
		} else {
			w.buf = append(w.buf, '_')
		}
	}
}

// List appends a parenthesised list of n elements that f appends.
func (w *Writer) List(n int, f func(i int)) {
	w.Raw("(")
	for i := range n {
		if i > 0 {
			w.SP()
		}
		f(i)
	}
	w.Raw(")")
}

// Names sets how mailbox names are shown from now on: as UTF-8 without control
// characters, which may stand in quoted strings then (RFC 9051 section 4.3).
func (w *Writer) Names(f func(string) string) { w.names = f }

// Mailbox appends a mailbox name, whose octets are written as they are, or as
// Names says.
func (w *Writer) Mailbox(name string) {
	if w.names != nil {
		name = w.names(name)
	}
	b := []byte(name)
	if w.names != nil && span(b, isASCII) < len(b) && len(b) <= maxQuoted {
		w.buf = appendQuoted(w.buf, b)
		return
	}
	w.AString(b)
}

// AString appends b as an atom where it is one.
func (w *Writer) AString(b []byte) {
	if len(b) == 0 || equalFold(b, "NIL") || span(b, isAtomChar) < len(b) {
		w.String(b)
		return
	}
	w.Bytes(b)
}

// DateTime appends a quoted date-time, its day padded with a space.
func (w *Writer) DateTime(t time.Time) {
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Unix(0, 0).UTC() // four digits are all there is
	}
	w.buf = t.AppendFormat(w.buf, `"_2-Jan-2006 15:04:05 -0700"`)
}

// Flush hands on all that is buffered, and flushes what it is handed to, if
// that can be. It is called before waits that may be long, so a large buffer is
// given back.
func (w *Writer) Flush() error {
	w.hand()
	if cap(w.buf) > idleBuffer {
		w.buf = nil
	}
	if f, ok := w.w.(interface{ Flush() error }); ok && w.err == nil {
		w.err = f.Flush()
	}
	return w.err
}

// Redirect makes to the io.Writer for all that has not been handed on.
func (w *Writer) Redirect(to io.Writer) { w.w = to }

// Err is the first error of the io.Writer.
func (w *Writer) Err() error { return w.err }

// Rollback drops the unfinished response line. It returns false when a part of
// it has already been handed on.
func (w *Writer) Rollback() bool {
	if w.parted {
		return false
	}
	w.buf = w.buf[:w.line]
	return true
}

// relieve bounds the buffer inside of a long response line, such as SEARCH has.
func (w *Writer) relieve() {
	if len(w.buf) > keepBuffer/2 {
		w.hand()
	}
}

// hand passes the buffer on.
func (w *Writer) hand() {
	if len(w.buf) > 0 {
		w.parted = w.parted || len(w.buf) > w.line
		w.write(w.buf)
	}
	w.line = 0
	if w.buf = w.buf[:0]; cap(w.buf) > keepBuffer {
		w.buf = nil
	}
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}
