package mboxstore

import (
	"io"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// TestReplaceCrash dies in every operation of a replacement, by a kill or a power cut. Afterwards the old message is
// there, or the new one, or both, and all others.
func TestReplaceCrash(t *testing.T) {
	replace := func(w *crashWorld) error {
		in := w.a.Receive()
		defer in.Close()
		msg := &NewMessage{Flags: FlagSeen, Keywords: []string{"Fresh"}}
		if err := in.Add(msg, func(out io.Writer) error { _, err := io.WriteString(out, newText(0)); return err }); err != nil {
			return err
		}
		_, uid, err := in.Replace(w.ctx, w.a, 3)
		if err == nil && uid != 6 {
			t.Errorf("UID %d", uid)
		}
		return err
	}
	five := crashLines(5, "", "")
	with := append(slices.Clone(five), "6 R n0 Fresh")
	done := slices.Delete(slices.Clone(with), 2, 3)
	c := &crashCase{a: mailbox(5), do: replace, oldA: five, newA: with}
	found := map[string]int{}
	for mode := -1; mode < 3; mode++ {
		for at, crashed := 1, true; crashed; at++ {
			w, err := newCrashWorld(t.Context(), crashTrial{seed: int64(at % 8), at: at, mode: mode}, c)
			if err != nil {
				t.Fatal(err)
			}
			w.disk.CrashAt(at)
			crashed = faultfs.Run(func() { err = replace(w) })
			if err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			w.die()
			if err := w.open(); err != nil {
				t.Fatalf("mode %d at %d: %v", mode, at, err)
			}
			lines, err := w.lines(w.a)
			if err != nil {
				t.Fatalf("mode %d at %d: %v", mode, at, err)
			}
			switch {
			case slices.Equal(lines, done):
				found["new"]++
			case crashed && slices.Equal(lines, with):
				found["both"]++
			case crashed && slices.Equal(lines, five):
				found["old"]++
			default:
				t.Fatalf("mode %d at %d, crashed %v: %s\n%s", mode, at, crashed, strings.Join(lines, ", "), strings.Join(w.disk.Log(), "\n"))
			}
		}
	}
	t.Logf("after a crash there were %v", found)
	if len(found) != 3 {
		t.Error("not every state was seen: this proves little")
	}
}

// TestReplaceMissing: nothing is added in place of a message that is not there.
func TestReplaceMissing(t *testing.T) {
	w, err := newCrashWorld(t.Context(), crashTrial{mode: -1}, &crashCase{a: mailbox(5)})
	if err != nil {
		t.Fatal(err)
	}
	in := w.a.Receive()
	defer in.Close()
	if err := in.Add(&NewMessage{}, func(out io.Writer) error { _, err := io.WriteString(out, newText(0)); return err }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := in.Replace(t.Context(), w.a, 99); err == nil {
		t.Error("a message that is not there was replaced")
	}
	lines, err := w.lines(w.a)
	if err != nil || !slices.Equal(lines, crashLines(5, "", "")) {
		t.Errorf("%q, %v", lines, err)
	}
}
