package spool

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPendingAttribute(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	if err := f.SetPending("00ff.0001"); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("needs a temporary directory with extended attributes")
	}
	want := func(want string) {
		t.Helper()
		if got, err := f.Pending(); err != nil || got != want {
			t.Errorf("Pending: %q, %v, want %q", got, err, want)
		}
	}
	want("00ff.0001")
	ok(t, f.SetPending("00ff.0002"))
	ok(t, f.Close())
	f = openBox(t, b)
	want("00ff.0002")
	ok(t, f.SetPending(""))
	want("")
	ok(t, f.SetPending(""))
	ok(t, unix.Setxattr(b.Path(), PendingAttr, []byte(strings.Repeat("x", 300)), 0))
	want("of another program")
}

func TestLayoutAttribute(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	if got, err := f.Layout(); err != nil || got != "" {
		t.Errorf("Layout of a new file: %q, %v", got, err)
	}
	if err := f.SetLayout("one"); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("needs a temporary directory with extended attributes")
	}
	ok(t, f.SetLayout("two"))
	if got, err := openBox(t, b).Layout(); err != nil || got != "two" {
		t.Errorf("Layout: %q, %v", got, err)
	}
}

// The cost of one look at a mailbox whose layout may have changed.
func BenchmarkLayout(b *testing.B) {
	f := openBox(b, newBox(b, LockPolicy{}))
	if err := f.SetLayout("ABCDEFGHIJ"); err != nil {
		b.Skip("needs a temporary directory with extended attributes")
	}
	for b.Loop() {
		if _, err := f.Layout(); err != nil {
			b.Fatal(err)
		}
	}
}
