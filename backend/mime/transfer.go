package mime

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// ErrEncoding is DecodeTransfer's error for a transfer encoding that does not
// exist: BINARY answers NO [UNKNOWN-CTE] to it.
var ErrEncoding = errors.New("unknown transfer encoding")

// IsIdentity says whether a transfer encoding leaves the bytes as they are.
func IsIdentity(encoding string) bool {
	switch upper([]byte(encoding)) {
	case "", "7BIT", "8BIT", "BINARY":
		return true
	}
	return false
}

// DecodeTransfer removes a Content-Transfer-Encoding (RFC 2045 section 6).
// Damaged data is decoded as far as it goes; only an unknown encoding is an
// error. An identity encoding returns b itself.
func DecodeTransfer(encoding string, b []byte) ([]byte, error) {
	switch upper([]byte(encoding)) {
	case "", "7BIT", "8BIT", "BINARY":
		return b, nil
	case "BASE64":
		return decodeBase64(b), nil
	case "QUOTED-PRINTABLE":
		return decodeQP(b), nil
	}
	return nil, ErrEncoding
}

// decodeBase64 first tries the data as it should be; bytes that do not belong
// into it are skipped (RFC 2045 section 6.8), and data may go on behind the
// padding, as it does where two encoded parts were put together.
func decodeBase64(b []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	if n, err := base64.StdEncoding.Decode(out, b); err == nil {
		return out[:n]
	}
	out = out[:0]
	var acc, bits uint32
	for _, c := range b {
		v := base64Value(c)
		switch {
		case c == '=':
			acc, bits = 0, 0
		case v < 64:
			acc, bits = acc<<6|uint32(v), bits+6
			if bits >= 8 {
				bits -= 8
				out = append(out, byte(acc>>bits))
			}
		}
	}
	return out
}

// base64Value is 64 for a byte outside the alphabet.
func base64Value(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A'
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26
	case '0' <= c && c <= '9':
		return c - '0' + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return 64
}

// decodeQP decodes line by line: blanks at the end of a line are not part of
// it, "=" there joins it with the next, and "=" before anything but two hex
// digits stands for itself (RFC 2045 section 6.7).
func decodeQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		var line []byte
		eol := lineEnd(b, 0)
		line, b = b[:eol], b[eol:]
		text := trimRight(line)
		hard := len(line) > 0 && line[len(line)-1] == '\n'
		if bytes.HasSuffix(text, []byte("=")) {
			text, hard = text[:len(text)-1], false
		}
		out = appendUnescaped(out, text, '=')
		if hard {
			out = append(out, '\r', '\n')
		}
	}
	return out
}

// appendUnescaped appends b with each escape followed by two hex digits
// replaced by the byte that they name.
func appendUnescaped(dst, b []byte, escape byte) []byte {
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+2 >= len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		hi, lo := hexValue(b[i+1]), hexValue(b[i+2])
		if hi > 15 || lo > 15 {
			dst = append(dst, escape)
			b = b[i+1:]
			continue
		}
		dst = append(dst, hi<<4|lo)
		b = b[i+3:]
	}
}

// hexValue is 16 for a byte that is no hex digit.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
