package spool

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const foreignList = "INBOX\nmail/Sent\n{imap.example.org/ssl}INBOX\n#news.comp.mail\nnotes/todo\n~/mail/Work\nmail/Sent\nmail/../x\nmail/R&D\n~root/mail/x"

func newList(t testing.TB, prefix, content string) *SubscriptionFile {
	t.Helper()
	s := OpenSubscriptions(t.TempDir(), prefix)
	if content != "" {
		write(t, s.path, content)
	}
	return s
}

func TestListSubscriptions(t *testing.T) {
	for _, c := range []struct {
		name, prefix, content string
		want                  []string
	}{
		{"no file", "mail/", "", nil},
		{"below the mail root", "mail/", foreignList, []string{"INBOX", "Sent", "Work", "R&D"}},
		{"home is the mail root", "", foreignList, []string{"INBOX", "mail/Sent", "notes/todo", "mail/Work", "mail/R&D"}},
		{"inbox in any case", "mail/", "inbox\nINBOX\n", []string{"INBOX"}},
		{"inbox below the root is none", "mail/", "mail/INBOX\nmail/inbox/x\n", nil},
		{"edited on another system", "mail/", "mail/a\r\nmail/b\r\n", []string{"a", "b"}},
		{"empty lines", "mail/", "\n\nmail/a\n\n", []string{"a"}},
		{"prefix alone", "mail/", "mail/\nmail\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, must[[]string](t)(newList(t, c.prefix, c.content).List())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSubscribe(t *testing.T) {
	for _, c := range []struct {
		name, content, add, want string
	}{
		{"first", "", "Sent", "mail/Sent\n"},
		{"inbox", "", "inbox", "INBOX\n"},
		{"after an unfinished line", "mail/a", "b", "mail/a\nmail/b\n"},
		{"again", "x\nmail/a\n", "a", "x\nmail/a\n"},
		{"again, alpine's form", "~/mail/a\n", "a", "~/mail/a\n"},
		{"inbox again", "Inbox\n", "INBOX", "Inbox\n"},
		{"case counts", "mail/a\n", "A", "mail/a\nmail/A\n"},
		{"foreign lines stay", foreignList, "new", foreignList + "\nmail/new\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newList(t, "mail/", c.content)
			ok(t, s.Add(c.add))
			if diff := cmp.Diff(c.want, string(must[[]byte](t)(os.ReadFile(s.path)))); diff != "" {
				t.Error(diff)
			}
		})
	}
	s := newList(t, "mail/", "")
	isError(t, "bad name", s.Add("../x"), ErrName)
	isError(t, "name with a line end", s.Add("x\nINBOX"), ErrName)
	if _, err := os.Stat(s.path); err == nil {
		t.Error("a refused name made the file")
	}
}

func TestUnsubscribe(t *testing.T) {
	for _, c := range []struct {
		name, content, remove, want string
	}{
		{"all forms", "a\nmail/a\n~/mail/a\nmail/a\nb", "a", "a\nb"},
		{"last one", "mail/a\n", "a", ""},
		{"not there", "mail/b\n", "a", "mail/b\n"},
		{"inbox", "x\nInbox\n", "INBOX", "x\n"},
		{"name that cannot be", "mail/../x\n", "../x", "mail/../x\n"},
		{"foreign lines stay", foreignList, "Sent", strings.ReplaceAll(foreignList, "mail/Sent\n", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newList(t, "mail/", c.content)
			ok(t, s.Remove(c.remove))
			if diff := cmp.Diff(c.want, string(must[[]byte](t)(os.ReadFile(s.path)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSubscriptionFileKeepsItsModeAndPlace(t *testing.T) {
	s := newList(t, "mail/", "mail/a\n")
	elsewhere := filepath.Join(t.TempDir(), "list")
	ok(t, os.Rename(s.path, elsewhere))
	ok(t, os.Chmod(elsewhere, 0o640))
	ok(t, os.Symlink(elsewhere, s.path))
	ok(t, s.Add("b"))
	if diff := cmp.Diff("mail/a\nmail/b\n", string(must[[]byte](t)(os.ReadFile(elsewhere)))); diff != "" {
		t.Error(diff)
	}
	if info := must[fs.FileInfo](t)(os.Lstat(elsewhere)); info.Mode() != 0o640 {
		t.Errorf("mode is now %v", info.Mode())
	}
	if info := must[fs.FileInfo](t)(os.Lstat(s.path)); info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the symbolic link was replaced")
	}
}

func TestSubscriptionFileTooLong(t *testing.T) {
	s := newList(t, "mail/", strings.Repeat("x\n", maxSubscriptions/2+1))
	if _, err := s.List(); err == nil {
		t.Error("List read it all")
	}
	if err := s.Add("a"); err == nil {
		t.Error("Add read it all")
	}
}

func TestSubscriptionsConcurrently(t *testing.T) {
	s := newList(t, "mail/", "foreign\n")
	var group sync.WaitGroup
	var want []string
	for i := range 6 {
		for j := range 5 {
			want = append(want, fmt.Sprintf("%d-%d", i, j))
		}
		group.Go(func() {
			for j := range 5 {
				if err := s.Add(fmt.Sprintf("%d-%d", i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := must[[]string](t)(s.List())
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{".mailboxlist"}, names(t, filepath.Dir(s.path))); diff != "" {
		t.Error(diff)
	}
}

// Adding and removing again gives the bytes back, if the file ended in a line end.
func TestSubscriptionsRoundTrip(t *testing.T) {
	home := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`(mail/|~/|\{h\})?[a-c/.~]{0,4}\r?\n`)
		content := strings.Join(rapid.SliceOf(line).Draw(t, "lines"), "")
		s := OpenSubscriptions(home, "mail/")
		if err := os.WriteFile(s.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Add("new"); err != nil {
			t.Fatal(err)
		}
		if list, err := s.List(); err != nil || !slices.Contains(list, "new") {
			t.Fatalf("List = %q, %v", list, err)
		}
		if err := s.Remove("new"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(s.path)
		if err != nil || string(got) != content {
			t.Fatalf("%q became %q, %v", content, got, err)
		}
	})
}

// What a line stands for is a name that may be listed, and subscribing to it
// finds that line again.
func FuzzSubscriptionLine(f *testing.F) {
	for line := range strings.Lines(foreignList) {
		f.Add("mail/", line)
		f.Add("", line)
	}
	f.Fuzz(func(t *testing.T, prefix, line string) {
		s := SubscriptionFile{prefix: prefix}
		name, ok := s.name([]byte(line))
		if !ok {
			return
		}
		if !isInbox(name) && checkName(name) != nil {
			t.Errorf("%q stands for %q", line, name)
		}
		if !s.means([]byte(line), name) {
			t.Errorf("%q does not mean %q", line, name)
		}
	})
}
