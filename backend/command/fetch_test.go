package command_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestFetchItems(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	const (
		date     = `INTERNALDATE " 7-Sep-2009 15:14:13 +0000"`
		joe      = `(("Joe" NIL "joe" "example.com"))`
		envelope = `ENVELOPE ("Mon, 7 Sep 2009 15:14:13 +0000" "m1" ` + joe + " " + joe + " " + joe +
			` ((NIL NIL "chris" "example.org")) NIL NIL NIL "<m1@example.com>")`
		header = "From: Joe <joe@example.com>\r\nTo: chris@example.org\r\nDate: Mon, 7 Sep 2009 15:14:13 +0000\r\n" +
			"Message-Id: <m1@example.com>\r\nSubject: m1\r\n\r\n"
		text = "This is m1.\r\n"
		body = `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 13 1`
	)
	size := fmt.Sprintf("RFC822.SIZE %d", len(header+text))
	lit := func(s string) string { return fmt.Sprintf("{%d}\r\n%s", len(s), s) }
	for _, tt := range []struct{ items, want string }{
		{"UID", "UID 1"},
		{"(FLAGS UID FLAGS)", `FLAGS (\Seen) UID 1`},
		{"FAST", `FLAGS (\Seen) ` + date + " " + size},
		{"ALL", `FLAGS (\Seen) ` + date + " " + size + " " + envelope},
		{"FULL", `FLAGS (\Seen) ` + date + " " + size + " " + envelope + " BODY " + body + ")"},
		{"BODYSTRUCTURE", "BODYSTRUCTURE " + body + " NIL NIL NIL NIL)"},
		{"BODY[]", "BODY[] " + lit(header+text)},
		{"BODY.PEEK[HEADER]", "BODY[HEADER] " + lit(header)},
		{"BODY[TEXT]", "BODY[TEXT] " + lit(text)},
		{"BODY[1]", "BODY[1] " + lit(text)},
		{"BODY[2]", "BODY[2] NIL"},
		{"body.peek[header.fields (subject x-none)]", "BODY[HEADER.FIELDS (subject x-none)] " + lit("Subject: m1\r\n\r\n")},
		{"BODY[HEADER.FIELDS.NOT (From To Date Message-Id)]", "BODY[HEADER.FIELDS.NOT (From To Date Message-Id)] " + lit("Subject: m1\r\n\r\n")},
		{"RFC822", "RFC822 " + lit(header+text)},
		{"RFC822.HEADER", "RFC822.HEADER " + lit(header)},
		{"RFC822.TEXT", "RFC822.TEXT " + lit(text)},
		{"BODY[TEXT]<0.4>", `BODY[TEXT]<0> "This"`},
		{"BODY[TEXT]<5.2>", `BODY[TEXT]<5> "is"`},
		{"BODY[1]<5.2>", `BODY[1]<5> "is"`},
		{"BODY[TEXT]<100.5>", `BODY[TEXT]<100> ""`},
		{"BODY[]<1.9223372036854775807>", "BODY[]<1> " + lit((header + text)[1:])},
		{"BODY[]<9223372036854775807.9223372036854775807>", `BODY[]<9223372036854775807> ""`},
	} {
		c.run("FETCH 1 "+tt.items, "* 1 FETCH ("+tt.want+")", "OK FETCH completed")
	}
	c.run("UID FETCH 1 FLAGS", `* 1 FETCH (UID 1 FLAGS (\Seen))`, "OK UID FETCH completed")
}

func TestFetchSyntax(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	for _, args := range []string{
		"", "1", "1 ", "1 ()", "1 (ALL)", "1 BODY[", "1 BODY[0]", "1 BODY[MIME]", "1 BODY[TEXT]<1>", "1 BODY[TEXT]<0.0>",
		"1 BODY[99999999999]", "1 BODY[HEADER.FIELDS ()]", "1 BINARY[1]", "1 UNKNOWN", "1 FLAGS)", "1 (FLAGS", "0 FLAGS", "7 FLAGS",
		"1:7 FLAGS", "1,,2 FLAGS", "$,1 FLAGS", "1 (" + strings.Repeat("BODY[] ", 101) + "FLAGS)",
	} {
		c.run("FETCH "+args, "BAD")
		c.run("NOOP", "OK")
	}
}

// R13: RFC822.SIZE is the length of BODY[], whatever the lines of the file end in, and every partial agrees with it.
func TestR13SizeIsLengthOfBody(t *testing.T) {
	mails := []string{
		message("plain", ""),
		strings.ReplaceAll(message("crlf", "X-UID: 3\n"), "\n", "\r\n"),
		"From joe@example.com Mon Sep  7 15:14:13 2009 +0000\nSubject: header only\n\n",
		"From joe@example.com Mon Sep  7 15:14:13 2009 +0000\nSubject: no newline\n\nbody\nlast line",
	}
	for _, mail := range mails {
		h := newHost(t, mail)
		c := h.connect()
		c.ok("SELECT INBOX")
		var size, length int
		scan(t, c.ok("FETCH 1 RFC822.SIZE")[0], "* 1 FETCH (RFC822.SIZE %d)", &size)
		whole := c.ok("FETCH 1 BODY.PEEK[]")[0]
		scan(t, whole, "* 1 FETCH (BODY[] {%d}", &length)
		_, text, _ := strings.Cut(whole, "}\r\n")
		text = text[:len(text)-1]
		if size != length || length != len(text) || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
			t.Errorf("size %d, literal %d, text %q", size, length, text)
		}
		for off := 0; off < length; off += 7 {
			part := c.ok(fmt.Sprintf("FETCH 1 BODY.PEEK[]<%d.7>", off))[0]
			want := text[off:min(off+7, length)]
			if !strings.HasSuffix(part, want+")") && !strings.HasSuffix(part, `"`+strings.ReplaceAll(want, `"`, `\"`)+`")`) {
				t.Errorf("octets from %d: %q, want %q", off, part, want)
			}
		}
	}
}

func scan(t *testing.T, s, format string, into ...any) {
	t.Helper()
	if _, err := fmt.Sscanf(s, format, into...); err != nil {
		t.Fatalf("%q is not %q: %v", s, format, err)
	}
}

// R18: a range up to "*" has the last message in it; sets may be written backwards.
func TestR18SetsWithStar(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("UID FETCH 100:* UID", "* 6 FETCH (UID 6)", "OK")
	c.run("UID FETCH *:100 UID", "* 6 FETCH (UID 6)", "OK")
	c.run("FETCH 3:2 UID", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "OK")
	c.run("FETCH *,1,1:2 UID", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 6 FETCH (UID 6)", "OK")
	c.run("UID SEARCH *:*", "* SEARCH 6", "OK")
	c.run("UID SEARCH UID *", "* SEARCH 6", "OK")
	c.run("UID FETCH 50,60:70 UID", "OK")
	c.ok(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
	c.ok("EXPUNGE")
	c.run("FETCH 1:* FLAGS", "OK")
	c.run("UID FETCH 1:* FLAGS", "OK")
	c.run("FETCH 1 FLAGS", "BAD")
}

// R23: reading a body marks the message and says so, once; with PEEK it does not.
func TestR23ImplicitSeen(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("FETCH 5 BODY.PEEK[TEXT]", "* 5 FETCH (BODY[TEXT] {13}\r\nThis is m5.\r\n)", "OK")
	c.run("FETCH 5 RFC822.HEADER", "* 5 FETCH (RFC822.HEADER {135}\r\nFrom: Joe...", "OK")
	c.run("FETCH 5 (FLAGS)", "* 5 FETCH (FLAGS ())", "OK")
	c.run("FETCH 5 BODY[TEXT]", "* 5 FETCH (BODY[TEXT] {13}\r\nThis is m5.\r\n FLAGS (\\Seen))", "OK")
	c.run("FETCH 5 BODY[TEXT]", "* 5 FETCH (BODY[TEXT] {13}\r\nThis is m5.\r\n)", "OK")
	c.run("FETCH 6 (FLAGS BODY[TEXT]<0.4>)", `* 6 FETCH (FLAGS (\Recent \Seen) BODY[TEXT]<0> "This")`, "OK")
}

// R23: FLAGS.SILENT is silent, and an empty list of flags is one.
func TestR23StoreSilent(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run(`STORE 1:5 FLAGS.SILENT (\Flagged)`, "OK")
	c.run("STORE 1 FLAGS ()", "* 1 FETCH (FLAGS ())", "OK")
	c.run("NOOP", "OK")
	c.run("UID FETCH 1:2 FLAGS", "* 1 FETCH (UID 1 FLAGS ())", `* 2 FETCH (UID 2 FLAGS (\Flagged))`, "OK")
}

// Messages of many megabytes go from the file to the client in pieces.
func TestFetchLargeMessage(t *testing.T) {
	line := strings.Repeat("x", 76) + "\n"
	h := newHost(t, "From joe@example.com Mon Sep  7 15:14:13 2009 +0000\nSubject: large\n\n"+strings.Repeat(line, 50000)+"\n"+message("next", ""))
	c := h.connect()
	c.ok("SELECT INBOX")
	whole := "Subject: large\r\n\r\n" + strings.Repeat(strings.ReplaceAll(line, "\n", "\r\n"), 50000)
	got := c.ok("FETCH 1 (UID BODY[])")
	if want := fmt.Sprintf("* 1 FETCH (UID 1 BODY[] {%d}\r\n%s FLAGS (\\Recent \\Seen))", len(whole), whole); got[0] != want {
		t.Errorf("whole: %d octets, want %d", len(got[0]), len(want))
	}
	part := c.ok("FETCH 1 BODY.PEEK[TEXT]<1000000.2000000>")[0]
	if want := whole[18+1000000:][:2000000]; !strings.HasSuffix(part, "{2000000}\r\n"+want+")") {
		t.Errorf("part: %.60q", part)
	}
	c.run("FETCH 1 BODY.PEEK[TEXT]<1000000.4>", `* 1 FETCH (BODY[TEXT]<1000000> "`+whole[18+1000000:][:4]+`")`, "OK")
	c.run("FETCH 2 BODY.PEEK[TEXT]", "* 2 FETCH (BODY[TEXT] {15}\r\nThis is next.\r\n)", "OK")
}

// R24: a FETCH whose data cannot be had says NO, and sends nothing wrong in its place.
func TestR24FailedFetchSaysNo(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("CHECK")
	h.edit("inbox", func(s string) string { // another program removes the second message
		second := strings.Index(s, "\nFrom joe") + 1
		third := second + 1 + strings.Index(s[second+1:], "\nFrom joe") + 1
		return s[:second] + s[third:]
	})
	untagged, done := c.do("FETCH 2 BODY.PEEK[TEXT]")
	if !strings.HasPrefix(done, "NO ") || strings.Contains(strings.Join(untagged, ""), "This is") {
		t.Errorf("fetch: %q %s", untagged, done)
	}
	c.ok("NOOP")
	c.run("FETCH 2 (UID BODY.PEEK[TEXT])", "* 2 FETCH (UID 3 BODY[TEXT] {13}\r\nThis is m3.\r\n)", "OK")
}
