package search

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestFold(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"ASCII", "aZ09@[`{|}~ \x00\x7f", "AZ09@[`{|}~ \x00\x7f"},
		{"long ASCII", strings.Repeat("az", 20), strings.Repeat("AZ", 20)},
		{"diacritic", "caf\u00e9", "CAFE\u0301"},
		{"decomposed already", "cafe\u0301", "CAFE\u0301"},
		{"Greek with two", "\u1fb3", "\u0391\u0399"},
		{"Cyrillic", "\u0434\u0430", "\u0414\u0410"},
		{"digraph", "\u01c6", "DZ\u030c"},
		{"long s", "\u017f", "S"},
		{"sharp s", "\u00df", "\u00df"},
		{"ligature", "\ufb01", "FI"},
		{"full width", "\uff41", "A"},
		{"planck constant", "\u210e", "H"},
		{"half-width kana", "\uff76", "\u30ab"},
		{"Han and Hangul", "\u65e5\uac00", "\u65e5\uac00"},
		{"not UTF-8", "a\xff\xc3b\xe2\x82", "A\xff\xc3B\xe2\x82"},
		{"U+FFFD", "\uFFFD", "\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Fold(tt.in); got != tt.want {
				t.Errorf("%+q, want %+q", got, tt.want)
			}
		})
	}
}

// Two characters that RFC 5051 maps to the same must fold to the same.
func TestFoldJoinsWhatRFC5051Joins(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || 0xac00 <= r && r <= 0xd7a3 {
			continue
		}
		mapped := string(unicode.ToTitle(r))
		if d := norm.NFKD.PropertiesString(mapped).Decomposition(); d != nil {
			mapped = string(d)
		}
		if got, want := Fold(string(r)), Fold(mapped); got != want {
			t.Fatalf("%U folds to %+q, %+q to %+q", r, got, mapped, want)
		}
	}
}

// FuzzFold: folding again changes nothing, case does not matter where it is
// simple, and a string folds as its pieces do.
func FuzzFold(f *testing.F) {
	f.Add("Caf\u00e9 \u01c6\ufb01", uint8(3))
	f.Add("\u210e\u0345\xff\u1e9e 12345678", uint8(9))
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		once := Fold(s)
		if again := Fold(once); again != once {
			t.Fatalf("%+q, then %+q", once, again)
		}
		if utf8.ValidString(s) != utf8.ValidString(once) {
			t.Fatalf("%+q from %+q", once, s)
		}
		i := min(int(cut), len(s))
		for i < len(s) && !utf8.RuneStart(s[i]) {
			i++
		}
		if utf8.ValidString(s[:i]) && Fold(s[:i])+Fold(s[i:]) != once {
			t.Fatalf("%+q and %+q do not fold to %+q", s[:i], s[i:], once)
		}
	})
}
