package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refreshed looks at the file.
func refreshed(t *testing.T, m *Mailbox) { t.Helper(); must(t, m.Refresh(context.Background())) }

// overwrite writes the file anew, as the same inode.
func (w *world) overwrite(content string) {
	f, err := os.OpenFile(w.path, os.O_RDWR|os.O_TRUNC, 0o600)
	must(w.t, err)
	_, err = f.WriteString(content)
	must(w.t, err)
	must(w.t, f.Close())
}

// Dovecot moves padding between messages: offsets of 3 and 4 shift, ends stand, size the same.
func TestShiftedMiddle(t *testing.T) {
	w := newWorld(t, mailbox(5))
	m := w.open()
	for i := UID(1); i <= 5; i++ {
		must(t, m.Store(t.Context(), []UID{i}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	}
	must(t, m.Flush(t.Context()))
	must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagDeleted}))
	must(t, m.Flush(t.Context()))
	c := w.content()
	parts := strings.SplitAfter(c, "\nFrom ")
	// grow the X-Keywords padding of message 2 by 8, shrink that of message 4 by 8
	parts[1] = strings.Replace(parts[1], "X-Keywords:", "X-Keywords:        ", 1)
	parts[3] = strings.Replace(parts[3], "X-Keywords:        ", "X-Keywords:", 1)
	n := strings.Join(parts, "")
	if len(n) != len(c) || n == c {
		t.Fatal("setup")
	}
	w.overwrite(n)
	_, err := m.Expunge(t.Context(), nil, true)
	must(t, err)
	got := w.content()
	for _, i := range []int{1, 2, 4, 5} {
		if !strings.Contains(got, fmt.Sprintf("\ntext of message %d\n\n", i)) {
			t.Errorf("message %d damaged", i)
		}
	}
	if strings.Contains(got, "message 3") || strings.Contains(got, "\nge 3") {
		t.Errorf("rest of 3:\n%s", got)
	}
	wantList(t, m, "1 R m1", "2 R m2", "4 R m4", "5 R m5")
}

// mutt changes a flag in place in the middle; our flags for that message never reach the file
func TestStuckFlush(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	must(t, m.Store(t.Context(), []UID{1, 2, 3}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	c := w.content()
	at := strings.Index(c, "Subject: m2")
	n := c[:at] + strings.Replace(strings.Replace(c[at:], "X-Status: \n", "X-Status: A\n", 1), "X-Keywords: ", "X-Keywords:", 1)
	if len(n) != len(c) || n == c {
		t.Fatal("setup")
	}
	w.overwrite(n)
	refreshed(t, m)
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	for i := range 3 {
		err := m.Flush(t.Context())
		if err != nil {
			t.Errorf("flush %d: %v", i, err)
		}
		refreshed(t, m)
	}
	wantList(t, m, "1 R m1", "2 RAF m2", "3 R m3")
}

// busy mailbox: Refresh must go on without error
func TestRefreshBusy(t *testing.T) {
	w := newWorld(t, mailbox(1))
	w.o.LookWait = 300 * time.Millisecond
	m := w.open()
	w.deliver(delivered(2))
	must(t, os.WriteFile(w.path+".lock", nil, 0o600))
	if err := m.Refresh(t.Context()); err != nil {
		t.Errorf("refresh: %v", err)
	}
	must(t, os.Remove(w.path+".lock"))
}

// Refresh waits behind the flusher's 5..30 s wait for the lock
func TestRefreshBehindFlusher(t *testing.T) {
	w := newWorld(t, mailbox(1))
	w.o.LookWait = 300 * time.Millisecond
	w.o.FlushDelay = 10 * time.Millisecond
	m := w.open()
	must(t, m.Flush(t.Context()))
	lock, err := os.OpenFile(w.path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	for errors.Is(err, fs.ErrExist) { // the flusher has it just now
		time.Sleep(time.Millisecond)
		lock, err = os.OpenFile(w.path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	must(t, err)
	must(t, lock.Close())
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	for m.op.TryLock() { // until the flusher waits for the lock file, again and again
		m.op.Unlock()
		time.Sleep(time.Millisecond)
	}
	w.deliver(delivered(2))
	done := make(chan error, 1)
	go func() { done <- m.Refresh(t.Context()) }()
	select {
	case err := <-done: // and the lock file is still there
		must(t, err)
	case <-time.After(time.Minute):
		t.Error("Refresh waits until the lock file is gone")
	}
	must(t, os.Remove(w.path+".lock"))
}

// long From_ line becomes the first line
func TestLongFirstFrom(t *testing.T) {
	w := newWorld(t, mailbox(1)+"From "+strings.Repeat("x", 1200)+" Wed Dec  2 05:53:22 1992\nSubject: long\n\nhello\n\n")
	m := w.open()
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagDeleted}))
	_, err := m.Expunge(t.Context(), nil, true)
	if err != nil {
		t.Errorf("expunge: %v", err)
	}
	if err := m.Refresh(t.Context()); err != nil {
		t.Errorf("refresh: %v", err)
	}
	wantList(t, m, "2  long")
}

// blank line(s) in front of a delivery
func TestLeadingBlank(t *testing.T) {
	w := newWorld(t, mailbox(1))
	m := w.open()
	w.deliver("\n" + delivered(2))
	refreshed(t, m)
	wantList(t, m, "1  m1", "2  m2")
	size := m.Get([]UID{1}, nil)[0].Size
	must(t, m.relook(t.Context()))
	wantList(t, m, "1  m1", "2  m2")
	if g := m.Get([]UID{1}, nil); len(g) == 1 && g[0].Size != size {
		t.Errorf("size %d, was %d", g[0].Size, size)
	}
}

// COPY of a message whose text ends in an unended From_ line
func TestCopyUnended(t *testing.T) {
	w := newWorld(t, "From a@b Wed Dec  2 05:53:22 1992\nSubject: m1\n\ntext\nFrom x@y Wed Dec  2 05:53:22 1992")
	d := newWorld(t, mailbox(1))
	m, dst := w.open(), d.open()
	wantList(t, m, "1  m1")
	size := len(d.content())
	_, _, to, err := m.CopyTo(t.Context(), dst, []UID{1})
	refreshed(t, dst)
	if err != nil {
		t.Errorf("copy: %v; destination grew by %d", err, len(d.content())-size)
	}
	if diff := cmp.Diff([]UID{2}, to); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
}

// header's blank line is CR CR LF
func TestTwoCRs(t *testing.T) {
	w := newWorld(t, "From a@b Wed Dec  2 05:53:22 1992\nSubject: m1\n\r\r\ntext\n\n"+delivered(2))
	m := w.open()
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	wantList(t, m, "1 R m1", "2  m2")
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	if err := m.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	v := m.Status().UIDValidity
	w.close(m)
	w.o.State = nil
	w.o.Now = func() time.Time { return time.Now().Add(time.Hour) }
	m = w.open()
	wantList(t, m, "1 RF m1", "2  m2")
	if g := m.Status().UIDValidity; g != v {
		t.Errorf("UIDVALIDITY %d was %d", g, v)
	}
}

// closing() gives up on long line ends
func TestClosing(t *testing.T) {
	w := newWorld(t, "From a@b Wed Dec  2 05:53:22 1992\nSubject: m1\n\ntext\nFrom a@b Wed Dec  2 05:53:22 1992 remote from x")
	m := w.open()
	_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: new\r\n\r\nhi\r\n")}})
	must(t, err)
	wantList(t, m, "1  m1", "2  new")
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	must(t, m.relook(t.Context()))
	wantList(t, m, "1 R m1", "2  new")
}

// another server numbers a delivery and raises the base in place; we lower it again
func TestBaseLowered(t *testing.T) {
	w := newWorld(t, mailbox(2))
	m := w.open()
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, m.Flush(t.Context()))
	c := w.content()
	n := strings.Replace(c, " 0000000002", " 0000000010", 1) + "From a@b Wed Dec  2 05:53:22 1992\nSubject: m3\nStatus: RO\nX-Status: \nX-Keywords:                                 \nX-UID: 10\n\ntext\n\n"
	w.overwrite(n)
	refreshed(t, m)
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.Flush(t.Context()))
	wantList(t, m, "1 RF m1", "2  m2", "10 R m3")
	if !strings.Contains(w.content(), " 0000000010") {
		t.Errorf("base lowered:\n%s", w.content()[:200])
	}
}

// interner race
func TestRace(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "From a@b Wed Dec  2 05:53:22 1992\nSubject: m%d\nX-Keywords: k%d\n\ntext\n\n", i, i)
	}
	w := newWorld(t, b.String())
	m := w.open()
	var group sync.WaitGroup
	group.Go(func() {
		for range 100 {
			if err := m.relook(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	group.Go(func() {
		for i := range 5000 {
			words := []string{fmt.Sprintf("k%d", i%40), fmt.Sprintf("k%d", (i/40)%40)}
			op := StoreOp{Mode: StoreMode(i % 3), Keywords: words}
			if err := m.Store(t.Context(), []UID{UID(i%300 + 1)}, op); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
}

// TestEditBesideBlankLines: an edit that keeps the size of a message in the middle is noticed also when the file grew by
// blank lines at once, or has had some at its end for long.
func TestEditBesideBlankLines(t *testing.T) {
	for name, before := range map[string]string{"at once": "", "before": "\n\n\n\n"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mailbox(5)+before)
			m := w.open()
			must(t, m.writePending(t.Context(), true))
			text := strings.Replace(w.content(), "Subject: m3\n", "Subject: t3\n", 1)
			if before == "" {
				text += "\n\n\n\n"
			}
			w.write(text)
			refreshed(t, m)
			wantList(t, m, "1  m1", "2  m2", "4  m4", "5  m5", "6  t3")
		})
	}
}
