package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The mail programs that people use, over IMAP.

// sampleHost serves the account of alice, with folders.
func sampleHost(t *testing.T) *host {
	t.Helper()
	h := newHost(t, "alice")
	h.put("alice", "INBOX", readFile(t, "../../testdata/sample/spool/alice"))
	for _, name := range []string{"Sent", "Entw&APw-rfe"} {
		h.put("alice", name, readFile(t, filepath.Join("../../testdata/sample/home/alice/mail", name)))
	}
	h.serve()
	return h
}

// terminal runs a program of p's on a terminal of its own: script(1) makes one.
func (h *host) terminal(program string, args ...string) string {
	h.t.Helper()
	words := []string{program}
	for _, a := range args {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	cmd := h.owner.command(h.home("alice"), "script", "-qec", strings.Join(words, " "), "/dev/null")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

func TestInteropMutt(t *testing.T) {
	needs(t, "mutt", "script")
	h := sampleHost(t)
	c := h.login("alice")
	before := c.read("EXAMINE", "INBOX")
	rc := filepath.Join(h.home("alice"), "muttrc")
	writeFile(t, h.owner, rc, fmt.Appendf(nil, `
set imap_user=alice imap_pass=%s ssl_starttls=no ssl_force_tls=no
set folder=imap://127.0.0.1:%d/ spoolfile=+INBOX
set sleep_time=0 timeout=1 wait_key=no confirmappend=no mark_old=no beep=no quit=yes delete=yes sort=mailbox-order
push "<first-entry><display-message><exit><next-entry><next-entry><flag-message><last-entry><tag-message><tag-prefix><save-message>=Sent<enter><sync-mailbox><quit>"
`, secret, h.port))
	h.terminal("mutt", "-n", "-F", rc)

	after := c.read("SELECT", "INBOX")
	sent := c.read("EXAMINE", "Sent")
	if len(after.Mails) != len(before.Mails)-1-deleted(before) || len(sent.Mails) != 3 {
		t.Fatalf("%d messages before, %d after, %d in Sent", len(before.Mails), len(after.Mails), len(sent.Mails))
	}
	if !slices.Contains(after.Mails[0].Flags, `\Seen`) || !slices.Contains(after.Mails[2].Flags, `\Flagged`) {
		t.Errorf("flags of the first three: %v, %v, %v", after.Mails[0].Flags, after.Mails[1].Flags, after.Mails[2].Flags)
	}
	if want, got := before.Mails[len(before.Mails)-1].Text, sent.Mails[2].Text; want != got {
		t.Errorf("saved message (-want +got):\n%s", cmp.Diff(want, got))
	}
	if want, got := uidsOf(before.Mails)[:4], uidsOf(after.Mails); !slices.Equal(want, got) {
		t.Errorf("UIDs %v, want %v", got, want)
	}
}

// deleted counts the messages that a sync will expunge.
func deleted(b box) int {
	n := 0
	for _, m := range b.Mails {
		if slices.Contains(m.Flags, `\Deleted`) {
			n++
		}
	}
	return n
}

func TestInteropMbsync(t *testing.T) {
	needs(t, "mbsync")
	h := sampleHost(t)
	home := h.home("alice")
	rc := filepath.Join(home, "mbsyncrc")
	writeFile(t, h.owner, rc, fmt.Appendf(nil, `
IMAPAccount spoold
Host 127.0.0.1
Port %d
User alice
Pass %s
SSLType None
AuthMechs LOGIN

IMAPStore far
Account spoold

MaildirStore near
Path %[3]s/pulled/
Inbox %[3]s/pulled/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
`, h.port, secret, home))
	if err := os.Mkdir(filepath.Join(home, "pulled"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.owner.own(t, filepath.Join(home, "pulled"))
	pull := func() string {
		out, err := h.owner.command(home, "mbsync", "-V", "-c", rc, "all").CombinedOutput()
		if err != nil {
			t.Fatalf("mbsync: %v\n%s", err, out)
		}
		return string(out)
	}
	pull()
	first := maildir(t, filepath.Join(home, "pulled"))
	c := h.login("alice")
	names := []string{"INBOX", "Sent", "Entw&APw-rfe"}
	want, before := []string{}, [][]mail{}
	for _, name := range names {
		b := c.read("EXAMINE", name)
		for _, m := range b.Mails {
			want = append(want, messageID(m.Text))
		}
		before = append(before, b.Mails)
	}
	got := []string{}
	for _, text := range first {
		got = append(got, messageID(text))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pulled messages (-want +got):\n%s", diff)
	}
	pull()
	if diff := cmp.Diff(first, maildir(t, filepath.Join(home, "pulled"))); diff != "" {
		t.Errorf("the second pull changed (-first +second):\n%s", diff)
	}
	for i, name := range names {
		if diff := cmp.Diff(before[i], c.read("EXAMINE", name).Mails); diff != "" {
			t.Errorf("%s after the second pull (-before +after):\n%s", name, diff)
		}
	}
}

// maildir is what lies below a folder of Maildirs, by file name.
func maildir(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			out[path] = string(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var messageIDField = regexp.MustCompile(`(?mi)^Message-ID: *(.*?)\r?$`)

func messageID(text string) string {
	if m := messageIDField.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func TestInteropCurl(t *testing.T) {
	needs(t, "curl")
	h := sampleHost(t)
	c := h.login("alice")
	for _, m := range c.read("EXAMINE", "INBOX").Mails {
		url := fmt.Sprintf("imap://%s/INBOX;UID=%d", h.address(), m.UID)
		out, err := h.owner.command(h.home("alice"), "curl", "-sS", "--user", "alice:"+secret, url).Output()
		if err != nil {
			t.Fatalf("curl %s: %v", url, err)
		}
		if diff := cmp.Diff(m.Text, string(out)); diff != "" {
			t.Errorf("UID %d (-FETCH +curl):\n%s", m.UID, diff)
		}
	}
}
