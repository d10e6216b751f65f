package mime

import (
	"bytes"
	"iter"
	"slices"
)

// fieldScanner walks the fields of a header. After next returned true,
// h[start:end] is one field with its continuation lines and its last line
// break; h[start:name] is its name, or name == start when the line is no field
// at all (mail has "From " and ">From " lines and worse in headers).
type fieldScanner struct {
	h                       []byte
	start, name, value, end int
}

// next moves to the next field and returns false at the blank line or the end.
func (s *fieldScanner) next() bool {
	s.start = s.end
	if s.start >= len(s.h) || isBlankLine(s.h[s.start:]) {
		return false
	}
	s.end = lineEnd(s.h, s.start)
	for s.end < len(s.h) && isWSP(s.h[s.end]) {
		s.end = lineEnd(s.h, s.end)
	}
	s.findColon()
	return true
}

// findColon sets name and value. RFC 5322 section 4.5.8: blanks may stand
// between the name and the colon.
func (s *fieldScanner) findColon() {
	i := s.start
	for i < s.end && s.h[i] > ' ' && s.h[i] < 0x7f && s.h[i] != ':' {
		i++
	}
	s.name = i
	for i < s.end && isWSP(s.h[i]) {
		i++
	}
	if i == s.end || s.h[i] != ':' {
		s.name, s.value = s.start, s.start
		return
	}
	s.value = i + 1
}

// is says whether the current field has this name, given in lower case.
func (s *fieldScanner) is(lower string) bool {
	return equalFold(s.h[s.start:s.name], lower)
}

// text is the current field's value, unfolded.
func (s *fieldScanner) text() []byte { return unfold(s.h[s.value:s.end]) }

// raw is the current field's value as it stands, line breaks included.
func (s *fieldScanner) raw() []byte { return s.h[s.value:s.end] }

// HeaderValue returns the unfolded value of the first field of this name
// without the blanks around it. The name's case does not matter.
func HeaderValue(header []byte, name string) (value []byte, ok bool) {
	s := fieldScanner{h: header}
	for s.next() {
		if nameIs(s.h[s.start:s.name], name) {
			return s.text(), true
		}
	}
	return nil, false
}

// HeaderValues returns the unfolded values of all fields of this name.
func HeaderValues(header []byte, name string) [][]byte {
	return slices.Collect(EachValue(header, name))
}

// EachValue yields what HeaderValues returns.
func EachValue(header []byte, name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := fieldScanner{h: header}
		for s.next() {
			if nameIs(s.h[s.start:s.name], name) && !yield(s.text()) {
				return
			}
		}
	}
}

// AppendUnfolded appends a whole header with the lines of each field joined.
func AppendUnfolded(dst, header []byte) []byte {
	for {
		i := bytes.IndexByte(header, '\n') + 1
		if i <= 0 || i == len(header) {
			return append(dst, header...)
		}
		line := header[:i]
		if isWSP(header[i]) {
			line = bytes.TrimRight(line, "\r\n")
		}
		dst = append(dst, line...)
		header = header[i:]
	}
}

// HeaderEnd returns the offset behind the blank line that ends the header of
// msg, or len(msg) when there is none.
func HeaderEnd(msg []byte) int {
	for i := 0; i < len(msg); {
		if isBlankLine(msg[i:]) {
			return lineEnd(msg, i)
		}
		i = lineEnd(msg, i)
	}
	return len(msg)
}

// unfold removes the line breaks inside a value and the blanks around it
// (RFC 5322 section 2.2.3). A value on one line is not copied.
func unfold(b []byte) []byte {
	b = trim(b)
	if bytes.IndexByte(b, '\n') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return out
}

// trim cuts blanks and line breaks off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// lineEnd returns the offset behind the line that contains offset i.
func lineEnd(b []byte, i int) int {
	if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
		return i + j + 1
	}
	return len(b)
}

func isBlankLine(b []byte) bool {
	return len(b) > 0 && b[0] == '\n' || len(b) > 1 && b[0] == '\r' && b[1] == '\n'
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold compares a name from a message with one in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

// nameIs compares a name from a message with a caller's in any case; an empty
// name belongs to a line that is no field.
func nameIs(b []byte, name string) bool {
	if len(b) != len(name) || len(b) == 0 {
		return false
	}
	for i, c := range b {
		if lowerByte(c) != lowerByte(name[i]) {
			return false
		}
	}
	return true
}
