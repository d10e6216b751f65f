package mboxstore

import (
	"bytes"
	"io"
	"strings"
)

// What a message becomes when it is stored: LF lines without CRs, NULs as 0x80, ">" before every line that begins
// with "From " (no reader undoes it, but all readers split there), and "X-Original-" before header lines that would
// be taken for status headers. UW does the latter up to the first line that begins with X only; here it is the whole
// header. A message always gets its blank line and ends in LF. The separator and the blank line behind the message
// are not ours to write.

const (
	quoteMark      = ">"
	originalPrefix = "X-Original-"
)

// AppendStored appends the stored form of a message with CRLF or LF lines.
func AppendStored(dst, msg []byte) []byte {
	var f storedForm
	return f.end(f.append(dst, msg))
}

// StoredWriter writes messages in their stored form. It needs Close, which ends the message.
type StoredWriter struct {
	w    io.Writer
	form storedForm
	buf  []byte
}

// NewStoredWriter makes a writer of one message to w. It writes in pieces of some 32 KiB at least, Close the rest.
func NewStoredWriter(w io.Writer) *StoredWriter { return &StoredWriter{w: w} }

const storedPiece = 32 << 10

// Write takes a part of a message, split anywhere.
func (s *StoredWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), storedPiece)]
		s.buf = s.form.append(s.buf, piece)
		if len(s.buf) >= storedPiece {
			if err := s.flush(); err != nil {
				return n, err
			}
		}
		n += len(piece)
		p = p[len(piece):]
	}
	return n, nil
}

// Close ends the message. It does not close the underlying writer.
func (s *StoredWriter) Close() error {
	s.buf = s.form.end(s.buf)
	s.form = storedForm{}
	return s.flush()
}

func (s *StoredWriter) flush() error {
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// storedForm is where in a message the conversion stands.
type storedForm struct {
	inBody bool
	inLine bool   // the start of this line is decided and written
	held   []byte // the start of a line that is not decided yet, converted
}

// longestStart bounds held: what the name of an internal line and its colon take.
const longestStart = longestInternal + 1

func (f *storedForm) append(dst, p []byte) []byte {
	for len(p) > 0 {
		if !f.inLine {
			dst, p = f.startLine(dst, p)
			continue
		}
		var line []byte
		var ended bool
		if line, p, ended = bytes.Cut(p, []byte{'\n'}); ended {
			f.inLine = false
		}
		from := len(dst)
		dst = appendWithout(dst, line, '\r')
		hideNULs(dst[from:])
		if ended {
			dst = append(dst, '\n')
		}
	}
	return dst
}

// startLine takes bytes until it is known what the line is.
func (f *storedForm) startLine(dst, p []byte) ([]byte, []byte) {
	for i, c := range p {
		switch c {
		case '\r':
			continue
		case '\n':
			return f.shortLine(dst), p[i+1:]
		case 0:
			c = 0x80
		}
		f.held = append(f.held, c)
		if !f.undecided() {
			f.inLine = true
			dst = append(append(dst, f.prefix()...), f.held...)
			f.held = f.held[:0]
			return dst, p[i+1:]
		}
	}
	return dst, nil
}

// shortLine writes a line that ended before it was decided, which makes it a harmless one.
func (f *storedForm) shortLine(dst []byte) []byte {
	if len(f.held) == 0 {
		f.inBody = true
	}
	dst = append(append(dst, f.held...), '\n')
	f.held = f.held[:0]
	return dst
}

// undecided reports whether more of the line could make it one that needs a prefix.
func (f *storedForm) undecided() bool {
	n := len(f.held)
	if n < len(fromPrefix) && string(f.held) == fromPrefix[:n] {
		return true
	}
	return !f.inBody && n < longestStart && startsInternal(f.held)
}

// startsInternal reports whether line is the beginning of a status header's name, or all of it.
func startsInternal(line []byte) bool {
	if line[0]|' ' != 's' && line[0]|' ' != 'x' {
		return false
	}
	for _, name := range [...]string{"status", "x-status", "x-keywords", "x-uid", "x-imapbase"} {
		if len(line) <= len(name) && strings.EqualFold(string(line), name[:len(line)]) {
			return true
		}
	}
	return false
}

func (f *storedForm) prefix() string {
	if string(f.held) == fromPrefix {
		return quoteMark
	}
	name := f.held[:len(f.held)-1]
	if last := f.held[len(name)]; f.inBody || last != ':' && !isBlank(last) {
		return ""
	}
	if kind, _ := lookUpInternal(bytes.ToLower(name)); !kind.status() {
		return ""
	}
	return originalPrefix
}

// end closes the last line and the header.
func (f *storedForm) end(dst []byte) []byte {
	if f.inLine || len(f.held) > 0 {
		dst = append(append(dst, f.held...), '\n')
	}
	if !f.inBody {
		dst = append(dst, '\n')
	}
	return dst
}
