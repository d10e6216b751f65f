package sortthread

import (
	"bytes"
	"iter"
)

// maxID is the longest identifier that counts: a line of mail is no longer
// (RFC 5322 section 2.1.1).
const maxID = 998

// EachID yields the valid message identifiers in the value of a Message-ID,
// References or In-Reply-To field, without angles, blanks, comments and
// quotes that need not be (RFC 5256 section 3: <"x"@y> is <x@y>). What else is
// in the value, such as the phrases of old In-Reply-To fields, is passed over.
func EachID(value []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; i < len(value); {
			start := bytes.IndexByte(value[i:], '<')
			if start < 0 {
				return
			}
			i += start + 1
			end := bytes.IndexAny(value[i:min(len(value), i+2*maxID)], "<>\"(\\")
			if end < 0 {
				continue
			}
			if value[i+end] == '>' { // as nearly all are
				if id := bytes.Trim(value[i:i+end], " \t\r\n"); isPlainID(id) {
					i += end + 1
					if !yield(string(id)) {
						return
					}
					continue
				}
			}
			id, n, ok := scanID(value[i:min(len(value), i+2*maxID)])
			if !ok {
				continue // from the next "<" on
			}
			i += n
			if !yield(id) {
				return
			}
		}
	}
}

// isPlainID reports whether id is two dot-atoms, leniently, with one "@".
func isPlainID(id []byte) bool {
	at := bytes.IndexByte(id, '@')
	if at <= 0 || at == len(id)-1 || len(id) > maxID {
		return false
	}
	for i, c := range id {
		if c <= ' ' || c == 0x7f || i != at && bytes.IndexByte([]byte("()<>[]:;@\\,\""), c) >= 0 {
			return false
		}
	}
	return true
}

// scanID reads id-left "@" id-right ">" with all that RFC 5322 allows in it, and
// tells how long that is.
func scanID(b []byte) (id string, n int, ok bool) {
	var out []byte
	i := skipComments(b, 0)
	at, left := false, 0
	for i < len(b) {
		switch c := b[i]; c {
		case '>':
			return string(out), i + 1, at && len(out) > left && len(out) <= maxID
		case '@':
			if at || len(out) == 0 {
				return "", 0, false
			}
			at, left = true, len(out)+1
			out = append(out, c)
			i++
		case '"', '[':
			part, next := quoted(b, i)
			if next == 0 || (c == '"') == at {
				return "", 0, false
			}
			out, i = append(out, part...), next
		default:
			if c < ' ' || c == 0x7f || bytes.IndexByte([]byte("()<]:;\\,"), c) >= 0 {
				return "", 0, false
			}
			out = append(out, c)
			i++
		}
		i = skipComments(b, i)
	}
	return "", 0, false
}

// quoted reads a quoted string, whose quotes are dropped, or a domain literal,
// whose brackets stay. next is 0 when it has no end.
func quoted(b []byte, start int) (part []byte, next int) {
	for i := start + 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b):
			i++
			part = append(part, b[i])
		case b[i] == '"' && b[start] == '"':
			return part, i + 1
		case b[i] == ']' && b[start] == '[':
			return append(append([]byte("["), part...), ']'), i + 1
		default:
			part = append(part, b[i])
		}
	}
	return nil, 0
}

// skipComments goes over blanks and comments.
func skipComments(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0 && !isBlank(c):
			return i
		}
	}
	return len(b)
}
