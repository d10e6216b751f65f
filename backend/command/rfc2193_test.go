package command_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMailboxReferrals is RFC 2193, where the configuration names mailboxes of another server.
func TestMailboxReferrals(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.Referrals = map[string]string{"REMOTE": "IMAP://user;AUTH=*@SERVER2/REMOTE", "Lists": "imap://lists.example.org/L", "Here": "imap://x/"}
	c := h.connect()
	c.ok("CREATE FOO")
	h.write("mail/Here", message("x", ""))
	const url = "NO [REFERRAL IMAP://user;AUTH=*@SERVER2/REMOTE] "
	for _, tt := range []struct{ cmd, want string }{
		{"SELECT REMOTE", url},
		{"EXAMINE REMOTE", url},
		{"STATUS REMOTE (MESSAGES)", url},
		{"CREATE REMOTE", url},
		{"DELETE REMOTE", url},
		{`GETMETADATA REMOTE /private/comment`, "NO [NONEXISTENT]"},
		{"SELECT REMOTE/a&AOQ-/b]c", "NO [REFERRAL IMAP://user;AUTH=*@SERVER2/REMOTE/a&AOQ-/b%5Dc] "},
		{"SELECT REMOTES", "NO [NONEXISTENT]"},
		{"RENAME REMOTE Lists/x", "NO [REFERRAL IMAP://user;AUTH=*@SERVER2/REMOTE imap://lists.example.org/L/x] "},
		{"RENAME FOO REMOTE", "NO [CANNOT]"},
		{"RENAME REMOTE BAR", "NO [CANNOT]"},
		{"SELECT Here", "OK"}, // what is here is served from here
		{"COPY 1 REMOTE", url},
		{"MOVE 1 REMOTE", url},
		{"SELECT REMOTE x", "BAD"},
		{"SEARCH ALL", "OK"},
		{"SELECT REMOTE", url},
		{"SEARCH ALL", "BAD"}, // nothing is selected
		{"SUBSCRIBE REMOTE", "OK"},
		{"SUBSCRIBE FOO", "OK"},
	} {
		if _, done := c.do(tt.cmd); !strings.HasPrefix(done, tt.want) {
			t.Errorf("%s: %s, want %s", tt.cmd, done, tt.want)
		}
	}
	if _, done := c.append("REMOTE", "Subject: x\r\n\r\n"); !strings.HasPrefix(done, url) {
		t.Errorf("APPEND: %s", done)
	}
	const (
		foo    = `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" FOO`
		here   = `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" Here`
		inbox  = `* LIST (\NoInferiors \HasNoChildren) "/" INBOX`
		remote = `* LIST (\Remote) "/" REMOTE`
	)
	c.run(`LIST "" *`, inbox, foo, here, "OK")
	c.run(`RLIST "" *`, inbox, foo, here, `* LIST (\Remote) "/" Lists`, remote, "OK RLIST completed")
	c.run(`RLIST RE %`, remote, "OK")
	c.run(`RLIST "" ""`, `* LIST (\Noselect) "/" ""`, "OK")
	c.run(`LIST (REMOTE) "" R*`, remote, "OK")
	c.run(`LIST (SUBSCRIBED REMOTE) "" *`, `* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed) "/" FOO`,
		`* LIST (\Remote \Subscribed) "/" REMOTE`, "OK")
	c.run(`LIST (SUBSCRIBED) "" *`, `* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed) "/" FOO`, "OK")
	c.run(`LSUB "" *`, `* LSUB () "/" FOO`, "OK")
	c.run(`RLSUB "" *`, `* LSUB () "/" FOO`, `* LSUB () "/" REMOTE`, "OK RLSUB completed")
	for _, cmd := range []string{`RLIST`, `RLIST ""`, `RLIST "" * x`, `RLIST "" (a b)`, `RLSUB ""`, `RLSUB "" * RETURN ()`} {
		c.run(cmd, "BAD")
	}

	h.config.Referrals = nil // as a server without any
	c = h.connect()
	c.run("SELECT REMOTE", "NO [NONEXISTENT]")
	c.run(`RLIST "" *`, inbox, foo, here, "OK")
	c.run(`RLSUB "" *`, `* LSUB () "/" FOO`, `* LSUB () "/" REMOTE`, "OK")
}

// TestScan: UW's SCAN lists the mailboxes whose octets hold a text.
func TestScan(t *testing.T) {
	h := newHost(t, message("x", "body NEEDLE\n"))
	c := h.connect()
	c.ok("CREATE Dir/deep")
	c.ok("CREATE none")
	h.write("mail/subject", message("a Needle", ""))
	h.write("mail/.hidden", message("a needle", ""))
	h.write("needle", message("a needle", "")) // not below the folders
	if err := os.Symlink("../needle", h.path("mail/out")); err != nil {
		t.Fatal(err)
	}
	// Across the places where the file is read in parts.
	for i, at := range []int{64<<10 - 3, 128<<10 - 1, 300 << 10} {
		text := message("large", "")
		h.write("mail/Dir/large"+string(rune('0'+i)), text+strings.Repeat("x", at-len(text))+"nEEdle"+strings.Repeat("y\n", 1000))
	}
	names := func(args string) string {
		t.Helper()
		var found []string
		for _, r := range c.ok("SCAN " + args) {
			found = append(found, r[strings.LastIndexByte(r, ' ')+1:])
		}
		return strings.Join(found, " ")
	}
	read := time.Now().Add(-time.Hour)
	if err := os.Chtimes(h.path("mail/subject"), read, read.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{`"" * needle`, "INBOX subject Dir/large0 Dir/large1 Dir/large2"},
		{`"" % "NEEDLE"`, "INBOX subject"},
		{`Dir/ % {6+}` + "\r\nneedle", "Dir/large0 Dir/large1 Dir/large2"},
		{`"" * "needles"`, ""},
		{`"" INBOX x-imap`, ""},
		{`"" none "folder internal data"`, "none"}, // the file is looked at, not its messages
		{`"" % ""`, "INBOX none subject"},
		{`"" "../%" needle`, ""},
		{`"" "../needle" needle`, ""},
		{`/ % needle`, ""},
		{`"" "" needle`, `""`},
	} {
		if got := names(tt.args); got != tt.want {
			t.Errorf("SCAN %s: %s, want %s", tt.args, got, tt.want)
		}
	}
	// A mailbox with new mail is still one.
	info, err := os.Stat(h.path("mail/subject"))
	if err != nil || !info.ModTime().After(read) {
		t.Fatal(info, err)
	}
	h.marks = true
	c.run(`SCAN "" s% needle`, `* LIST (\NoInferiors \HasNoChildren \Marked) "/" subject`, "OK SCAN completed")
	c.run(`SCAN "" s% needle`, `* LIST (\NoInferiors \HasNoChildren \Marked) "/" subject`, "OK SCAN completed")
	for _, cmd := range []string{`SCAN`, `SCAN "" *`, `SCAN "" * a b`, `SCAN "" (a b) c`, `SCAN "" * (a)`, "SCAN \"\" * {3+}\r\na\x00b"} {
		c.run(cmd, "BAD")
	}
}

// SCAN ends when it takes too long, and says meanwhile that it goes on.
func TestScanTime(t *testing.T) {
	h := newHost(t, "")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		h.write("mail/"+name, message(name, ""))
	}
	now := time.Now()
	h.config.SearchTime = 5 * time.Second
	h.config.Now = func() time.Time { now = now.Add(300 * time.Millisecond); return now }
	got, done := h.connect().do(`SCAN "" * nothing`)
	if !strings.HasPrefix(done, "NO [LIMIT]") || len(got) != 1 || !matches(`* OK [INPROGRESS ("a1" <n> NIL)] Still working`, got[0]) {
		t.Errorf("%q %s", got, done)
	}
}

// Names of UW's namespaces are not made, and not found (R11); a file of such a name is a mailbox.
func TestNamespaceNames(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE Sent")
	for _, name := range []string{"#news.comp.mail", "#mh/inbox", "#mhinbox", "#driver.mbx/x", "#shared/x", "#public/x", "#ftp/x", `"#move/a/b"`} {
		for _, cmd := range []string{
			"CREATE " + name, "RENAME Sent " + name, "RENAME " + name + " x", "SELECT " + name, "EXAMINE " + name, "DELETE " + name,
			"STATUS " + name + " (MESSAGES)", "SUBSCRIBE " + name, "GETMETADATA " + name + " /private/comment",
		} {
			c.run(cmd, "NO [CANNOT] Names that begin with #")
		}
		if _, done := c.append(name, "Subject: x\r\n\r\n"); !strings.HasPrefix(done, "NO [CANNOT]") {
			t.Errorf("APPEND %s: %s", name, done)
		}
		c.run(`LIST "" `+name, "OK")
		c.ok("UNSUBSCRIBE " + name)
	}
	c.ok("SELECT INBOX")
	c.run("COPY 1 #mh/x", "NO [CANNOT]")
	for _, name := range []string{"~/x", "~root/x", "~chris/mail/Sent", "/etc/passwd", "../inbox", "Sent/../../inbox"} {
		for _, cmd := range []string{"CREATE ", "SELECT ", "DELETE "} {
			if _, done := c.do(cmd + name); !strings.HasPrefix(done, "NO [") {
				t.Errorf("%s%s: %s", cmd, name, done)
			}
		}
	}
	c.run("NAMESPACE", `* NAMESPACE (("" "/")) NIL NIL`, "OK")

	h.write("mail/#old", message("x", ""))
	c.run(`LIST "" #%`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" #old`, "OK")
	c.run("STATUS #old (MESSAGES)", "* STATUS #old (MESSAGES 1)", "OK")
	c.ok("SUBSCRIBE #old")
	c.ok("SUBSCRIBE #old")
	c.run(`LSUB "" #*`, `* LSUB () "/" #old`, "OK")
	c.ok("RENAME #old new")
	c.run("RENAME new #old", "NO [CANNOT]")
}
