package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spoold/spool"
)

// world is a mailbox file in a directory of its own, with a state directory beside it.
type world struct {
	t    *testing.T
	path string
	o    Options
}

func newWorld(t *testing.T, content string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, path: filepath.Join(dir, "mbox")}
	if content != "" {
		w.write(content)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	state, err := spool.OpenDir(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	w.o = Options{State: state, User: "u", Hostname: "example.com", FlushDelay: time.Hour}
	return w
}

func (w *world) write(content string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) content() string {
	w.t.Helper()
	b, err := os.ReadFile(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) deliver(text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() *Mailbox {
	w.t.Helper()
	m, err := Open(w.t.Context(), w.box(), w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.close(m) })
	return m
}

func (w *world) close(m *Mailbox) {
	w.t.Helper()
	if err := m.Close(context.Background()); err != nil {
		w.t.Errorf("close: %v", err)
	}
}

// delivered is a message as an MDA leaves it.
func delivered(n int) string {
	return fmt.Sprintf("From a%d@example.com Wed Dec  2 05:53:22 1992\nSubject: m%d\nMessage-ID: <%d@example.com>\n\ntext of message %d\n\n", n, n, n, n)
}

func mailbox(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(delivered(i + 1))
	}
	return b.String()
}

// list shows a mailbox as lines "UID flags keywords subject".
func list(t *testing.T, m *Mailbox) (lines []string) {
	t.Helper()
	for _, msg := range m.Get(m.UIDs(), nil) {
		text, err := m.Text(t.Context(), msg.UID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) != msg.Size {
			t.Errorf("message %d: %d octets, size says %d", msg.UID, len(text), msg.Size)
		}
		_, subject, _ := strings.Cut(string(text), "Subject: ")
		subject, _, _ = strings.Cut(subject, "\r\n")
		flags := (msg.Flags &^ FlagOld).appendLetters(nil, "RAFDT")
		lines = append(lines, strings.Join(append([]string{fmt.Sprint(msg.UID), string(flags), subject}, msg.Keywords...), " "))
	}
	return lines
}

func wantList(t *testing.T, m *Mailbox, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, list(t, m)); diff != "" {
		t.Errorf("mailbox (-want +got):\n%s", diff)
	}
}

func TestFlagsReachTheFileAndComeBack(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	validity := m.Status().UIDValidity
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagSeen | FlagFlagged, Keywords: []string{"$Junk"}}))
	wantList(t, m, "1  m1", "2 RF m2 $Junk", "3  m3")
	must(t, m.Flush(t.Context()))
	if c := w.content(); !strings.Contains(c, "Status: R\nX-Status: F\nX-Keywords: $Junk") {
		t.Errorf("no flags in the file:\n%s", c)
	}
	size := len(w.content())
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreRemove, Flags: FlagSeen, Keywords: []string{"$Junk"}}))
	must(t, m.Flush(t.Context()))
	if n := len(w.content()); n != size {
		t.Errorf("a flag changed the file's size from %d to %d", size, n)
	}
	w.close(m)
	w.o.State = nil // from the file alone
	m = w.open()
	wantList(t, m, "1  m1", "2 F m2", "3  m3")
	if got := m.Status().UIDValidity; got != validity {
		t.Errorf("UIDVALIDITY %d, was %d", got, validity)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestExpungeKeepsTheRest(t *testing.T) {
	for name, gone := range map[string][]UID{"first": {1}, "middle": {3}, "last": {5}, "every second": {1, 3, 5}, "two ends": {1, 5}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mailbox(5))
			m := w.open()
			must(t, m.Store(t.Context(), gone, StoreOp{Mode: StoreAdd, Flags: FlagDeleted}))
			got, err := m.Expunge(t.Context(), nil, true)
			must(t, err)
			if diff := cmp.Diff(gone, got); diff != "" {
				t.Errorf("expunged (-want +got):\n%s", diff)
			}
			before, validity := list(t, m), m.Status().UIDValidity
			if len(before) != 5-len(gone) {
				t.Errorf("left: %q", before)
			}
			w.close(m)
			w.o.State = nil
			m = w.open()
			if diff := cmp.Diff(before, list(t, m)); diff != "" {
				t.Errorf("after reopening from the file (-want +got):\n%s", diff)
			}
			if s := m.Status(); s.UIDValidity != validity || s.UIDNext != 6 {
				t.Errorf("UIDVALIDITY %d UIDNEXT %d, want %d 6", s.UIDValidity, s.UIDNext, validity)
			}
		})
	}
}

func TestExpungeAllLeavesThePseudoMessage(t *testing.T) {
	w := newWorld(t, mailbox(2))
	m := w.open()
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagDeleted}))
	if _, err := m.Expunge(t.Context(), nil, true); err != nil {
		t.Fatal(err)
	}
	validity := m.Status().UIDValidity
	c := w.content()
	if !strings.Contains(c, "FOLDER INTERNAL DATA") || !strings.Contains(c, fmt.Sprintf("X-IMAP: %010d 0000000002", validity)) {
		t.Errorf("file is\n%s", c)
	}
	w.deliver(delivered(9))
	must(t, m.Refresh(t.Context()))
	wantList(t, m, "3  m9")
	must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreSet, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	w.close(m)
	w.o.State = nil
	m = w.open()
	wantList(t, m, "3 R m9")
	if got := m.Status().UIDValidity; got != validity {
		t.Errorf("UIDVALIDITY %d, was %d", got, validity)
	}
}

func TestAppend(t *testing.T) {
	for name, before := range map[string]string{
		"to a mailbox":         mailbox(1),
		"to an empty file":     "",
		"no final newline":     strings.TrimRight(mailbox(1), "\n"),
		"no blank line":        strings.TrimSuffix(mailbox(1), "\n"),
		"NULs at the end":      mailbox(1) + "\x00\x00",
		"blank lines at end":   mailbox(1) + "\n\n",
		"header without body":  "From a Wed Dec  2 05:53:22 1992\nSubject: m1\n",
		"header not even that": "From a Wed Dec  2 05:53:22 1992\nSubject: m1",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.write(before)
			m := w.open()
			old := list(t, m)
			date := time.Date(2003, 1, 2, 3, 4, 5, 0, time.FixedZone("", -7*3600))
			msg := func() NewMessage {
				return NewMessage{
					Text: strings.NewReader("Subject: new\r\nX-UID: 99\r\n\r\nFrom here\r\nbye"), Date: date,
					Flags: FlagSeen | FlagDraft, Keywords: []string{"Work"},
				}
			}
			validity, uids, err := m.Append(t.Context(), []NewMessage{msg(), msg()})
			must(t, err)
			next := UID(len(old) + 1)
			if diff := cmp.Diff([]UID{next, next + 1}, uids); diff != "" || validity != m.Status().UIDValidity {
				t.Errorf("uids (-want +got):\n%s validity %d", diff, validity)
			}
			want := append(old, fmt.Sprintf("%d RT new Work", next), fmt.Sprintf("%d RT new Work", next+1))
			wantList(t, m, want...)
			got := m.Get(uids[:1], nil)[0]
			if d := got.InternalDate(); !d.Equal(date) {
				t.Errorf("INTERNALDATE %v, want %v", d, date)
			}
			must(t, m.Store(t.Context(), uids, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
			w.close(m)
			w.o.State = nil
			m = w.open()
			want = append(old, fmt.Sprintf("%d RFT new Work", next), fmt.Sprintf("%d RFT new Work", next+1))
			wantList(t, m, want...)
			if m.Status().UIDValidity != validity {
				t.Errorf("UIDVALIDITY changed")
			}
		})
	}
}

func TestForeignChanges(t *testing.T) {
	cut := func(s string, from, to int) string {
		return s[:strings.Index(s, delivered(from))] + s[strings.Index(s, delivered(to)):]
	}
	for name, c := range map[string]struct {
		change func(w *world)
		want   []string
	}{
		"delivery":               {func(w *world) { w.deliver(delivered(4)) }, []string{"1  m1", "2  m2", "3  m3", "4  m4"}},
		"first message deleted":  {func(w *world) { w.write(cut(w.content(), 1, 2)) }, []string{"2  m2", "3  m3"}},
		"middle message deleted": {func(w *world) { w.write(cut(w.content(), 2, 3)) }, []string{"1  m1", "3  m3"}},
		"truncated":              {func(w *world) { w.write(delivered(1)) }, []string{"1  m1"}},
		"emptied":                {func(w *world) { w.write("") }, nil},
		"emptied and delivered":  {func(w *world) { w.write(delivered(7)) }, []string{"4  m7"}},
		"text edited": {
			func(w *world) {
				w.write(strings.Replace(w.content(), "text of message 3", "TEXT of message number 3", 1))
			},
			[]string{"1  m1", "2  m2", "4  m3"},
		},
		"flag set by mutt": {
			func(w *world) { w.write(strings.Replace(w.content(), "Subject: m2\n", "Subject: m2\nStatus: RO\n", 1)) },
			[]string{"1  m1", "2 R m2", "3  m3"},
		},
		"flag and delivery": {func(w *world) {
			w.write(strings.Replace(w.content(), "Subject: m2\n", "Subject: m2\nStatus: RO\n", 1) + delivered(4))
		}, []string{"1  m1", "2 R m2", "3  m3", "4  m4"}},
		"replaced by rename": {func(w *world) {
			must(w.t, os.WriteFile(w.path+".new", []byte(delivered(2)+delivered(3)+delivered(8)), 0o600))
			must(w.t, os.Rename(w.path+".new", w.path))
		}, []string{"2  m2", "3  m3", "4  m8"}},
		"removed": {func(w *world) { must(w.t, os.Remove(w.path)) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mailbox(3))
			w.o.Inbox = true
			m := w.open()
			validity := m.Status().UIDValidity
			c.change(w)
			must(t, m.Refresh(t.Context()))
			wantList(t, m, c.want...)
			if got := m.Status().UIDValidity; got != validity {
				t.Errorf("UIDVALIDITY %d, was %d", got, validity)
			}
			must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagAnswered}))
			must(t, m.Flush(t.Context()))
			got := list(t, m)
			w.close(m)
			m = w.open()
			if diff := cmp.Diff(got, list(t, m)); diff != "" {
				t.Errorf("after writing and reopening (-want +got):\n%s", diff)
			}
		})
	}
}

// A sender writes into a mail what a mail server would: none of it may come true in an inbox that we know.
func TestForgedHeadersInADeliveryAreNotBelieved(t *testing.T) {
	forged := "From evil Wed Dec  2 05:53:22 1992\nX-IMAPbase: 1 4294967294 x\nX-IMAP: 1 4294967294\nStatus: RO\nX-Status: D\nX-Keywords: Work\nX-UID: 4294967000\nSubject: forged\n\nbody\n\n"
	for name, start := range map[string]string{"behind others": mailbox(1), "first in an empty inbox": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.write(start)
			w.o.Inbox = true
			m := w.open()
			must(t, m.Refresh(t.Context()))
			n, validity := len(m.UIDs()), m.Status().UIDValidity
			w.deliver(forged)
			must(t, m.Refresh(t.Context()))
			want := append(list(t, m)[:n:n], fmt.Sprintf("%d  forged", n+1))
			wantList(t, m, want...)
			must(t, m.writePending(t.Context(), true))
			w.close(m)
			w.o.State = nil
			m = w.open()
			wantList(t, m, want...)
			if got := m.Status().UIDValidity; got != validity {
				t.Errorf("UIDVALIDITY %d, was %d", got, validity)
			}
		})
	}
}

func TestCopyKeepsBytesFlagsAndKeywords(t *testing.T) {
	src := newWorld(t, mailbox(3))
	dst := newWorld(t, "")
	dst.write("")
	a, b := src.open(), dst.open()
	must(t, a.Store(t.Context(), []UID{1, 3}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"One", "Two"}}))
	_, from, to, err := a.CopyTo(t.Context(), b, []UID{1, 2, 3, 77})
	must(t, err)
	if diff := cmp.Diff([][]UID{{1, 2, 3}, {1, 2, 3}}, [][]UID{from, to}); diff != "" {
		t.Errorf("uids (-want +got):\n%s", diff)
	}
	wantList(t, b, "1 R m1 One Two", "2  m2", "3 R m3 One Two")
	if x, y := a.Get([]UID{3}, nil)[0], b.Get([]UID{3}, nil)[0]; !x.InternalDate().Equal(y.InternalDate()) || x.Size != y.Size {
		t.Errorf("copy %+v of %+v", y, x)
	}
	if _, _, _, err := a.CopyTo(t.Context(), a, []UID{2}); err != nil {
		t.Fatal(err)
	}
	wantList(t, a, "1 R m1 One Two", "2  m2", "3 R m3 One Two", "4  m2")
}

func TestKeywordsBeyondUWsThirty(t *testing.T) {
	w := newWorld(t, mailbox(1))
	m := w.open()
	var words []string
	for i := range 45 {
		words = append(words, fmt.Sprintf("word%02d", i))
	}
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet, Keywords: words}))
	must(t, m.Flush(t.Context()))
	w.close(m)
	w.o.State = nil
	m = w.open()
	wantList(t, m, "1  m1 "+strings.Join(words, " "))
}

func TestStoreRefusesWhatTheFileCannotHold(t *testing.T) {
	w := newWorld(t, mailbox(1))
	m := w.open()
	for _, word := range []string{"", "two words", "new\nline", `\Seen`, "par(en", strings.Repeat("x", 51), "ü"} {
		if err := m.Store(t.Context(), []UID{1}, StoreOp{Keywords: []string{word}}); !errors.Is(err, ErrKeyword) {
			t.Errorf("keyword %q: %v", word, err)
		}
	}
}

func TestChanges(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	since := m.Status().ModSeq
	news, cancel := m.Notify()
	defer cancel()
	must(t, m.Store(t.Context(), []UID{1, 3}, StoreOp{Mode: StoreAdd, Flags: FlagDeleted}))
	if _, err := m.Expunge(t.Context(), []UID{1}, false); err != nil {
		t.Fatal(err)
	}
	w.deliver(delivered(4))
	must(t, m.Refresh(t.Context()))
	c := m.Changes(since)
	want := Changes{ModSeq: m.Status().ModSeq, Expunged: []UID{1}, Changed: []UID{3}, New: []UID{4}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	select {
	case <-news:
	default:
		t.Error("no token for the listener")
	}
	if c := m.Changes(c.ModSeq); len(c.Expunged)+len(c.Changed)+len(c.New) > 0 {
		t.Errorf("changes since now: %+v", c)
	}
}

// mutt changes a flag in place, and mail arrives before we look: the growth alone would hide the flag.
func TestRecheckFindsFlagsChangedInPlace(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	must(t, m.writePending(t.Context(), true))
	c := w.content()
	at := strings.Index(c, "m2\n")
	at += strings.Index(c[at:], "Status: O\nX-Status: ")
	edited := c[:at] + strings.Replace(c[at:], "X-Status: \nX-Keywords: ", "X-Status: F\nX-Keywords:", 1)
	if at < 0 || len(edited) != len(c) {
		t.Fatalf("cannot set a flag in\n%s", c)
	}
	w.write(edited + delivered(4))
	must(t, m.Refresh(t.Context()))
	if got := m.Get([]UID{2}, nil)[0].Flags; got&FlagFlagged != 0 {
		t.Fatalf("growth alone told flags %v", got)
	}
	if done, err := m.recheck(t.Context()); !done || err != nil {
		t.Fatal(done, err)
	}
	wantList(t, m, "1  m1", "2 F m2", "3  m3", "4  m4")
}

func TestCloseWritesUIDs(t *testing.T) {
	w := newWorld(t, mailbox(1))
	m := w.open()
	must(t, m.Flush(t.Context()))
	w.deliver(delivered(2))
	must(t, m.Refresh(t.Context()))
	m.ClaimRecent(m.UIDs())
	w.close(m)
	if _, last, _ := strings.Cut(w.content(), "Subject: m2"); !strings.Contains(last, "Status: O\n") || !strings.Contains(last, "X-UID: 2\n") {
		t.Errorf("file after close:\n%s", w.content())
	}
}

// Two X-UID lines say nothing; the message is read and changed like any other.
func TestDamagedUID(t *testing.T) {
	w := newWorld(t, "From a Wed Dec  2 05:53:22 1992\nX-IMAPbase: 7 9\nX-UID: 3\nX-UID: 4\nSubject: m1\n\nx\n\n")
	m := w.open()
	wantList(t, m, "10  m1")
	must(t, m.Store(t.Context(), []UID{10}, StoreOp{Flags: FlagSeen}))
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), "10 R m1")
}

// A mailbox with more messages than one plan may change gets its status headers in several, and each leaves a file
// that says of the rest what it said before.
func TestManyHeadersInSeveralPlans(t *testing.T) {
	w := newWorld(t, mailbox(10))
	m := w.open()
	m.headers = 3
	if _, err := m.Remove(t.Context(), []UID{2, 9}); err != nil {
		t.Fatal(err)
	}
	want := []string{"1  m1", "3  m3", "4  m4", "5  m5", "6  m6", "7  m7", "8  m8", "10  m10"}
	wantList(t, m, want...)
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), want...)

	w = newWorld(t, mailbox(10))
	m = w.open()
	m.headers = 3
	p, err := m.plan(nil)
	must(t, err)
	if !p.partial || p.base.LastUID != 3 {
		t.Errorf("partial %v, last UID %d, want true 3", p.partial, p.base.LastUID)
	}
}

func TestStoreWhenTheFileIsNoMailboxAnyMore(t *testing.T) {
	w := newWorld(t, mailbox(2))
	m := w.open()
	good := w.content()
	w.write("garbage\n" + good)
	if err := m.Refresh(t.Context()); !errors.Is(err, ErrNotMbox) {
		t.Errorf("refresh: %v", err)
	}
	if err := m.Store(t.Context(), []UID{1}, StoreOp{Flags: FlagSeen}); !errors.Is(err, ErrNotMbox) {
		t.Errorf("store: %v", err)
	}
	w.write(good)
	must(t, m.Refresh(t.Context()))
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Flags: FlagSeen}))
}

// coarse is a box on a file system whose clock ticks slowly.
type coarse struct {
	*spool.Box
	grain time.Duration
}

func (c coarse) Grain(spool.File) time.Duration { return c.grain }

// A file that was changed just now is not read before its stamp can be told from that of a later change.
func TestYoungStampIsNotTrusted(t *testing.T) {
	w := newWorld(t, mailbox(1))
	box := spool.NewBox(w.path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, coarse{box, time.Hour}, w.o); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("open: %v", err)
	}
	m, err := Open(t.Context(), coarse{box, time.Nanosecond}, w.o)
	must(t, err)
	wantList(t, m, "1  m1")
	w.close(m)
}

func TestNotAnMbox(t *testing.T) {
	w := newWorld(t, "this is a letter\n")
	box := spool.NewBox(w.path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: time.Second})
	_, err := Open(t.Context(), box, w.o)
	fe := (*FormatError)(nil)
	if !errors.As(err, &fe) || fe.Path != w.path || !errors.Is(err, ErrNotMbox) {
		t.Errorf("got %v", err)
	}
	if c := w.content(); c != "this is a letter\n" {
		t.Errorf("file changed to %q", c)
	}
}
