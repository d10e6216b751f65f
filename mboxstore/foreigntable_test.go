package mboxstore

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watcher is a session's view of a mailbox: what it believes after it was told all changes.
type watcher struct {
	uids   []UID
	modseq uint64
}

func watch(m *Mailbox) *watcher {
	s := m.Status()
	return &watcher{slices.Clone(m.UIDs()), s.ModSeq}
}

// told takes over what changed, as EXPUNGE, EXISTS and FETCH would tell it.
func (v *watcher) told(t *testing.T, m *Mailbox) Changes {
	t.Helper()
	c := m.Changes(v.modseq)
	for _, u := range c.Expunged {
		i, ok := slices.BinarySearch(v.uids, u)
		if !ok {
			t.Errorf("expunged UID %d, of which nobody was told", u)
			continue
		}
		v.uids = slices.Delete(v.uids, i, i+1)
	}
	for _, u := range c.New {
		if n := len(v.uids); n > 0 && u <= v.uids[n-1] {
			t.Errorf("new UID %d comes behind %d", u, v.uids[n-1])
		}
		v.uids = append(v.uids, u)
	}
	for _, u := range c.Changed {
		if _, ok := slices.BinarySearch(v.uids, u); !ok {
			t.Errorf("UID %d changed, of which nobody was told", u)
		}
	}
	if diff := cmp.Diff(m.UIDs(), v.uids); diff != "" {
		t.Errorf("what the session was told of the messages (-is +told):\n%s", diff)
	}
	v.modseq = c.ModSeq
	c.ModSeq = 0
	return c
}

// foreignChange is what another program makes of the file of five messages, and what sessions are told.
type foreignChange struct {
	change func(w *world)
	want   []string // nil: as before
	told   Changes
}

var statusLine = regexp.MustCompile(`(?m)^(Status|X-Status|X-Keywords|X-UID|X-IMAPbase):.*\r?\n`)

var readLine = regexp.MustCompile(`(?m)^Status: R.*\n`)

// edited applies f to the messages behind the pseudo message.
func edited(f func(head string, messages []string) string) func(w *world) {
	return func(w *world) {
		messages, head := split(w.t, w.content()), ""
		if strings.Contains(messages[0], pseudoMark) {
			head, messages = messages[0], messages[1:]
		}
		w.overwrite(f(head, messages))
	}
}

func joined(f func(messages []string) []string) func(w *world) {
	return edited(func(head string, messages []string) string { return head + strings.Join(f(messages), "") })
}

// renamed puts the result of f in the place of the file, as another inode.
func renamed(f func(w *world)) func(w *world) {
	return func(w *world) {
		old := w.content()
		f(w)
		changed := w.content()
		w.overwrite(old)
		must(w.t, os.WriteFile(w.path+".new", []byte(changed), 0o600))
		must(w.t, os.Rename(w.path+".new", w.path))
	}
}

// sameTime lets the file's times and size look as if nothing had happened, as far as another program can.
func sameTime(f func(w *world)) func(w *world) {
	return func(w *world) {
		info, err := os.Stat(w.path)
		must(w.t, err)
		f(w)
		must(w.t, os.Chtimes(w.path, info.ModTime(), info.ModTime()))
		if now, err := os.Stat(w.path); err != nil || now.Size() != info.Size() {
			w.t.Fatalf("size %d, was %d, %v", now.Size(), info.Size(), err)
		}
	}
}

func replaceIn(n int, old, with string) func(w *world) {
	return joined(func(m []string) []string {
		if !strings.Contains(m[n-1], old) {
			panic("no " + old + " in " + m[n-1])
		}
		m[n-1] = strings.Replace(m[n-1], old, with, 1)
		return m
	})
}

func everywhere(old, with string) func(w *world) {
	return edited(func(head string, m []string) string {
		return strings.ReplaceAll(head+strings.Join(m, ""), old, with)
	})
}

func foreignChanges() map[string]foreignChange {
	five := []string{"1 R m1", "2 R m2", "3 R m3", "4 R m4", "5 R m5"}
	without := func(gone ...int) []string {
		return slices.DeleteFunc(slices.Clone(five), func(s string) bool {
			return slices.ContainsFunc(gone, func(n int) bool { return strings.HasPrefix(s, fmt.Sprint(n, " ")) })
		})
	}
	with := func(list []string, more ...string) []string { return append(slices.Clone(list), more...) }
	return map[string]foreignChange{
		"first deleted":      {joined(func(m []string) []string { return m[1:] }), without(1), Changes{Expunged: []UID{1}}},
		"all but last":       {joined(func(m []string) []string { return m[4:] }), without(1, 2, 3, 4), Changes{Expunged: []UID{1, 2, 3, 4}}},
		"second deleted":     {joined(func(m []string) []string { return slices.Delete(m, 1, 2) }), without(2), Changes{Expunged: []UID{2}}},
		"pseudo deleted":     {edited(func(_ string, m []string) string { return strings.Join(m, "") }), nil, Changes{}},
		"pseudo and first":   {edited(func(_ string, m []string) string { return strings.Join(m[1:], "") }), without(1), Changes{Expunged: []UID{1}}},
		"truncated":          {joined(func(m []string) []string { return m[:3] }), without(4, 5), Changes{Expunged: []UID{4, 5}}},
		"emptied":            {func(w *world) { w.overwrite("") }, []string{}, Changes{Expunged: []UID{1, 2, 3, 4, 5}}},
		"removed":            {func(w *world) { must(w.t, os.Remove(w.path)) }, []string{}, Changes{Expunged: []UID{1, 2, 3, 4, 5}}},
		"touched":            {func(w *world) { must(w.t, os.Chtimes(w.path, time.Now(), time.Now())) }, nil, Changes{}},
		"replaced by itself": {renamed(func(*world) {}), nil, Changes{}},
		"truncated in a message": {
			joined(func(m []string) []string { return append(m[:3], m[3][:len(m[3])-8]) }),
			with(without(4, 5), "6 R m4"),
			Changes{Expunged: []UID{4, 5}, New: []UID{6}},
		},
		"replaced by rename, changed": {
			renamed(joined(func(m []string) []string { return append(m[1:3], delivered(8)) })),
			with(without(1, 4, 5), "6  m8"),
			Changes{Expunged: []UID{1, 4, 5}, New: []UID{6}},
		},
		"older backup, with a message that is gone": {
			renamed(func(w *world) {
				w.overwrite(strings.Replace(mailbox(3), "text of message 2", "another text", 1))
			}),
			[]string{"1  m1", "3  m3", "6  m2"},
			Changes{Expunged: []UID{2, 4, 5}, Changed: []UID{1, 3}, New: []UID{6}},
		},
		"text edited, same size and time": {
			sameTime(replaceIn(3, "text of message", "TEXT OF MESSAGE")),
			with(without(3), "6 R m3"),
			Changes{Expunged: []UID{3}, New: []UID{6}},
		},
		"subject edited, same size and time": {
			sameTime(replaceIn(2, "Subject: m2", "Subject: x2")),
			with(without(2), "6 R x2"),
			Changes{Expunged: []UID{2}, New: []UID{6}},
		},
		"flag set, same size and time": {
			sameTime(replaceIn(4, "X-Status: \nX-Keywords: ", "X-Status: F\nX-Keywords:")),
			[]string{"1 R m1", "2 R m2", "3 R m3", "4 RF m4", "5 R m5"},
			Changes{Changed: []UID{4}},
		},
		"two changed places": {
			joined(func(m []string) []string { m[1], m[2] = m[2], m[1]; return m }), nil, Changes{},
		},
		"CRLF":           {everywhere("\n", "\r\n"), nil, Changes{}},
		"CRLF by rename": {renamed(everywhere("\n", "\r\n")), nil, Changes{}},
		"CRLF, one deleted, mail delivered": {
			func(w *world) {
				joined(func(m []string) []string { return slices.Delete(m, 2, 3) })(w)
				everywhere("\n", "\r\n")(w)
				w.deliver(delivered(6))
			},
			with(without(3), "6  m6"),
			Changes{Expunged: []UID{3}, New: []UID{6}},
		},
		"status headers removed": {
			func(w *world) { w.overwrite(statusLine.ReplaceAllString(w.content(), "")) },
			[]string{"1  m1", "2  m2", "3  m3", "4  m4", "5  m5"},
			Changes{Changed: []UID{1, 2, 3, 4, 5}},
		},
		"X-UIDs removed": {
			func(w *world) {
				w.overwrite(regexp.MustCompile(`(?m)^X-(UID|IMAPbase):.*\n`).ReplaceAllString(w.content(), ""))
			}, nil, Changes{},
		},
		// mutt writes Status and X-Status anew at the end of the header, leaves X-UID and X-Keywords.
		"mutt: one read, one deleted, one flagged": {
			joined(func(m []string) []string {
				m[4] = strings.Replace(m[4], "X-Status: \n", "X-Status: F\n", 1)
				m[0] = strings.Replace(readLine.ReplaceAllString(m[0], ""), "\n\n", "\nStatus: O\n\n", 1)
				return slices.Delete(m, 1, 2)
			}),
			[]string{"1  m1", "3 R m3", "4 R m4", "5 RF m5"},
			Changes{Expunged: []UID{2}, Changed: []UID{1, 5}},
		},
		// alpine is c-client: it squeezes its blocks, keeps the UIDs, and writes UIDs of new mail.
		"alpine: expunged, squeezed, numbered": {
			func(w *world) {
				joined(func(m []string) []string { return slices.Delete(m, 3, 4) })(w)
				c := regexp.MustCompile(`(?m)^X-Keywords: +$`).ReplaceAllString(w.content(), "X-Keywords:")
				c = regexp.MustCompile(`(?m)^(X-IMAP(?:base)?: \d+) 0000000005`).ReplaceAllString(c, "$1 0000000006")
				w.overwrite(c + "From a@b Wed Dec  2 05:53:22 1992\nSubject: m6\nStatus: RO\nX-Status: A\nX-Keywords:\nX-UID: 6\n\nx\n\n")
			},
			with(without(4), "6 RA m6"),
			Changes{Expunged: []UID{4}, New: []UID{6}},
		},
		"another mailbox's file, with one known message": {
			func(w *world) {
				w.overwrite("From a@b Wed Dec  2 05:53:22 1992\nX-IMAPbase: 99 0000000400\nSubject: other\n\nx\n\n" + delivered(3))
			},
			[]string{"3  m3", "6  other"},
			Changes{Expunged: []UID{1, 2, 4, 5}, Changed: []UID{3}, New: []UID{6}},
		},
	}
}

// TestForeignChangesUnderSessions: whatever other programs do to the file, sessions that have the mailbox open are
// told rightly, known messages keep their UIDs and the mailbox its UIDVALIDITY; and the file says so afterwards.
func TestForeignChangesUnderSessions(t *testing.T) {
	for name, c := range foreignChanges() {
		for _, pseudo := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", pseudo message ", pseudo), func(t *testing.T) { c.run(t, pseudo) })
		}
	}
}

func (c *foreignChange) run(t *testing.T, pseudo bool) {
	w := numberedWorld(t, pseudo)
	w.o.Inbox = !pseudo
	m := w.open()
	validity, before := m.Status().UIDValidity, list(t, m)
	one, two := watch(m), watch(m)
	sizes := map[UID]int64{}
	for _, msg := range m.Get(m.UIDs(), nil) {
		sizes[msg.UID] = msg.Size
	}
	want := c.want
	if want == nil {
		want = before
	}
	want = slices.Clone(want)
	for i := range want {
		if w.o.Inbox && !strings.HasSuffix(want[i], "m6") { // nothing but a server's number makes new flags true there
			want[i] = strings.Replace(want[i], "6 R ", "6  ", 1)
		}
	}
	c.change(w)
	refreshed(t, m)
	if diff := cmp.Diff(want, append([]string{}, list(t, m)...)); diff != "" {
		t.Errorf("mailbox (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(c.told, one.told(t, m)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	for _, msg := range m.Get(m.UIDs(), nil) {
		if old, known := sizes[msg.UID]; known && old != msg.Size {
			t.Errorf("UID %d has %d octets, had %d", msg.UID, msg.Size, old)
		}
	}
	must(t, m.writePending(t.Context(), true))
	must(t, m.relook(t.Context()))
	if one := one.told(t, m); len(one.Expunged)+len(one.New)+len(one.Changed) > 0 {
		t.Errorf("told after our own write: %+v", one)
	}
	two.told(t, m) // later, all at once
	w.close(m)
	if len(want) == 0 {
		return // the file is empty; UIDVALIDITY is in the state directory
	}
	w.o.State = nil
	m = w.open()
	wantList(t, m, want...)
	if got := m.Status().UIDValidity; got != validity {
		t.Errorf("UIDVALIDITY %d, was %d", got, validity)
	}
}
