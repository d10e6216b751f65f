package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sharedStarts are the states of a mailbox from which the programs take turns.
var sharedStarts = []string{
	"procmail-delivered.mbox", "uw-pseudo.mbox", "uw-imapbase.mbox", "dovecot-pseudo.mbox",
	"dovecot-content-length.mbox", "mutt-status.mbox", "no-final-newline.mbox", "from-in-prose.mbox", "generated.mbox",
}

// TestInteropTurns lets spoold, c-client and Dovecot write to one mailbox in turn, with
// spoold's server running and the mailbox selected all the time. Whoever reads next must
// see what the last one left: same UIDVALIDITY, UIDs, flags, dates, texts, no warning.
func TestInteropTurns(t *testing.T) {
	needs(t, mailutil, dovecot)
	files := readingFiles(t)
	for _, name := range sharedStarts {
		t.Run(name, func(t *testing.T) {
			s := shared{host: newHost(t, "u"), start: time.Now()}
			s.put("u", "box", files[name])
			s.serve()
			s.client = s.login("u")
			first := s.client.read("SELECT", "box")
			s.validity = first.UIDValidity
			s.spooldWrites()
			s.allRead("after spoold wrote")
			s.cclientWrites()
			s.allRead("after c-client wrote")
			s.dovecotWrites()
			s.allRead("after Dovecot wrote")
			s.spooldWrites()
			s.dovecotAgain()
			s.allRead("after spoold wrote again")
			s.client.logout()
			if w := s.spooldWarnings(); w != "" {
				t.Errorf("spoold warns:\n%s", w)
			}
		})
	}
}

// shared is one mailbox that three programs use: folder box of user u.
type shared struct {
	*host
	client   *client // of spoold, with the mailbox selected
	start    time.Time
	validity uint32
	turns    int
}

// tricky is a message whose header and body try to be taken for what they are not.
const tricky = "Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nFrom: Tricky <t@example.org>\r\nSubject: turn %d of %s\r\n" +
	"Message-ID: <%[1]d.%[2]s@turns.example.org>\r\nStatus: D\r\nX-UID: 4000000000\r\nX-Other: kept\r\nX-IMAP: 77 88\r\n\r\n" +
	"From here on:\r\nFrom u@example.org Mon Nov  2 10:00:00 2026\r\nX-UID: 3\r\n>From me\r\n8 bit: \xc3\xa9\r\n"

// spooldWrites sets flags on two messages, expunges one and appends one.
func (s *shared) spooldWrites() {
	s.t.Helper()
	s.turns++
	c := s.client
	c.ok(`STORE 1 +FLAGS (\Flagged Turn%d)`, s.turns)
	c.ok(`STORE 1:* +FLAGS (\Seen)`)
	a := c.appendMail("box", fmt.Sprintf(`(\Answered Turn%d) "09-Nov-2001 22:33:52 +0530"`, s.turns), fmt.Sprintf(tricky, s.turns, "spoold"))
	if a.status != "OK" || !strings.HasPrefix(code(a.text), fmt.Sprintf("APPENDUID %d ", s.validity)) {
		s.t.Fatalf("APPEND: %s %s", a.status, a.text)
	}
	c.ok(`STORE 2 +FLAGS (\Deleted)`)
	c.ok("EXPUNGE")
	c.ok("CHECK")
}

// cclientWrites expunges spoold's message and appends one.
func (s *shared) cclientWrites() {
	s.t.Helper()
	s.turns++
	before := s.client.read("SELECT", "box")
	s.client.ok("CHECK") // the recency is spent; c-client is to find it written
	message := fmt.Sprintf("From mda@example.org Mon Nov  9 10:00:00 2026\nSubject: turn %d of cclient\n\n>From me\n\n", s.turns)
	writeFile(s.t, s.owner, filepath.Join(s.home("u"), "extra"), []byte(message))
	if _, w := runMailutil(s.t, s.owner, s.home("u"), "append", "extra", "mail/box"); w != "" {
		s.t.Errorf("mailutil append: %s", w)
	}
	if _, w := runMailutil(s.t, s.owner, s.home("u"), "prune", "mail/box", fmt.Sprintf(`SUBJECT "turn %d of spoold"`, s.turns-1)); w != "" {
		s.t.Errorf("mailutil prune: %s", w)
	}
	s.client.ok("NOOP")
	s.changed("c-client", before.Mails, fmt.Sprintf("turn %d of spoold", s.turns-1), fmt.Sprintf("turn %d of cclient", s.turns))
}

// changed checks that of the mails before just the one with subject gone is gone, one
// with subject added has come with a new UID, and all others are what they were.
func (s *shared) changed(who string, before []mail, gone, added string) {
	s.t.Helper()
	after := s.client.read("SELECT", "box")
	if after.UIDValidity != s.validity {
		s.t.Errorf("UIDVALIDITY %d after %s wrote, was %d", after.UIDValidity, who, s.validity)
	}
	isSubject := func(subject string) func(mail) bool {
		return func(m mail) bool { return strings.Contains(m.Text, "Subject: "+subject+"\r\n") }
	}
	want := slices.DeleteFunc(slices.Clone(before), isSubject(gone))
	got := slices.DeleteFunc(slices.Clone(after.Mails), isSubject(added))
	if len(got) != len(after.Mails)-1 || len(want) != len(before)-1 {
		s.t.Errorf("%q is there %d times, %q was %d times", added, len(after.Mails)-len(got), gone, len(before)-len(want))
	}
	renumber := func(mails []mail) {
		for i := range mails {
			mails[i].Seq, mails[i].Recent = uint32(i+1), false
		}
	}
	renumber(want)
	renumber(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("other messages after %s wrote (-want +got):\n%s", who, diff)
	}
	if uids := uidsOf(after.Mails); !slices.IsSorted(uids) || len(before) > 0 && uids[len(uids)-1] <= before[len(before)-1].UID {
		s.t.Errorf("UIDs after %s wrote: %v; before: %v", who, uids, uidsOf(before))
	}
}

// dovecotWrites does over IMAP what spooldWrites does, and compares what both see.
func (s *shared) dovecotWrites() {
	s.t.Helper()
	s.turns++
	s.client.ok("CHECK")
	d := startDovecot(s.t, s.owner, s.home("u"), "inbox")
	d.open("SELECT", "box")
	d.ok(`STORE 1 +FLAGS (\Answered Dove%d)`, s.turns)
	d.ok(`STORE 1 -FLAGS (\Flagged)`)
	// Dovecot stores a separator in a body as it is; for all others it then separates.
	message := strings.ReplaceAll(fmt.Sprintf(tricky, s.turns, "dovecot"), "\r\nFrom u@", "\r\n>From u@")
	if a := d.appendMail("box", `(\Draft) "09-Nov-2001 22:33:52 +0100"`, message); a.status != "OK" {
		s.t.Fatalf("Dovecot APPEND: %s %s", a.status, a.text)
	}
	d.ok(`STORE 2 +FLAGS (\Deleted)`)
	d.ok("EXPUNGE")
	d.read("SELECT", "box")
	d.ok("CLOSE")
	theirs := d.read("EXAMINE", "box")
	d.logout()
	s.client.ok("NOOP")
	s.compare("Dovecot", "after Dovecot wrote", reading{UIDValidity: theirs.UIDValidity, Mails: theirs.Mails})
}

// dovecotAgain reads with the index that Dovecot kept from its last turn.
func (s *shared) dovecotAgain() {
	s.t.Helper()
	d := startDovecot(s.t, s.owner, s.home("u"), "inbox")
	theirs := d.read("SELECT", "box")
	d.logout()
	s.compare("Dovecot", "with its index", reading{UIDValidity: theirs.UIDValidity, Mails: theirs.Mails, Warnings: dovecotWarnings(s.t, s.home("u"))})
}

// allRead reads a copy of the file with c-client and with Dovecot.
func (s *shared) allRead(when string) {
	s.t.Helper()
	s.client.read("SELECT", "box") // spends the recency
	s.client.ok("CHECK")
	file := readFile(s.t, s.file("u", "box"))
	s.compare("c-client", when, readCclient(s.t, file))
	s.compare("Dovecot", when, readDovecot(s.t, file))
	if s.t.Failed() {
		s.t.Fatalf("%s; the file:\n%.6000s", when, file)
	}
}

// compare checks that a peer's reading is spoold's, and that the peer warns of nothing.
func (s *shared) compare(peer, when string, theirs reading) {
	s.t.Helper()
	b := s.client.read("SELECT", "box")
	ours := reading{UIDValidity: b.UIDValidity, Mails: b.Mails}
	if b.UIDValidity != s.validity {
		s.t.Errorf("%s: UIDVALIDITY %d, was %d", when, b.UIDValidity, s.validity)
	}
	if aspects, detail := differences(asReadBy(peer, ours), asReadBy(peer, theirs), s.start); len(aspects) > 0 || theirs.UIDValidity != s.validity {
		s.t.Errorf("%s %s: %v differ, UIDVALIDITY %d and %d (-spoold +%s):\n%s", peer, when, aspects, s.validity, theirs.UIDValidity, peer, detail)
	}
	if theirs.Warnings != "" {
		s.t.Errorf("%s %s warns: %s", peer, when, theirs.Warnings)
	}
}
