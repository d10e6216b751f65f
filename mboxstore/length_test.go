package mboxstore

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The length lines that mutt and Dovecot write into the headers of messages that they write back.

var muttLine = regexp.MustCompile(`(?m)^(Status|X-Status|Content-Length|Lines):.*\n`)

// writtenByMutt gives a message the status headers of mutt, with these letters, at the end of its header.
func writtenByMutt(message, status, xstatus string) string {
	header, body, _ := strings.Cut(message, "\n\n")
	header = muttLine.ReplaceAllString(header+"\n", "")
	if status != "" {
		header += "Status: " + status + "\n"
	}
	if xstatus != "" {
		header += "X-Status: " + xstatus + "\n"
	}
	text := strings.TrimSuffix(body, "\n")
	return fmt.Sprintf("%sContent-Length: %d\nLines: %d\n\n%s", header, len(text), strings.Count(text, "\n"), body)
}

// writtenByDovecot gives a message its Content-Length, right behind its status headers.
func writtenByDovecot(message string) string {
	header, body, _ := strings.Cut(message, "\n\n")
	return fmt.Sprintf("%s\nContent-Length: %d\n\n%s", header, len(body)-1, body)
}

// everyMessage applies f to all messages; n counts from 1.
func everyMessage(f func(n int, message string) string) func(w *world) {
	return joined(func(list []string) []string {
		for i := range list {
			list[i] = f(i+1, list[i])
		}
		return list
	})
}

func lengthChanges() map[string]foreignChange {
	flagged := []string{"1 R m1", "2 R m2", "3 R m3", "4 RF m4", "5 R m5"}
	mutt := func(n int, message string) string {
		if n == 4 {
			return writtenByMutt(message, "RO", "F")
		}
		return writtenByMutt(message, "RO", "")
	}
	dovecot := func(n int, message string) string {
		if n == 4 {
			message = strings.Replace(message, "X-Status: \n", "X-Status: F\n", 1)
		}
		return writtenByDovecot(message)
	}
	return map[string]foreignChange{
		"mutt": {everyMessage(mutt), flagged, Changes{Changed: []UID{4}}},
		"mutt, twice": {
			func(w *world) { everyMessage(mutt)(w); everyMessage(mutt)(w) },
			flagged,
			Changes{Changed: []UID{4}},
		},
		"mutt, by rename": {renamed(everyMessage(mutt)), flagged, Changes{Changed: []UID{4}}},
		"mutt, one deleted, mail delivered": {
			func(w *world) {
				everyMessage(mutt)(w)
				joined(func(m []string) []string { return append(m[:1], m[2:]...) })(w)
				w.deliver(delivered(6))
			},
			[]string{"1 R m1", "3 R m3", "4 RF m4", "5 R m5", "6  m6"},
			Changes{Expunged: []UID{2}, Changed: []UID{4}, New: []UID{6}},
		},
		"mutt, without our headers": {
			func(w *world) {
				w.overwrite(statusLine.ReplaceAllString(w.content(), ""))
				everyMessage(mutt)(w)
			},
			flagged,
			Changes{Changed: []UID{4}},
		},
		"Dovecot": {everyMessage(dovecot), flagged, Changes{Changed: []UID{4}}},
		"Dovecot, then mutt": {
			func(w *world) { everyMessage(dovecot)(w); everyMessage(mutt)(w) },
			flagged,
			Changes{Changed: []UID{4}},
		},
		"an MDA's place": {
			everyMessage(func(_ int, m string) string { return strings.Replace(m, "Subject:", "Content-Length: 19\nSubject:", 1) }),
			nil,
			Changes{},
		},
		"continued and misspelled": {
			everyMessage(func(_ int, m string) string {
				return strings.Replace(m, "Subject:", "content-length : 19\n 20\nLINES: 3\n\t4\nSubject:", 1)
			}),
			nil,
			Changes{},
		},
		"a Lines header of the sender's is another message": {
			replaceIn(2, "Subject:", "Lines: 3\nSubject:"),
			[]string{"1 R m1", "3 R m3", "4 R m4", "5 R m5", "6 R m2"},
			Changes{Expunged: []UID{2}, New: []UID{6}},
		},
	}
}

func TestLengthLinesUnderSessions(t *testing.T) {
	for name, c := range lengthChanges() {
		for _, pseudo := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", pseudo message ", pseudo), func(t *testing.T) { c.run(t, pseudo) })
		}
	}
}

// mutt comes before our numbers are in the file.
func TestLengthLinesBeforeNumbers(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		w := newWorld(t, mailbox(3))
		w.o.Inbox = inbox
		m := w.open()
		session := watch(m)
		everyMessage(func(n int, message string) string {
			if n == 2 {
				return writtenByMutt(message, "RO", "A")
			}
			return writtenByMutt(message, "", "")
		})(w)
		refreshed(t, m)
		want := []string{"1  m1", "2 RA m2", "3  m3"}
		wantList(t, m, want...)
		if c := session.told(t, m); len(c.New)+len(c.Expunged) > 0 {
			t.Errorf("told %+v", c)
		}
		must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
		w.close(m)
		w.o.State = nil
		m = w.open()
		want[2] = "3 F m3"
		wantList(t, m, want...)
	}
}

// A Content-Length where an MDA put it does not make flags dear: they change in place, and it stays where it is.
func TestLengthLinesLeaveEditsInPlace(t *testing.T) {
	everywhere := strings.ReplaceAll(mailbox(3), "Subject:", "Content-Length: 19\nLines: 1\nSubject:")
	w := newWorld(t, everywhere)
	m := w.open()
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	before := w.content()
	must(t, m.Store(t.Context(), []UID{1, 3}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.Flush(t.Context()))
	after := w.content()
	if got := strings.Count(after, "\nContent-Length: 19\nLines: 1\nSubject: "); got != 3 {
		t.Errorf("%d length lines are where they were:\n%s", got, after)
	}
	plain := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), "X-Status:F", "X-Status:")
	}
	if len(after) != len(before) || plain(after) != plain(before) || after == before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	wantList(t, m, "1 RF m1", "2 R m2", "3 RF m3")
}

// The room of length lines is used for status headers: a flag on what mutt wrote moves nothing in the file.
func TestLengthLinesAreRoom(t *testing.T) {
	w := numberedWorld(t, false)
	everyMessage(func(_ int, message string) string { return writtenByMutt(message, "RO", "") })(w)
	m := w.open()
	before := w.content()
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.Flush(t.Context()))
	after := w.content()
	if len(after) != len(before) || strings.Count(after, "Content-Length:") != 4 || strings.Count(after, "Lines:") != 4 {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	must(t, m.relook(t.Context()))
	wantList(t, m, "1 R m1", "2 RF m2", "3 R m3", "4 R m4", "5 R m5")
}

// Whatever APPEND and COPY are given, it is served without length lines, at the size that is told.
func TestAppendLengthLines(t *testing.T) {
	w := newWorld(t, mailbox(1))
	m := w.open()
	text := "Content-Length: 3\r\nLines: 1\r\nSubject: a\r\nLines: 7\r\nContent-Length: 3\r\n\r\nx\r\n"
	served := "Subject: a\r\nLines: 7\r\n\r\nx\r\n"
	_, uids, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader(text)}})
	must(t, err)
	check := func() {
		t.Helper()
		got := m.Get(uids, nil)
		if len(got) != 1 || int(got[0].Size) != len(served) || got[0].HeaderSize != got[0].Size-int64(len("x\r\n")) {
			t.Errorf("%+v, want %d octets", got, len(served))
		}
		if b := servedOf(t, m, uids[0]); b != served {
			t.Errorf("served %q", b)
		}
	}
	check()
	must(t, m.Store(t.Context(), uids, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.Flush(t.Context()))
	must(t, m.relook(t.Context()))
	check()
	w.close(m)
	m = w.open()
	check()
	wantList(t, m, "1  m1", "2 F a")
}

func servedOf(t *testing.T, m *Mailbox, uid UID) string {
	t.Helper()
	b, err := m.Text(t.Context(), uid, nil)
	must(t, err)
	return string(b)
}
