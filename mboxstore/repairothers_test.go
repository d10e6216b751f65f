package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// foreignStatus is another program that gives a message a status line, and writes all of the file anew for that.
func foreignStatus(t *testing.T, disk *faultfs.FS, path, subject string) {
	t.Helper()
	line := "Subject: " + subject + "\n"
	b := bytes.Replace(disk.Bytes(path), []byte(line), []byte(line+"Status: RO\n"), 1)
	f := disk.File(path, nil)
	_, err := f.WriteAt(b, 0)
	must(t, errors.Join(err, f.Truncate(int64(len(b))), f.Sync()))
}

// textsBySubject are the messages of a mailbox. A subject that is there twice is an error.
func textsBySubject(t *testing.T, m *Mailbox) (map[string]string, error) {
	t.Helper()
	texts := map[string]string{}
	for _, u := range m.UIDs() {
		b, err := m.Text(t.Context(), u, nil)
		must(t, err)
		_, subject, _ := strings.Cut(string(b), "Subject: ")
		subject, _, _ = strings.Cut(subject, "\n")
		subject = strings.TrimRight(subject, "\r")
		if _, again := texts[subject]; again {
			return nil, fmt.Errorf("%s is there twice", subject)
		}
		texts[subject] = strings.TrimRight(string(b), "\r\n")
	}
	return texts, nil
}

// sameTexts compares what is there with what was.
func sameTexts(want, got map[string]string) error {
	if len(want) != len(got) {
		return fmt.Errorf("%d messages, not %d", len(got), len(want))
	}
	for s, text := range want {
		if got[s] != text {
			return fmt.Errorf("%s is %q, was %q", s, got[s], text)
		}
	}
	return nil
}

// TestRepairWithAMoveUnderWay: a move breaks off, and another program writes one of its mailboxes anew before what waits
// in the journal is done. After a repair of both the start finishes the move, and each message is there once. What a torn
// append left, which another program has written anew, stays beside the whole message.
func TestRepairWithAMoveUnderWay(t *testing.T) {
	damaged, records, trials, torn, step := 0, 0, 0, 0, 3
	if full() {
		step = 1
	}
	for mode := -1; mode <= 3; mode++ {
		for _, touched := range []string{pairSource, pairTarget} {
			for at, crashed := 1, true; crashed; at += step {
				p := newPair(t, longer(mailbox(6)), "From a Wed Dec  2 05:53:22 1992\nSubject: target\n\nx\n\n")
				must(t, p.src.writePending(t.Context(), true))
				must(t, p.dst.writePending(t.Context(), true))
				must(t, errors.Join(p.src.saveCache(true), p.dst.saveCache(true)))
				p.src.journal.window, p.dst.journal.window = 128, 128
				was, err := textsBySubject(t, p.src)
				must(t, err)
				p.disk.CrashAt(at)
				crashed = faultfs.Run(func() { _, _, _ = p.move(2, 3) })
				die(p.disk, mode)
				foreignStatus(t, p.disk, touched, map[string]string{pairSource: "m1", pairTarget: "target"}[touched])
				p.o.State = p.disk.Dir("/state")
				moves, err := PendingMoves(p.o.State)
				must(t, err)
				trials, records = trials+1, records+len(moves)
				for _, path := range []string{pairSource, pairTarget} {
					acts, err := Repair(t.Context(), p.disk.Box(path), p.o, true)
					if err != nil {
						t.Fatalf("mode %d, %s, crash at %d: %v: %v", mode, touched, at, acts, err)
					}
					for _, a := range acts {
						damaged += boolInt(a.Code == "journal")
					}
				}
				p.open()
				there, err := textsBySubject(t, p.src)
				moved, err2 := textsBySubject(t, p.dst)
				for s, text := range moved {
					whole, both := there[s]
					switch {
					case both && text == whole:
						err = fmt.Errorf("%s is in both", s)
					case both:
						torn++ // nobody can tell it from mail of its own any more
					case s != "target" && err == nil:
						there[s] = text
					}
				}
				if err = errors.Join(err, err2); err == nil {
					err = sameTexts(was, there)
				}
				if err != nil {
					t.Fatalf("mode %d, %s, crash at %d: %v\n%s", mode, touched, at, err, strings.Join(p.disk.Log(), "\n"))
				}
				p.wantNoRecord()
			}
		}
	}
	t.Logf("%d trials, %d with a record of the move, %d journals that did not fit, %d torn copies stay", trials, records, damaged, torn)
	if damaged == 0 || records == 0 {
		t.Error("nothing was tried")
	}
}
