package mboxstore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoold/mboxstore/mboxtest"
	"spoold/spool"
	"spoold/spool/faultfs"

	"github.com/google/go-cmp/cmp"
)

// simBox gives a simulated mailbox the lock file that nobody makes there.
type simBox struct {
	*faultfs.Box
	lock spool.LockState
}

func (b simBox) LockFile() (spool.LockState, error) { return b.lock, nil }

func (w *world) box() *spool.Box {
	return spool.NewBox(w.path, uint32(os.Getuid()), spool.LockPolicy{
		Methods: []spool.Method{"fcntl", "dotlock", "flock"}, Timeout: 5 * time.Second, Stale: time.Hour,
	})
}

func found(findings []Finding) (lines []string) {
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%d %s", f.Offset, f.Code))
	}
	return lines
}

// checkText checks a mailbox of that content without state directory, which it does not mention.
func checkText(t *testing.T, content string) []Finding {
	t.Helper()
	w := newWorld(t, "")
	w.write(content)
	w.o.State = nil
	findings, err := Check(t.Context(), w.box(), w.o)
	must(t, err)
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Code == "no-state" })
}

const (
	checkBase = "X-IMAPbase: 1234567890 0000000009 Work\n"
	checkFrom = "From a@example.com Wed Dec  2 05:53:22 1992\n"
)

// checked is a message with status headers and a text of its own.
func checked(uid int, base string) string {
	return fmt.Sprintf("%sSubject: m%d\n%sStatus: RO\nX-Status: \nX-Keywords: Work\nX-UID: %d\n\ntext %d\n\n", checkFrom, uid, base, uid, uid)
}

func TestCheckFinds(t *testing.T) {
	one, two := checked(1, checkBase), checked(2, "")
	n := len(one)
	edit := func(old, with string) string { return one + strings.Replace(two, old, with, 1) }
	at := func(mark string) int { return n + strings.Index(two, mark) }
	tests := []struct {
		name, content string
		want          []string
	}{
		{"nothing", one + two, nil},
		{"empty", "", nil},
		{"not-mbox", "hello\n", []string{"0 not-mbox"}},
		{"leading-bytes", "\n" + one, []string{"0 leading-bytes"}},
		{"nul-tail", one + "\x00\x00", []string{fmt.Sprint(n, " nul-tail")}},
		{"nul-bytes", edit("text", "t\x00\x00t"), []string{fmt.Sprint(at("text")+1, " nul-bytes")}},
		{"nul-block", edit("text", strings.Repeat("\x00", 600)), []string{fmt.Sprint(at("text"), " nul-block")}},
		{"no-final-lf", strings.TrimRight(one, "\n"), []string{fmt.Sprint(n-2, " no-final-lf")}},
		{"no-blank-line at the end", one[:n-1], []string{fmt.Sprint(n-1, " no-blank-line")}},
		{"no-blank-line", one[:n-1] + two, []string{fmt.Sprint(n-1, " no-blank-line")}},
		{"line-ends", one + strings.ReplaceAll(two, "\n", "\r\n"), []string{fmt.Sprint(n, " line-ends")}},
		{"uid-missing", one + mailbox(2), []string{fmt.Sprint(n, " uid-missing")}},
		{"uid-invalid", edit("X-UID: 2", "X-UID: 2a"), []string{fmt.Sprint(n, " uid-missing"), fmt.Sprint(at("X-UID"), " uid-invalid")}},
		{"uid-lines", edit("X-UID: 2\n", "X-UID: 2\nX-UID: 3\n"), []string{fmt.Sprint(at("X-UID: 2")+9, " uid-lines")}},
		{"uid-duplicate", edit("X-UID: 2", "X-UID: 1"), []string{fmt.Sprint(n, " uid-duplicate")}},
		{"uid-order", checked(3, checkBase) + two, []string{fmt.Sprint(n, " uid-order")}},
		{"uid-above-last, base-last", one + checked(10, ""), []string{fmt.Sprint(strings.Index(one, "X-IMAP"), " base-last"), fmt.Sprint(n, " uid-above-last")}},
		{"base-missing", two, []string{"0 base-missing", fmt.Sprint(strings.Index(two, "Status"), " keyword-unknown")}},
		{"base-lines", checked(1, checkBase+checkBase), []string{fmt.Sprint(strings.Index(one, "Status"), " base-lines")}},
		{"base-later", edit("Status", checkBase+"Status"), []string{fmt.Sprint(at("Status"), " base-later")}},
		{
			"base-invalid", checked(1, "X-IMAPbase: one two Work\n"),
			[]string{"0 base-missing", fmt.Sprint(strings.Index(one, "X-IMAP"), " base-invalid"), fmt.Sprint(strings.Index(one, "X-IMAP"), " keyword-unknown")},
		},
		{"base-bounds", checked(1, "X-IMAPbase: 7 4294967295 Work\n"), []string{fmt.Sprint(strings.Index(one, "X-IMAP"), " base-bounds")}},
		{
			"base-bounds of 0", checked(1, "X-IMAPbase: 0 0000000009\n"),
			[]string{"0 base-missing", fmt.Sprint(strings.Index(one, "X-IMAP"), " base-bounds"), fmt.Sprint(strings.Index(one, "X-IMAP"), " keyword-unknown")},
		},
		{
			"ximap-form", checked(1, "X-IMAP: 7 0000000009 Work\n"),
			[]string{"0 base-missing", fmt.Sprint(strings.Index(one, "X-IMAP"), " ximap-form"), fmt.Sprint(strings.Index(one, "X-IMAP"), " keyword-unknown")},
		},
		{"status-lines", edit("X-Status: \n", "X-Status: \nX-Status: F\n"), []string{fmt.Sprint(at("X-Status")+11, " status-lines")}},
		{"status-split", edit("Subject", "Status: R\nSubject"), []string{fmt.Sprint(at("Status")+10, " status-lines"), fmt.Sprint(at("Status")+10, " status-split")}},
		{"status-case", edit("X-Status: ", "x-status: D"), []string{fmt.Sprint(at("X-Status"), " status-case")}},
		{"status-continued", edit("X-UID", " D\nX-UID"), []string{fmt.Sprint(at("X-UID"), " status-continued")}},
		{"keyword-unknown", edit(": Work", ": Work Play"), []string{fmt.Sprint(at("Status"), " keyword-unknown")}},
		{"padding", edit(": Work", ": Work"+strings.Repeat(" ", 901)), []string{fmt.Sprint(at("X-Keywords"), " padding")}},
		{"padding that is allowed", edit(": Work", ": Work"+strings.Repeat(" ", 900)), nil},
		{"header-open", one + two[:strings.Index(two, "\n\n")+1], []string{fmt.Sprint(at("\n\n")+1, " header-open"), fmt.Sprint(at("\n\n")+1, " no-blank-line")}},
		{"duplicate", one + two + two, []string{fmt.Sprint(n+len(two), " duplicate")}},
		{"duplicate with other flags", one + two + strings.Replace(two, "Status: RO", "Status: O ", 1), []string{fmt.Sprint(n+len(two), " duplicate")}},
		{"copies", one + two + strings.Replace(two, "X-UID: 2", "X-UID: 3", 1), nil},
		{"same-bytes", one + mailbox(1) + mailbox(1), []string{fmt.Sprint(n, " uid-missing"), fmt.Sprint(n+len(mailbox(1)), " same-bytes")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkText(t, tt.content)
			if diff := cmp.Diff(tt.want, found(got)); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, got)
			}
		})
	}
}

func TestCheckBeside(t *testing.T) {
	w := newWorld(t, checked(1, checkBase))
	check := func(want ...string) {
		t.Helper()
		got, err := Check(t.Context(), w.box(), w.o)
		must(t, err)
		if diff := cmp.Diff(want, found(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	names := func() []string {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(w.path), "*", "*"))
		must(t, err)
		return names
	}
	check()
	if n := names(); len(n) > 0 {
		t.Errorf("check made %q", n)
	}
	must(t, os.Chmod(w.path, 0o644))
	check("0 mode")
	must(t, os.Chmod(w.path, 0o600))

	old := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(w.path, old, old))
	must(t, os.WriteFile(w.path+".lock", nil, 0o600))
	time.Sleep(lockFileWait + 10*time.Millisecond)
	check("0 lock-file")
	if _, err := os.Stat(w.path + ".lock"); err != nil {
		t.Errorf("check took the lock file away: %v", err)
	}
	must(t, os.Remove(w.path+".lock"))

	real := w.path
	w.path += "-link"
	must(t, os.Symlink(real, w.path))
	check("0 symlink")
	must(t, os.Remove(w.path))
	w.path = real

	// The index cache says something else of the very same file.
	m := w.open()
	w.close(m)
	check()
	m.stamp = spool.Stamp{}
	must(t, m.openFile())
	must(t, m.keepStamp())
	m.index.records[0].digest++
	must(t, m.saveCache(false))
	m.closeFile()
	check("0 cache-wrong")
}

// TestCheckIsSilent: what spoold has written has no findings, whatever it was made of.
func TestCheckIsSilent(t *testing.T) {
	for name, style := range map[string]mboxtest.Style{
		"delivered": mboxtest.Delivered, "uw": mboxtest.UW, "pseudo": mboxtest.UWPseudo, "dovecot": mboxtest.Dovecot, "mutt": mboxtest.Mutt,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				box := mboxtest.New(mboxtest.Options{Seed: seed, Messages: 40, Style: style})
				w := newWorld(t, string(box.Bytes))
				w.o.Inbox = seed%2 == 0
				silent := func(what string, m *Mailbox) {
					t.Helper()
					must(t, m.writePending(t.Context(), true))
					got, err := Check(t.Context(), w.box(), w.o)
					must(t, err)
					if len(got) > 0 {
						t.Errorf("seed %d, %s: %v", seed, what, got)
					}
				}
				m := w.open()
				// Dovecot and mutt put their lines where they like; a message keeps them until a flag of it changes.
				must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagSeen | FlagAnswered, Keywords: []string{"Fresh"}}))
				silent("flags", m)
				_, err := m.Remove(t.Context(), []UID{1, 2, 7, 20, 40})
				must(t, err)
				silent("expunge", m)
				_, _, err = m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: x\r\n\r\nFrom me\r\n"), Flags: FlagFlagged, Keywords: []string{"New"}}})
				must(t, err)
				_, _, _, err = m.CopyTo(t.Context(), m, []UID{3, 5})
				must(t, err)
				silent("append and copy", m)
				_, bytes := mboxtest.Deliver(seed + 100)
				w.deliver(string(bytes))
				must(t, m.Refresh(t.Context()))
				silent("delivery", m)
				w.close(m)
				silent("close", w.open())
				m = w.open()
				_, err = m.Remove(t.Context(), m.UIDs())
				must(t, err)
				silent("all expunged", m)
				w.close(m)
			}
		})
	}
}
