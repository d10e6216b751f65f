package mboxstore

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// interrupted is a client that has read so many octets when something happens.
type interrupted struct {
	got    bytes.Buffer
	at     int
	happen func()
}

func (w *interrupted) Write(p []byte) (int, error) {
	w.got.Write(p)
	if w.happen != nil && w.got.Len() >= w.at {
		w.happen()
		w.happen = nil
	}
	return len(p), nil
}

// TestLargeMessageIsWholeOrBrokenOff: whatever happens to the mailbox while a message of 5 MiB is sent, what arrives is
// that message, or an error.
func TestLargeMessageIsWholeOrBrokenOff(t *testing.T) {
	body := strings.Repeat(strings.Repeat("0123456789abcde\n", 64<<10), 5)
	large := "From b@example.com Wed Dec  2 05:53:22 1992\nSubject: large\n\n" + body + "\n"
	content := mailbox(2) + large + delivered(4)
	for name, tt := range map[string]struct {
		happen func(w *world, m *Mailbox)
		broken bool
	}{
		"nothing":                   {func(*world, *Mailbox) {}, false},
		"expunge before it":         {func(w *world, m *Mailbox) { w.remove(m, 1) }, false},
		"expunge around it":         {func(w *world, m *Mailbox) { w.remove(m, 1, 2, 4) }, false},
		"expunge of it":             {func(w *world, m *Mailbox) { w.remove(m, 3) }, true},
		"delivery":                  {func(w *world, _ *Mailbox) { w.deliver(delivered(5)) }, false},
		"flag of it":                {func(w *world, m *Mailbox) { w.flag(m, 3) }, false},
		"flags of others":           {func(w *world, m *Mailbox) { w.flag(m, 1, 2) }, false},
		"mutt removes another":      {func(w *world, _ *Mailbox) { w.edit(delivered(1), "") }, false},
		"mutt removes it":           {func(w *world, _ *Mailbox) { w.edit(large, "") }, true},
		"cut off in the sent part":  {func(w *world, _ *Mailbox) { must(w.t, os.Truncate(w.path, 1<<20)) }, true},
		"cut off in the rest":       {func(w *world, _ *Mailbox) { must(w.t, os.Truncate(w.path, 4<<20)) }, true},
		"emptied":                   {func(w *world, _ *Mailbox) { w.write("") }, true},
		"removed":                   {func(w *world, _ *Mailbox) { must(w.t, os.Remove(w.path)) }, true},
		"another text, same length": {func(w *world, _ *Mailbox) { w.write(strings.ReplaceAll(content, "0123", "3210")) }, true},
		"another length":            {func(w *world, _ *Mailbox) { w.write(strings.ReplaceAll(content, "0123", "012")) }, true},
		"restored from a backup": {func(w *world, _ *Mailbox) {
			must(w.t, os.Remove(w.path))
			w.write(content)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, content)
			m := w.open()
			want, err := m.Text(t.Context(), 3, nil)
			must(t, err)
			client := &interrupted{at: 5 << 19, happen: func() { tt.happen(w, m) }}
			err = m.WriteText(t.Context(), 3, 0, int64(len(want)), client)
			switch {
			case (err != nil) != tt.broken:
				t.Errorf("%d of %d octets, error %v", client.got.Len(), len(want), err)
			case err == nil && !bytes.Equal(client.got.Bytes(), want):
				t.Error("other octets")
			case err != nil && !bytes.HasPrefix(want, client.got.Bytes()):
				t.Error("octets of another message before the error")
			}
		})
	}
}

// TestPartsOfALargeMessage: any run of its octets is the one that was asked for.
func TestPartsOfALargeMessage(t *testing.T) {
	w := newWorld(t, mailbox(1)+"From b@example.com Wed Dec  2 05:53:22 1992\nSubject: large\n\n"+
		strings.Repeat("some\r\ntext\nof \x00 lines\rand\n", 120_000)+"no end")
	m := w.open()
	whole, err := m.Text(t.Context(), 2, nil)
	must(t, err)
	n := int64(len(whole))
	for _, run := range [][2]int64{{0, n}, {0, 1}, {10, 40}, {1 << 20, 1}, {1<<20 - 7, 2 << 20}, {n - 1, 1}, {n, 0}} {
		var got bytes.Buffer
		must(t, m.WriteText(t.Context(), 2, run[0], run[1], &got))
		if !bytes.Equal(got.Bytes(), whole[run[0]:run[0]+run[1]]) {
			t.Errorf("octets %d+%d differ", run[0], run[1])
		}
	}
	if err := m.WriteText(t.Context(), 2, n-10, 20, &bytes.Buffer{}); err == nil {
		t.Error("more octets than there are")
	}
}

func (w *world) remove(m *Mailbox, uids ...UID) {
	w.t.Helper()
	gone, err := m.Remove(w.t.Context(), uids)
	if err != nil || len(gone) != len(uids) {
		w.t.Errorf("gone %v: %v", gone, err)
	}
}

func (w *world) flag(m *Mailbox, uids ...UID) {
	w.t.Helper()
	must(w.t, m.Store(w.t.Context(), uids, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"Some"}}))
	must(w.t, m.Flush(w.t.Context()))
}
