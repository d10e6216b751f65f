package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errMUTF7 = errors.New("invalid modified UTF-7")

// mutf7Base64 is the alphabet of RFC 3501 section 5.1.3: "," for "/", no
// padding.
var mutf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

func isMUTF7Direct(c byte) bool { return c >= 0x20 && c <= 0x7e }

// EncodeMUTF7 encodes UTF-8 text in the modified UTF-7 of RFC 3501 section
// 5.1.3. What is not UTF-8 becomes U+FFFD.
func EncodeMUTF7(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := 0
		for n < len(s) && isMUTF7Direct(s[n]) {
			n++
		}
		b.WriteString(strings.ReplaceAll(s[:n], "&", "&-"))
		s = s[n:]
		for n = 0; n < len(s) && !isMUTF7Direct(s[n]); n++ {
		}
		if n > 0 {
			b.WriteByte('&')
			b.WriteString(mutf7Base64.EncodeToString(utf16Bytes(s[:n])))
			b.WriteByte('-')
			s = s[n:]
		}
	}
	return b.String()
}

func utf16Bytes(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

// DecodeMUTF7 decodes modified UTF-7 to UTF-8. It accepts some text that
// EncodeMUTF7 never makes: see CanonicalMUTF7.
func DecodeMUTF7(s string) (string, error) {
	var b strings.Builder
	for len(s) > 0 {
		plain, shifted, found := strings.Cut(s, "&")
		for i := range len(plain) {
			if !isMUTF7Direct(plain[i]) {
				return "", errMUTF7
			}
		}
		b.WriteString(plain)
		if !found {
			break
		}
		code, rest, closed := strings.Cut(shifted, "-")
		if !closed {
			return "", errMUTF7
		}
		text, err := decodeShift(code)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = rest
	}
	return b.String(), nil
}

// decodeShift decodes what stands between "&" and "-".
func decodeShift(code string) (string, error) {
	if code == "" {
		return "&", nil
	}
	if strings.ContainsAny(code, "\r\n") { // base64 would skip them
		return "", errMUTF7
	}
	raw, err := mutf7Base64.DecodeString(code)
	if err != nil || len(raw)%2 != 0 {
		return "", errMUTF7
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	var text []byte
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i++; i == len(units) {
				return "", errMUTF7
			}
			if r = utf16.DecodeRune(r, rune(units[i])); r == utf8.RuneError {
				return "", errMUTF7
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return string(text), nil
}

// CanonicalMUTF7 says whether s is exactly what EncodeMUTF7 makes of some
// text. Mailboxes whose names are not ("R&D") exist on disks; their names are
// octets and must not be decoded.
func CanonicalMUTF7(s string) bool {
	text, err := DecodeMUTF7(s)
	return err == nil && EncodeMUTF7(text) == s
}
