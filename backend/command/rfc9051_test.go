package command_test

import (
	"slices"
	"strings"
	"testing"
)

// without demands that no response contains part.
func (c *client) without(responses []string, part string) {
	c.t.Helper()
	if slices.ContainsFunc(responses, func(r string) bool { return strings.Contains(r, part) }) {
		c.t.Errorf("%q in\n%s", part, strings.Join(responses, "\n"))
	}
}

// TestRev2Select: what RFC 9051 §6.3.2 answers to SELECT, and what it has taken away.
func TestRev2Select(t *testing.T) {
	h := newHost(t, sixMessages())
	h.write("mail/grün", message("other", ""))
	h.write("mail/Entw&APw-rfe", message("other", ""))
	c := h.connect()
	c.has(c.ok("SELECT INBOX"), "* 1 RECENT")
	c.ok("UNSELECT")
	h.deliver("inbox", message("m7", ""))
	c.run("ENABLE IMAP4rev2", "* ENABLED IMAP4rev2", "OK")
	got := c.ok("SELECT inbox")
	for _, want := range []string{
		"* 7 EXISTS", "* OK [UIDNEXT 8] ...", "* OK [UIDVALIDITY <n>] UIDs valid", "* FLAGS (...",
		"* OK [PERMANENTFLAGS (...", `* LIST (\NoInferiors) "/" INBOX`,
	} {
		c.has(got, want)
	}
	c.without(got, "RECENT")
	c.without(got, "UNSEEN")
	c.run("FETCH 6:7 FLAGS", `* 6 FETCH (FLAGS ())`, `* 7 FETCH (FLAGS ())`, "OK")
	got = c.ok(`EXAMINE "Entwürfe"`)
	if got[0] != "* OK [CLOSED] Previous mailbox is now closed" {
		t.Errorf("%q", got)
	}
	c.has(got, `* LIST (\NoInferiors) "/" "Entwürfe"`)
	c.without(got, "RECENT")
	c.without(got, "UNSEEN")
	c.has(c.ok("EXAMINE grün"), `* LIST (\NoInferiors) "/" "grün"`)
	c.run("SELECT nothing", "* OK [CLOSED] ...", "NO [NONEXISTENT]")
}

// TestRev2News: new mail is EXISTS alone.
func TestRev2News(t *testing.T) {
	h := newHost(t, sixMessages())
	h.watch = true
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("ENABLE IMAP4rev2") // a client should do that before, but may here too
	h.deliver("inbox", message("m7", ""))
	c.run("NOOP", "* 7 EXISTS", "OK")
	c.run("STORE 7 +FLAGS (\\Deleted $MDNSent)", "* FLAGS (...", "* OK [PERMANENTFLAGS (...", `* 7 FETCH (FLAGS (\Deleted $MDNSent))`, "OK")
	c.run("STATUS INBOX (MESSAGES DELETED SIZE UIDNEXT UIDVALIDITY UNSEEN)",
		"* STATUS INBOX (MESSAGES 7 DELETED 1 SIZE <n> UIDNEXT 8 UIDVALIDITY <n> UNSEEN 3)", "OK")
	c.run("UID EXPUNGE 7", "* 7 EXPUNGE", "OK")
	other := h.connect()
	other.ok("SELECT INBOX")
	other.ok(`STORE 6 +FLAGS.SILENT (\Flagged)`)
	c.run("NOOP", `* 6 FETCH (UID 6 FLAGS (\Flagged))`, "OK")
}

// TestRev2Status: RECENT is no item any more; to a client of IMAP4rev1 it still is, and DELETED is one too.
func TestRev2Status(t *testing.T) {
	h := newHost(t, sixMessages())
	h.write("mail/grün", message("other", ""))
	c := h.connect()
	c.run("STATUS INBOX (RECENT DELETED)", "* STATUS INBOX (RECENT 1 DELETED 0)", "OK")
	c.ok("ENABLE IMAP4rev2 UTF8=ACCEPT")
	c.run("STATUS INBOX (RECENT)", "BAD")
	c.run(`LIST "" * RETURN (STATUS (RECENT))`, "BAD")
	c.run(`LIST "" gr* RETURN (STATUS (MESSAGES DELETED))`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" "grün"`,
		`* STATUS "grün" (MESSAGES 1 DELETED 0)`, "OK")
}

// TestRev2Old: what IMAP4rev2 has no more goes on working.
func TestRev2Old(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("ENABLE IMAP4rev2")
	c.ok(`LSUB "" *`)
	c.ok("SELECT INBOX")
	c.ok("CHECK")
	c.ok("FETCH 1 (RFC822.SIZE RFC822.HEADER RFC822)")
	c.ok("CLOSE")
}
