package wire

// Character classes of RFC 9051 section 9.

// isAtomChar says whether c is an ATOM-CHAR: printable, 7-bit, no
// atom-specials.
func isAtomChar(c byte) bool {
	switch c {
	case '(', ')', '{', ' ', '%', '*', '"', '\\', ']':
		return false
	}
	return c > 0x20 && c < 0x7f
}

// isAStringChar is ASTRING-CHAR, plus octets above 127: clients send passwords
// and old mailbox names in the clear.
func isAStringChar(c byte) bool { return isAtomChar(c) || c == ']' || c >= 0x80 }

// isListChar is list-char, the characters of an unquoted LIST pattern.
func isListChar(c byte) bool { return isAStringChar(c) || c == '%' || c == '*' }

// isTagChar is ASTRING-CHAR without "+"; a tag is 7-bit.
func isTagChar(c byte) bool { return (isAtomChar(c) || c == ']') && c != '+' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWordChar is what data item names are made of.
func isWordChar(c byte) bool {
	return isDigit(c) || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '.' || c == '-' || c == '_' || c == '='
}

// upper is strings.ToUpper for ASCII only: no other letter may become one.
func upper(b []byte) string {
	u := make([]byte, len(b))
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		u[i] = c
	}
	return string(u)
}

// equalFold compares an input with an upper-case ASCII word.
func equalFold(b []byte, word string) bool {
	return len(b) == len(word) && upper(b) == word
}
