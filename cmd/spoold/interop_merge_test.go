package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestInteropMergeWithMutt: mutt changes one flag of a message while our client has changed another one that is not in
// the file yet, flag by flag. Both are there afterwards, for the client and for mutt. mutt writes no
// draft flag, so one that stands in the file already would be gone; and what is deleted in mutt it removes or forgets.
func TestInteropMergeWithMutt(t *testing.T) {
	needs(t, "mutt", "script")
	cases := []struct {
		status string // in the file before
		ours   string // STORE
		mutt   string // keys
		want   string // flags and keywords, sorted
	}{
		{"Status: O", `+FLAGS (\Flagged)`, "<clear-flag>N", `\Flagged \Seen`},
		{"Status: O", `+FLAGS (\Seen)`, "<set-flag>r", `\Answered \Seen`},
		{"Status: O", `+FLAGS (\Answered)`, "<set-flag>!", `\Answered \Flagged`},
		{"Status: O", `+FLAGS (\Answered Word)`, "<set-flag>!", `Word \Answered \Flagged`},
		{"Status: RO", `+FLAGS (\Deleted)`, "<set-flag>!", `\Deleted \Flagged \Seen`},
		{"Status: RO\nX-Status: F", `-FLAGS (\Flagged)`, "<set-flag>r", `\Answered \Seen`},
		{"Status: RO\nX-Status: A", `+FLAGS (Word Other)`, "<clear-flag>r", `Other Word \Seen`},
		{"Status: RO\nX-Status: AF", `-FLAGS (\Answered)`, "<clear-flag>!", `\Seen`},
		{"Status: RO", `-FLAGS (\Seen)`, "<set-flag>!", `\Flagged`},
		{"Status: RO", `+FLAGS (\Draft)`, "<set-flag>!", `\Draft \Flagged \Seen`}, // not in the file when mutt reads it
		{"Status: RO\nX-Status: F", `FLAGS (\Seen Word)`, "<set-flag>r", `Word \Answered \Seen`},
		{"", `+FLAGS (\Flagged)`, "<set-flag>O", `\Flagged`},
	}
	h := newHost(t, "u")
	h.write("spoold.toml", strings.Replace(string(readFile(t, filepath.Join(h.dir, "spoold.toml"))), "[mail]\n", "[mail]\nflush = \"10s\"\n", 1))
	var box, keys strings.Builder
	for i, c := range cases {
		status := c.status
		if status != "" {
			status += "\n"
		}
		fmt.Fprintf(&box, "From a@example.org Mon Nov  2 10:00:00 2026\nSubject: case %d\n%s\ntext\n\n", i+1, status)
		fmt.Fprintf(&keys, "%s<next-entry>", c.mutt)
	}
	h.put("u", "box", []byte(box.String()))
	h.serve()
	session := h.login("u")
	session.ok("SELECT box")
	session.ok("CHECK") // UIDs, and room for flags
	for i, c := range cases {
		session.ok("STORE %d %s", i+1, c.ours)
	}
	before := string(readFile(t, h.file("u", "box")))
	h.mutt("u", "box", keys.String())
	after := string(readFile(t, h.file("u", "box")))
	if before == after || strings.Contains(before, "Word") {
		t.Fatalf("mutt has changed nothing, or we had written ours before:\n%s", after)
	}
	session.ok("CHECK")
	for _, other := range []*client{session, h.login("u")} {
		other.ok("SELECT box")
		got := map[int]string{}
		for i, m := range other.ok("FETCH 1:* (UID FLAGS)").mails() {
			flags := slices.DeleteFunc(m.Flags, func(f string) bool { return f == `\Recent` })
			slices.Sort(flags)
			got[i+1] = strings.Join(flags, " ")
		}
		want := map[int]string{}
		for i, c := range cases {
			want[i+1] = c.want
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flags (-want +got):\n%s", diff)
		}
	}
	if t.Failed() {
		t.Logf("mutt left\n%s", after)
	}
}

// mutt opens a mailbox, does what keys say and writes it.
func (h *host) mutt(user, mailbox, keys string) {
	h.t.Helper()
	home := h.home(user)
	rc := filepath.Join(home, "muttrc")
	writeFile(h.t, h.owner, rc, fmt.Appendf(nil, `
set folder=mail sleep_time=0 timeout=1 wait_key=no mark_old=no beep=no quit=yes delete=no resolve=no sort=mailbox-order read_inc=0 write_inc=0
push "<first-entry>%s<sync-mailbox><quit>"
`, keys))
	cmd := h.owner.command(home, "script", "-qec", "mutt -n -F "+rc+" -f "+h.file(user, mailbox), "/dev/null")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.WaitDelay = time.Second
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if out, err := output(cmd); err != nil {
		h.t.Fatalf("mutt: %v\n%s", err, out)
	}
}
