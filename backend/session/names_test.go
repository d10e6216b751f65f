package session

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"spoold/backend/wire"
)

// disk is a Store that knows which names there are.
type disk struct {
	Store
	names []string
}

func (d disk) Has(name string) bool { return slices.Contains(d.names, name) }

func utf8Session(names ...string) *Session {
	s := New(Config{Store: disk{names: names}})
	s.Enable("UTF8=ACCEPT")
	return s
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name  string // on disk
		shown string
		also  []string // on disk, too
	}{
		{"INBOX", "INBOX", nil},
		{"a b/c", "a b/c", nil},
		{"Entw&APw-rfe", "Entwürfe", nil},
		{"A&-B/&U,BTFw-/", "A&B/台北/", nil},
		{"R&D", "R&D", nil},
		{"R&D", "R\uf726D", []string{"R&-D"}},
		{"R&D/&APw-", "R&D/ü", []string{"R&D"}},
		{"ü", "ü", nil},
		{"ü", "\uf7c3\uf7bc", []string{"&APw-"}},
		{"caf\xe9", "caf\uf7e9", nil},
		{"a&AGE-b", "a&AGE-b", nil}, // not as the encoder makes it
		{"&AA0ACg-", "&AA0ACg-", nil},
		{"&IKg-", "\u20a8", nil},
		{"a\nb&", "a\uf70ab\uf726", nil},
		{"&9yY-", "&9yY-", nil}, // would be shown as an escape
		{"&", "\uf726", []string{"&-", "&9yY-"}},
		{"\uf726", "\uf7ef\uf79c\uf7a6", nil},
	} {
		s := utf8Session(append(tt.also, tt.name)...)
		if got := s.Shown(tt.name); got != tt.shown {
			t.Errorf("%q beside %q is shown as %q, want %q", tt.name, tt.also, got, tt.shown)
		}
		if got, err := s.OnDisk(tt.shown); err != nil || got != tt.name {
			t.Errorf("%q beside %q means %q, %v; want %q", tt.shown, tt.also, got, err, tt.name)
		}
	}
}

// TestNamesPlain: who has enabled nothing sees octets.
func TestNamesPlain(t *testing.T) {
	s := New(Config{Store: disk{}})
	for _, name := range []string{"R&D", "Entw&APw-rfe", "caf\xe9"} {
		if got, err := s.OnDisk(name); err != nil || got != name || s.Shown(name) != name {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// FuzzNames: whatever names there are, each is shown as text of its own, and found by it.
func FuzzNames(f *testing.F) {
	f.Add("R&D", "R&-D", "Entw&APw-rfe")
	f.Add("caf\xe9", "caf&AOk-", "café")
	f.Add("&AA0ACg-/x", "&9yY-", "&")
	f.Add("\uf726", "&9yY-", "\uf7ef\uf79c\uf7a6")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		names := slices.DeleteFunc([]string{a, b, c}, func(n string) bool { return n == "" || strings.Contains(n, "/") || len(n) > 100 })
		slices.Sort(names)
		names = slices.Compact(names)
		s := utf8Session(names...)
		seen := map[string]string{}
		for _, name := range names {
			shown := s.Shown(name)
			if !utf8.ValidString(shown) || strings.ContainsFunc(shown, unicode.IsControl) {
				t.Errorf("%q is shown as %q", name, shown)
			}
			if other, ok := seen[shown]; ok {
				t.Errorf("%q and %q of %q are both shown as %q", name, other, names, shown)
			}
			seen[shown] = name
			if got, err := s.OnDisk(shown); err != nil || got != name {
				t.Errorf("%q of %q is shown as %q, which means %q, %v", name, names, shown, got, err)
			}
		}
		if name, err := s.OnDisk(a); err == nil && !slices.Contains(names, name) && name != "" && utf8.ValidString(a) && s.SpeaksUTF8() && !isPlain(a) &&
			!strings.Contains(a, "/") && !wire.CanonicalMUTF7(name) {
			t.Errorf("%q means %q, which cannot be made", a, name)
		}
	})
}
