package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// letter is a message with these header fields.
func letter(fields ...string) string {
	return "From joe@example.com Mon Sep  7 15:14:13 2009 +0000\n" + strings.Join(fields, "\n") + "\nStatus: RO\n\ntext\n\n"
}

// sortMail has five messages whose order differs with each key.
func sortMail() string {
	return letter("From: Zoe <a@example.com>", "To: r@example.com", "Cc: m@example.com", "Subject: Re: beta", "Date: Mon, 7 Sep 2009 15:00:00 +0000") +
		letter("From: b@example.com", "To: =?utf-8?q?=C3=84rzte?= <q@example.com>", "Subject: =?utf-8?q?=C3=A4pfel?=", "Date: Mon, 7 Sep 2009 15:00:00 +0200") +
		letter("From: \"anna x\" <c@example.com>", "To: friends: z@example.com;", "Cc: l@example.com", "Subject: [list] ALPHA", "Date: Mon, 7 Sep 2009 15:00:00 -0100", "X: "+strings.Repeat("x", 100)) +
		letter("From: B@example.com", "Subject: beta (fwd)", "Date: nonsense", "X: "+strings.Repeat("x", 50)) +
		"From joe@example.com Sun Sep  6 15:14:13 2009 +0000\nSubject:\nDate: Mon, 7 Sep 2009 14:00:00 +0000\n\ntext\n\n"
}

func TestSort(t *testing.T) {
	c := newHost(t, sortMail()).connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ args, want string }{
		{"(ARRIVAL) UTF-8 ALL", " 5 1 2 3 4"},
		{"(CC) UTF-8 ALL", " 2 4 5 3 1"},
		{"(DATE) UTF-8 ALL", " 2 5 1 4 3"},
		{"(FROM) UTF-8 ALL", " 5 1 2 4 3"},
		{"(SIZE) UTF-8 ALL", " 5 4 1 2 3"},
		{"(SUBJECT) UTF-8 ALL", " 5 3 2 1 4"},
		{"(TO) UTF-8 ALL", " 4 5 3 2 1"},
		{"(REVERSE DATE) UTF-8 ALL", " 3 4 1 5 2"},
		{"(SUBJECT REVERSE DATE) US-ASCII ALL", " 5 3 2 4 1"},
		{"(subject subject reverse subject) utf-8 all", " 5 3 2 1 4"},
		{"(DATE) UTF-8 1:3 NOT 2", " 1 3"},
		{"(DATE) UTF-8 SUBJECT nobody", ""},
		{"(DATE) {5+}\r\nUTF-8 SUBJECT {6+}\r\n\xc3\xa4pfel", " 2"},
		{"(DATE) \"ISO-8859-1\" SUBJECT {5+}\r\n\xc4PFEL", " 2"},
	} {
		c.run("SORT "+tt.args, "* SORT"+tt.want, "OK SORT completed")
	}
	c.ok(`STORE 1 +FLAGS (\Deleted)`)
	c.ok("EXPUNGE")
	c.run("UID SORT (SUBJECT) UTF-8 ALL", "* SORT 5 3 2 4", "OK UID SORT completed")
	c.run("SORT (SUBJECT) UTF-8 ALL", "* SORT 4 2 1 3", "OK SORT completed")
	c.run("UID SORT (SUBJECT) UTF-8 UID 3:4", "* SORT 3 4", "OK UID SORT completed")
}

func TestSortDisplay(t *testing.T) {
	c := newHost(t, sortMail()).connect()
	c.ok("SELECT INBOX")
	c.run("SORT (DISPLAYFROM) UTF-8 ALL", "* SORT 5 3 2 4 1", "OK SORT completed")
	c.run("SORT (DISPLAYTO) UTF-8 ALL", "* SORT 4 5 2 3 1", "OK SORT completed")
	c.run("SORT (REVERSE DISPLAYTO) UTF-8 ALL", "* SORT 1 3 2 4 5", "OK SORT completed")
}

// threadMail has answers: 1 (2 (3) 4), two without their question, and a reply by subject alone.
func threadMail() string {
	day := func(n int) string { return fmt.Sprintf("Date: %d Sep 2009 15:00:00 +0000", n) }
	return letter("Message-Id: <1@x>", "Subject: trip", day(1)) +
		letter("Message-Id: <2@x>", "References: <1@x>", "Subject: Re: trip", day(2)) +
		letter("Message-Id: <3@x>", "References: <1@x>\n <2@x>", "Subject: Re: trip", day(3)) +
		letter("Message-Id: <\"4\"@x>", "In-Reply-To: Your letter of Monday <1@x> <3@x>", "Subject: Re: trip", day(9)) +
		letter("Message-Id: <5@x>", "References: <0@x>", "Subject: lost", day(5)) +
		letter("Message-Id: <6@x>", "References: <0@x> <broken", "Subject: Re: lost", day(4)) +
		letter("Subject: Re: trip", day(6)) +
		letter("Message-Id: <8@x>", "References: <4@x>", "Subject: other", day(7))
}

func TestThread(t *testing.T) {
	c := newHost(t, threadMail()).connect()
	c.ok("SELECT INBOX")
	c.run("THREAD REFERENCES UTF-8 ALL", "* THREAD (1 (2 3)(7)(4 8))((6)(5))", "OK THREAD completed")
	c.run("THREAD REFS UTF-8 ALL", "* THREAD ((6)(5))(7)(1 (2 3)(4 8))", "OK THREAD completed")
	c.run("THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1 (2)(3)(7)(4))(6 5)(8)", "OK THREAD completed")
	c.run("THREAD orderedsubject us-ascii 5:6", "* THREAD (6 5)", "OK THREAD completed")
	c.run("THREAD REFERENCES UTF-8 NOT 1:2 NOT 7", "* THREAD ((3)(4 8))((6)(5))", "OK THREAD completed")
	c.run("THREAD REFERENCES UTF-8 SUBJECT nothing", "* THREAD", "OK THREAD completed")
	c.ok(`STORE 1 +FLAGS (\Deleted)`)
	c.ok("EXPUNGE")
	c.run("UID THREAD REFS UTF-8 ALL", "* THREAD ((6)(5))(7)((2 3)(4 8))", "OK UID THREAD completed")
	c.run("THREAD REFS UTF-8 ALL", "* THREAD ((5)(4))(6)((1 2)(3 7))", "OK THREAD completed")
}

func TestSortThreadSyntax(t *testing.T) {
	c := newHost(t, threadMail()).connect()
	c.run("SORT (DATE) UTF-8 ALL", "BAD ")
	c.ok("SELECT INBOX")
	for _, cmd := range []string{
		"SORT", "SORT ", "SORT DATE UTF-8 ALL", "SORT () UTF-8 ALL", "SORT (DATE)", "SORT (DATE) UTF-8", "SORT (DATE) UTF-8 ",
		"SORT (DATE) ALL", "SORT (REVERSE) UTF-8 ALL", "SORT (REVERSE REVERSE DATE) UTF-8 ALL", "SORT (SENDER) UTF-8 ALL",
		"SORT (DATE UTF-8 ALL", "SORT (DATE)) UTF-8 ALL", "SORT ((DATE)) UTF-8 ALL",
		"SORT (DATE) UTF-8 NONSENSE", "SORT (DATE) UTF-8 9", "SORT (" + strings.Repeat("DATE ", 100) + "CC) UTF-8 ALL",
		"THREAD", "THREAD ", "THREAD REFERENCES", "THREAD REFERENCES UTF-8", "THREAD NOTHING UTF-8 ALL", "THREAD (REFS) UTF-8 ALL",
		"THREAD REFERENCES ALL", "UID THREAD REFS UTF-8 NONSENSE",
	} {
		c.run(cmd, "BAD ")
		c.run("NOOP", "OK NOOP completed") // too many BADs in a row end a session
	}
	c.run("SORT (DATE) KLINGON ALL", "NO [BADCHARSET (US-ASCII UTF-8 ")
	c.run("THREAD REFS X-KLINGON ALL", "NO [BADCHARSET (US-ASCII UTF-8 ")
	c.run("SORT ("+strings.Repeat("DATE REVERSE SIZE ", 49)+"CC) UTF-8 1", "* SORT 1", "OK SORT completed")
	c.run("NOOP", "OK NOOP completed")
}

// TestSortHostileHeaders: what strangers write into headers costs bounded time and nothing of the grammar.
func TestSortHostileHeaders(t *testing.T) {
	long := strings.Repeat("[x]", 100_000)
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, " <%d@x>\n", i)
	}
	c := newHost(t, letter("Subject: "+long, "From: \x00\xff <", "Date: 99 Foo 99999", "Message-Id: <", "References:"+strings.TrimSuffix(many.String(), "\n"))+
		letter("Subject: Re: "+long, "From: @@@", "References: <19999@x>", "Message-Id: <19998@x>")+
		letter("Subject: \xe4\x00", "From: (((", "Message-Id: <19999@x>", "References: <19999@x> <19998@x>")+
		letter("Message-Id: <19999@x>")).connect()
	c.ok("SELECT INBOX")
	for _, key := range []string{"ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"} {
		if got := c.ok("SORT (" + key + ") UTF-8 ALL"); len(got) != 1 || len(strings.Fields(got[0])) != 6 {
			t.Errorf("SORT %s: %q", key, got)
		}
	}
	c.run("THREAD REFS UTF-8 ALL", "* THREAD (2 3 1)(4)", "OK THREAD completed")
	c.ok("THREAD REFERENCES UTF-8 ALL")
	c.ok("THREAD ORDEREDSUBJECT UTF-8 ALL")
}
