package command_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE saved-messages")
	// The message of RFC 3501 §6.3.11.
	text := "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n" +
		"Subject: afternoon meeting\r\nTo: mooch@owatagu.siam.edu\r\nMessage-Id: <B27397-0100000@Blurdybloop.COM>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" +
		"Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n"
	untagged, done := c.append(`saved-messages (\Seen work) " 7-Feb-1994 21:52:25 -0800"`, text)
	if len(untagged) > 0 || !matches("OK [APPENDUID <n> 1] APPEND completed", done) {
		t.Errorf("append: %q %q", untagged, done)
	}
	c.ok("SELECT saved-messages")
	c.run("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])", fmt.Sprintf(
		`* 1 FETCH (FLAGS (\Recent \Seen work) INTERNALDATE " 7-Feb-1994 21:52:25 -0800" BODY[] {%d}`+"\r\n%s)", len(text), text), "OK")

	untagged, done = c.append("saved-messages", text)
	c.compare("append to the selected mailbox", []string{"* 2 EXISTS", "* 2 RECENT"}, untagged)
	if !matches("OK [APPENDUID <n> 2] APPEND completed", done) {
		t.Error(done)
	}
	c.run("APPEND saved-messages {13+}\r\nSubject: x\r\n\r", "* 3 EXISTS", "* 3 RECENT", "OK [APPENDUID")
}

// What is wrong is found before the client sends its message.
func TestAppendRefusedBeforeLiteral(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.AppendLimit = 1000
	h.write("mail/locked", message("x", ""))
	c := h.connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ args, want string }{
		{"Nowhere {10}", "NO [TRYCREATE] No such mailbox"},
		{"../x {10}", "NO [TRYCREATE]"},
		{`INBOX (\Recent) {10}`, "BAD"},
		{`INBOX (\Seen {10}`, "BAD"},
		{`INBOX "7-Feb-1994" {10}`, "BAD"},
		{"INBOX", "BAD"},
		{`INBOX "text"`, "BAD"},
		{"INBOX ~{10", "BAD"},
		{"INBOX {0}", "NO Empty message"},
		{"INBOX UTF8 (~{10}", "BAD"},
		{"INBOX {99999999999}", "NO [TOOBIG]"},
	} {
		c.run("APPEND "+tt.args, tt.want)
		c.run("NOOP", "OK")
	}
}

// A command that is refused after its message has come leaves nothing behind, neither a message nor octets that could be
// taken for a command.
func TestAppendRefusedAfterLiteral(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.AppendLimit = 1000
	c := h.connect()
	c.ok("SELECT INBOX")
	trap := "x CREATE smuggled\r\n"
	two := fmt.Sprintf("{%d+}\r\n%s {%d+}\r\n%s", len(trap), trap, len(trap), trap)
	c.run("APPEND INBOX "+two+" junk", "BAD")
	c.run(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s junk", len(trap), trap), "BAD")
	c.run(fmt.Sprintf("APPEND Nowhere {%d+}\r\n%s", len(trap), trap), "NO [TRYCREATE]")
	c.run("APPEND INBOX {0+}\r\n", "NO Empty message")
	c.run("APPEND INBOX {1001+}\r\n"+strings.Repeat("x", 1001), "NO [TOOBIG]")
	c.run(`LIST "" smuggled`, "OK")
	c.run("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 6)", "OK")
}

// R22: a continuation request has a space behind the plus, even if nothing follows.
func TestR22ContinuationHasSpace(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.send("t APPEND INBOX {14}\r\n")
	c.next("+ ...")
	c.send("Subject: x\r\n\r\n\r\n")
	c.next("t OK [APPENDUID...")
	c.send("i IDLE\r\n")
	c.next("+ ...")
	c.send("DONE\r\n")
	c.next("i OK IDLE completed")
}
