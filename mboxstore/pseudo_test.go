package mboxstore

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const pseudoBody = `This text is part of the internal format of your mail folder, and is not
a real message.  It is created automatically by the mail system software.
If deleted, important folder data will be lost, and it will be re-created
with the data reset to initial values.

`

// formA and formB are what UW writes when it rewrites a mailbox, and when it creates one.
const (
	formA = `From MAILER-DAEMON Fri Feb  3 23:31:30 2009
Date: 03 Feb 2009 23:31:30 +0100
From: Mail System Internal Data <MAILER-DAEMON@host.example>
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
Message-ID: <1233700290@host.example>
X-IMAP: 1795369830 0000000003 kw1 $Junk
Status: RO

` + pseudoBody
	formB = `From MAILER-DAEMON Fri Feb  3 23:31:30 2009
Date: 03 Feb 2009 23:31:30 +0100
From: Mail System Internal Data <MAILER-DAEMON@host.example>
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
X-IMAP: 0000000012 0000000000
Status: RO

` + pseudoBody
)

func TestAppendPseudo(t *testing.T) {
	now := time.Date(2009, 2, 3, 23, 31, 30, 0, time.FixedZone("", 3600))
	weekday := func(s string) string { return strings.Replace(s, "Fri", "Tue", 1) }
	a := AppendPseudo(nil, Base{1795369830, 3, []string{"kw1", "no\nkeyword", "$Junk"}}, "host.example", now, false)
	if d := cmp.Diff(weekday(formA), string(a)); d != "" {
		t.Error(d)
	}
	b := AppendPseudo(nil, Base{UIDValidity: 12}, "host.example", now, true)
	if d := cmp.Diff(weekday(formB), string(b)); d != "" {
		t.Error(d)
	}
}

func TestPseudoHost(t *testing.T) {
	for name, want := range map[string]string{
		"h.example":              "@h.example>",
		"":                       "@localhost>",
		"a>\nX-UID: 1":           "@aX-UID1>",
		"a@b":                    "@ab>",
		strings.Repeat("h", 200): "@" + strings.Repeat("h", 80) + ">",
	} {
		if got := AppendPseudo(nil, Base{UIDValidity: 1}, name, time.Now(), true); !bytes.Contains(got, []byte(want)) {
			t.Errorf("host %q: %q", name, got)
		}
	}
}

// Whatever is written as a pseudo message is found as one, without leftovers, and says what it was given.
func TestPseudoScanned(t *testing.T) {
	base := Base{UIDValidity: 7, LastUID: 4294967295, Keywords: []string{"a", "b"}}
	for _, create := range []bool{false, true} {
		file := AppendPseudo(nil, base, "h", time.Now(), create)
		n := 0
		_, err := Scan(bytes.NewReader(file), 0, int64(len(file)), func(sp Span) error {
			n++
			if !sp.Pseudo || sp.End != int64(len(file)-1) {
				t.Errorf("span %+v", sp)
			}
			if d := cmp.Diff(&base, sp.Header.Status.Base); d != "" {
				t.Error(d)
			}
			return nil
		})
		if err != nil || n != 1 {
			t.Errorf("%d messages: %v", n, err)
		}
	}
}

func TestIsPseudo(t *testing.T) {
	edit := func(old, new string) string {
		if !strings.Contains(formA, old) {
			t.Fatalf("no %q in the pseudo message", old)
		}
		return strings.Replace(formA, old, new, 1)
	}
	add := func(line string) string { return edit("Status: RO\n", "Status: RO\n"+line+"\n") }
	for _, c := range []struct {
		name, msg string
		want      bool
	}{
		{"form A", formA, true},
		{"form B", formB, true},
		{"CRLF", strings.ReplaceAll(formA, "\n", "\r\n"), true},
		{"Dovecot's sender", edit("From MAILER-DAEMON", "From MAILER_DAEMON"), true},
		{"Dovecot's padding", edit("kw1 $Junk", "kw1"+strings.Repeat(" ", 50)), true},
		{"alpine's MIME", add("MIME-Version: 1.0\nContent-Type: text/plain\nContent-Length: 3\nLines: 4"), true},
		{"other status headers", add("X-Status: \nX-Keywords:\nX-UID: 1"), true},
		{"another text", strings.Replace(formA, pseudoBody, "Do not touch.\n", 1), true},
		{"another subject around the words", edit("DON'T DELETE THIS MESSAGE -- ", ""), true},

		{"delivered", add("Received: from x by y; Tue, 3 Feb 2009 23:31:30 +0000"), false},
		{"to somebody", add("To: user@host.example"), false},
		{"Return-Path", edit("Date:", "Return-Path: <>\nDate:"), false},
		{"X-header", add("X-Spam: no"), false},
		{"a line without colon", add("hello"), false},
		{"another sender", edit("From MAILER-DAEMON", "From eve@example.org"), false},
		{"sender in other case", edit("From MAILER-DAEMON", "From mailer-daemon"), false},
		{"subject of a mail", edit("FOLDER INTERNAL DATA", "hello"), false},
		{"no subject", edit("Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n", ""), false},
		{"words in another field", edit("Subject: DON'T DELETE THIS MESSAGE", "Date: DON'T DELETE THIS MESSAGE"), false},
		{"no X-IMAP", edit("X-IMAP: 1795369830 0000000003 kw1 $Junk\n", ""), false},
		{"X-IMAPbase", edit("X-IMAP:", "X-IMAPbase:"), false},
		{"X-IMAPbase as well", add("X-IMAPbase: 1 2"), false},
		{"X-IMAP in other case", edit("X-IMAP:", "X-Imap:"), false},
		{"UIDVALIDITY 0", edit("1795369830", "0000000000"), false},
		{"UIDVALIDITY of 33 bits", edit("1795369830", "4294967296"), false},
		{"X-IMAP in the body", edit("X-IMAP:", "\nX-IMAP:"), false},
		{"folded line first", edit("Date:", " Received: x\nDate:"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, rest, _ := strings.Cut(c.msg, "\n")
			from, ok := ParseFromLine([]byte(line + "\n"))
			if got := IsPseudo(from, []byte(rest)); !ok || got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
