package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// replaceHost has four drafts.
func replaceHost(t *testing.T) (*host, *client) {
	t.Helper()
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Drafts")
	for i := range 4 {
		c.ok("APPEND Drafts (\\Draft) " + literal(fmt.Sprintf("Subject: draft %d\r\n\r\ntext\r\n", i+1)))
	}
	return h, c
}

// The examples of RFC 8508: the new message is told, and where it is, before the old one goes.
func TestReplace(t *testing.T) {
	_, c := replaceHost(t)
	c.ok("SELECT Drafts")
	c.send(fmt.Sprintf("A003 REPLACE 4 Drafts (\\Seen \\Draft) {%d}\r\n", len(foobar)))
	c.next("+ Ready for literal data")
	c.send(foobar + "\r\n")
	c.next("* OK [APPENDUID <n> 5] Replacement message ready")
	c.next("* 5 EXISTS")
	c.next("* 5 RECENT")
	c.next("* 4 EXPUNGE")
	c.next("* 4 RECENT")
	c.next("A003 OK REPLACE completed")
	c.run("UID SEARCH ALL", "* SEARCH 1 2 3 5", "OK")
	c.run("FETCH 4 (FLAGS BODY.PEEK[])", fmt.Sprintf("* 4 FETCH (FLAGS (\\Recent \\Seen \\Draft) BODY[] {%d}\r\n%s)", len(foobar), foobar), "OK")

	c.run("UID REPLACE 2 Drafts (\\Draft) \" 7-Feb-1994 22:43:04 -0800\" "+literal(mooch),
		"* OK [APPENDUID <n> 6] Replacement message ready", "* 5 EXISTS", "* 5 RECENT", "* 2 EXPUNGE", "* 4 RECENT", "OK UID REPLACE completed")
	c.run("UID SEARCH ALL", "* SEARCH 1 3 5 6", "OK")
	c.run("FETCH 4 INTERNALDATE", `* 4 FETCH (INTERNALDATE " 7-Feb-1994 22:43:04 -0800")`, "OK")

	// Into another mailbox, and with CATENATE.
	c.run("REPLACE * INBOX (sent) "+literal(mooch), "* OK [APPENDUID <n> 7] Replacement message ready", "* 4 EXPUNGE", "* 3 RECENT", "OK")
	c.run("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 7)", "OK")
	c.run(`UID REPLACE 5 Drafts CATENATE (URL ";UID=5/;SECTION=HEADER" TEXT `+literal("new text\r\n")+")",
		"* OK [APPENDUID <n> 7] Replacement message ready", "* 4 EXISTS", "* 4 RECENT", "* 3 EXPUNGE", "* 3 RECENT", "OK UID REPLACE completed")
	want := foobar[:strings.Index(foobar, "\r\n\r\n")+4] + "new text\r\n"
	c.run("FETCH 3 BODY.PEEK[]", fmt.Sprintf("* 3 FETCH (BODY[] {%d}\r\n%s)", len(want), want), "OK")
}

func TestReplaceRefused(t *testing.T) {
	h, c := replaceHost(t)
	h.config.AppendLimit = 1000
	c.run("REPLACE 1 Drafts "+literal(mooch), "BAD") // nothing is selected
	c = h.connect()
	c.ok("SELECT Drafts")
	for _, tt := range []struct{ args, want string }{
		{"REPLACE 5 Drafts {10}", "BAD"},
		{"REPLACE 0 Drafts {10}", "BAD"},
		{"REPLACE 1:2 Drafts {10}", "BAD"},
		{"REPLACE 1,2 Drafts {10}", "BAD"},
		{"REPLACE $ Drafts {10}", "BAD"},
		{"REPLACE 4294967296 Drafts {10}", "BAD"},
		{"REPLACE x Drafts {10}", "BAD"},
		{"REPLACE Drafts {10}", "BAD"},
		{"REPLACE", "BAD"},
		{"REPLACE 1 Drafts", "BAD"},
		{"REPLACE 1 Drafts (\\Recent) {10}", "BAD"},
		{"UID REPLACE 99 Drafts {10}", "NO [NONEXISTENT]"},
		{"UID REPLACE 99 Drafts " + literal(mooch), "NO [NONEXISTENT]"},
		{"REPLACE 1 nowhere {10}", "NO [TRYCREATE]"},
		{"REPLACE 1 nowhere " + literal(mooch), "NO [TRYCREATE]"},
		{"REPLACE 1 Drafts {1001}", "NO [TOOBIG]"},
		{"REPLACE 1 Drafts " + literal(strings.Repeat("x", 1001)), "NO [TOOBIG]"},
		{"REPLACE 1 Drafts {0+}\r\n", "NO Empty"},
		{"REPLACE 1 Drafts " + literal(mooch) + " " + literal(mooch), "BAD"}, // one by one only
		{"REPLACE 1 Drafts " + literal(mooch) + " junk", "BAD"},
		{`REPLACE 1 Drafts CATENATE (URL ";UID=99")`, "NO [BADURL ;UID=99]"},
	} {
		c.run(tt.args, tt.want)
		c.run("NOOP", "OK")
	}
	c.ok("EXAMINE Drafts")
	c.run("REPLACE 1 Drafts {10}", "NO [READ-ONLY]")
	c.run("REPLACE 1 INBOX {10}", "NO [READ-ONLY]")
	c.run("UID SEARCH ALL", "* SEARCH 1 2 3 4", "OK")
	c.run("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 6)", "OK")
}

// Of two clients that replace the same draft one does; the other has added nothing.
func TestReplaceTwice(t *testing.T) {
	h, a := replaceHost(t)
	b := h.connect()
	a.ok("SELECT Drafts")
	b.ok("SELECT Drafts")
	a.send(fmt.Sprintf("x UID REPLACE 4 Drafts {%d}\r\n", len(foobar)))
	a.next("+ Ready for literal data")
	b.ok("UID REPLACE 4 Drafts " + literal(mooch))
	a.send(foobar + "\r\n")
	if _, done := a.until("x"); !strings.HasPrefix(done, "NO [EXPUNGEISSUED]") {
		t.Error(done)
	}
	a.run("UID REPLACE 4 Drafts {10}", "* 4 EXPUNGE", "* 4 EXISTS", "* 3 RECENT", "NO [EXPUNGEISSUED]")
	b.run("UID SEARCH ALL", "* SEARCH 1 2 3 5", "OK")
}
