package mime

import "bytes"

// text is a value gathered from pieces of a source. As long as the pieces
// follow each other there it is a slice of the source; otherwise a copy.
type text struct {
	b   []byte
	end int // offset in the source behind b, or -1 when b is a copy
}

// add appends a piece that starts at this offset of src (-1: is not part of
// it), with one space before it when sp is set.
func (t *text) add(src, piece []byte, start int, sp bool) {
	end := start + len(piece)
	switch {
	case t.b == nil:
		t.b, t.end = piece[:len(piece):len(piece)], end
		if start < 0 {
			t.end = -1
		}
	case start >= 0 && t.end >= 0 && t.follows(src, start, sp):
		t.b, t.end = src[t.end-len(t.b):end:end], end
	default:
		if sp {
			t.b = append(t.b, ' ')
		}
		t.b, t.end = append(t.b, piece...), -1
	}
}

func (t *text) follows(src []byte, start int, sp bool) bool {
	if sp {
		return start == t.end+1 && src[t.end] == ' '
	}
	return start == t.end
}

// addressSpecials has a bit for each byte below 64 that ends an atom in an
// address; "@" is the only one above.
const addressSpecials = 1<<' ' | 1<<'\t' | 1<<'\r' | 1<<'\n' | 1<<'(' | 1<<')' |
	1<<'<' | 1<<'>' | 1<<',' | 1<<';' | 1<<':' | 1<<'"'

// atomEnd returns the offset of the first byte from i on that ends an atom.
func atomEnd(b []byte, i int) int {
	for ; i < len(b); i++ {
		if c := b[i]; c == '@' || c < 64 && uint64(addressSpecials)>>c&1 != 0 {
			break
		}
	}
	return i
}

// tokenLow and tokenHigh have a bit for each byte below 64, and from there to
// 127, that ends a token (RFC 2045 section 5.1).
const (
	tokenLow = 1<<33 - 1 /* controls, space */ | 1<<'(' | 1<<')' | 1<<'<' | 1<<'>' |
		1<<',' | 1<<';' | 1<<':' | 1<<'"' | 1<<'/' | 1<<'?' | 1<<'='
	tokenHigh = 1<<('@'-64) | 1<<('['-64) | 1<<('\\'-64) | 1<<(']'-64) | 1<<63
)

func isTokenByte(c byte) bool {
	if c < 64 {
		return uint64(tokenLow)>>c&1 == 0
	}
	return c < 128 && uint64(tokenHigh)>>(c-64)&1 == 0
}

// quoteEnd returns the offset of the quote that closes the quoted string whose
// content starts at i, or len(b). plain: the content needs no unquote.
func quoteEnd(b []byte, i int) (end int, plain bool) {
	plain = true
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, plain
		case '\\':
			i++
			plain = false
		case '\r', '\n':
			plain = false
		}
	}
	return len(b), plain
}

// unquote removes backslashes of quoted pairs and line breaks.
func unquote(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 && bytes.IndexByte(b, '\n') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+1 < len(b) {
			i++
			c = b[i]
		}
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return out
}

// commentEnd returns the offset behind the comment that starts at i; comments
// nest. An unclosed one reaches to the end.
func commentEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// skipCFWS goes over blanks, line breaks and comments.
func skipCFWS(b []byte, i int) int {
	for i < len(b) {
		switch {
		case isSpace(b[i]):
			i++
		case b[i] == '(':
			i = commentEnd(b, i)
		default:
			return i
		}
	}
	return i
}

func tokenEnd(b []byte, i int) int {
	for i < len(b) && isTokenByte(b[i]) {
		i++
	}
	return i
}

// withoutSpace removes blanks and line breaks anywhere in b.
func withoutSpace(b []byte) []byte {
	if bytes.IndexByte(b, ' ') < 0 && bytes.IndexByte(b, '\t') < 0 && bytes.IndexByte(b, '\n') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if !isSpace(c) {
			out = append(out, c)
		}
	}
	return out
}
