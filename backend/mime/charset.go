package mime

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// ErrCharset is the error for a character set that nobody here knows.
var ErrCharset = errors.New("unknown charset")

// DecodeCharset converts text to UTF-8. Bytes that are not of the charset
// become U+FFFD; 8-bit bytes in what claims to be ASCII are taken for UTF-8 if
// they can be, else for windows-1252.
func DecodeCharset(charset string, b []byte) (string, error) {
	switch normal := normalCharset(charset); normal {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "646", "unknown-8bit", "x-unknown":
		if utf8.Valid(b) {
			return string(b), nil
		}
		return decodeWith(charmap.Windows1252, b)
	case "utf-8", "utf8":
		return strings.ToValidUTF8(string(b), "\uFFFD"), nil
	case "utf-7", "unicode-1-1-utf-7":
		return decodeUTF7(b), nil
	default:
		e := lookup(normal)
		if e == nil {
			return "", ErrCharset
		}
		return decodeWith(e, b)
	}
}

// IsASCIICompatible says whether every ASCII byte in text of this charset is
// that ASCII character, so that text of such bytes alone needs no conversion.
func IsASCIICompatible(charset string) bool {
	normal := normalCharset(charset)
	switch normal {
	case "", "us-ascii", "ascii", "utf-8", "utf8":
		return true
	}
	for _, prefix := range []string{"iso-8859-", "windows-", "koi8-", "euc-", "gb2312", "gbk"} {
		if strings.HasPrefix(normal, prefix) {
			return true
		}
	}
	return false
}

func normalCharset(charset string) string {
	return strings.ToLower(strings.Trim(charset, " \t\r\n\"'"))
}

// lookup prefers the web's reading of a name: mail, too, says iso-8859-1 and
// means windows-1252. It returns nil for an unknown name.
func lookup(name string) encoding.Encoding {
	switch name { // names that neither index has
	case "cp936", "ms936", "x-gbk":
		name = "gbk"
	case "cp949", "ms949", "uhc":
		name = "euc-kr"
	case "cp950", "ms950":
		name = "big5"
	case "cp932", "x-ms-cp932":
		name = "shift_jis"
	}
	e, err := htmlindex.Get(name)
	if err == nil && e != encoding.Replacement {
		return e
	}
	if e, err = ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e
	}
	return nil
}

func decodeWith(e encoding.Encoding, b []byte) (string, error) {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return "", err
	}
	return string(out), nil
}

// decodeUTF7 decodes RFC 2152; what is not base64 after "+" stays as it is.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); {
		if b[i] != '+' {
			out.WriteByte(b[i])
			i++
			continue
		}
		start := i + 1
		for i = start; i < len(b) && base64Value(b[i]) < 64; i++ {
		}
		if i == start {
			out.WriteByte('+')
		} else {
			writeUTF16(&out, b[start:i])
		}
		if i < len(b) && b[i] == '-' {
			i++
		}
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

// writeUTF16 writes a base64 run of big-endian UTF-16.
func writeUTF16(out *strings.Builder, run []byte) {
	raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	n, _ := base64.RawStdEncoding.Decode(raw, run) // a torn run decodes as far as it goes
	units := make([]uint16, 0, n/2)
	for j := 0; j+1 < n; j += 2 {
		units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
	}
	out.WriteString(string(utf16.Decode(units)))
}
