package search

import (
	"errors"
	"fmt"
	"strings"

	"spoold/backend/mime"
)

// ErrBadCharset is for a CHARSET that is not known here: NO [BADCHARSET].
var ErrBadCharset = errors.New("unknown charset")

// ErrBadString is for octets that are no text in the charset that they are said to have.
var ErrBadString = errors.New("not a string of its charset")

// DecodeCharsetString converts a search string to UTF-8. No charset, or ASCII,
// with octets that are not ASCII is what old clients send: it is UTF-8 if it
// can be, else Latin-1.
func DecodeCharsetString(charset string, b []byte) (string, error) {
	s, err := mime.DecodeCharset(charset, b)
	if err != nil {
		return "", fmt.Errorf("%w %q", ErrBadCharset, charset)
	}
	if strings.ContainsRune(s, '\uFFFD') {
		return "", fmt.Errorf("%w %q", ErrBadString, charset)
	}
	return s, nil
}
