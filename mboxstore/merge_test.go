package mboxstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"spoold/spool"
)

// edit changes the file in place, or by writing it anew, as another mail program does.
func (w *world) edit(old, with string) {
	w.t.Helper()
	w.editAs(func() (string, string) { return old, with })
}

// editAs is edit for what can be told under the locks only.
func (w *world) editAs(change func() (old, with string)) {
	w.t.Helper()
	box := w.box()
	f, err := box.Open(true)
	must(w.t, err)
	release, err := box.Lock(w.t.Context(), f, spool.Exclusive)
	must(w.t, err)
	defer func() { must(w.t, errors.Join(release(), f.Close())) }()
	c := w.content()
	old, with := change()
	if strings.Count(c, old) != 1 {
		w.t.Fatalf("%q is not once in\n%s", old, c)
	}
	w.write(strings.Replace(c, old, with, 1))
}

// TestForeignFlagsAreMerged: between a STORE and the writing of it another program changes other flags and keywords of
// the same message. Every single change is kept, in the mailbox and in the file.
func TestForeignFlagsAreMerged(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreSet, Flags: FlagAnswered, Keywords: []string{"Old", "Keep"}}))
	must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreSet, Keywords: []string{"Theirs"}}))
	must(t, m.Flush(t.Context()))

	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"Theirs"}}))
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreRemove, Flags: FlagAnswered, Keywords: []string{"Old"}}))
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	w.edit("Status: \nX-Status: A\nX-Keywords: Old Keep", "Status: \nX-Status: AF\nX-Keywords: Old Mutt") // and without padding to keep
	must(t, m.Refresh(t.Context()))
	want := []string{"1 R m1", "2 RF m2 Theirs Mutt", "3  m3 Theirs"}
	wantList(t, m, want...)
	must(t, m.Flush(t.Context()))
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), want...)
}

// TestSessionsAndMuttShareTheFlags: two sessions and mutt, each with a flag of its own on every message, mutt in place
// and at any moment.
func TestSessionsAndMuttShareTheFlags(t *testing.T) {
	w := newWorld(t, mailbox(20))
	m := w.open()
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreSet, Flags: FlagDraft}))
	must(t, m.Flush(t.Context()))
	var want []string
	for i, uid := range m.UIDs() {
		seen := func() { must(t, m.Store(t.Context(), []UID{uid}, StoreOp{Mode: StoreAdd, Flags: FlagSeen})) }
		flagged := func() { must(t, m.Store(t.Context(), []UID{uid}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged})) }
		answered := func() {
			w.editAs(func() (old, with string) {
				old = w.status(uid)
				flags, pad, _ := strings.Cut(old, "X-Keywords:  ")
				return old, strings.Replace(flags, "X-Status: ", "X-Status: A", 1) + "X-Keywords: " + pad
			})
		}
		steps := [][]func(){{seen, flagged, answered}, {seen, answered, flagged}, {answered, seen, flagged}}[i%3]
		for _, step := range steps {
			step()
		}
		if i%2 == 0 {
			must(t, m.Refresh(t.Context()))
		}
		must(t, m.Flush(t.Context()))
		want = append(want, fmt.Sprintf("%d RAFT m%d", uid, uid))
	}
	wantList(t, m, want...)
}

// status is the text of a message from its Message-ID to its X-UID.
func (w *world) status(uid UID) string {
	w.t.Helper()
	c := w.content()
	from := strings.Index(c, fmt.Sprintf("Message-ID: <%d@example.com>\n", uid))
	text, _, _ := strings.Cut(c[from:], "X-UID:")
	return text
}

// TestManyKeywords: more keywords than UW's thirty, by STORE, APPEND and COPY, within a mailbox and to another one, come
// back when the state directory is lost, and in the order that every session was told.
func TestManyKeywords(t *testing.T) {
	words := func(from, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("word%03d", from+i))
		}
		return list
	}
	src, dst := newWorld(t, mailbox(2)), newWorld(t, mailbox(1))
	a, b := src.open(), dst.open()
	must(t, b.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet, Keywords: words(500, 31)}))
	must(t, a.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet, Keywords: words(0, 40)}))
	_, _, err := a.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: new\r\n\r\nx\r\n"), Keywords: words(30, 45)}})
	must(t, err)
	_, _, _, err = a.CopyTo(t.Context(), a, []UID{1, 3})
	must(t, err)
	_, _, _, err = a.CopyTo(t.Context(), b, []UID{1, 3, 2})
	must(t, err)
	line := func(uid int, subject string, words []string) string {
		return strings.Join(append([]string{fmt.Sprint(uid), "", subject}, words...), " ")
	}
	one, three := words(0, 40), words(30, 45)
	wantA := []string{line(1, "m1", one), "2  m2", line(3, "new", three), line(4, "m1", one), line(5, "new", three)}
	wantB := []string{line(1, "m1", words(500, 31)), line(2, "m1", one), line(3, "new", three), "4  m2"}
	for _, x := range []struct {
		w    *world
		m    *Mailbox
		want []string
	}{{src, a, wantA}, {dst, b, wantB}} {
		wantList(t, x.m, x.want...)
		told := x.m.Status().Keywords
		x.w.close(x.m)
		x.w.o.State = nil
		m := x.w.open()
		wantList(t, m, x.want...)
		if got := m.Status().Keywords; strings.Join(got, " ") != strings.Join(told, " ") {
			t.Errorf("%s: keywords %q, told were %q", filepath.Base(x.w.path), got, told)
		}
	}
}
