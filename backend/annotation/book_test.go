package annotation_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spoold/backend/annotation"
	"spoold/spool"
	"spoold/spool/faultfs"
)

func open(t testing.TB, dir spool.Dir, lim annotation.Limits) *annotation.Book {
	t.Helper()
	b, err := annotation.Open(dir, lim, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func onDisk(t testing.TB) (string, spool.Dir) {
	t.Helper()
	path := t.TempDir()
	dir, err := spool.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func entry(name, value string) annotation.Entry {
	return annotation.Entry{Name: name, Value: []byte(value)}
}

// names of mailboxes and values are any octets.
const odd = "a \"b\" \\ \xff\x00\r\n\u00e4"

func TestBookIsReadBack(t *testing.T) {
	_, dir := onDisk(t)
	b := open(t, dir, annotation.Limits{})
	want := []annotation.Entry{entry("/private/a", odd), entry("/private/b", "")}
	for _, mailbox := range []string{"", "INBOX", "x" + odd} {
		if err := b.Set(mailbox, append([]annotation.Entry{{Name: "/private/none"}}, want...), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Set("INBOX", []annotation.Entry{{Name: "/private/a"}}, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for mailbox, want := range map[string][]annotation.Entry{"": want, "x" + odd: want, "INBOX": want[1:], "other": {}} {
			if diff := cmp.Diff(want, b.Get(mailbox)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", mailbox, diff)
			}
		}
		b = open(t, dir, annotation.Limits{})
	}
}

func TestCopyAndDrop(t *testing.T) {
	_, dir := onDisk(t)
	b := open(t, dir, annotation.Limits{})
	for _, mailbox := range []string{"", "a", "a/b", "ab", "c/old"} {
		if err := b.Set(mailbox, []annotation.Entry{entry("/private/is", mailbox)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Copy("a", "c"), b.Drop("a")); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"": {}, "ab": []byte("ab"), "c": []byte("a"), "c/b": []byte("a/b")}
	if diff := cmp.Diff(want, open(t, dir, annotation.Limits{}).Having("/private/is")); diff != "" {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	_, dir := onDisk(t)
	b := open(t, dir, annotation.Limits{Value: 5, Count: 2, Total: 40})
	for _, tt := range []struct {
		mailbox string
		entries []annotation.Entry
		want    error
	}{
		{"m", []annotation.Entry{entry("/p/a", "1"), entry("/p/b", "123456")}, annotation.ErrValue},
		{"m", []annotation.Entry{entry("/p/a", "1"), entry("/p/b", "2"), entry("/p/c", "3")}, annotation.ErrCount},
		{"m", []annotation.Entry{entry("/p/a", "1"), entry("/p/b", "2"), entry("/p/c", "3"), {Name: "/p/a"}}, nil},
		{"m", []annotation.Entry{entry("/p/d", "1")}, annotation.ErrCount},
		{"m", []annotation.Entry{entry("/p/d", "1"), {Name: "/p/b"}}, nil},
		{"n", []annotation.Entry{entry("/p/a", "12345"), entry("/p/b", "12345")}, nil},
		{"o", []annotation.Entry{entry("/p/a", "12345")}, annotation.ErrTotal},
		{"n", []annotation.Entry{{Name: "/p/a"}}, nil},
		{"o", []annotation.Entry{entry("/p/a", "12345")}, nil},
	} {
		before := b.Get(tt.mailbox)
		if err := b.Set(tt.mailbox, tt.entries, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s %v: %v, want %v", tt.mailbox, tt.entries, err, tt.want)
		}
		if tt.want != nil && !cmp.Equal(before, b.Get(tt.mailbox)) {
			t.Errorf("%s: refused, and changed to %v", tt.mailbox, b.Get(tt.mailbox))
		}
	}
}

// Whatever happened to the file, no annotation is made up, and what is left of it is kept.
func TestDamagedFile(t *testing.T) {
	path, dir := onDisk(t)
	if err := open(t, dir, annotation.Limits{}).Set("INBOX", []annotation.Entry{entry("/private/a", odd)}, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "annotations")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	try := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, dir, annotation.Limits{})
		if got := b.Get("INBOX"); len(got) > 0 {
			t.Errorf("%q: %v", text, got)
		}
		if kept, err := os.ReadFile(file + ".damaged"); err != nil || string(kept) != string(text) {
			t.Errorf("%q is kept as %q, %v", text, kept, err)
		}
		if err := b.Set("INBOX", []annotation.Entry{entry("/private/new", "x")}, nil); err != nil {
			t.Error(err)
		}
	}
	for n := range len(whole) {
		try(whole[:n])
		changed := []byte(string(whole))
		changed[n] ^= 1
		try(changed)
	}
	try(append(whole, 'x'))
}

// A crash at any operation, or a full disk, leaves the old or the new annotations.
func TestCrash(t *testing.T) {
	for seed := range int64(20) {
		for n := 1; ; n++ {
			disk := faultfs.New(seed)
			b := open(t, disk.Dir("state"), annotation.Limits{})
			if err := b.Set("m", []annotation.Entry{entry("/p/a", "old")}, nil); err != nil {
				t.Fatal(err)
			}
			done := false
			disk.CrashAt(n)
			crashed := faultfs.Run(func() {
				done = b.Set("m", []annotation.Entry{entry("/p/a", strings.Repeat("new", 1000))}, nil) == nil
			})
			disk.PowerCut(int(seed % 4))
			got := fmt.Sprintf("%.6s", open(t, disk.Dir("state"), annotation.Limits{}).Get("m")[0].Value)
			if got != "newnew" && (got != "old" || done) {
				t.Errorf("seed %d, crash at %d (%v, set %v): %q", seed, n, crashed, done, got)
			}
			if !crashed {
				if n <= 5 || !done { // opened, written, synced, renamed, synced
					t.Errorf("seed %d: no crash at %d", seed, n)
				}
				break
			}
		}
	}
}

func TestFailedWrite(t *testing.T) {
	disk := faultfs.New(1)
	b := open(t, disk.Dir("state"), annotation.Limits{})
	if err := b.Set("m", []annotation.Entry{entry("/p/a", "old")}, nil); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	for n := 1; ; n++ {
		disk.FailAt(n, full, true)
		err := b.Set("m", []annotation.Entry{entry("/p/a", "new")}, nil)
		if err == nil && n > 3 { // opened, written, synced, renamed
			disk.FailAt(0, nil, false)
			break
		}
		if !errors.Is(err, full) {
			t.Fatalf("failure at %d: %v", n, err)
		}
		if got := b.Get("m")[0].Value; string(got) != "old" {
			t.Errorf("failure at %d: %q", n, got)
		}
	}
	if err := b.Set("m", []annotation.Entry{entry("/p/a", "newer")}, nil); err != nil {
		t.Fatal(err)
	}
	if got := open(t, disk.Dir("state"), annotation.Limits{}).Get("m")[0].Value; string(got) != "newer" {
		t.Errorf("%q", got)
	}
}

func TestWatch(t *testing.T) {
	_, dir := onDisk(t)
	b := open(t, dir, annotation.Limits{})
	w, self := b.Watch(), b.Watch()
	defer w.Close()
	for _, v := range []string{"1", "1", "2"} {
		if err := b.Set("m", []annotation.Entry{entry("/p/b", v), entry("/p/a", "x")}, self); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-w.News():
	default:
		t.Error("no news")
	}
	if diff := cmp.Diff([]annotation.Change{{Mailbox: "m", Entries: []string{"/p/a", "/p/b"}}}, w.Changes()); diff != "" {
		t.Error(diff)
	}
	if got := append(w.Changes(), self.Changes()...); len(got) > 0 {
		t.Errorf("told twice, or to who did it: %v", got)
	}
	self.Close()
	if err := b.Set("m", []annotation.Entry{{Name: "/p/a"}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := self.Changes(); len(got) > 0 {
		t.Errorf("told after Close: %v", got)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("spoold annotations 1\n\"a\" \"b\" \"c\"\nend 00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path, dir := onDisk(t)
		if err := os.WriteFile(filepath.Join(path, "annotations"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, dir, annotation.Limits{})
		if err := b.Set("", []annotation.Entry{entry("/p/x", "y")}, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.Get(""), open(t, dir, annotation.Limits{}).Get("")); diff != "" {
			t.Error(diff)
		}
	})
}
