package main_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInteropKilledExpunge kills the server in the middle of an expunge from a large mailbox, of message 1, which takes
// blocks out of the file where that is possible, and of every second message, which moves most of it. Then `spoold
// check` has no finding, and mutt, Dovecot and c-client read what spoold reads. SPOOLD_CORPORA names other mailboxes.
func TestInteropKilledExpunge(t *testing.T) {
	needs(t, mailutil, dovecot, "mutt", "script")
	content := corpus(t, cmp.Or(os.Getenv("SPOOLD_CORPORA"), "10k"))
	for _, tt := range []struct {
		name string
		sets func(n int) []string
		gone func(i int) bool // of the message with that index
	}{
		{"message 1", func(int) []string { return []string{"1"} }, func(i int) bool { return i == 0 }},
		{"every second", everySecond, func(i int) bool { return i%2 == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, "alice")
			h.put("alice", "INBOX", content)
			h.serve()
			hits := 0
			for round := range 8 {
				if hits == 2 {
					break
				}
				if killedExpunge(t, h, tt.sets, tt.gone, uint64(round)) {
					hits++
				}
			}
			t.Logf("%d kills left an unfinished change", hits)
			if hits == 0 {
				t.Error("no kill hit the expunge")
			}
			h.stop(os.Interrupt)
			h.comparePeers(t)
		})
	}
}

// everySecond gives sets that commands can hold.
func everySecond(n int) (sets []string) {
	var numbers []string
	for i := 1; i <= n; i += 2 {
		numbers = append(numbers, fmt.Sprint(i))
	}
	for part := range slices.Chunk(numbers, 2000) {
		sets = append(sets, strings.Join(part, ","))
	}
	return sets
}

// killedExpunge reports whether the kill left something for the replay. The mailbox is then the old or the new one.
func killedExpunge(t *testing.T, h *host, sets func(n int) []string, gone func(i int) bool, seed uint64) (hit bool) {
	t.Helper()
	c := h.login("alice")
	before := summary(c, "INBOX").Mails
	for _, set := range sets(len(before)) {
		c.ok("STORE %s +FLAGS.SILENT (\\Deleted)", set)
	}
	c.ok("CHECK")
	journal := filepath.Join(h.states, "alice", "mailboxes", "journal", "*.plan")
	waitQuiet(t, h.file("alice", "INBOX"))
	// The whole change may take a few milliseconds, so who is to be killed is known before, and not followed by another.
	workers := h.workers(h.server.Process.Pid)
	if err := h.server.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = c.try("EXPUNGE") }() // it ends with the server
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if plans, _ := filepath.Glob(journal); len(plans) > 0 {
			break
		}
	}
	time.Sleep(time.Duration(rand.New(rand.NewPCG(seed, 3)).Int64N(2000)) * time.Microsecond * time.Duration(seed%2))
	for _, pid := range workers {
		if err := killAndWait(pid); err != nil {
			t.Fatal(err)
		}
	}
	h.kill()
	plans, err := filepath.Glob(journal)
	if err != nil {
		t.Fatal(err)
	}
	h.serve()
	c = h.login("alice")
	after := uidsOf(summary(c, "INBOX").Mails)
	old, remaining := uidsOf(before), []uint32{}
	for i, uid := range old {
		if !gone(i) {
			remaining = append(remaining, uid)
		}
	}
	if !slices.Equal(after, old) && !slices.Equal(after, remaining) {
		t.Fatalf("%d messages before, %d should stay, %d are there", len(old), len(remaining), len(after))
	}
	c.ok("STORE 1:* -FLAGS.SILENT (\\Deleted)")
	c.logout()
	h.check(t, "alice")
	return len(plans) > 0
}

// waitQuiet waits until nothing is written to a file any more.
func waitQuiet(t *testing.T, path string) {
	t.Helper()
	var last os.FileInfo
	for range 120 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && info.Size() == last.Size() && info.ModTime().Equal(last.ModTime()) && time.Since(info.ModTime()) > 2*time.Second {
			return
		}
		last = info
		time.Sleep(300 * time.Millisecond)
	}
	t.Fatalf("%s is written all the time", path)
}

// check runs `spoold check` on a user's inbox: nothing may be found.
func (h *host) check(t *testing.T, user string) {
	t.Helper()
	cmd := h.owner.command(h.home(user), spooldProgram(t), "check", "--state", filepath.Join(h.states, user), h.file(user, "INBOX"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("spoold check: %v\n%s", err, out)
	}
}

// comparePeers lets the others read alice's inbox, which nobody serves any more.
func (h *host) comparePeers(t *testing.T) {
	t.Helper()
	content := readFile(t, h.file("alice", "INBOX"))
	h.check(t, "alice")
	h.serve()
	c := h.login("alice")
	ours := summary(c, "INBOX")
	c.logout()
	if theirs := readCclient(t, content); !slices.Equal(uidsOf(theirs.Mails), uidsOf(ours.Mails)) {
		t.Errorf("c-client reads %d messages, spoold %d, or other UIDs: %s", len(theirs.Mails), len(ours.Mails), theirs.Refused)
	}
	home := homeFolder(t, h.owner)
	writeFile(t, h.owner, filepath.Join(home, "box"), content)
	d := startDovecot(t, h.owner, home, "box")
	if theirs := summary(d, "INBOX"); !slices.Equal(uidsOf(theirs.Mails), uidsOf(ours.Mails)) {
		t.Errorf("Dovecot reads %d messages, spoold %d, or other UIDs", len(theirs.Mails), len(ours.Mails))
	}
	d.logout()
	if w := dovecotWarnings(t, home); w != "" {
		t.Errorf("Dovecot warns: %s", w)
	}
	if _, uids := storedUIDs(h.muttCopy(t, content)); !slices.Equal(uids, uidsOf(ours.Mails)) {
		t.Errorf("mutt copies %d messages, spoold has %d, or other UIDs", len(uids), len(ours.Mails))
	}
}

// muttCopy has mutt copy all messages of a mailbox, and gives the copy.
func (h *host) muttCopy(t *testing.T, content []byte) []byte {
	t.Helper()
	home := h.home("alice")
	box, copied := filepath.Join(home, "muttbox"), filepath.Join(home, "muttcopy")
	writeFile(t, h.owner, box, content)
	rc := filepath.Join(home, "muttrc")
	writeFile(t, h.owner, rc, fmt.Appendf(nil, `
set folder=. mbox_type=mbox read_inc=0 write_inc=0 timeout=1 sleep_time=0 wait_key=no confirmappend=no confirmcreate=no mark_old=no beep=no quit=yes delete=no sort=mailbox-order
push "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>%s<enter><quit>"
`, copied))
	h.terminal("mutt", "-n", "-R", "-F", rc, "-f", box)
	return readFile(t, copied)
}
