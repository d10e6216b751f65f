package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// draftWithParts is like the one of RFC 4469 §3: a multipart message, whose parts are put into another one.
const (
	bothText  = "This is the first part.\r\nIt has two lines.\r\n"
	bothImage = "R0lGODlhAQABAIAAAAUEBA==\r\n"
	bothHead  = "Date: Fri, 25 Feb 2005 10:00:00 +0000\r\nFrom: a@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
	bothMime1 = "Content-Type: text/plain\r\n\r\n"
	bothMime2 = "Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	bothMail  = bothHead + "--b\r\n" + bothMime1 + bothText + "\r\n--b\r\n" + bothMime2 + bothImage + "\r\n--b--\r\n"
)

// catenateHost has that message as number 7 of the INBOX and 1 of Drafts and of Entwürfe.
func catenateHost(t *testing.T) *host {
	t.Helper()
	h := newHost(t, sixMessages())
	c := h.connect()
	for _, name := range []string{"INBOX", "Drafts", "Entw&APw-rfe", "a/b"} {
		if name != "INBOX" {
			c.ok("CREATE " + name)
		}
		c.ok("APPEND " + name + " " + literal(bothMail))
	}
	return h
}

// appended appends and returns what is then in the mailbox.
func (c *client) appended(mailbox, args string) string {
	c.t.Helper()
	_, done := c.do("APPEND " + mailbox + " " + args)
	var validity, uid int
	if _, err := fmt.Sscanf(done, "OK [APPENDUID %d %d]", &validity, &uid); err != nil {
		c.t.Errorf("%.300s: %s", args, done)
		return ""
	}
	o := c
	var body string
	for _, r := range o.ok(fmt.Sprintf("UID FETCH %d BODY.PEEK[]", uid)) {
		if _, text, ok := strings.Cut(r, "}\r\n"); ok {
			body = strings.TrimSuffix(text, ")")
		}
	}
	return body
}

// The example of RFC 4469 §3, with our messages: text, parts of a draft, text.
func TestCatenate(t *testing.T) {
	h := catenateHost(t)
	c := h.connect()
	validity := strings.Fields(strings.Trim(c.ok("STATUS Drafts (UIDVALIDITY)")[0], ")"))[4]
	c.ok("SELECT INBOX")
	draft := "/Drafts;UIDVALIDITY=" + validity + "/;UID=1"
	text := "\r\n--------------030308070208000400050907\r\n"
	want := bothHead + text + bothMime1 + bothText + text + bothMime2 + bothImage + text
	c.send(`A003 APPEND INBOX (\Seen \Draft $MDNSent) CATENATE (URL "` + draft + `/;section=HEADER" ` + fmt.Sprintf("TEXT {%d}\r\n", len(text)))
	c.next("+ Ready for literal data")
	c.send(text + ` URL "` + draft + `/;section=1.MIME" URL "` + draft + `/;section=1" ` + fmt.Sprintf("TEXT {%d}\r\n", len(text)))
	c.next("+ Ready for literal data")
	c.send(text + ` URL "` + draft + `/;section=2.MIME" URL ` + draft + "/;section=2 TEXT " + literal(text) + ")\r\n")
	untagged, done := c.until("A003")
	if !matches("OK [APPENDUID <n> 8] APPEND completed", done) || len(untagged) < 2 || untagged[0] != "* 8 EXISTS" {
		t.Fatalf("%q %s", untagged, done)
	}
	c.run("FETCH 8 (FLAGS BODY.PEEK[])",
		fmt.Sprintf("* 8 FETCH (FLAGS (\\Recent \\Seen \\Draft $MDNSent) BODY[] {%d}\r\n%s)", len(want), want), "OK")
	// Nothing that was read has become \Seen.
	c.run("FETCH 7 FLAGS", `* 7 FETCH (FLAGS (\Recent))`, "OK")

	for _, tt := range []struct{ args, want string }{
		{`CATENATE (URL "/Drafts/;UID=1")`, bothMail},
		{`CATENATE (URL "/drafts/../Drafts/;UID=1")`, ""},
		{`CATENATE (URL ";UID=7")`, bothMail},
		{`catenate (url ";uid=7/;SECTION=HEADER" text ` + literal(bothText) + ")", bothHead + bothText},
		{`CATENATE (URL "/inbox/;UID=7/;SECTION=HEADER.FIELDS%20(SUBJECT)" URL ";UID=7/;SECTION=2")`, "Subject: parts\r\n\r\n" + bothImage},
		{`CATENATE (TEXT ` + literal("Subject: x\r\n\r\n") + ` URL "/a/b/;UID=1/;SECTION=1/;PARTIAL=12.5" TEXT ` + literal("\r\n") + ")", "Subject: x\r\n\r\n" + bothText[12:17] + "\r\n"},
		{`CATENATE (TEXT ` + literal("Subject: x\r\n\r\n") + ` URL "/a/b/;UID=1/;SECTION=1/;PARTIAL=25")`, "Subject: x\r\n\r\n" + bothText[25:]},
		{`CATENATE (TEXT ` + literal("Subject: x\r\n\r\n") + ` URL ";UID=7/;PARTIAL=999999")`, "Subject: x\r\n\r\n"},
		{`CATENATE (URL "/Entw%C3%BCrfe/;UID=1/;SECTION=HEADER" TEXT {0+}` + "\r\n)", bothHead},
		{`CATENATE (URL "/Entw&APw-rfe/;UID=1/;SECTION=HEADER")`, bothHead},
		{`CATENATE (URL {19+}` + "\r\n/%44rafts/;UID=1/;S)", ""},
		{`CATENATE (URL {16+}` + "\r\n/%44rafts/;UID=1)", bothMail},
	} {
		if tt.want == "" {
			c.run("APPEND INBOX "+tt.args, "NO [BADURL ")
			continue
		}
		if got := c.appended("INBOX", tt.args); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.args, got, tt.want)
		}
	}
	// Of several messages in one command.
	c.run("APPEND Drafts "+literal(bothMail)+` (\Draft) CATENATE (URL "/INBOX/;UID=7") `+literal(bothMail), "OK [APPENDUID")
	c.run("STATUS Drafts (MESSAGES)", "* STATUS Drafts (MESSAGES 4)", "OK")
}

func TestCatenateRefused(t *testing.T) {
	h := catenateHost(t)
	c := h.connect()
	c.ok("SELECT Drafts")
	c.ok("CHECK") // no UID is written later
	c.ok("UNSELECT")
	before := h.read("mail/Drafts")
	c.run(`APPEND Drafts CATENATE (URL ";UID=1")`, "NO [BADURL ;UID=1]") // nothing is selected
	c.ok("SELECT INBOX")
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct{ args, want string }{
		{`CATENATE (URL "/nowhere/;UID=1")`, "NO [BADURL /nowhere/;UID=1]"},
		{`CATENATE (URL "/INBOX/;UID=99")`, "NO [BADURL /INBOX/;UID=99]"},
		{`CATENATE (URL "/INBOX;UIDVALIDITY=1/;UID=1")`, "NO [BADURL /INBOX;UIDVALIDITY=1/;UID=1]"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=3")`, "NO [BADURL /INBOX/;UID=7/;SECTION=3]"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=MIME")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=1]")`, "NO [BADURL /INBOX/;UID=7/;SECTION=1%5D]"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=1%5D%20x")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=%zz")`, "NO [BADURL /INBOX/;UID=7/;SECTION=%zz]"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=HEADER.FIELDS%20({4}%0D%0Aabcd)")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=1.99999999999999999999")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;PARTIAL=1.0")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;PARTIAL=-1.5")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;PARTIAL=99999999999999999999")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;URLAUTH=anonymous:internal:0")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/;SECTION=1;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=anonymous")`, "NO [BADURL"},
		{`CATENATE (URL "imap://chris@example.org/INBOX/;UID=7")`, "NO [BADURL imap://chris@example.org/INBOX/;UID=7]"},
		{`CATENATE (URL "//example.org/INBOX/;UID=7")`, "NO [BADURL"},
		{`CATENATE (URL "http://example.org/")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=0")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=+7")`, "NO [BADURL"},
		{`CATENATE (URL "/INBOX/;UID=7/")`, "NO [BADURL"},
		{`CATENATE (URL "/;UID=7")`, "NO [BADURL"},
		{`CATENATE (URL "/../inbox/;UID=1")`, "NO [BADURL"},
		{`CATENATE (URL "/%2e%2e/inbox/;UID=1")`, "NO [BADURL"},
		{`CATENATE (URL "/%2fetc%2fpasswd/;UID=1")`, "NO [BADURL"},
		{`CATENATE (URL "/a%00b/;UID=1")`, "NO [BADURL"},
		{`CATENATE (URL "/%ff%fe/;UID=1")`, "NO [BADURL"},
		{`CATENATE (URL "")`, "NO"},
		{`CATENATE (URL "` + long + `")`, "NO [LIMIT]"},
		{"CATENATE (URL " + literal("/INBOX\xff\x80 \"\\/;UID=7\r\n") + ")", `NO [BADURL /INBOX%FF%80%20"\/;UID=7%0D%0A]`},
		{`CATENATE (URL "/INBOX/;UID=7/;PARTIAL=99999")`, "NO Empty message"},
		{"CATENATE (TEXT {0+}\r\n)", "NO Empty message"},
		{"CATENATE ()", "BAD"},
		{"CATENATE", "BAD"},
		{"CATENATE (", "BAD"},
		{"CATENATE {10}", "BAD"},
		{`CATENATE (TEXT "quoted")`, "BAD"},
		{`CATENATE (FROB ";UID=7")`, "BAD"},
		{`CATENATE (URL ";UID=7"`, "BAD"},
		{`CATENATE (URL ";UID=7"URL ";UID=7")`, "BAD"},
		{`CATENATE (URL ";UID=7") junk`, "BAD"},
		{`CATENATE (URL ";UID=7" TEXT ` + literal("x") + "TEXT " + literal("y") + ")", "BAD"},
		{`CATENATE (URL ";UID=7" UTF8 (~` + literal("x") + "))", "BAD"}, // not enabled
	} {
		_, done := c.do("APPEND Drafts " + tt.args)
		if !strings.HasPrefix(done, tt.want) {
			t.Errorf("%.200s: got %s, want %s", tt.args, done, tt.want)
		}
		c.run("NOOP", "OK")
	}
	if h.read("mail/Drafts") != before {
		t.Errorf("something was appended to\n%s\nnow\n%s", before, h.read("mail/Drafts"))
	}
	// With UTF8=ACCEPT a part may come as RFC 6855 §4 has it.
	c.ok("ENABLE UTF8=ACCEPT")
	head := "Subject: \u00fcber\r\n\r\n"
	if got := c.appended("INBOX", "CATENATE (UTF8 (~"+literal(head)+`) URL ";UID=7/;SECTION=1")`); got != head+bothText {
		t.Errorf("%q", got)
	}
}

func TestCatenateLimits(t *testing.T) {
	h := catenateHost(t)
	h.config.AppendLimit = 3 * int64(len(bothMail))
	c := h.connect()
	c.ok("SELECT INBOX")
	url := func(n int) string { return "CATENATE (" + strings.TrimSpace(strings.Repeat("URL ;UID=7 ", n)) + ")" }
	c.run("APPEND Drafts "+url(4), "NO [TOOBIG]")
	c.run("APPEND Drafts "+url(3), "OK [APPENDUID")
	c.run("APPEND Drafts CATENATE (URL ;UID=7 URL ;UID=7 TEXT {5000}", "NO [TOOBIG]")
	c.run("APPEND Drafts CATENATE (URL ;UID=7 URL ;UID=7 TEXT "+literal(strings.Repeat("x", 5000))+")", "NO [TOOBIG]")
	empty := strings.TrimSpace(strings.Repeat("URL ;UID=7/;PARTIAL=9999 ", 1001))
	c.run("APPEND Drafts CATENATE ("+empty+")", "NO [LIMIT]")
	c.run("STATUS Drafts (MESSAGES)", "* STATUS Drafts (MESSAGES 2)", "OK")
}

// Parts of a mailbox that others change meanwhile: what was announced by its UID is what is put in, or nothing is.
func TestCatenateWhileChanged(t *testing.T) {
	h := catenateHost(t)
	a, b := h.connect(), h.connect()
	a.ok("SELECT INBOX")
	b.ok("SELECT INBOX")
	a.send("x APPEND Drafts CATENATE (URL ;UID=7/;SECTION=HEADER TEXT {4}\r\n")
	a.next("+ Ready for literal data")
	b.ok(`STORE 1:6 +FLAGS (\Deleted)`)
	b.ok("EXPUNGE") // message 7 has another place in the file now
	h.deliver("inbox", message("new", ""))
	a.send("two\n URL ;UID=7/;SECTION=1 TEXT {6}\r\n")
	a.next("+ Ready for literal data")
	a.send("three\n)\r\n")
	if _, done := a.until("x"); !matches("OK [APPENDUID <n> 2] APPEND completed", done) {
		t.Error(done)
	}
	b.ok("SELECT Drafts")
	want := bothHead + "two\r\n" + bothText + "three\r\n"
	b.run("FETCH 2 BODY.PEEK[]", fmt.Sprintf("* 2 FETCH (BODY[] {%d}\r\n%s)", len(want), want), "OK")

	a.send("y APPEND Drafts CATENATE (URL ;UID=7/;SECTION=HEADER TEXT {4}\r\n")
	a.next("+ Ready for literal data")
	b.ok("SELECT INBOX")
	b.ok(`UID STORE 7 +FLAGS (\Deleted)`)
	b.ok("EXPUNGE")
	a.send("two\n URL ;UID=7/;SECTION=1)\r\n")
	if _, done := a.until("y"); !strings.HasPrefix(done, "NO [BADURL ;UID=7/;SECTION=1]") {
		t.Error(done)
	}
	a.has(a.ok("STATUS Drafts (MESSAGES)"), "* STATUS Drafts (MESSAGES 2)")
}
