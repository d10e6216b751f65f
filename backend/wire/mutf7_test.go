package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMUTF7(t *testing.T) {
	for _, tt := range []struct{ name, text, code string }{
		{"empty", "", ""},
		{"ascii", "Sent Items", "Sent Items"},
		{"ampersand", "R&D", "R&-D"},
		{"RFC 3501 example", "~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
		{"umlaut", "Entwürfe", "Entw&APw-rfe"},
		{"outside the BMP", "x😀y", "x&2D3eAA-y"},
		{"control character", "a\tb", "a&AAk-b"},
		{"DEL", "\x7f", "&AH8-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := EncodeMUTF7(tt.text); got != tt.code {
				t.Errorf("encoded %q, want %q", got, tt.code)
			}
			if got, err := DecodeMUTF7(tt.code); got != tt.text || err != nil {
				t.Errorf("decoded %q, %v, want %q", got, err, tt.text)
			}
			if !CanonicalMUTF7(tt.code) {
				t.Error("not canonical")
			}
		})
	}
}

func TestMUTF7NotCanonical(t *testing.T) {
	for name, code := range map[string]string{
		"bare ampersand":              "R&D",
		"ampersand at the end":        "R&",
		"encoded ASCII":               "a&AGE-b",
		"two shifts in a row":         "&APw-&APw-",
		"8-bit":                       "Entw\xfcrfe",
		"UTF-8":                       "Entwürfe",
		"control character":           "a\tb",
		"odd octets":                  "&AA-",
		"padding bits set":            "&APx-",
		"slash for comma":             "&U/BTFw-",
		"high surrogate alone":        "&2D0-",
		"high surrogate and a letter": "&2D0A,A-",
		"low surrogate alone":         "&3gA-",
		"line end in base64":          "&AP\nw-",
		"encoded ampersand":           "&ACY-",
	} {
		t.Run(name, func(t *testing.T) {
			if CanonicalMUTF7(code) {
				t.Errorf("%q is canonical", code)
			}
		})
	}
}

// FuzzMUTF7: text survives encoding and decoding, and a canonical name
// survives decoding and encoding.
func FuzzMUTF7(f *testing.F) {
	for _, s := range []string{"", "R&D", "Entwürfe", "&U,BTFw-/x", "x😀y", "&2D3eAA-y", "a&-&AGE-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code := EncodeMUTF7(s)
		if !CanonicalMUTF7(code) {
			t.Fatalf("%q is encoded as %q, which is not canonical", s, code)
		}
		text, err := DecodeMUTF7(code)
		if want := strings.ToValidUTF8(s, "\uFFFD"); err != nil || utf8.ValidString(s) && text != want {
			t.Fatalf("%q is encoded as %q, decoded as %q, %v", s, code, text, err)
		}
		if CanonicalMUTF7(s) {
			text, err := DecodeMUTF7(s)
			if err != nil || EncodeMUTF7(text) != s || !utf8.ValidString(text) {
				t.Fatalf("%q is decoded as %q, %v", s, text, err)
			}
		}
	})
}
