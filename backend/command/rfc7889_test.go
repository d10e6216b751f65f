package command_test

import (
	"strings"
	"testing"
)

// The examples of RFC 7889, for a server with one limit for all mailboxes.
func TestAppendLimit(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.AppendLimit = 257890
	c := h.connect()
	if got := strings.Join(c.ok("CAPABILITY"), "\n") + " "; !strings.Contains(got, " APPENDLIMIT=257890 ") {
		t.Error(got)
	}
	c.run("STATUS INBOX (APPENDLIMIT)", "* STATUS INBOX (APPENDLIMIT 257890)", "OK")
	c.run("STATUS INBOX (MESSAGES appendlimit)", "* STATUS INBOX (MESSAGES 6 APPENDLIMIT 257890)", "OK")
	c.run(`LIST "" INBOX RETURN (STATUS (APPENDLIMIT))`, `* LIST (\NoInferiors \HasNoChildren) "/" INBOX`,
		"* STATUS INBOX (APPENDLIMIT 257890)", "OK")
	c.run("STATUS nowhere (APPENDLIMIT)", "NO [NONEXISTENT]")
	c.run("STATUS INBOX (APPENDLIMIT=5)", "BAD")
	c.run("APPEND INBOX {257891}", "NO [TOOBIG]")
	c.run("APPEND INBOX {257891+}\r\n"+strings.Repeat("x", 257891), "NO [TOOBIG]")
	text := "Subject: x\r\n\r\n" + strings.Repeat("x", 257890-16) + "\r\n"
	c.run("APPEND INBOX "+literal(text), "OK [APPENDUID")

	// Without a number every mailbox may have its own, and NIL is none at all.
	h.config.AppendLimit = 0
	c = h.connect()
	if got := strings.Join(c.ok("CAPABILITY"), "\n") + " "; !strings.Contains(got, " APPENDLIMIT ") {
		t.Error(got)
	}
	c.run("STATUS INBOX (APPENDLIMIT)", "* STATUS INBOX (APPENDLIMIT NIL)", "OK")
	// More than a number of the protocol can say.
	h.config.AppendLimit = 1 << 40
	h.connect().run("STATUS INBOX (APPENDLIMIT)", "* STATUS INBOX (APPENDLIMIT 4294967295)", "OK")

	h.config.Hidden = []string{"APPENDLIMIT"}
	if got := strings.Join(h.connect().ok("CAPABILITY"), "\n"); strings.Contains(got, "APPENDLIMIT") {
		t.Error(got)
	}
}
