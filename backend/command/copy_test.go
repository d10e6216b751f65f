package command_test

import (
	"strings"
	"testing"
)

func TestCopy(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Saved")
	c.ok("SELECT INBOX")
	c.ok(`STORE 3 +FLAGS.SILENT (\Deleted)`)
	_, done := c.do("COPY 5,2:3 Saved")
	if !matches("OK [COPYUID <n> 2:3,5 1:3] COPY completed", done) {
		t.Error(done)
	}
	_, done = c.do("UID COPY 6,2 Saved")
	if !matches("OK [COPYUID <n> 2,6 4:5] UID COPY completed", done) {
		t.Error(done)
	}
	c.run("UID COPY 100 Saved", "OK UID COPY completed")
	c.run("COPY 1 INBOX", "* 7 EXISTS", "* 2 RECENT", "OK [COPYUID")
	c.run("COPY 1 Nowhere", "NO [TRYCREATE]")
	c.run("COPY 9 Saved", "BAD")
	c.run("COPY 1", "BAD")
	c.ok("SELECT Saved")
	c.run("FETCH 2 FLAGS", `* 2 FETCH (FLAGS (\Recent \Seen \Deleted))`, "OK") // flags are kept as they are
}

func TestMove(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Saved")
	c.ok("SELECT INBOX")
	c.run("MOVE 2,4 Saved", "* OK [COPYUID <n> 2,4 1:2] Moved", "* 4 EXPUNGE", "* 2 EXPUNGE", "OK MOVE completed")
	c.run("UID MOVE 6 Saved", "* OK [COPYUID <n> 6 3] Moved", "* 4 EXPUNGE", "* 0 RECENT", "OK UID MOVE completed")
	c.run("UID MOVE 6 Saved", "OK UID MOVE completed")
	c.run("MOVE 1 Nowhere", "NO [TRYCREATE]")
	c.run("MOVE 1 INBOX", "* OK [COPYUID <n> 1 7] Moved", "* 1 EXPUNGE", "* 3 EXISTS", "* 1 RECENT", "OK")
	c.run("FETCH 1:* UID", "* 1 FETCH (UID 3)", "* 2 FETCH (UID 5)", "* 3 FETCH (UID 7)", "OK")
	if s := h.read("mail/Saved"); strings.Count(s, "\nSubject: m") != 3 {
		t.Errorf("target:\n%s", s)
	}
}

// R16: a response code has text behind it, and no line ends in a space.
func TestR16NoEmptyTextNoTrailingSpace(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	for _, cmd := range []string{
		"CAPABILITY", "ID NIL", "NAMESPACE", "ENABLE X", "SELECT INBOX", "SEARCH DELETED", "SEARCH ALL", "STATUS INBOX (MESSAGES)",
		"FETCH 1 (FLAGS)", "STORE 1 FLAGS ()", "COPY 1 INBOX", `LIST "" *`, `LIST "" ""`, `LSUB "" *`, "COPY 1 No", "CREATE INBOX", "FETCH",
		"CLOSE", "SELECT No", "LOGOUT",
	} {
		untagged, done := c.do(cmd)
		for _, r := range append(untagged, "* "+done) {
			if strings.HasSuffix(r, " ") {
				t.Errorf("%s: space at the end of %q", cmd, r)
			}
			if status := strings.Fields(r); len(status) < 3 && status[1] != "SEARCH" && status[1] != "ENABLED" || strings.HasSuffix(r, "]") {
				t.Errorf("%s: no text in %q", cmd, r)
			}
		}
	}
}

// TestMailboxOfAnotherUser: flags and messages can be added to it; what would remove anything is refused, but for CLOSE,
// which leaves it as it is.
func TestMailboxOfAnotherUser(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 1:* FLAGS (\\Draft)")
	c.ok("CREATE Mine")
	c.ok("LOGOUT")
	h.close()
	h.user++
	c = h.connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 2 +FLAGS (\\Deleted)")
	c.ok("CHECK")
	before := h.read("inbox")
	const refused = "NO [NOPERM] The mailbox belongs to another user: nothing can be removed from it"
	for _, cmd := range []string{"EXPUNGE", "UID EXPUNGE 1:*", "MOVE 1 Mine"} {
		c.run(cmd, refused)
	}
	c.ok("CLOSE")
	if after := h.read("inbox"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	if s := h.read("mail/Mine"); strings.Contains(s, "Subject: m") {
		t.Errorf("moved:\n%s", s)
	}
}
