package search

import (
	"encoding/binary"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold maps a string to the form in which i;unicode-casemap compares (RFC 5051
// section 2): each character in title case and decomposed. Here this is
// repeated until nothing changes, so that Fold(Fold(s)) is Fold(s), and U+210E
// PLANCK CONSTANT, whose decomposition is a small letter, is an H. Bytes that
// are not UTF-8 stay.
func Fold(s string) string { return string(appendFold(nil, []byte(s))) }

func appendFold(dst, src []byte) []byte {
	for len(src) > 0 {
		start := len(dst)
		var ascii bool
		if dst, ascii = appendFoldASCII(dst, src); ascii {
			return dst
		}
		dst, src = appendFoldMixed(dst, src[len(dst)-start:])
	}
	return dst
}

// appendFoldMixed folds up to where eight ASCII characters follow each other,
// and returns what is left.
func appendFoldMixed(dst, src []byte) (_, rest []byte) {
	table := foldTable()
	for len(src) > 0 {
		if src[0] < utf8.RuneSelf {
			if len(src) >= 8 && binary.LittleEndian.Uint64(src)&highBits == 0 {
				break
			}
			dst = append(dst, upper(src[0]))
			src = src[1:]
			continue
		}
		r, n := utf8.DecodeRune(src)
		switch {
		case r < tableEnd:
			dst = append(dst, table[r]...)
		case r == utf8.RuneError && n == 1 || isUnfolded(r):
			dst = append(dst, src[:n]...)
		default:
			dst = append(dst, foldRune(r)...)
		}
		src = src[n:]
	}
	return dst, src
}

const highBits = 0x8080808080808080

// appendFoldASCII appends src, folded, up to a byte that is not ASCII, and says
// whether there was none.
func appendFoldASCII(dst, src []byte) ([]byte, bool) {
	n := len(dst)
	dst = slices.Grow(dst, len(src))
	out := dst[n : n+len(src)]
	i := 0
	for ; i+8 <= len(src) && i+8 <= len(out); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		if x&highBits != 0 {
			break
		}
		// The high bit of a byte is set by the first sum from 'a' on, by the
		// second from '{' on.
		small := ((x + 0x1f1f1f1f1f1f1f1f) ^ (x + 0x0505050505050505)) & highBits
		binary.LittleEndian.PutUint64(out[i:], x^small>>2)
	}
	for ; i < len(src); i++ {
		if src[i] >= utf8.RuneSelf {
			return dst[:n+i], false
		}
		out[i] = upper(src[i])
	}
	return dst[:n+i], true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// tableEnd is the end of the alphabets that nearly all mail is written in.
const tableEnd = 0x600

// foldTable has the folded forms of the characters below tableEnd.
var foldTable = sync.OnceValue(func() *[tableEnd]string {
	t := new([tableEnd]string)
	for r := range rune(tableEnd) {
		t[r] = foldRune(r)
	}
	return t
})

// isUnfolded: Han and Hangul. UnicodeData.txt, which RFC 5051 goes by, has no
// decompositions of Hangul.
func isUnfolded(r rune) bool {
	return 0x4e00 <= r && r <= 0x9fff || 0xac00 <= r && r <= 0xd7a3
}

// foldRune is the folded form of one character.
func foldRune(r rune) string {
	form := string(r)
	for {
		next := titleAndDecompose(form)
		if next == form {
			return form
		}
		form = next
	}
}

func titleAndDecompose(s string) string {
	var out []byte
	for _, r := range s {
		title := string(unicode.ToTitle(r))
		if d := norm.NFKD.PropertiesString(title).Decomposition(); d != nil {
			out = append(out, d...)
		} else {
			out = append(out, title...)
		}
	}
	return string(out)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
