package mboxstore

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"spoold/spool"
	"spoold/spool/faultfs"

	"github.com/google/go-cmp/cmp"
)

// codes checks the mailbox and gives the code words of what is more than a notice.
func (w *repairWorld) codes() (codes []string) {
	w.t.Helper()
	findings, err := Check(w.t.Context(), simBox{Box: w.disk.Box(modelBox)}, w.o)
	must(w.t, err)
	for _, f := range findings {
		if f.Severity > Notice && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func (w *repairWorld) wantCodes(when string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.codes()); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// mended repairs and checks again.
func (w *repairWorld) mended(when string) {
	w.t.Helper()
	acts, err := w.repair(true)
	if err != nil || len(acts) == 0 {
		w.t.Errorf("%s: repair did %v: %v", when, acts, err)
	}
	w.wantCodes(when + ", repaired")
	if m := openOn(w.t, w.disk, w.o); m.ReadOnly() {
		w.t.Errorf("%s: read-only after the repair: %v", when, m.Damaged())
	}
}

// broken breaks do at the first operation after which check has that to say.
func (w *repairWorld) broken(code string, do func(m *Mailbox) error) {
	w.t.Helper()
	for at := 1; at < 60; at++ {
		v := newRepairWorld(w.t, 1)
		m := openOn(w.t, v.disk, v.o)
		v.disk.CrashAt(at)
		if !faultfs.Run(func() { _ = do(m) }) {
			break
		}
		die(v.disk, -1)
		v.o = refresh(v.disk, v.o)
		if slices.Contains(v.codes(), code) {
			*w = *v
			return
		}
	}
	w.t.Fatalf("no crash leaves %s", code)
}

func (w *repairWorld) journalFile(suffix string) string {
	w.t.Helper()
	names, err := w.disk.Dir("/state/journal").Names()
	must(w.t, err)
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, suffix) })
	if i < 0 {
		w.t.Fatalf("no %s in %q", suffix, names)
	}
	return "/state/journal/" + names[i]
}

// TestCheckTellsOfTheJournal: what waits beside a mailbox has a code word of its own, and is gone after a repair.
func TestCheckTellsOfTheJournal(t *testing.T) {
	ctx := t.Context()
	remove := func(m *Mailbox) error { _, err := m.Remove(ctx, []UID{3}); return err }
	add := func(m *Mailbox) error {
		_, _, err := m.Append(ctx, []NewMessage{{Text: strings.NewReader("Subject: new\r\n\r\n" + strings.Repeat("text\r\n", 300))}})
		return err
	}
	tests := []struct {
		code string
		make func(w *repairWorld)
	}{
		{"journal-pending", func(w *repairWorld) { w.broken("journal-pending", remove) }},
		{"append-pending", func(w *repairWorld) { w.broken("append-pending", add) }},
		{"edit-pending", func(w *repairWorld) {
			f := w.disk.File(modelBox, nil)
			info, err := f.Stat()
			must(t, err)
			old := w.disk.Bytes(modelBox)[1000:1040]
			j := newJournal(w.disk.Dir("/state/journal"), modelBox, nil, nil, 0)
			must(t, j.writeIntent(&intent{kind: recEdits, box: identityOf(info), path: modelBox, edits: []edit{{off: 1000, old: old, new: old}}}))
		}},
		{"journal-unreadable", func(w *repairWorld) { // the plan
			w.broken("journal-pending", remove)
			_, err := w.disk.File(w.journalFile(planSuffix), nil).WriteAt(make([]byte, 64), 0)
			must(t, err)
		}},
		{"journal-unreadable", func(w *repairWorld) { // the intent
			w.broken("append-pending", add)
			f := w.disk.File(w.journalFile(intentSuffix), nil)
			id := randomID()
			_, err := f.WriteAt(appendRecord(nil, recAppend, id, 0, nil), 0)
			must(t, err)
		}},
		{"journal-damaged", func(w *repairWorld) {
			w.broken("journal-pending", remove)
			b := w.disk.Bytes(modelBox)
			half := len(b) / 2
			_, err := w.disk.File(modelBox, nil).WriteAt(slices.Concat([]byte("a line more\n"), b[half:]), int64(half))
			must(t, err)
		}},
		{"journal-missing", func(w *repairWorld) {
			must(t, w.disk.File(modelBox, nil).SetPending("0123456789abcdef.0000000000000001"))
			m := openOn(t, w.disk, w.o)
			if !errors.Is(m.Damaged(), ErrElsewhere) || !m.ReadOnly() {
				t.Errorf("read-only %v: %v", m.ReadOnly(), m.Damaged())
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			w := newRepairWorld(t, 1)
			w.wantCodes("before")
			tt.make(w)
			if got := w.codes(); !slices.Contains(got, tt.code) {
				t.Errorf("found %q", got)
			}
			before := w.disk.Bytes(modelBox)
			if _, err := w.repair(false); err != nil || !bytes.Equal(before, w.disk.Bytes(modelBox)) {
				t.Errorf("dry run: %v", err)
			}
			w.mended(tt.code)
			if tt.code == "journal-missing" {
				if id, err := w.disk.File(modelBox, nil).Pending(); err != nil || id != "" {
					t.Errorf("the mark %q stays: %v", id, err)
				}
			}
		})
	}
}

// TestCheckTellsOfAMissingJournal: on a real file, with and without a state directory.
func TestCheckTellsOfAMissingJournal(t *testing.T) {
	w := newWorld(t, checked(1, checkBase))
	f, err := w.box().Open(true)
	must(t, err)
	if err := f.SetPending("0123456789abcdef.0000000000000001"); err != nil {
		t.Skipf("this file system has no extended attributes: %v", err)
	}
	must(t, f.Close())
	for _, state := range []spool.Dir{w.o.State, nil} {
		o := w.o
		o.State = state
		got, err := Check(t.Context(), w.box(), o)
		must(t, err)
		if !slices.ContainsFunc(got, func(f Finding) bool { return f.Code == "journal-missing" && f.Severity == Damaged }) {
			t.Errorf("%v", got)
		}
	}
}
