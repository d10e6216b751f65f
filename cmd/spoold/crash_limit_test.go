package main_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCrashFileLimit runs the server under a limit of the size of files (RLIMIT_FSIZE), as
// some hosts' start scripts set one. What would go beyond it is refused and changes
// nothing; the signal that comes with it ends nothing; mail that others deliver beyond it
// can be read.
func TestCrashFileLimit(t *testing.T) {
	const limit = 4 << 20
	h := newHost(t, "soak")
	l := newLedger()
	l.crash = newCrashBook(32 << 10)
	h.put("soak", "INBOX", nil)
	inbox := h.file("soak", "INBOX")
	l.refill(t, deliver, inbox, 0, 100, 1)
	h.limit = fmt.Sprint(limit / 512)
	h.serve()
	soakSetup(h)
	c := h.login("soak")
	c.open("SELECT", "INBOX")
	c.ok("CHECK")
	try := func(want, command string) {
		t.Helper()
		before := fullState(t, h, c)
		a := c.do("%s", command)
		name, _, _ := strings.Cut(command, "\r\n")
		switch {
		case a.status == "NO" && code(a.text) == "LIMIT":
			before.compare(t, name, fullState(t, h, c))
		case a.status != "OK":
			t.Errorf("%s: %s %s", name, a.status, a.text)
		}
		if want != "" && a.status != want {
			t.Errorf("%s: %s %s, want %s", name, a.status, a.text, want)
		}
	}
	add := func(mailbox string, size int) string {
		text := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("l", 78)+"\r\n", size/80)
		return fmt.Sprintf("APPEND %s {%d+}\r\n%s", mailbox, len(text), text)
	}
	room := limit - fileSize(t, inbox)
	try("NO", add("INBOX", int(room)+100<<10))
	try("NO", "COPY 1:90 INBOX")
	try("OK", add("Other", 100<<10))
	try("OK", add("INBOX", 1000))
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	try("", "UID EXPUNGE 1:*") // its journal may be too large, or not

	l.refill(t, deliver, inbox, 0, int(room)/(32<<10)+30, 2) // others have no limit
	if size := fileSize(t, inbox); size < limit+200<<10 {
		t.Fatalf("the INBOX has only %d octets", size)
	}
	n, _ := c.ok("NOOP").counted("EXISTS")
	if n < 100 {
		t.Fatalf("%d EXISTS after a delivery", n)
	}
	try("NO", add("INBOX", 1000))
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	try("NO", "UID EXPUNGE 1:*")
	c.ok(`STORE 1 -FLAGS.SILENT (\Deleted)`)
	c.ok(`STORE %d +FLAGS.SILENT (\Deleted)`, n-1)
	try("NO", "UID EXPUNGE 1:*")
	c.ok(`STORE %d -FLAGS.SILENT (\Deleted)`, n-1)
	c.ok(`STORE 1 +FLAGS.SILENT (Below)`)
	if a := c.do("CHECK"); a.status != "OK" && code(a.text) != "LIMIT" {
		t.Errorf("CHECK: %s %s", a.status, a.text)
	}
	last := fullState(t, h, c)
	validity := c.open("SELECT", "INBOX").UIDValidity
	c.logout()
	if log := h.spooldWarnings(); strings.Contains(log, "Worker died") {
		t.Errorf("the server's log:\n%.2000s", log)
	}

	h.kill() // a flush at the end must not be what saves it
	h.limit = ""
	h.serve()
	c = h.login("soak")
	if v := c.open("SELECT", "INBOX").UIDValidity; v != validity {
		t.Errorf("UIDVALIDITY %d, was %d", v, validity)
	}
	last.compare(t, "a restart without the limit", fullState(t, h, c))
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok("UID EXPUNGE 1:*")
	c.logout()
	h.stop(syscall.SIGTERM)
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}
