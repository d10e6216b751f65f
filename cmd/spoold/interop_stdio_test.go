package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStdio runs two pre-authenticated sessions of one user: the second finds the
// process of the first, and each sees at once what the other does.
func TestStdio(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to run as a user who has no home but $HOME")
	}
	p := person{"somebody", 60417, 60417}
	home := homeFolder(t, p)
	start := func() *client { return startPiped(t, p.command(home, spooldProgram(t), "stdio"), true) }
	first := start()
	if !strings.HasPrefix(first.greeting, "* PREAUTH ") {
		t.Fatalf("greeting %q", first.greeting)
	}
	first.ok("CREATE Notes")
	second := start()
	second.open("SELECT", "Notes")
	a := first.appendMail("Notes", `(\Flagged)`, "Subject: one\r\n\r\nHello.\r\n")
	if !strings.HasPrefix(code(a.text), "APPENDUID ") {
		t.Errorf("APPEND: %s %s", a.status, a.text)
	}
	if n, _ := second.ok("NOOP").counted("EXISTS"); n != 1 {
		t.Errorf("%d EXISTS in the other session, want 1", n)
	}
	second.ok(`STORE 1 +FLAGS (\Deleted)`)
	second.ok("EXPUNGE")
	if b := first.read("SELECT", "Notes"); b.Exists != 0 {
		t.Errorf("%d messages after the other session's EXPUNGE", b.Exists)
	}
	first.ok("LOGOUT")
	second.ok("NOOP") // the process that began for the first session goes on for the second
	second.logout()
	first.close()
	if text := string(readFile(t, filepath.Join(home, "mail", "Notes"))); !strings.Contains(text, "\nX-IMAP: ") {
		t.Errorf("the folder:\n%s", text)
	}
}
