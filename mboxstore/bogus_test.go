package mboxstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// bogusWorld is a mailbox on a simulated disk.
type bogusWorld struct {
	t    *testing.T
	disk *faultfs.FS
	o    Options
}

// forgedInbox is an inbox of two messages into which a third one, with UID 3, was delivered with these status headers.
func forgedInbox(t *testing.T, status string) (*bogusWorld, *Mailbox) {
	t.Helper()
	w := &bogusWorld{t: t}
	w.disk, w.o = simMailbox(t, 1, true, true)
	m := openOn(t, w.disk, w.o)
	_, err := m.Remove(t.Context(), []UID{1, 2, 3})
	must(t, err)
	w.disk.Append(modelBox, []byte(strings.Replace(delivered(6), "\n", "\n"+status, 1)))
	must(t, m.Refresh(t.Context()))
	if got, want := w.flags(m), "4: 5: 6:"; got != want {
		t.Fatalf("delivered: %s, want %s", got, want)
	}
	return w, m
}

// crash ends the process, by a kill or a power cut, and begins a new one.
func (w *bogusWorld) crash(mode int) *Mailbox {
	w.t.Helper()
	die(w.disk, mode)
	w.o = refresh(w.disk, w.o)
	return openOn(w.t, w.disk, w.o)
}

func (w *bogusWorld) flags(m *Mailbox) string {
	var list []string
	for _, r := range m.Get(m.UIDs(), nil) {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%d:%s %s", r.UID, (r.Flags&^FlagOld).appendLetters(nil, "RAFDT"), strings.Join(r.Keywords, " "))))
	}
	return strings.Join(list, " ")
}

// rewrite is another program that writes the parts of the file in another order.
func (w *bogusWorld) rewrite(parts ...[]byte) {
	w.t.Helper()
	f := w.disk.File(modelBox, nil)
	_, err := f.WriteAt(slices.Concat(parts...), 0)
	must(w.t, err)
	must(w.t, f.Sync())
}

func (w *bogusWorld) store(m *Mailbox, mode StoreMode, flags Flags, words ...string) {
	w.t.Helper()
	must(w.t, m.Store(w.t.Context(), []UID{6}, StoreOp{Mode: mode, Flags: flags, Keywords: words}))
}

// Flags of a message whose status headers were forged, which were in the cache before they were in the file, stay
// cleared.
func TestFlagsOfForgedStatusStayCleared(t *testing.T) {
	w, m := forgedInbox(t, "Status: RO\nX-UID: 3\n")
	w.store(m, StoreAdd, FlagFlagged, "Work")
	must(t, m.keepIndex()) // as a look does at messages out of order
	must(t, m.Flush(t.Context()))
	w.store(m, StoreRemove, FlagFlagged, "Work")
	must(t, m.Flush(t.Context()))
	if got, want := w.flags(w.crash(0)), "4: 5: 6:"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Status headers that a sender has forged are sometimes those that the message is to have.
func TestFlagsThatWereForgedRightly(t *testing.T) {
	for _, status := range []string{"Status: RO\nX-UID: 6\n", "Status: RO\nX-Status: \nX-Keywords: Work                  \nX-UID: 6\n"} {
		for _, words := range [][]string{nil, {"Work"}} {
			for _, sync := range []bool{true, false} {
				w, m := forgedInbox(t, status)
				must(t, m.keepIndex())
				w.store(m, StoreAdd, FlagSeen, words...)
				m.index.records[2].Flags |= FlagOld // as a session does that saw it
				must(t, m.writePending(t.Context(), sync))
				if !sync {
					must(t, m.syncWritten(t.Context()))
				}
				want := strings.TrimSpace("4: 5: 6:R " + strings.Join(words, " "))
				if got := w.flags(w.crash(0)); got != want {
					t.Errorf("%q: %s, want %s", status, got, want)
				}
			}
		}
	}
}

// The message that bore the base line has flags that are ours, also when it stands elsewhere.
func TestFlagsOfStrayBaseLine(t *testing.T) {
	disk, o := simMailbox(t, 1, true, false)
	w := &bogusWorld{t: t, disk: disk, o: o}
	m := openOn(t, disk, o)
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged, Keywords: []string{"Work"}}))
	must(t, m.Flush(t.Context()))
	b, second := disk.Bytes(modelBox), m.index.records[1].off
	end := m.index.records[2].off
	w.rewrite(b[second:end], b[:second], b[end:])
	must(t, m.Refresh(t.Context()))
	want := "1:F Work 2: 3: 4: 5:"
	for _, mode := range []int{-1, 0} {
		if got := w.flags(m); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		m = w.crash(mode)
	}
	must(t, m.writePending(t.Context(), true))
	if n := strings.Count(string(disk.Bytes(modelBox)), "X-IMAPbase"); n != 1 {
		t.Errorf("%d base lines", n)
	}
	if got := w.flags(w.crash(0)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What is kept for the file in the state directory stays there until the file has it durably.
func TestKeptFlagsSurviveTheirWriting(t *testing.T) {
	disk, o := simMailbox(t, 1, true, false)
	w := &bogusWorld{t: t, disk: disk, o: o}
	m := openOn(t, disk, o)
	must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.keepPending()) // as CHECK does while alpine holds its session lock
	must(t, m.writePending(t.Context(), false))
	die(disk, 0)
	disk.Append(modelBox, []byte(delivered(6))) // so that the file is read anew
	w.o = refresh(disk, o)
	if got, want := w.flags(openOn(t, disk, w.o)), "1: 2: 3:F 4: 5: 6:"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
