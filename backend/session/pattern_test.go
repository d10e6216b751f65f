package session

import (
	"regexp"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		reference, text, name string
		match, below          bool
	}{
		{"", "*", "a/b", true, true},
		{"", "%", "a", true, false},
		{"", "%", "a/b", false, false},
		{"", "%/%", "a/b", true, false},
		{"", "%/%", "a", false, true},
		{"a/", "%", "a/b", true, false},
		{"a", "*", "ab/c", true, true},
		{"", "a", "a", true, false},
		{"", "a", "A", false, false},
		{"", "a/b", "a", false, true},
		{"", "a%c", "abbc", true, false},
		{"", "a%c", "ab/c", false, false},
		{"", "a*c", "ab/c", true, true},
		{"", "a**%*c", "ab/c", true, true},
		{"", "%%", "a", true, false},
		{"", "a%%b", "ab", true, false},
		{"", "*x*", "a/b", false, true},
		{"", "", "a", false, false},
		{"", "%b", "%b", true, false},
	} {
		p := newPattern(tt.reference, tt.text)
		if got := p.match(tt.name); got != tt.match {
			t.Errorf("%q+%q: match %q is %v", tt.reference, tt.text, tt.name, got)
		}
		if got := p.matchBelow(tt.name); got != tt.below {
			t.Errorf("%q+%q: below %q is %v", tt.reference, tt.text, tt.name, got)
		}
	}
}

func TestPatternDir(t *testing.T) {
	for text, want := range map[string]string{
		"*": "", "a": "", "a/b": "a", "a/b*": "a", "a/b/%": "a/b", "a%/b": "", "a/%/b": "a", "a/": "", "a/b/": "a", "/x": "",
	} {
		if got := newPattern("", text).dir(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// The matcher agrees with a regular expression, and a name that matches is found by way of its directories.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"a*b%c", "aXb/c"}, {"%/*", "a/b/c"}, {"*a*a*a*b", "aaaaaaaaaaaaaaaa"}, {"%%**", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 60 || len(name) > 60 || strings.ContainsAny(text+name, "\n") {
			return
		}
		var re strings.Builder
		for _, c := range []byte(text) {
			switch c {
			case '*':
				re.WriteString(`(?s:.*)`)
			case '%':
				re.WriteString(`[^/]*`)
			default:
				re.WriteString(regexp.QuoteMeta(latin1(c)))
			}
		}
		var latin strings.Builder
		for _, c := range []byte(name) {
			latin.WriteString(latin1(c))
		}
		want := regexp.MustCompile(`^` + re.String() + `$`).MatchString(latin.String())
		p := newPattern("", text)
		if got := p.match(name); got != want {
			t.Fatalf("%q matches %q: %v, want %v", text, name, got, want)
		}
		if !want {
			return
		}
		for i, c := range []byte(name) {
			if c == '/' && i < len(name)-1 && !p.matchBelow(name[:i]) {
				t.Fatalf("%q matches %q, but nothing below %q", text, name, name[:i])
			}
		}
		if d := p.dir(); d != "" && !strings.HasPrefix(name, d+"/") {
			t.Fatalf("%q matches %q, but looks in %q", text, name, d)
		}
	})
}

func latin1(c byte) string { return string(rune(c)) }
