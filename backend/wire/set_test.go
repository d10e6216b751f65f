package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSet(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Set
		ok   bool
	}{
		{"1", Set{{1, 1}}, true},
		{"4294967295", Set{{4294967295, 4294967295}}, true},
		{"2:4,1", Set{{2, 4}, {1, 1}}, true},
		{"4:2", Set{{2, 4}}, true},
		{"*", Set{{0, 0}}, true},
		{"*:*", Set{{0, 0}}, true},
		{"*:4", Set{{4, 0}}, true},
		{"4:*", Set{{4, 0}}, true},
		{"*:1", Set{{1, 0}}, true},
		{"", nil, false},
		{"0", nil, false},
		{"0:1", nil, false},
		{"1:0", nil, false},
		{"4294967296", nil, false},
		{"1,", nil, false},
		{",1", nil, false},
		{"1:", nil, false},
		{":1", nil, false},
		{"1:2:3", nil, false},
		{"+1", nil, false},
		{"1,$", nil, false},
		{"$,1", nil, false},
	} {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseSet(tt.in)
			if (err == nil) != tt.ok {
				t.Fatalf("err %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.IsSaved() {
				t.Error("taken for $")
			}
		})
	}
}

func TestSetSaved(t *testing.T) {
	s, err := ParseSet("$")
	if err != nil || !s.IsSaved() || s.String() != "$" || len(s.Resolve(9)) != 0 {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestSetResolve(t *testing.T) {
	for _, tt := range []struct {
		in      string
		largest uint32
		want    string
	}{
		{"3,1,2", 9, "1:3"},
		{"1:5,3:9,20", 9, "1:9,20"},
		{"*", 9, "9"},
		{"*", 0, ""},
		{"5:*", 0, ""},
		{"5:*", 9, "5:9"},
		{"5:*", 3, "3"},
		{"5:*", 5, "5"},
		{"1:*,1:4294967295,4294967295", 7, "1:4294967295"},
		{"2:*,1", 0, "1"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			s, err := ParseSet(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Resolve(tt.largest).String(); got != tt.want {
				t.Errorf("Resolve(%d) = %q, want %q", tt.largest, got, tt.want)
			}
		})
	}
}

func TestSetOf(t *testing.T) {
	for want, nums := range map[string][]uint32{
		"":                      nil,
		"1":                     {1},
		"1:3,5,7:8":             {1, 2, 3, 5, 7, 8},
		"2":                     {2, 2},
		"1,4294967295":          {1, 4294967295},
		"4294967294:4294967295": {4294967294, 4294967295},
	} {
		if got := SetOf(nums).String(); got != want {
			t.Errorf("SetOf(%v) = %q, want %q", nums, got, want)
		}
	}
}

// Setting up, merging and asking a set costs by its text, not by its numbers.
func TestSetCost(t *testing.T) {
	s, err := ParseSet(strings.Repeat("1:4294967295,", 5000) + "*")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Resolve(4294967295); len(got) != 1 || !got.Contains(77) {
		t.Errorf("got %v", got)
	}
}

// FuzzSet: a resolved set contains exactly the numbers that the ranges of the
// text name one by one, and its text form is the same set.
func FuzzSet(f *testing.F) {
	f.Add("1:3,*,9:7", uint32(12))
	f.Add("40:*", uint32(3))
	f.Add("*:*,1", uint32(0))
	f.Fuzz(func(t *testing.T, text string, largest uint32) {
		s, err := ParseSet(text)
		if err != nil || s.IsSaved() {
			return
		}
		if len(s) > len(text) {
			t.Fatalf("%d ranges from %d octets", len(s), len(text))
		}
		largest %= 60
		got := s.Resolve(largest)
		for n := uint32(1); n < 70; n++ {
			if want := named(s, n, largest); got.Contains(n) != want {
				t.Fatalf("%q (largest %d): Contains(%d) = %v", text, largest, n, !want)
			}
		}
		for i := range got {
			if got[i].Start == 0 || got[i].Start > got[i].Stop || i > 0 && got[i].Start <= got[i-1].Stop+1 {
				t.Fatalf("%v is not sorted and merged", got)
			}
		}
		again, err := ParseSet(s.String())
		if err != nil || !cmp.Equal(s, again) {
			t.Fatalf("%v is written as %q and read as %v, %v", s, s.String(), again, err)
		}
	})
}

// named says whether n is in the set, by the words of RFC 9051.
func named(s Set, n, largest uint32) bool {
	for _, r := range s {
		switch {
		case r.Stop != 0:
			if r.Start <= n && n <= r.Stop {
				return true
			}
		case largest == 0:
		case r.Start == 0 || r.Start > largest:
			if n == largest {
				return true
			}
		case r.Start <= n && n <= largest:
			return true
		}
	}
	return false
}
