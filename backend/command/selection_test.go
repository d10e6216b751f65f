package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// message is one message of a mailbox file; status lines go into its header.
func message(subject, status string) string {
	return "From joe@example.com Mon Sep  7 15:14:13 2009 +0000\nFrom: Joe <joe@example.com>\nTo: chris@example.org\n" +
		"Date: Mon, 7 Sep 2009 15:14:13 +0000\nMessage-Id: <" + subject + "@example.com>\nSubject: " + subject + "\n" + status +
		"\nThis is " + subject + ".\n\n"
}

// sixMessages is the account of the acceptance dialogues.
func sixMessages() string {
	var b strings.Builder
	for i := range 6 {
		b.WriteString(message(fmt.Sprintf("m%d", i+1), map[bool]string{true: "Status: RO\n"}[i < 4]+map[bool]string{true: "Status: O\n"}[i == 4]))
	}
	return b.String()
}

func TestSelect(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.run("SELECT INBOX",
		"* 6 EXISTS", "* 1 RECENT", "* OK [UNSEEN 5] ...", "* OK [UIDVALIDITY <n>] UIDs valid", "* OK [UIDNEXT 7] ...",
		`* FLAGS (\Seen \Deleted \Flagged \Answered \Draft)`,
		`* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \Answered \Draft \*)] Permanent flags`,
		"OK [READ-WRITE] SELECT completed")
}

func TestSelectFailureLeavesNothingSelected(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("SELECT Nowhere", "* OK [CLOSED] ...", "NO [NONEXISTENT] No such mailbox")
	c.run("FETCH 1 FLAGS", "BAD FETCH is not valid in this state")
	c.ok("SELECT INBOX")
	c.run("SELECT INBOX (CONDSTORE)", "BAD")
	c.run("FETCH 1 UID", "* 1 FETCH (UID 1)", "OK")
	c.run("SELECT", "BAD")
}

func TestExamine(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	got := c.ok("EXAMINE INBOX")
	c.has(got, "* OK [PERMANENTFLAGS ()] Permanent flags")
	c.has(got, "* 1 RECENT")
	before := h.read("inbox")
	c.run(`STORE 1 +FLAGS (\Deleted)`, "NO [READ-ONLY]")
	c.run("EXPUNGE", "NO [READ-ONLY]")
	c.run("UID EXPUNGE 1:*", "NO [READ-ONLY]")
	c.run("MOVE 1 INBOX", "NO [READ-ONLY]")
	c.run("FETCH 5 BODY[TEXT]", "* 5 FETCH (BODY[TEXT] {13}\r\nThis is m5.\r\n)", "OK")
	c.run("FETCH 5 FLAGS", "* 5 FETCH (FLAGS ())", "OK")
	c.run("CHECK", "OK")
	c.run("CLOSE", "OK")
	if after := h.read("inbox"); after != before {
		t.Errorf("EXAMINE changed the file:\n%s", after)
	}
	_, done := c.do("EXAMINE INBOX")
	if done != "OK [READ-ONLY] EXAMINE completed" {
		t.Errorf("completion: %s", done)
	}
	c.has(h.connect().ok("SELECT INBOX"), "* 1 RECENT") // EXAMINE has not taken it
}

// A mailbox that may not be written is selected all the same, and says so.
func TestSelectReadOnlyMailbox(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.ReadOnly = true
	c := h.connect()
	untagged, done := c.do("SELECT INBOX")
	c.has(untagged, "* OK [PERMANENTFLAGS ()] Permanent flags")
	if done != "OK [READ-ONLY] SELECT completed" {
		t.Errorf("completion: %s", done)
	}
	for _, cmd := range []string{"CREATE x", "DELETE x", "RENAME x y", "COPY 1 INBOX"} {
		c.run(cmd, "NO [NOPERM]")
	}
}

func TestCloseAndUnselect(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.run("UNSELECT", "OK")
	c.run("UNSELECT", "BAD")
	c.has(c.ok("SELECT INBOX"), "* 6 EXISTS")
	c.run("CLOSE", "OK")
	c.has(c.ok("SELECT INBOX"), "* 5 EXISTS")
}

// Names that no encoder of modified UTF-7 makes exist on old disks.
func TestRawNames(t *testing.T) {
	h := newHost(t, "")
	for _, name := range []string{"R&D", "caf\xe9", "a&AGE-b"} {
		h.write("mail/"+name, message("in "+strings.ToValidUTF8(name, "?"), ""))
	}
	c := h.connect()
	for _, name := range []string{`"R&D"`, "{4+}\r\ncaf\xe9", `"a&AGE-b"`} {
		c.has(c.ok("SELECT "+name), "* 1 EXISTS")
	}
	c.run(`LIST "" "R*"`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" R&D`, "OK")
	c.run(`STATUS "R&D" (MESSAGES)`, "* STATUS R&D (MESSAGES 1)", "OK")
	c.run("CREATE A&B", "NO [CANNOT] Mailbox name is not valid modified UTF-7")
	c.run("CREATE {4+}\r\ncaf\xe9", "NO [CANNOT] Mailbox name with 8-bit octet")
	c.run(`RENAME "R&D" "R&-D"`, "OK")
	c.has(c.ok(`SELECT R&-D`), "* 1 EXISTS")
	c.run(`SUBSCRIBE "a&AGE-b"`, "OK")
	c.run(`LSUB "" *`, `* LSUB () "/" a&AGE-b`, "OK")
	c.ok("UNSELECT")
	c.run(`DELETE "a&AGE-b"`, "OK")
}
