package privsep

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckIdentity(t *testing.T) {
	for _, tt := range []struct {
		name string
		id   Identity
		ok   bool
	}{
		{"a user", Identity{Name: "alice", UID: 1000}, true},
		{"with domain and blank", Identity{Name: "j. doe@example.org", UID: 1}, true},
		{"eight bit", Identity{Name: "j\xfcrgen", UID: 1}, true},
		{"root", Identity{Name: "root"}, false},
		{"uid 0 by another name", Identity{Name: "toor", UID: 0}, false},
		{"empty", Identity{Name: "", UID: 1}, false},
		{"dot", Identity{Name: ".", UID: 1}, false},
		{"leading dot", Identity{Name: ".alice", UID: 1}, false},
		{"slash", Identity{Name: "a/b", UID: 1}, false},
		{"NUL", Identity{Name: "a\x00", UID: 1}, false},
		{"line end", Identity{Name: "a\nb", UID: 1}, false},
		{"colon", Identity{Name: "a:b", UID: 1}, false},
		{"64 bytes", Identity{Name: strings.Repeat("x", 64), UID: 1}, true},
		{"65 bytes", Identity{Name: strings.Repeat("x", 65), UID: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.id.Check()
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, ErrIdentity) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestParseGroups(t *testing.T) {
	const file = "root:x:0:\nmail:x:8:alice,bob\nstaff:x:50: bob ,carol\nlong:x:60:bobby,xbob\nbroken:x:bob\nbad:x:no:bob\nown:x:100:bob\n"
	for _, tt := range []struct {
		user string
		want []uint32
	}{
		{"bob", []uint32{8, 50}}, {"alice", []uint32{8}}, {"nobody", nil}, {"", nil},
	} {
		got, err := ParseGroups(strings.NewReader(file), tt.user, 100)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("groups of %q (-want +got):\n%s", tt.user, diff)
		}
	}
}

// FuzzParseGroups: nobody is in a group whose line does not have his name in it.
func FuzzParseGroups(f *testing.F) {
	f.Add("mail:x:8:alice,bob\n", "alice", uint32(1))
	f.Add("mail:x:8:alice\nstaff:x:8:alice\n", "bob", uint32(8))
	f.Fuzz(func(t *testing.T, file, user string, primary uint32) {
		got, err := ParseGroups(strings.NewReader(file), user, primary)
		if err != nil {
			return
		}
		if len(got) > 0 && (user == "" || !strings.Contains(file, user)) || slices.Contains(got, primary) {
			t.Fatalf("user %q has groups %v", user, got)
		}
	})
}
