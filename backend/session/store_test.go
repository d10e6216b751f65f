package session

import (
	"testing"

	"spoold/mboxstore"
)

func TestExpected(t *testing.T) {
	type m = mboxstore.Message
	type op = mboxstore.StoreOp
	const seen, draft, old = mboxstore.FlagSeen, mboxstore.FlagDraft, mboxstore.FlagOld
	for _, tt := range []struct {
		name          string
		before, after m
		op            op
		want          bool
	}{
		{"set", m{Flags: draft | old}, m{Flags: seen | old}, op{Mode: mboxstore.StoreSet, Flags: seen}, true},
		{"set, and another added", m{}, m{Flags: seen | draft}, op{Mode: mboxstore.StoreSet, Flags: seen}, false},
		{"add", m{Flags: draft}, m{Flags: draft | seen}, op{Mode: mboxstore.StoreAdd, Flags: seen}, true},
		{"add, and another took", m{Flags: draft}, m{Flags: seen}, op{Mode: mboxstore.StoreAdd, Flags: seen}, false},
		{"remove", m{Flags: draft | seen}, m{Flags: draft}, op{Mode: mboxstore.StoreRemove, Flags: seen}, true},
		{"old does not count", m{}, m{Flags: seen | old}, op{Mode: mboxstore.StoreAdd, Flags: seen}, true},
		{"keyword in other case", m{}, m{Keywords: []string{"Work"}}, op{Mode: mboxstore.StoreAdd, Keywords: []string{"work"}}, true},
		{
			"keyword in other order",
			m{Keywords: []string{"b"}},
			m{Keywords: []string{"a", "b"}},
			op{Mode: mboxstore.StoreAdd, Keywords: []string{"a"}},
			true,
		},
		{"keyword lost", m{Keywords: []string{"b"}}, m{Keywords: []string{"a"}}, op{Mode: mboxstore.StoreAdd, Keywords: []string{"a"}}, false},
		{
			"keyword removed",
			m{Keywords: []string{"a", "b"}},
			m{Keywords: []string{"b"}},
			op{Mode: mboxstore.StoreRemove, Keywords: []string{"A"}},
			true,
		},
		{"keywords replaced", m{Keywords: []string{"a"}}, m{}, op{Mode: mboxstore.StoreSet}, true},
	} {
		if got := expected(&tt.before, &tt.after, tt.op); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestAppendFlags(t *testing.T) {
	m := &mboxstore.Message{
		Flags:    mboxstore.FlagDraft | mboxstore.FlagSeen | mboxstore.FlagOld,
		Keywords: []string{"$Forwarded", "bad word", "caf\xe9", "", "a)b"},
	}
	if got, want := string(AppendFlags([]byte("x"), m, true)), `x(\Recent \Seen \Draft $Forwarded)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(AppendFlags(nil, &mboxstore.Message{}, false)); got != "()" {
		t.Errorf("no flags: %s", got)
	}
}
