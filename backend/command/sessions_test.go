package command_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// R5: EXPUNGE is told only in commands that do not count messages (RFC 3501 §7.4.1), and until then a message that another
// session has removed keeps its number.
func TestR5ExpungeOnlyWhenAllowed(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	other.ok(`STORE 2,4 +FLAGS.SILENT (\Deleted)`)
	other.ok("EXPUNGE")

	// The flags were set and the messages removed: there is nothing to tell of them but that.
	c.run("FETCH 1,3 UID", "* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)", "OK")
	c.run("FETCH 2:3 UID", "* 3 FETCH (UID 3)", "NO [EXPUNGEISSUED] Some of the messages are no longer there")
	c.run("STORE 4:5 +FLAGS (\\Flagged)", "* 5 FETCH (FLAGS (\\Flagged))", "NO [EXPUNGEISSUED]")
	c.run("STORE 4 +FLAGS.SILENT (\\Flagged)", "NO [EXPUNGEISSUED]")
	c.run("SEARCH ALL", "* SEARCH 1 3 5 6", "OK")
	c.run("SEARCH FLAGGED", "* SEARCH 5", "OK")
	h.deliver("inbox", message("m7", ""))
	c.run("FETCH 6 UID", "* 6 FETCH (UID 6)", "* 7 EXISTS", "* 2 RECENT", "OK")
	c.run("FETCH 7 UID", "* 7 FETCH (UID 7)", "OK")
	c.run("UID FETCH 3 FLAGS", `* 3 FETCH (UID 3 FLAGS (\Seen))`, "* 4 EXPUNGE", "* 2 EXPUNGE", "OK")
	c.run("FETCH 1:* UID", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)", "* 4 FETCH (UID 6)", "* 5 FETCH (UID 7)", "OK")
}

// A command with UIDs that fails for messages that are gone tells at once which they are.
func TestExpungedByUID(t *testing.T) {
	for _, tt := range []struct{ cmd, data string }{
		{"UID FETCH 1:2 FLAGS", `* 1 FETCH (UID 1 FLAGS (\Seen))`},
		{"UID FETCH 1:2 BODY.PEEK[TEXT]", "* 1 FETCH (UID 1 BODY[TEXT] {13}\r\nThis is m1.\r\n)"},
		{`UID STORE 1:2 FLAGS (\Seen)`, `* 1 FETCH (UID 1 FLAGS (\Seen))`},
		{"UID COPY 1:2 INBOX", ""},
		{"COPY 1:2 INBOX", ""},
		{"MOVE 1:2 INBOX", ""},
	} {
		h := newHost(t, sixMessages())
		c, other := h.connect(), h.connect()
		c.ok("SELECT INBOX")
		other.ok("SELECT INBOX")
		other.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
		other.ok("EXPUNGE")
		want := []string{tt.data, "* 2 EXPUNGE", "NO [EXPUNGEISSUED]"}
		if tt.data == "" {
			want = want[1:]
		}
		c.run(tt.cmd, want...)
		c.run("UID FETCH 2 FLAGS", "OK") // by now a UID like any other that is not there
	}
}

// What one session does to flags all others are told, once; the session itself only by its own echo.
func TestFlagsAreToldToOthers(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	c.run(`STORE 1 +FLAGS (\Flagged)`, `* 1 FETCH (FLAGS (\Seen \Flagged))`, "OK")
	c.run(`STORE 2 +FLAGS.SILENT (\Flagged)`, "OK")
	c.run("FETCH 5 BODY[TEXT]", "* 5 FETCH (BODY[TEXT] {13}\r\nThis is m5.\r\n FLAGS (\\Seen))", "OK")
	c.run("NOOP", "OK")
	other.run("NOOP", `* 1 FETCH (UID 1 FLAGS (\Seen \Flagged))`, `* 2 FETCH (UID 2 FLAGS (\Seen \Flagged))`,
		`* 5 FETCH (UID 5 FLAGS (\Seen))`, "OK")
	other.run("NOOP", "OK")

	// A silent STORE says nothing of what the client asked for, but what another did in between is told.
	other.ok(`STORE 3 +FLAGS.SILENT (\Answered)`)
	c.run(`STORE 3:4 +FLAGS.SILENT (\Draft)`, `* 3 FETCH (UID 3 FLAGS (\Seen \Answered \Draft))`, "OK")
	other.run("NOOP", `* 3 FETCH (UID 3 FLAGS (\Seen \Answered \Draft))`, `* 4 FETCH (UID 4 FLAGS (\Seen \Draft))`, "OK")
	// Setting what another has set at the same time changes nothing, and he is not told of himself.
	other.ok(`STORE 6 +FLAGS.SILENT (\Draft)`)
	c.run(`STORE 6 +FLAGS.SILENT (\Draft)`, `* 6 FETCH (UID 6 FLAGS (\Recent \Draft))`, "OK")
	other.run("NOOP", "OK")
}

// A program that rewrites the mailbox behind our back is a session like any other.
func TestChangesByOtherPrograms(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("CHECK")
	h.edit("inbox", func(s string) string { return strings.Replace(s, "Status: O\n", "Status: RO\n", 1) })
	got := c.ok("NOOP")
	c.has(got, `* 5 FETCH (UID 5 FLAGS (\Seen))`)
	if len(got) != 1 {
		t.Errorf("NOOP: %q", got)
	}
}

// \Recent belongs to the first session that selects the mailbox.
func TestRecentIsClaimedOnce(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.has(c.ok("SELECT INBOX"), "* 1 RECENT")
	other.has(other.ok("SELECT INBOX"), "* 0 RECENT")
	h.deliver("inbox", message("m7", ""))
	other.run("NOOP", "* 7 EXISTS", "* 1 RECENT", "OK")
	c.run("NOOP", "* 7 EXISTS", "* 1 RECENT", "OK")
	c.run("FETCH 6:7 FLAGS", `* 6 FETCH (FLAGS (\Recent))`, "* 7 FETCH (FLAGS ())", "OK")
	other.run("FETCH 6:7 FLAGS", "* 6 FETCH (FLAGS ())", `* 7 FETCH (FLAGS (\Recent))`, "OK")
}

// R25: a mailbox that goes away under a session ends it in order, and DELETE works after UNSELECT.
func TestR25MailboxGone(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Old")
	c.ok("SELECT Old")
	c.run("DELETE Old", "NO [INUSE]")
	c.ok("UNSELECT")
	c.ok("DELETE Old")

	other := h.connect()
	c.ok("CREATE Other")
	c.append("Other", "Subject: x\r\n\r\n")
	c.ok("SELECT Other")
	other.ok("DELETE Other")
	untagged, done := c.do("FETCH 1 BODY[]")
	if !strings.HasPrefix(done, "NO ") && done != "(connection closed)" {
		t.Errorf("FETCH after DELETE: %q %s", untagged, done)
	}
	other.run("STATUS Other (MESSAGES)", "NO [NONEXISTENT]")
}

// R25: another mailbox in the same place ends the session: no number and no UID is worth anything any more.
func TestR25MailboxReplaced(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Box")
	c.append("Box", "Subject: x\r\n\r\n")
	c.ok("SELECT Box")
	h.edit("mail/Box", func(s string) string {
		return strings.NewReplacer("X-IMAP: 1", "X-IMAP: 2", "Subject: x", "Subject: y").Replace(s)
	})
	untagged, done := c.do("NOOP")
	if done != "(connection closed)" || !strings.HasPrefix(untagged[0], "* BYE The mailbox was replaced") {
		t.Errorf("NOOP: %q %s", untagged, done)
	}
	d := h.connect()
	d.ok("SELECT Box")
	d.run("FETCH 1 BODY.PEEK[HEADER]", "* 1 FETCH (BODY[HEADER] {14}\r\nSubject: y\r\n\r\n)", "OK")
}

// Many sessions at once on one mailbox: each sees in the end what is there, by numbers that were right all the time.
func TestManySessions(t *testing.T) {
	h := newHost(t, sixMessages())
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = h.connect()
		clients[i].ok("SELECT INBOX")
	}
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			for n := range 15 {
				c.append("INBOX", fmt.Sprintf("Subject: from %d-%d\r\n\r\n", i, n))
				c.do("UID STORE * +FLAGS (\\Flagged)")
				c.do("FETCH 1:* (UID FLAGS)")
				if n%5 == 4 {
					c.do("STORE 1 +FLAGS.SILENT (\\Deleted)")
					c.do("EXPUNGE")
				}
			}
		})
	}
	all.Wait()
	var want []string
	for _, c := range clients {
		c.ok("NOOP")
	}
	for _, c := range clients {
		c.ok("NOOP")
		got := c.ok("FETCH 1:* (UID RFC822.SIZE)")
		if want == nil {
			want = got
		}
		if len(want) < 50 || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("sessions differ:\n%q\n%q", got, want)
		}
	}
}
