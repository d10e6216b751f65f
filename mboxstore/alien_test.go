package mboxstore

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"spoold/spool"
)

// openAlien opens the mailbox as a user who may write it but does not own it.
func (w *world) openAlien() *Mailbox {
	w.t.Helper()
	box := spool.NewBox(w.path, uint32(os.Getuid()+1), spool.LockPolicy{Timeout: 5 * time.Second, Stale: time.Hour})
	m, err := Open(w.t.Context(), box, w.o)
	must(w.t, err)
	return m
}

// TestMailboxOfAnotherUser: in a mailbox of another user bytes are added and replaced; what would move any is refused, or
// kept in the state directory.
func TestMailboxOfAnotherUser(t *testing.T) {
	w := newWorld(t, mailbox(3))
	m := w.open()
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreSet, Flags: FlagDraft})) // status blocks
	w.close(m)
	w.deliver(delivered(4)) // has none
	m = w.openAlien()
	ctx := t.Context()
	must(t, m.Store(ctx, []UID{2, 4}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged | FlagDeleted}))
	_, _, err := m.Append(ctx, []NewMessage{{Text: strings.NewReader("Subject: m5\r\n\r\nx\r\n"), Flags: FlagSeen}})
	must(t, err)
	must(t, m.Flush(ctx))
	before := w.content()
	if !strings.Contains(before, "X-Status: DFT\n") || !strings.Contains(before, delivered(4)) {
		t.Errorf("flags in place, and nothing else:\n%s", before)
	}
	refused := map[string]func() error{
		"expunge": func() error { _, err := m.Expunge(ctx, nil, true); return err },
		"remove":  func() error { _, err := m.Remove(ctx, []UID{1}); return err },
		"compact": func() error { _, err := m.Compact(ctx); return err },
		"move":    func() error { _, _, _, err := m.MoveTo(ctx, m, []UID{1}); return err },
		"replace": func() error {
			in := m.Receive()
			defer in.Close()
			_, _, err := in.Replace(ctx, m, 1)
			return err
		},
	}
	for name, do := range refused {
		if err := do(); !errors.Is(err, ErrNotOwner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := []string{"1 T m1", "2 FDT m2", "3 T m3", "4 FD m4", "5 R m5"}
	wantList(t, m, want...)
	must(t, m.Close(ctx))
	if w.content() != before {
		t.Errorf("after what was refused:\n%s", w.content())
	}
	m = w.openAlien()
	wantList(t, m, want...) // the flags of 4 are in the state directory
	must(t, m.Close(ctx))
}
