package command_test

import (
	"strings"
	"testing"
)

// The examples of RFC 4731 §3.1, on our messages.
func TestESearch(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
	c.ok("EXPUNGE") // UIDs 4:6 are numbers 1:3
	c.ok("STORE 1,3 +FLAGS.SILENT (\\Flagged)")
	for _, tt := range []struct{ cmd, want string }{
		{"SEARCH RETURN (MIN COUNT) FLAGGED", `(TAG "<tag>") MIN 1 COUNT 2`},
		{"UID SEARCH RETURN (MIN MAX) FLAGGED", `(TAG "<tag>") UID MIN 4 MAX 6`},
		{"SEARCH RETURN () FLAGGED", `(TAG "<tag>") ALL 1,3`},
		{"UID SEARCH RETURN () ALL", `(TAG "<tag>") UID ALL 4:6`},
		{"SEARCH return (all) CHARSET UTF-8 FLAGGED", `(TAG "<tag>") ALL 1,3`},
		{"UID SEARCH RETURN (COUNT MAX MIN ALL) UNFLAGGED", `(TAG "<tag>") UID MIN 5 MAX 5 COUNT 1 ALL 5`},
		{"SEARCH RETURN (ALL ALL) FLAGGED", `(TAG "<tag>") ALL 1,3`},
		{"SEARCH RETURN (MIN MAX ALL COUNT) ANSWERED", `(TAG "<tag>") COUNT 0`},
		{"SEARCH RETURN (MIN) ANSWERED", `(TAG "<tag>")`},
		{"UID SEARCH RETURN () ANSWERED", `(TAG "<tag>") UID`},
	} {
		c.run(tt.cmd, "* ESEARCH "+strings.ReplaceAll(tt.want, "<tag>", c.nextTag()), "OK ")
	}
	c.run("SEARCH FLAGGED", "* SEARCH 1 3", "OK")
}

// A tag is an astring of its own kind; in the correlator it must be a string.
func TestESearchTag(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	for _, tag := range []string{"1", "]", "a.b[c]", "~!@#$&_=|;:',/?-`^<>}"} {
		c.send(tag + " SEARCH RETURN (COUNT) ALL\r\n")
		c.next(`* ESEARCH (TAG "` + tag + `") COUNT 6`)
		c.next(tag + " OK SEARCH completed")
	}
}

func TestESearchSyntax(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	for _, args := range []string{
		"RETURN", "RETURN ALL", "RETURN ALL ALL", "RETURN (ALL)", "RETURN (ALL", "RETURN (ALL) ", "RETURN (ALL)ALL", "RETURN (RUBBISH) ALL",
		"RETURN (MIN,MAX) ALL", "RETURN ((MIN)) ALL", "RETURN (MIN 1) ALL", "RETURN (MIN) RETURN (MAX) ALL", "ALL RETURN (MIN)",
		"RETURN (" + strings.Repeat("MIN ", 10000) + "x) ALL", "RETURN (\"MIN\") ALL",
	} {
		c.run("SEARCH "+args, "BAD")
		c.run("NOOP", "OK")
	}
	c.run("SEARCH RETURN ("+strings.Repeat("MIN ", 10000)+"MAX) ALL", `* ESEARCH (TAG "`+c.nextTag()+`") MIN 1 MAX 6`, "OK")
	c.run("SEARCH RETURN (ALL) CHARSET KLINGON ALL", "NO [BADCHARSET (US-ASCII ")
	c.run("RETURN (ALL)", "BAD")
}
