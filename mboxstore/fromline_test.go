package mboxstore

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// valid says what UW (and we) make of a line, dovecot what Dovecot 2.3.19 makes of it; "" is the same.
var separatorTable = []struct {
	name, line string
	valid      bool
	dovecot    string
}{
	// The forms that UW's VALID was written for.
	{"asctime", "From u@e Wed Dec  2 05:53:22 1992\n", true, ""},
	{"no seconds", "From u@e Wed Dec  2 05:53 1992\n", true, ""},
	{"zone name before year", "From u@e Wed Dec  2 05:53:22 PST 1992\n", true, ""},
	{"zone name before year, no seconds", "From u@e Wed Dec  2 05:53 PST 1992\n", true, ""},
	{"zone number before year", "From u@e Wed Dec  2 05:53:22 -0700 1992\n", true, ""},
	{"zone number before year, no seconds", "From u@e Wed Dec  2 05:53 -0700 1992\n", true, ""},
	{"zone name after year", "From u@e Wed Dec  2 05:53:22 1992 PST\n", true, ""},
	{"zone name after year, no seconds", "From u@e Wed Dec  2 05:53 1992 PST\n", true, ""},
	{"zone number after year", "From u@e Wed Dec  2 05:53:22 1992 -0700\n", true, ""},
	{"zone number after year, no seconds", "From u@e Wed Dec  2 05:53 1992 -0700\n", true, ""},
	{"remote", "From u@e Wed Dec  2 05:53:22 1992 remote from host\n", true, ""},
	{"remote after zone", "From u@e Wed Dec  2 05:53 1992 -0700 remote from host\n", true, ""},
	{"CRLF", "From u@e Wed Dec  2 05:53:22 1992\r\n", true, ""},
	{"day with zero", "From u@e Wed Dec 02 05:53:22 1992\n", true, ""},
	{"dash as sender", "From - Wed Dec  2 05:53:22 1992\n", true, ""},
	{"two blanks after sender", "From u@e  Wed Dec  2 05:53:22 1992\n", true, ""},
	{"no sender, two blanks", "From  Wed Dec  2 05:53:22 1992\n", true, ""},
	{"no sender, one blank", "From Wed Dec  2 05:53:22 1992\n", true, "refused"},
	{"sender of two words", "From first last Wed Dec  2 05:53:22 1992\n", true, "refused"},
	{"quoted sender of two words", "From \"a b\"@e Wed Dec  2 05:53:22 1992\n", true, ""},
	{"no dates at all", "From the day xxx yyy 22 33:44 5555\n", true, "refused"},
	{"letters for digits", "From u@e Www Mmm dd hh:mm:ss yyyy\n", true, "refused"},
	{"hour with blank", "From u@e Wed Dec  2  5:53:22 1992\n", true, "refused"},
	{"8-bit sender", "From \xfc@e Wed Dec  2 05:53:22 1992\n", true, ""},

	{"no seconds, no sender", "From Wed Dec  2 05:53 1992\n", false, ""},
	{"day of one column", "From u@e Wed Dec 2 05:53:22 1992\n", false, "accepted"},
	{"hour of one column", "From u@e Wed Dec  2 5:53:22 1992\n", false, ""},
	{"year of two columns", "From u@e Wed Dec  2 05:53:22 92\n", false, ""},
	{"zone of one letter", "From u@e Wed Dec  2 05:53:22 1992 Z\n", false, "accepted"},
	{"zone of two letters", "From u@e Wed Dec  2 05:53:22 1992 UT\n", false, "accepted"},
	{"zone of four letters", "From u@e Wed Dec  2 05:53:22 CEST 1992\n", false, "accepted"},
	{"zone of two words", "From u@e Wed Dec  2 05:53:22 MET DST 1992\n", false, ""},
	{"zone with colon", "From u@e Wed Dec  2 05:53:22 1992 -07:00\n", false, "accepted"},
	{"trailing blank", "From u@e Wed Dec  2 05:53:22 1992 \n", false, "accepted"},
	{"RFC 822 date", "From u@e Wed, 2 Dec 1992 05:53:22 -0700\n", false, "accepted"},
	{"qmail's ISO date", "From u@e 1992-12-02 05:53:22\n", false, ""},
	{"tabs", "From u@e\tWed Dec  2 05:53:22 1992\n", false, ""},
	{"tab before year", "From u@e Wed Dec  2 05:53:22\t1992\n", false, "accepted"},
	{"quoted", ">From u@e Wed Dec  2 05:53:22 1992\n", false, ""},
	{"header field", "From: u@e Wed Dec  2 05:53:22 1992\n", false, ""},
	{"lower case", "from u@e Wed Dec  2 05:53:22 1992\n", false, ""},
	{"indented", " From u@e Wed Dec  2 05:53:22 1992\n", false, ""},
	{"prose", "From now on, all is well.\n", false, ""},
	{"no LF", "From u@e Wed Dec  2 05:53:22 1992", false, "accepted"},
	{"two CRs", "From u@e Wed Dec  2 05:53:22 1992\r\r\n", false, "accepted"},
	{"NUL", "From u@e\x00 Wed Dec  2 05:53:22 1992\n", false, "accepted"},
	{"empty", "\n", false, ""},
	{"only From", "From \n", false, ""},
	{"date reaches into From", "From c  2 05:53:22 1992 -0700\n", false, ""},
	{"remote on a short line", "From Wed Dec  2 05:53 remote from h\n", false, ""},

	// dovecot-mbox.md 10.1.
	{"dovecot 0", "From user@domain Thu Nov 29 23:33:09 1973 +0200\n", true, ""},
	{"dovecot 1", "From user@domain Thu Nov 29 19:33:09 1973 -0200\n", true, ""},
	{"dovecot 2", "From \"user name\"@domain  Fri Jan  2 10:13:52 UTC 1970 +0000\n", false, "accepted"},
	{"dovecot 3", "From user  Fri Jan  2 10:14 1970 +0000\n", true, ""},
	{"dovecot 4", "From user Fri, 2 Jan 1970 10:14:00 +0000\n", false, "accepted"},
	{"dovecot 5", "From user Fri, 2 Jan 1970 10:14 +0000\n", false, "accepted"},
	{"dovecot 6", "From  Fri Jan  2 10:14 1970 +0000\n", true, ""},
	{"dovecot 7", "From user Fri, 2 Foo 1970 10:14:00\n", false, ""},
	{"dovecot 8", "From Fri Jan  2 10:14 1970 +0000\n", true, "refused"},
	{"dovecot 9", "From user  Fri Jan  x 10:14 1970 +0000\n", true, "refused"},
	{"dovecot 10", "From user  Fri Jan  2 0:14 1970 +0000\n", false, ""},
	{"dovecot 11", "From user  Fri Jan  2 xx:14 1970 +0000\n", true, "refused"},
	{"dovecot 12", "From user  Fri Jan  2 10: 1970 +0000\n", false, ""},
	{"dovecot 13", "From user  Fri Jan  2 10:xx 1970 +0000\n", true, "refused"},
	{"dovecot 14", "From user  Fri Jan  2 10:xx +0000\n", false, ""},
	{"dovecot 2 without zone", "From \"user name\"@domain  Fri Jan  2 10:13:52 UTC 1970\n", true, ""},
	{"dovecot over-read", "From x Thu Jan  22 12:34:56 \n", false, ""},

	// dovecot-mbox.md 10.2.
	{"dovecot zone after year", "From u@e  Thu Nov  9 22:33:52 2001 +0300\n", true, ""},
	{"dovecot day of one column", "From u@e Thu Nov 9 22:33:52 2001\n", false, "accepted"},
	{"dovecot EST", "From u@e Thu Nov  9 22:33:52 EST 2001\n", true, ""},
	{"dovecot MET DST", "From u@e Thu Nov  9 22:33:52 MET DST 2001\n", false, ""},
	{"dovecot zone before year", "From u@e Thu Nov  9 22:33:52 +0300 2001\n", true, ""},
	{"dovecot no seconds", "From u@e Thu Nov  9 22:33 2001\n", true, ""},
	{"dovecot RFC 822", "From u@e Thu, 9 Nov 2002 22:33:52\n", false, "accepted"},
	{"dovecot RFC 822 zone", "From u@e Thu, 9 Nov 2002 22:33:52 -0800\n", false, "accepted"},
	{"dovecot remote", "From u@e Thu Nov 29 22:33:52 2001 remote from host\n", true, ""},
	{"dovecot two words", "From first last Thu Nov 29 22:33:52 2001\n", true, "refused"},
	{"dovecot month ???", "From u@e Xxx ??? 29 22:33:52 2001\n", true, ""},
	{"dovecot month lower case", "From u@e Thu nov 29 22:33:52 2001\n", true, ""},
	{"dovecot year of two columns", "From u@e Thu Nov 29 22:33:52 01\n", false, ""},
	{"dovecot day 39", "From u@e Thu Nov 39 99:99:99 2001\n", true, ""},
	{"dovecot ISO", "From u@e 2001-11-29 22:33:52\n", false, ""},
	{"dovecot half hour", "From u@e Thu Nov 29 22:33:52 2001 -0330\n", true, ""},
}

func TestParseFromLine(t *testing.T) {
	for _, c := range separatorTable {
		t.Run(c.name, func(t *testing.T) {
			if _, ok := ParseFromLine([]byte(c.line)); ok != c.valid {
				t.Errorf("ParseFromLine(%q) = %v, want %v", c.line, ok, c.valid)
			}
			if differs := map[string]bool{"accepted": true, "refused": false}; c.dovecot != "" && differs[c.dovecot] == c.valid {
				t.Errorf("table: Dovecot %s it as we do", c.dovecot)
			}
		})
	}
}

// Any cut of a separator's beginning or end must not be read beyond.
func TestParseFromLineCut(t *testing.T) {
	for _, c := range separatorTable {
		for i := range c.line {
			ParseFromLine([]byte(c.line[:i]))
			ParseFromLine([]byte(fromPrefix + c.line[i:]))
		}
	}
}

func TestParseFromLineTooLong(t *testing.T) {
	line := []byte("From " + strings.Repeat("x", maxFromLine) + " Wed Dec  2 05:53:22 1992\n")
	if _, ok := ParseFromLine(line); ok {
		t.Error("a line above the limit is a separator")
	}
	if _, ok := ParseFromLine(append([]byte(fromPrefix), line[len(line)-maxFromLine+5:]...)); !ok {
		t.Error("a line below the limit is no separator")
	}
}

func TestFromLineParts(t *testing.T) {
	for _, c := range []struct{ line, sender, date string }{
		{"From a@b Wed Dec  2 05:53:22 1992\r\n", "a@b", "Wed Dec  2 05:53:22 1992"},
		{"From a b  Wed Dec  2 05:53 1992 PST\n", "a b", "Wed Dec  2 05:53 1992 PST"},
		{"From Wed Dec  2 05:53:22 1992\n", "", "Wed Dec  2 05:53:22 1992"},
		{"From  Wed Dec  2 05:53:22 1992\n", "", "Wed Dec  2 05:53:22 1992"},
		{"From a@b Wed Dec  2 05:53:22 1992 remote from h\n", "a@b", "Wed Dec  2 05:53:22 1992"},
	} {
		f, ok := ParseFromLine([]byte(c.line))
		if !ok || string(f.Sender) != c.sender || string(f.Date) != c.date {
			t.Errorf("%q: sender %q, date %q, %v", c.line, f.Sender, f.Date, ok)
		}
	}
}

func TestFormatFromLine(t *testing.T) {
	at := time.Date(2009, 2, 3, 23, 31, 30, 0, time.UTC)
	for _, c := range []struct {
		name, sender string
		t            time.Time
		want         string
	}{
		{"plain", "ann@example.org", at, "From ann@example.org Tue Feb  3 23:31:30 2009 +0000\n"},
		{"zone", "ann", at.In(time.FixedZone("", -7*3600)), "From ann Tue Feb  3 16:31:30 2009 -0700\n"},
		{"half-hour zone", "ann", at.In(time.FixedZone("", 5*3600+1800)), "From ann Tue Feb  3 23:31:30 2009 +0000\n"},
		{"empty sender", "", at, "From MAILER-DAEMON Tue Feb  3 23:31:30 2009 +0000\n"},
		{"only junk", "\r\n\x00\"", at, "From MAILER-DAEMON Tue Feb  3 23:31:30 2009 +0000\n"},
		{"new line in sender", "a\nFrom b", at, "From aFrom_b Tue Feb  3 23:31:30 2009 +0000\n"},
		{"quoted sender", `"a b"@e`, at, "From a_b@e Tue Feb  3 23:31:30 2009 +0000\n"},
		{"before 1970", "ann", time.Date(12, 1, 1, 0, 0, 0, 0, time.UTC), "From ann Thu Jan  1 00:00:00 1970 +0000\n"},
		{"after 9999", "ann", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "From ann Thu Jan  1 00:00:00 1970 +0000\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FormatFromLine(c.sender, c.t); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if n := len(FormatFromLine(strings.Repeat("x", 5000), at)); n > firstLine {
		t.Errorf("separator has %d octets: UW would not see it at the start of a file", n)
	}
}

// FuzzFromLine: a separator's parts are parts of the line, in order; CRs and NULs elsewhere, and what stands behind
// the LF, do not matter to it; what we write we read.
func FuzzFromLine(f *testing.F) {
	for _, c := range separatorTable {
		f.Add([]byte(c.line), int64(1e9), int32(3600))
	}
	f.Fuzz(func(t *testing.T, line []byte, sec int64, zone int32) {
		if fl, ok := ParseFromLine(line); ok {
			text, _, _ := bytes.Cut(line, []byte{'\n'})
			if i := bytes.LastIndex(text, fl.Date); i < len(fromPrefix) || !bytes.Contains(text[:i], fl.Sender) || len(fl.Date) < 21 {
				t.Errorf("%q: sender %q, date %q", line, fl.Sender, fl.Date)
			}
			if _, ok := ParseFromLine(append(text[:len(text):len(text)], "\nmore\n"...)); !ok {
				t.Errorf("%q: depends on what follows", line)
			}
			if when, ok := fl.Time(time.UTC); ok && when.Year() < 1969 || !ok && when.Unix() != 0 {
				t.Errorf("%q: time %v, %v", line, when, ok)
			}
		}
		want := time.Unix(sec%253e9, 0).In(time.FixedZone("", int(zone)%86400))
		got, ok := ParseFromLine([]byte(FormatFromLine(string(line), want)))
		if !ok {
			t.Fatalf("sender %q: written separator is none", line)
		}
		when, ok := got.Time(nil)
		if y := want.Year(); ok && y > 1970 && y < 9999 && !when.Equal(want) || !ok {
			t.Errorf("wrote %v, read %v, %v", want, when, ok)
		}
	})
}
