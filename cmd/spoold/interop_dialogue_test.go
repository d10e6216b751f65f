package main_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The acceptance dialogues: what a person types into telnet and what must come back,
// with what must then be in the file. They need no other program.

const systemFlags = `\Answered \Flagged \Deleted \Seen \Draft`

// flagsOf maps sequence numbers to flags, as strings that are easy to compare.
func flagsOf(mails []mail) map[uint32]string {
	out := map[uint32]string{}
	for _, m := range mails {
		flags := slices.Clone(m.Flags)
		if m.Recent {
			flags = append(flags, `\Recent`)
		}
		out[m.Seq] = strings.Join(flags, " ")
	}
	return out
}

func uidsOf(mails []mail) []uint32 {
	var out []uint32
	for _, m := range mails {
		out = append(out, m.UID)
	}
	return out
}

// wantWords checks that each word of want is in got, which may have more.
func wantWords(t testing.TB, what, want, got string) {
	t.Helper()
	have := strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(got))
	for w := range strings.FieldsSeq(want) {
		if !slices.Contains(have, w) {
			t.Errorf("%s %q lacks %s", what, got, w)
		}
	}
}

// eventually waits for what becomes true without a command.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 5 s", what)
		}
	}
}

// deliver appends a message as an MDA does, with dot lock and fcntl lock.
func (h *host) deliver(user, message string) {
	h.t.Helper()
	if err := deliver(h.file(user, "INBOX"), message); err != nil {
		h.t.Fatal(err)
	}
}

// inbox is the text of a user's spool file.
func (h *host) inbox(user string) string {
	h.t.Helper()
	return string(readFile(h.t, h.file(user, "INBOX")))
}

func TestDialogueFirstLook(t *testing.T) {
	h := newHost(t, "chris")
	delivered := readFile(t, "../../testdata/sample/spool/chris")
	h.put("chris", "INBOX", delivered)
	h.serve()
	inode := inodeOf(t, h.file("chris", "INBOX"))

	c := h.connect()
	a := c.ok("login chris secret")
	wantWords(t, "code of LOGIN", "CAPABILITY IMAP4rev1", code(a.text))
	c.ok(`lsub "*" "*"`)
	ns := c.ok("namespace").named("NAMESPACE")
	if len(ns) != 1 || !strings.HasSuffix(ns[0].raw, `NAMESPACE (("" "/")) NIL NIL`) {
		t.Errorf("namespace: %v", ns)
	}
	b := c.open("select", "INBOX")
	wantWords(t, "FLAGS", systemFlags, fmt.Sprint(b.answer.named("FLAGS")))
	permanent, _ := b.answer.untagged("PERMANENTFLAGS")
	wantWords(t, "PERMANENTFLAGS", systemFlags+` \*`, permanent)
	if unseen, _ := b.answer.untagged("UNSEEN"); unseen != "5" || code(b.answer.text) != "READ-WRITE" {
		t.Errorf("UNSEEN %s, %s", unseen, b.answer.text)
	}
	if b.Exists != 6 || b.Recent != 1 {
		t.Errorf("%d EXISTS, %d RECENT", b.Exists, b.Recent)
	}
	mails := c.ok("uid fetch 1:* (FLAGS)").mails()
	if !slices.IsSorted(uidsOf(mails)) {
		t.Errorf("UIDs %v", uidsOf(mails))
	}
	want := map[uint32]string{1: `\Seen`, 2: `\Seen`, 3: `\Seen`, 4: `\Seen`, 5: "", 6: `\Recent`}
	if diff := cmp.Diff(want, flagsOf(mails)); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	c.logout()
	c = h.login("chris")
	if again := c.open("SELECT", "INBOX"); again.Recent != 0 || again.UIDValidity != b.UIDValidity || again.UIDNext != b.UIDNext {
		t.Errorf("second look %+v, first %+v", again, b)
	}
	firstLookFlags(t, h, c, mails[5].UID, string(delivered))
	firstLookExpunge(t, h, c, b, inode)
}

// firstLookFlags is the dialogue from `uid fetch <uid of 6> BODY[HEADER]` to `close`.
func firstLookFlags(t *testing.T, h *host, c *client, uid uint32, delivered string) {
	got := c.ok("uid fetch %d BODY[HEADER]", uid).mails()
	if len(got) == 0 {
		t.Fatalf("no FETCH for UID %d", uid)
	}
	_, sixth, _ := strings.Cut(delivered, "\nFrom orders@")
	_, sixth, _ = strings.Cut(sixth, "\n") // the rest of the separator
	header, _, _ := strings.Cut(sixth, "\n\n")
	if diff := cmp.Diff(strings.ReplaceAll(header, "\n", "\r\n")+"\r\n\r\n", got[0].Text); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if !slices.Contains(got[0].Flags, `\Seen`) {
		t.Errorf("flags told with the header: %v", got)
	}
	a := c.ok(`store 6 +FLAGS (\Deleted)`)
	if diff := cmp.Diff(map[uint32]string{6: `\Deleted \Seen`}, flagsOf(a.mails())); diff != "" {
		t.Errorf("flags after STORE (-want +got):\n%s", diff)
	}
	eventually(t, "Status: RO and X-Status: D in the file", func() bool {
		_, last, _ := strings.Cut(h.inbox("chris"), "From orders@")
		return strings.Contains(last, "\nStatus: RO\n") && strings.Contains(last, "\nX-Status: D\n")
	})
}

// firstLookExpunge is the dialogue from `close` on.
func firstLookExpunge(t *testing.T, h *host, c *client, b box, inode uint64) {
	before := h.inbox("chris")
	c.ok("close")
	after := h.inbox("chris")
	if diff := cmp.Diff(withoutStatus(before[:strings.Index(before, "From orders@")]), withoutStatus(after)); diff != "" {
		t.Errorf("file after close, but for status headers (-want +got):\n%s", diff)
	}
	if len(after) >= len(before) || inodeOf(t, h.file("chris", "INBOX")) != inode {
		t.Errorf("%d octets before, %d after, inode %d before, %d after", len(before), len(after), inode, inodeOf(t, h.file("chris", "INBOX")))
	}
	if now := c.open("SELECT", "INBOX"); now.Exists != 5 || now.UIDNext != b.UIDNext {
		t.Errorf("after close: %+v; before: %+v", now, b)
	}
	c.ok(`store 1:5 +FLAGS (\Deleted)`)
	left := 5
	for _, l := range c.ok("expunge").lines {
		if len(l.fields) == 2 && l.fields[1] == "EXPUNGE" {
			if n := int(number(l.fields[0])); n < 1 || n > left {
				t.Errorf("%s with %d messages", l.raw, left)
			}
			left--
		}
	}
	if left != 0 {
		t.Errorf("%d messages left in the client's view", left)
	}
	pseudo := h.inbox("chris")
	if !strings.HasPrefix(pseudo, "From MAILER-DAEMON ") || strings.Count(pseudo, "\nFrom ") != 0 ||
		!strings.Contains(pseudo, "\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n") ||
		!strings.Contains(pseudo, fmt.Sprintf("\nX-IMAP: %010d %010d\n", b.UIDValidity, b.UIDNext-1)) {
		t.Errorf("file when all is expunged:\n%s", pseudo)
	}
	if now := c.open("SELECT", "INBOX"); now.Exists != 0 || now.UIDValidity != b.UIDValidity {
		t.Errorf("when all is expunged: %+v", now)
	}
	h.deliver("chris", "Subject: the next\n\nHello.\n")
	got := c.read("SELECT", "INBOX")
	if got.UIDValidity != b.UIDValidity || !slices.Equal(uidsOf(got.Mails), []uint32{b.UIDNext}) {
		t.Errorf("after a delivery: %+v, want UID %d", got, b.UIDNext)
	}
	c.logout()
}

// withoutStatus drops the status headers, wherever they are.
func withoutStatus(file string) string {
	var out strings.Builder
	for line := range strings.Lines(file) {
		if name, _, _ := strings.Cut(line, ":"); !slices.Contains([]string{"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAPbase"}, name) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func inodeOf(t testing.TB, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// bigAttachment is the second message of the other dialogue: 805 KB to be copied without
// being sent to the client.
func bigAttachment() string {
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("spoold 805 KB "), 43125))
	var lines strings.Builder
	for len(data) > 0 {
		n := min(76, len(data))
		lines.WriteString(data[:n] + "\n")
		data = data[n:]
	}
	return "Subject: the score\nMIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + lines.String()
}

func TestDialogueMovingHouse(t *testing.T) {
	h := newHost(t, "chris")
	h.put("chris", "INBOX", nil)
	h.serve()
	h.deliver("chris", "Subject: one\n\nHello.\n")
	h.deliver("chris", bigAttachment())
	c := h.login("chris")
	c.open("SELECT", "INBOX")
	for _, name := range []string{"Sent", "Drafts", "Trash", "Projects/2003/spring"} {
		c.ok("create %s", name)
		if name != "Projects/2003/spring" {
			checkNewFolder(t, h.file("chris", name))
		}
	}
	for _, dir := range []string{"Projects", "Projects/2003"} {
		if info, err := os.Stat(h.file("chris", dir)); err != nil || !info.IsDir() {
			t.Errorf("%s is no directory: %v", dir, err)
		}
	}
	for _, name := range []string{"Sent/old", "INBOX/x"} {
		if a := c.do("create %s", name); a.status != "NO" || code(a.text) != "CANNOT" || len(a.text) < len("[CANNOT] ")+10 {
			t.Errorf("create %s: %s %s", name, a.status, a.text)
		}
	}
	c.ok("subscribe Projects/2003/spring")
	c.ok("rename Projects Archive")
	if got := c.ok(`lsub "" "*"`).named("LSUB"); len(got) != 1 || got[0].fields[3] != "Projects/2003/spring" {
		t.Errorf("LSUB %v", got)
	}
	if got := c.ok(`list "" "*"`).named("LIST"); !slices.ContainsFunc(got, func(r response) bool { return r.fields[3] == "Archive/2003/spring" }) {
		t.Errorf("LIST %v", got)
	}
	if got := string(readFile(t, filepath.Join(h.home("chris"), ".mailboxlist"))); got != "mail/Projects/2003/spring\n" {
		t.Errorf(".mailboxlist: %q", got)
	}
	movingHouseCopy(t, c)
}

// movingHouseCopy is the dialogue from `copy` on.
func movingHouseCopy(t *testing.T, c *client) {
	c.ok(`store 1:2 +FLAGS (\Flagged Moving)`)
	before := c.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
	a := c.ok("copy 1:2 Archive/2003/spring")
	if word, _, _ := strings.Cut(code(a.text), " "); word != "COPYUID" {
		t.Errorf("copy: %s", a.text)
	}
	c.ok(`store 1:2 +FLAGS (\Deleted)`)
	c.ok("expunge")
	if a := c.do("copy 1 Nowhere"); a.status == "OK" {
		t.Errorf("copy of a message that is gone: %s %s", a.status, a.text)
	}
	b := c.read("SELECT", "Archive/2003/spring")
	if a := c.do("copy 1 Nowhere"); a.status != "NO" || code(a.text) != "TRYCREATE" {
		t.Errorf("copy to nowhere: %s %s", a.status, a.text)
	}
	want, got := before.mails(), b.Mails
	for i := range got { // what a copy need not keep
		got[i].Text, got[i].Recent = "", false
	}
	for i := range want {
		want[i].Recent, want[i].UID = false, got[min(i, len(got)-1)].UID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the copies (-want +got):\n%s", diff)
	}
	c.logout()
}

// checkNewFolder looks at the file behind a CREATE.
func checkNewFolder(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	text := string(readFile(t, path))
	if info.Mode() != 0o600 || !strings.HasPrefix(text, "From MAILER-DAEMON ") || !strings.Contains(text, "\nX-IMAP: ") {
		t.Errorf("%s: mode %v\n%s", path, info.Mode(), text)
	}
}
