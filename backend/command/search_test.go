package command_test

import (
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	mail := message("alpha", "Status: RO\nX-Status: F\n") + message("beta", "Status: O\nX-Status: A\n") +
		"From joe@example.com Tue Jan  6 10:00:00 2015 +0000\nFrom: Anna <anna@example.net>\nDate: Tue, 6 Jan 2015 10:00:00 +0000\n" +
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\n\nSch\xc3\xb6ne T\xc3\xb6ne.\n\n"
	h := newHost(t, mail)
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 2 +FLAGS.SILENT (work)")
	for _, tt := range []struct{ keys, want string }{
		{"ALL", " 1 2 3"},
		{"1:2", " 1 2"},
		{"*", " 3"},
		{"UID 2:*", " 2 3"},
		{"SEEN", " 1"},
		{"UNSEEN", " 2 3"},
		{"FLAGGED", " 1"},
		{"UNFLAGGED ANSWERED", " 2"},
		{"KEYWORD work", " 2"},
		{"UNKEYWORD work", " 1 3"},
		{"RECENT", " 3"},
		{"NEW", " 3"},
		{"OLD", " 1 2"},
		{"DELETED", ""},
		{"UNDELETED UNDRAFT", " 1 2 3"},
		{"SUBJECT beta", " 2"},
		{`FROM "anna" TEXT ne`, " 3"},
		{"NOT FROM joe", " 3"},
		{"OR SUBJECT alpha SUBJECT beta", " 1 2"},
		{"(OR SEEN KEYWORD work) NOT 2", " 1"},
		{"NOT (SEEN FLAGGED)", " 2 3"},
		{"HEADER Message-Id beta@", " 2"},
		{`HEADER Message-Id ""`, " 1 2"},
		{"SINCE 1-Jan-2015", " 3"},
		{"BEFORE 1-Jan-2015", " 1 2"},
		{"ON 7-Sep-2009", " 1 2"},
		{"SENTSINCE 6-Jan-2015 SENTBEFORE 7-Jan-2015", " 3"},
		{`SENTON "7-Sep-2009"`, " 1 2"},
		{"SMALLER 10 LARGER 1", ""},
		{"LARGER 10", " 1 2 3"},
		{"BODY alpha", " 1"},
		{"TO chris BODY this", " 1 2"},
		{"CHARSET UTF-8 SUBJECT {6+}\r\ngr\xc3\xbc\xc3\x9f", " 3"},
		{"CHARSET ISO-8859-1 BODY {5+}\r\nT\xf6NE.", " 3"},
		{"CHARSET US-ASCII ALL", " 1 2 3"},
	} {
		c.run("SEARCH "+tt.keys, "* SEARCH"+tt.want, "OK SEARCH completed")
	}
	c.run("UID SEARCH 2", "* SEARCH 2", "OK UID SEARCH completed")
	c.run("SEARCH CHARSET KLINGON ALL", "NO [BADCHARSET (US-ASCII UTF-8 ")
}

func TestSearchSyntax(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	for _, keys := range []string{
		"", "ALL)", "()", "(ALL", "NOT", "OR ALL", "UNKNOWN", "SUBJECT", "BEFORE yesterday", "ON 31-Feb-2000", "LARGER x", "LARGER -1",
		"HEADER Subject", "KEYWORD", "UID", "0", "7", "1:", "CHARSET", "CHARSET UTF-8", "CHARSET UTF-8 RETURN (ALL) ALL", "ALLSEEN",
		strings.Repeat("NOT ", 501) + "ALL", strings.Repeat("(", 51) + "ALL" + strings.Repeat(")", 51),
	} {
		c.run("SEARCH "+keys, "BAD")
		c.run("NOOP", "OK")
	}
	c.run("SEARCH "+strings.Repeat("OR DELETED ", 490)+"ALL", "* SEARCH 1 2 3 4 5 6", "OK")
}
