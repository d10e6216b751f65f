package main_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mutt and Dovecot write Content-Length, mutt also Lines, into the header of what they write back. It is the same
// message then: sessions that have the mailbox open see nothing but the flags that changed, and so it is after a
// restart.

// lengthsMailbox has short and long messages (Dovecot adds Content-Length from 1 KiB on), with the length lines of
// an MDA in two of them and in one a Content-Length that is the sender's and wrong.
func lengthsMailbox() []byte {
	var b bytes.Buffer
	header := []string{"", "", "Content-Length: 1600\nLines: 100\n", "", "Content-Length: 3\n"}
	for i := range 12 {
		body := strings.Repeat(fmt.Sprintf("line of body %2d\n", i+1), 1+i*i)
		fmt.Fprintf(&b, "From u@example.org Mon Nov  2 10:00:%02d 2026\n%sSubject: number %d\nMessage-ID: <%[3]d@lengths.example.org>\n\n%[4]s\n",
			i, header[i%len(header)], i+1, body)
	}
	return b.Bytes()
}

func TestInteropLengthsOfMutt(t *testing.T) {
	needs(t, "mutt", "script")
	lengthsAreNothing(t, func(h *host, file string, n int) {
		rc := filepath.Join(h.home("alice"), "muttrc")
		writeFile(h.t, h.owner, rc, fmt.Appendf(nil, `
set sleep_time=0 timeout=1 wait_key=no mark_old=no beep=no quit=yes delete=yes resolve=no sort=mailbox-order read_inc=0 write_inc=0 folder=%s
push "%d<enter><flag-message><sync-mailbox><quit>"
`, h.home("alice"), n))
		h.terminal("mutt", "-n", "-F", rc, "-f", file)
	})
}

func TestInteropLengthsOfDovecot(t *testing.T) {
	needs(t, dovecot)
	lengthsAreNothing(t, func(h *host, file string, n int) {
		d := startDovecot(h.t, h.owner, h.home("alice"), "inbox")
		d.open("SELECT", filepath.Base(file))
		d.ok(`STORE %d +FLAGS (\Flagged Wide)`, n)
		d.ok(`STORE %d -FLAGS (Wide)`, n)
		d.ok("CLOSE")
		d.logout()
	})
}

// lengthsAreNothing lets a program flag message n of a mailbox that a session of spoold has open, before spoold has
// written anything into it and afterwards.
func lengthsAreNothing(t *testing.T, set func(h *host, file string, n int)) {
	h := newHost(t, "alice")
	h.put("alice", "box", lengthsMailbox())
	h.serve()
	c := h.login("alice")
	want := c.read("SELECT", "box")
	file := h.file("alice", "box")
	before := bytes.Count(readFile(t, file), []byte("Content-Length:"))
	change := func(n int) {
		t.Helper()
		set(h, file, n)
		a := c.ok("NOOP")
		for _, l := range a.lines {
			if strings.HasSuffix(l.raw, " EXPUNGE") || strings.HasSuffix(l.raw, " EXISTS") {
				t.Errorf("message %d: told %s", n, l.raw)
			}
		}
		m := &want.Mails[n-1]
		m.Flags = append(m.Flags, `\Flagged`)
		slices.Sort(m.Flags)
		got := c.read("SELECT", "box")
		sameMails(t, fmt.Sprintf("message %d", n), want, got)
	}
	change(2)
	change(11)
	if after := bytes.Count(readFile(t, file), []byte("Content-Length:")); after <= before {
		t.Errorf("Content-Length %d times, before %d times: nothing was tried", after, before)
	}
	c.ok(`STORE 3:5 +FLAGS (\Seen)`)
	c.ok("CHECK")
	for i := 2; i < 5; i++ {
		want.Mails[i].Flags = append(want.Mails[i].Flags, `\Seen`)
		slices.Sort(want.Mails[i].Flags)
	}
	change(6) // Dovecot, which looks at what it believes to know, would undo what was just set on another
	change(12)
	c.logout()
	h.stop(syscall.SIGTERM)
	h.serve()
	c = h.login("alice")
	sameMails(t, "after a restart", want, c.read("SELECT", "box"))
	c.logout()
}

// sameMails compares all but what a session has for itself, and what is seen by reading.
func sameMails(t *testing.T, when string, want, got box) {
	t.Helper()
	if want.UIDValidity != got.UIDValidity {
		t.Errorf("%s: UIDVALIDITY %d, was %d", when, got.UIDValidity, want.UIDValidity)
	}
	plain := func(mails []mail) []mail {
		mails = slices.Clone(mails)
		for i := range mails {
			mails[i].Recent = false
		}
		return mails
	}
	if diff := cmp.Diff(plain(want.Mails), plain(got.Mails)); diff != "" {
		t.Errorf("%s (-want +got):\n%.4000s", when, diff)
	}
}
