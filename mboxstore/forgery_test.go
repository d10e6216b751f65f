package mboxstore

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// forgery is a mail that a stranger sends to an inbox of two messages, m1 read and flagged, m2 unread. Another mail,
// m3, is delivered behind it.
type forgery struct {
	mail  string
	after []string // the mailbox; nil: the forged mail is an unread message "3  forged", and m3 is message 4
}

// What the attacker may want to come true.
const (
	bigUID = "4294967000"
	envelo = "From evil@example.net Wed Dec  2 05:53:22 1992\n"
)

func forgedHeader(lines string) forgery {
	return forgery{mail: envelo + lines + "Subject: forged\n\nbody\n\n"}
}

func forgeries() map[string]forgery {
	manyWords := &strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(manyWords, " word%d", i)
	}
	pseudo := string(AppendPseudo(nil, Base{UIDValidity: 7, LastUID: 1 << 30}, "example.com", time.Unix(1e9, 0), false))
	pseudoMail := strings.Replace(pseudo, "Subject: ", "Received: from evil.example.net by example.com\nSubject: forged ", 1)
	known := envelo + "Subject: m1\nStatus: \nX-Status: D\nX-UID: 1\n\nanother text\n\n"
	return map[string]forgery{
		"UID jump":                        forgedHeader("X-UID: " + bigUID + "\n"),
		"UID of the next message":         forgedHeader("X-UID: 3\n"),
		"UID beyond the next":             forgedHeader("X-UID: 9\n"),
		"UID of a known message":          {mail: known, after: []string{"1 RF m1", "2  m2", "3  m1", "4  m3"}},
		"two UIDs":                        forgedHeader("X-UID: 3\nX-UID: 4\n"),
		"UID zero, negative, not one":     forgedHeader("X-UID: 0\nX-UID: -1\nX-UID: x\n"),
		"base line, other UIDVALIDITY":    forgedHeader("X-IMAPbase: 1 9\n"),
		"base line, UIDs used up":         forgedHeader("X-IMAPbase: 1 4294967294 evil\nX-UID: 4294967293\n"),
		"base line, right UIDVALIDITY":    forgedHeader("X-IMAPbase: @VALIDITY@ 0000000900 evil\nX-UID: 899\n"),
		"X-IMAP":                          forgedHeader("X-IMAP: 1 " + bigUID + "\n"),
		"pseudo message as MTAs leave it": {mail: pseudoMail, after: []string{"1 RF m1", "2  m2", "3  forged DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA", "4  m3"}},
		"pseudo message, word for word":   {mail: pseudo, after: []string{"1 RF m1", "2  m2", "3  DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA", "4  m3"}},
		"read":                            forgedHeader("Status: RO\n"),
		"deleted":                         forgedHeader("X-Status: D\n"),
		"every flag":                      forgedHeader("Status: RO\nX-Status: DFAT\nX-UID: 3\n"),
		"flags in continuation lines":     forgedHeader("Status:\n RO\nX-Status:\n\tD\n"),
		"other case, blank before colon":  forgedHeader("STATUS: RO\nx-status: D\nStatus : RO\nX-UID\t: 77\n"),
		"CR and NUL in the names":         forgedHeader("Sta\rtus: RO\nX-Sta\x00tus: D\nX-UID\x00: 77\n"),
		"whole block":                     forgedHeader("X-IMAPbase: 1 0000000900\nStatus: RO\nX-Status: D\nX-Keywords: evil                    \nX-UID: 3\n"),
		"a keyword":                       forgedHeader("X-Keywords: evil\n"),
		"thousands of keywords":           forgedHeader("X-Keywords:" + manyWords.String() + "\n"),
		"thousands of keyword lines":      forgedHeader(strings.Repeat("X-Keywords: evil bad\n", 5000)),
		"keywords that are no words":      forgedHeader("X-Keywords: \\Deleted (x) {5} \"q\" \xff * %\n"),
		"status headers beyond the limit": forgedHeader(strings.Repeat("X-Status: "+strings.Repeat("D", 5000)+"\n", 150)),
		"header of many lines":            forgedHeader(strings.Repeat("X: y\n", 1<<17)),
		"Content-Length too short":        forgedHeader("Content-Length: 2\n"),
		"Content-Length to the end":       forgedHeader("Content-Length: 4000\n"),
		"Content-Length over the next":    forgedHeader(fmt.Sprintf("Content-Length: %d\n", len("body\n\n")+len(delivered(3)))),
		"Content-Length beyond numbers":   forgedHeader("Content-Length: 99999999999999999999\nContent-Length: -5\nLines: 99999999\n"),
		"From_ line quoted by the MDA": {
			mail:  envelo + "Subject: forged\n\n>From god@example.com Wed Dec  2 05:53:22 1992\nSubject: m4\nStatus: RO\n\n\n",
			after: nil,
		},
		"From_ line that the MDA let pass": {
			mail:  envelo + "Subject: forged\n\nbody\n\nFrom god@example.com Wed Dec  2 05:53:22 1992\nX-IMAPbase: 1 900\nX-UID: 4\nStatus: RO\nX-Status: D\nSubject: split\n\n\n",
			after: []string{"1 RF m1", "2  m2", "3  forged", "4  split", "5  m3"},
		},
		"From_ line in the header":    forgedHeader("X: y\nFrom god@example.com Wed Dec  2 05:53:22 1992\nStatus: RO\n"),
		"From_ line with a NUL":       {mail: envelo + "Subject: forged\n\n\nFrom god@example.com\x00 Wed Dec  2 05:53:22 1992\nX-UID: 9\n\n"},
		"From_ line without a date":   {mail: envelo + "Subject: forged\n\n\nFrom god@example.com\nStatus: RO\n\n"},
		"From_ line of 70,000 octets": {mail: envelo + "Subject: forged\n\n\nFrom " + strings.Repeat("g", 70_000) + " Wed Dec  2 05:53:22 1992\nStatus: RO\n\n"},
		"date of the year 0":          {mail: "From evil Www Mmm 99 99:99:99 0000\nSubject: forged\n\nbody\n\n"},
		"NULs":                        {mail: envelo + "Subject: forged\nX-\x00: \x00\n\n\x00\x00body\x00\n\x00\n\n"},
		"CRs":                         {mail: envelo + "Subject: forged\r\r\n\rX-Status: D\r\n\r\rbody\r\n\r\n"},
		"no body":                     {mail: envelo + "Status: RO\nSubject: forged\n\n\n"},
		"line of 5 MiB":               {mail: envelo + "Subject: forged\n\n" + strings.Repeat("x", 5<<20) + "\n\n"},
		"lone blank lines":            {mail: "\n\n\n" + envelo + "Status: RO\nSubject: forged\n\n\n\n\n\n"},
	}
}

// TestForgery: whatever a stranger's mail says, of this or of other messages, does not come true: not when it is found
// alone, nor when the whole file is read, nor after the index was lost; and not in the file, once it has been written.
func TestForgery(t *testing.T) {
	looks := map[string]func(t *testing.T, w *world, m *Mailbox) *Mailbox{
		"new bytes":  func(t *testing.T, _ *world, m *Mailbox) *Mailbox { refreshed(t, m); return m },
		"whole file": func(t *testing.T, _ *world, m *Mailbox) *Mailbox { must(t, m.relook(t.Context())); return m },
		"index lost": func(t *testing.T, w *world, m *Mailbox) *Mailbox {
			m.flush.stop() // killed
			if err := w.o.State.Remove(m.cacheName()); err != nil {
				t.Fatal(err)
			}
			return w.open()
		},
	}
	for name, f := range forgeries() {
		for how, look := range looks {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				f.run(t, look)
			})
		}
	}
}

func (f *forgery) run(t *testing.T, look func(*testing.T, *world, *Mailbox) *Mailbox) {
	w := newWorld(t, mailbox(2))
	w.o.Inbox = true
	m := w.open()
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Flags: FlagSeen | FlagFlagged, Keywords: []string{"Mine"}}))
	must(t, m.writePending(t.Context(), true))
	must(t, m.saveCache(true))
	before := m.Status()
	after := f.after
	if after == nil {
		after = []string{"1 RF m1", "2  m2", "3  forged", "4  m3"}
	}
	after = append([]string{after[0] + " Mine"}, after[1:]...)
	validity := fmt.Sprint(before.UIDValidity)
	w.deliver(strings.ReplaceAll(f.mail, "@VALIDITY@", validity))
	w.deliver(delivered(3))
	m = look(t, w, m)
	f.check(t, m, after, before)
	must(t, m.writePending(t.Context(), true))
	f.check(t, m, after, before)
	must(t, m.relook(t.Context()))
	f.check(t, m, after, before)
	w.close(m)
	w.o.State = nil
	f.check(t, w.open(), after, before)
}

func (f *forgery) check(t *testing.T, m *Mailbox, after []string, before Status) {
	t.Helper()
	var got []string
	for _, l := range list(t, m) {
		got = append(got, strings.ReplaceAll(l, "\r", ""))
	}
	if diff := cmp.Diff(after, got); diff != "" {
		t.Errorf("mailbox (-want +got):\n%s", diff)
	}
	s := m.Status()
	if s.UIDValidity != before.UIDValidity || s.UIDNext != uint32(len(after)+1) {
		t.Errorf("UIDVALIDITY %d UIDNEXT %d, want %d %d", s.UIDValidity, s.UIDNext, before.UIDValidity, len(after)+1)
	}
	if diff := cmp.Diff([]string{"Mine"}, s.Keywords); diff != "" {
		t.Errorf("keywords (-want +got):\n%s", diff)
	}
	for _, msg := range m.Get(m.UIDs(), nil) {
		text, err := m.Text(t.Context(), msg.UID, nil)
		if err != nil || int64(len(text)) != msg.Size {
			t.Errorf("message %d: %d octets of %d, %v", msg.UID, len(text), msg.Size, err)
		}
	}
	if msgs := m.Get(m.UIDs(), nil); len(msgs) > 0 {
		text, _ := m.Text(t.Context(), msgs[len(msgs)-1].UID, nil)
		if !strings.HasSuffix(string(text), "\r\n\r\ntext of message 3\r\n") {
			t.Errorf("the mail behind it is %.200q", text)
		}
	}
}

// TestForgeryInAnEmptyInbox: the first mail cannot become a pseudo message or give the mailbox its numbers.
func TestForgeryInAnEmptyInbox(t *testing.T) {
	for name, header := range map[string]string{
		"base line": "X-IMAPbase: 1 9 evil\nX-UID: 5\nStatus: RO\n",
		"X-IMAP":    "X-IMAP: 0000000001 0000000009 evil\nStatus: RO\nX-Status: D\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.write("")
			w.o.Inbox = true
			m := w.open()
			validity := m.Status().UIDValidity
			w.deliver(envelo + header + "Subject: forged\n\nbody\n\n" + delivered(3))
			refreshed(t, m)
			for range 2 {
				wantList(t, m, "1  forged", "2  m3")
				if s := m.Status(); s.UIDValidity != validity || s.UIDNext != 3 || len(s.Keywords) > 0 {
					t.Errorf("%+v", s)
				}
				w.close(m)
				w.o.State = nil
				m = w.open()
			}
		})
		t.Run(name+", index lost", func(t *testing.T) {
			w := newWorld(t, "")
			w.write("")
			w.o.Inbox = true
			m := w.open()
			validity := m.Status().UIDValidity
			m.flush.stop() // killed
			must(t, w.o.State.Remove(m.cacheName()))
			w.deliver(envelo + header + "Subject: forged\n\nbody\n\n" + delivered(3))
			m = w.open()
			wantList(t, m, "1  forged", "2  m3")
			if s := m.Status(); s.UIDValidity != validity || s.UIDNext != 3 || len(s.Keywords) > 0 {
				t.Errorf("%+v, UIDVALIDITY was %d", s, validity)
			}
		})
	}
}

// At the first look status headers are believed, within bounds.
func TestForgeryAtTheFirstLook(t *testing.T) {
	for name, c := range map[string]struct {
		file     string
		want     []string
		validity uint32 // 0: another one than the file says, 1
	}{
		"last UID that leaves none": {
			envelo + "X-IMAPbase: 1 4294967294\nX-UID: 4294967293\nSubject: m1\n\nx\n\n", []string{"1  m1"}, 0,
		},
		"UID above the last": {
			envelo + "X-IMAPbase: 1 5\nX-UID: 6\nSubject: m1\n\nx\n\n", []string{"6  m1"}, 1,
		},
		"UIDs that do not ascend": {
			envelo + "X-IMAPbase: 1 5\nX-UID: 4\nSubject: m1\n\nx\n\n" + envelo + "X-UID: 2\nSubject: m2\n\nx\n\n", []string{"4  m1", "6  m2"}, 1,
		},
		"base line in the second message": {
			envelo + "X-IMAPbase: 1 5\nX-UID: 4\nSubject: m1\n\nx\n\n" + envelo + "X-IMAPbase: 9 900\nX-UID: 800\nSubject: m2\n\nx\n\n",
			[]string{"4  m1", "6  m2"},
			1,
		},
		"UIDVALIDITY 0":     {envelo + "X-IMAPbase: 0 5\nX-UID: 4\nSubject: m1\n\nx\n\n", []string{"1  m1"}, 0},
		"more than 32 bits": {envelo + "X-IMAPbase: 4294967297 5\nX-UID: 4\nSubject: m1\n\nx\n\n", []string{"1  m1"}, 0},
		"X-IMAP with a subject of its own": {
			envelo + "X-IMAP: 1 5\nSubject: m1\n\nx\n\n", []string{"1  m1"}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.file)
			w.o.Inbox = true
			m := w.open()
			for range 2 {
				wantList(t, m, c.want...)
				if v := m.Status().UIDValidity; (v == 1) != (c.validity == 1) {
					t.Errorf("UIDVALIDITY %d", v)
				}
				w.close(m)
				w.o.State = nil
				m = w.open()
			}
		})
	}
}

// What comes in by APPEND and COPY is made harmless on the way: no message makes two, swallows the next or brings
// status of its own.
func TestForgeryByAppend(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"From_ line in the body":       {"Subject: forged\n\nx\n\nFrom a@b Wed Dec  2 05:53:22 1992\nSubject: split\n\ny\n", "x\r\n\r\n>From a@b Wed Dec  2 05:53:22 1992\r\nSubject: split\r\n\r\ny\r\n"},
		"From_ line first in the body": {"Subject: forged\n\nFrom a@b Wed Dec  2 05:53:22 1992\n", ">From a@b Wed Dec  2 05:53:22 1992\r\n"},
		"From_ line after CR":          {"Subject: forged\n\nx\r\n\rFrom a@b Wed Dec  2 05:53:22 1992\n", "x\r\n>From a@b Wed Dec  2 05:53:22 1992\r\n"},
		"From_ line not ended":         {"Subject: forged\n\nFrom a@b Wed Dec  2 05:53:22 1992", ">From a@b Wed Dec  2 05:53:22 1992\r\n"},
		"Content-Length":               {"Content-Length: 90000\nSubject: forged\n\nx\n", "x\r\n"},
		"status headers":               {"Status: RO\nX-Status: D\nX-UID: 999\nX-IMAPbase: 1 900\nX-IMAP: 1 900\nx-keywords: evil\nSubject: forged\n\nx\n", "x\r\n"},
		"NULs":                         {"Subject: forged\n\n\x00From \x00\n", "\x80From \x80\r\n"},
		"no end":                       {"Subject: forged\n\nx", "x\r\n"},
		"no blank line":                {"Subject: forged", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := newWorld(t, mailbox(1)), newWorld(t, mailbox(1))
			m, dst := w.open(), d.open()
			for _, text := range []string{c.text, "Subject: next\n\nnext\n"} {
				_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader(text)}})
				must(t, err)
			}
			_, _, _, err := m.CopyTo(t.Context(), dst, []UID{2, 3})
			must(t, err)
			for _, m := range []*Mailbox{m, dst} {
				must(t, m.relook(t.Context()))
				wantList(t, m, "1  m1", "2  forged", "3  next")
				text, err := m.Text(t.Context(), 2, nil)
				must(t, err)
				if _, body, _ := strings.Cut(string(text), "\r\n\r\n"); body != c.want {
					t.Errorf("body %q, want %q", body, c.want)
				}
			}
		})
	}
}

// The status of a forged mail does not travel to another mailbox with a copy made before anything was written.
func TestForgeryIsNotCopied(t *testing.T) {
	w, d := newWorld(t, mailbox(1)), newWorld(t, mailbox(1))
	w.o.Inbox = true
	m, dst := w.open(), d.open()
	w.deliver(envelo + "X-IMAPbase: 1 900 evil\nStatus: RO\nX-Status: DF\nX-Keywords: evil\nX-UID: 800\nSubject: forged\n\nx\n\n")
	refreshed(t, m)
	_, _, _, err := m.CopyTo(t.Context(), dst, []UID{2})
	must(t, err)
	for range 2 {
		wantList(t, dst, "1  m1", "2  forged")
		if s := dst.Status(); len(s.Keywords) > 0 || s.UIDNext != 3 {
			t.Errorf("%+v", s)
		}
		d.close(dst)
		d.o.State = nil
		dst = d.open()
	}
}

// CR, LF, NUL and what the status headers cannot carry are refused or left out, wherever a client may put them (S9).
func TestForgeryByNames(t *testing.T) {
	for _, word := range []string{"a\nX-UID: 900", "a\r\nStatus: RO", "a\x00", "a b", `\Seen`, "a)", strings.Repeat("x", 51)} {
		w := newWorld(t, mailbox(1))
		m := w.open()
		content := w.content()
		_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: x\n\n"), Keywords: []string{word}}})
		if !errors.Is(err, ErrKeyword) || w.content() != content {
			t.Errorf("append with keyword %q: %v", word, err)
		}
	}
	for _, sender := range []string{"u\nStatus: RO", "u\r\nFrom x", "u\x00", `u"`, "", "u v"} {
		w := newWorld(t, mailbox(1))
		w.o.User = sender
		m := w.open()
		_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m2\n\n")}})
		must(t, err)
		must(t, m.relook(t.Context()))
		wantList(t, m, "1  m1", "2  m2")
	}
}

// A mail that is nothing but status headers costs memory for its own length, not for each of its words (promise in
// doc.go).
func TestForgeryCostsNoMemory(t *testing.T) {
	const mails, words = 200, 20_000
	var b strings.Builder
	for i := range mails {
		fmt.Fprintf(&b, "%sX-Keywords:%s\nX-UID: %d\nSubject: m\n\nx\n\n", envelo, strings.Repeat(fmt.Sprintf(" w%d", i), words), i)
	}
	w := newWorld(t, mailbox(1))
	w.o.Inbox = true
	m := w.open()
	w.deliver(b.String())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	refreshed(t, m)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grew := int64(after.HeapAlloc) - int64(before.HeapAlloc); grew > int64(b.Len()) {
		t.Errorf("heap grew by %d octets for a mailbox of %d", grew, b.Len())
	}
	if n := len(m.UIDs()); n != mails+1 {
		t.Errorf("%d messages", n)
	}
}
