package session

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

func TestNumberingResolve(t *testing.T) {
	n := &numbering{uids: []mboxstore.UID{3, 5, 8, 13}}
	for _, tt := range []struct {
		set  string
		uid  bool
		want string
		bad  bool
	}{
		{set: "1:*", want: "1:4"},
		{set: "*", want: "4"},
		{set: "4:2,1", want: "1:4"},
		{set: "1,3", want: "1,3"},
		{set: "5", bad: true},
		{set: "2:5", bad: true},
		{set: "1:*", uid: true, want: "1:4"},
		{set: "4:8", uid: true, want: "2:3"},
		{set: "6:7", uid: true, want: ""},
		{set: "*", uid: true, want: "4"},
		{set: "100:*", uid: true, want: "4"},
		{set: "3,8:4294967295", uid: true, want: "1,3:4"},
		{set: "14:20", uid: true, want: ""},
	} {
		set, err := wire.ParseSet(tt.set)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.resolve(set, tt.uid)
		if got.String() != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s (uid %v): got %q %v, want %q", tt.set, tt.uid, got, err, tt.want)
		}
	}
}

func TestNumberingResolveEmpty(t *testing.T) {
	n := &numbering{}
	for set, bad := range map[string]bool{"1:*": false, "*": false, "1": true, "1:2": true} {
		s, err := wire.ParseSet(set)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := n.resolve(s, false); len(got) > 0 || (err != nil) != bad {
			t.Errorf("%s: %v %v", set, got, err)
		}
		if got, err := n.resolve(s, true); len(got) > 0 || err != nil {
			t.Errorf("uid %s: %v %v", set, got, err)
		}
	}
}

func TestNumberingListIsInSetOrder(t *testing.T) {
	n := &numbering{uids: []mboxstore.UID{3, 5, 8, 13}}
	if diff := cmp.Diff([]mboxstore.UID{3, 8, 13}, n.list(wire.Set{{Start: 1, Stop: 1}, {Start: 3, Stop: 4}})); diff != "" {
		t.Error(diff)
	}
	if got := n.list(nil); len(got) != 0 {
		t.Error(got)
	}
}

// A client that follows the EXPUNGE and EXISTS of a numbering always knows which UID a number means.
func TestNumberingAgainstClient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &numbering{}
		var client []mboxstore.UID // what a client makes of the answers
		var alive []mboxstore.UID  // what is in the mailbox
		next := mboxstore.UID(1)
		shared := [][2][]mboxstore.UID{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"come", "go", "tell"}).Draw(t, "step") {
			case "come":
				var came []mboxstore.UID
				for range rapid.IntRange(1, 5).Draw(t, "n") {
					came = append(came, next)
					next += mboxstore.UID(rapid.IntRange(1, 3).Draw(t, "gap"))
				}
				shared = append(shared, [2][]mboxstore.UID{came, slices.Clone(came)})
				alive = append(alive, came...)
				client = append(client, n.add(came)...)
			case "go":
				var gone []mboxstore.UID
				alive = slices.DeleteFunc(alive, func(u mboxstore.UID) bool {
					lost := rapid.Bool().Draw(t, "lost")
					if lost {
						gone = append(gone, u)
					}
					return lost
				})
				n.lose(append(gone, next+1000)) // and one that nobody was told of
			case "tell":
				for _, num := range n.tell() {
					client = slices.Delete(client, int(num)-1, int(num))
				}
				if !slices.Equal(client, alive) {
					t.Fatalf("client has %v, mailbox %v", client, alive)
				}
			}
			if !slices.Equal(client, n.uids) {
				t.Fatalf("client has %v, numbering %v", client, n.uids)
			}
			for i, u := range n.uids {
				if n.find(u) != uint32(i+1) {
					t.Fatalf("uid %d: number %d, want %d", u, n.find(u), i+1)
				}
			}
			for _, s := range shared {
				if !slices.Equal(s[0], s[1]) {
					t.Fatalf("the mailbox's slice was changed: %v, was %v", s[0], s[1])
				}
			}
		}
	})
}

func TestNumberingAddKeepsAscending(t *testing.T) {
	n := &numbering{}
	n.add([]mboxstore.UID{2, 4})
	if got := n.add([]mboxstore.UID{3, 4, 6}); !slices.Equal(got, []mboxstore.UID{6}) {
		t.Errorf("numbered %v", got)
	}
	if want := []mboxstore.UID{2, 4, 6}; !slices.Equal(n.uids, want) {
		t.Errorf("got %v, want %v", n.uids, want)
	}
}

func TestPartialCut(t *testing.T) {
	whole := Extent{100, 50}
	for _, tt := range []struct {
		p    *Partial
		want Extent
	}{
		{nil, Extent{100, 50}},
		{&Partial{0, 10}, Extent{100, 10}},
		{&Partial{40, 100}, Extent{140, 10}},
		{&Partial{50, 1}, Extent{150, 0}},
		{&Partial{math.MaxInt64, math.MaxInt64}, Extent{150, 0}},
		{&Partial{1, math.MaxInt64}, Extent{101, 49}},
		{&Partial{-5, -1}, Extent{100, 0}},
	} {
		if got := tt.p.Cut(whole); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.p, got, tt.want)
		}
	}
}
