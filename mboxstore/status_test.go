package mboxstore

import (
	"strings"
	"testing"
)

func TestAppendStatusBlock(t *testing.T) {
	base := &Base{UIDValidity: 1795369830, LastUID: 3, Keywords: []string{"kw1"}}
	blanks := func(n int) string { return strings.Repeat(" ", n) }
	for _, c := range []struct {
		name string
		s    StatusBlock
		pad  int
		want string
	}{
		{"nothing", StatusBlock{}, 0, "Status: \nX-Status: \nX-Keywords:\n\n"},
		{"UW's padding", StatusBlock{UID: 2}, -1, "Status: \nX-Status: \nX-Keywords:" + blanks(19) + "\nX-UID: 2\n\n"},
		{
			"all flags",
			StatusBlock{Flags: 0xff, UID: 4294967295},
			1,
			"Status: RO\nX-Status: DFAT\nX-Keywords: \nX-UID: 4294967295\n\n",
		},
		{
			"keywords",
			StatusBlock{Flags: FlagSeen, Keywords: []string{"b", "a"}, UID: 2},
			-1,
			"Status: R\nX-Status: \nX-Keywords: b a" + blanks(14) + "\nX-UID: 2\n\n",
		},
		{
			"no room for padding",
			StatusBlock{Keywords: []string{strings.Repeat("x", 40)}, UID: 2},
			-1,
			"Status: \nX-Status: \nX-Keywords: " + strings.Repeat("x", 40) + "\nX-UID: 2\n\n",
		},
		{
			"base",
			StatusBlock{Flags: FlagOld, UID: 2, Base: base},
			-1,
			"X-IMAPbase: 1795369830 0000000003 kw1\nStatus: O\nX-Status: \nX-Keywords:" + blanks(10) + "\nX-UID: 2\n\n",
		},
		{"base of a pseudo message", StatusBlock{Base: base, Pseudo: true}, 0, "Status: \nX-Status: \nX-Keywords:\n\n"},
		{
			"what is no keyword",
			StatusBlock{Keywords: []string{"a\nX-UID: 9", "", "ok", "\\Seen"}},
			0,
			"Status: \nX-Status: \nX-Keywords: ok\n\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendStatusBlock([]byte("x"), c.s, c.pad)); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A changed flag must not change the length of a padded block, or it could not be written in place.
func TestStatusBlockLength(t *testing.T) {
	none := len(AppendStatusBlock(nil, StatusBlock{UID: 5}, -1))
	for f := range Flags(64) {
		if n := len(AppendStatusBlock(nil, StatusBlock{Flags: f, UID: 5, Keywords: []string{"$Forwarded"}}, -1)); n != none {
			t.Errorf("flags %06b: %d octets, want %d", f, n, none)
		}
	}
}
