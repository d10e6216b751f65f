package search

import (
	"errors"
	"fmt"

	"spoold/backend/mime"
)

// ErrBadCharset is for a CHARSET that is not known here: NO [BADCHARSET].
var ErrBadCharset = errors.New("unknown charset")

// DecodeCharsetString converts a search string to UTF-8.
func DecodeCharsetString(charset string, b []byte) (string, error) {
	s, err := mime.DecodeCharset(charset, b)
	if err != nil {
		return "", fmt.Errorf("%w %q", ErrBadCharset, charset)
	}
	return s, nil
}
