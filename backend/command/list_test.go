package command_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// folders is a user with some folders.
func folders(t *testing.T) (*host, *client) {
	t.Helper()
	h := newHost(t, "")
	c := h.connect()
	for _, name := range []string{"Sent", "Work/2003/spring", "Work/2004", "Work.old", "Inboxes"} {
		c.ok("CREATE " + name)
	}
	c.ok("CREATE Empty/")
	return h, c
}

func TestList(t *testing.T) {
	h, c := folders(t)
	if err := os.Symlink("/", h.path("mail/Root")); err != nil {
		t.Fatal(err)
	}
	h.write("mail/.hidden", message("x", ""))
	for _, tt := range []struct{ args, want string }{
		{`"" *`, "INBOX Empty Inboxes Sent Work Work.old Work/2003 Work/2004 Work/2003/spring"},
		{`"" %`, "INBOX Empty Inboxes Sent Work Work.old"},
		{`"" inbox`, "INBOX"},
		{`"" iNb%`, "INBOX"},
		{`"" In*`, "INBOX Inboxes"},
		{`"" Work/%`, "Work/2003 Work/2004"},
		{`Work/ %`, "Work/2003 Work/2004"},
		{`Work/2003 *`, "Work/2003 Work/2003/spring"},
		{`"" %/%`, "Work/2003 Work/2004"},
		{`"" *spring`, "Work/2003/spring"},
		{`"" %spring`, ""},
		{`"" Work/%/spring`, "Work/2003/spring"},
		{`"" Work/`, "Work/"},
		{`"" %/`, "Empty/ Work/"},
		{`"" Sent/`, ""},
		{`"" Sent/%`, ""},
		{`"" work`, ""},
		{`"" /etc/%`, ""},
		{`"" ~/*`, ""},
		{`"" ~root/*`, ""},
		{`"" #news.*`, ""},
		{`/ *`, ""},
		{`"" ../%`, ""},
		{`"" Work/../%`, ""},
		{`"" Work//%`, ""},
		{`../ %`, ""},
		{`"" Root/*`, ""},
		{`"" ` + strings.Repeat("*a", 400) + "*b", ""},
	} {
		var names []string
		for _, r := range c.ok("LIST " + tt.args) {
			names = append(names, r[strings.LastIndexByte(r, ' ')+1:])
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("LIST %.60s: got %s, want %s", tt.args, got, tt.want)
		}
	}
	c.run(`LIST "" ""`, `* LIST (\Noselect) "/" ""`, "OK")
	c.run(`LIST "" (INBOX Sent Work Empty)`,
		`* LIST (\NoInferiors \HasNoChildren) "/" INBOX`,
		`* LIST (\Noselect \HasNoChildren) "/" Empty`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" Sent`,
		`* LIST (\Noselect \HasChildren) "/" Work`, "OK LIST completed")
}

// TestListExtended asks what RFC 5258 §5 asks, of a tree like the one there.
func TestListExtended(t *testing.T) {
	h, c := folders(t)
	for _, name := range []string{"INBOX", "Sent", "Work/2003/spring", "Gone", "Lost/deep/er"} {
		c.ok("SUBSCRIBE " + name)
	}
	const (
		inbox = `* LIST (\NoInferiors \HasNoChildren \Subscribed) "/" INBOX`
		sent  = `* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed) "/" Sent`
	)
	c.run(`LIST (SUBSCRIBED) "" "*"`, inbox, sent,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed) "/" Work/2003/spring`,
		`* LIST (\NonExistent \Subscribed) "/" Gone`, `* LIST (\NonExistent \Subscribed) "/" Lost/deep/er`, "OK")
	c.run(`LIST (SUBSCRIBED REMOTE) "" % RETURN (CHILDREN)`, inbox, sent, `* LIST (\NonExistent \Subscribed) "/" Gone`, "OK")
	c.run(`LIST (SUBSCRIBED RECURSIVEMATCH) "" %`, inbox, sent,
		`* LIST (\Noselect \HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))`,
		`* LIST (\NonExistent \Subscribed) "/" Gone`,
		`* LIST (\NonExistent) "/" Lost ("CHILDINFO" ("SUBSCRIBED"))`, "OK")
	// What is returned itself is not told of its parents as well (RFC 5258 §3.5).
	c.run(`LIST (RECURSIVEMATCH SUBSCRIBED) "" Work*`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed) "/" Work/2003/spring`, "OK")
	c.run(`LIST () "" (Sent Inboxes) RETURN (SUBSCRIBED CHILDREN)`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" Inboxes`, sent, "OK")
	c.run(`LIST (SUBSCRIBED) "" ""`, "OK")
	for _, args := range []string{
		`(RECURSIVEMATCH) "" *`, `(REMOTE RECURSIVEMATCH) "" *`, `(UNKNOWN) "" *`, `"" () RETURN (CHILDREN)`, `"" * RETURN`,
		`"" * RETURN (UNKNOWN)`, `"" * RETURN CHILDREN`, `"" * OTHER (CHILDREN)`, `"" * RETURN (STATUS)`, `"" * RETURN (STATUS (X))`, `""`, "",
	} {
		c.run("LIST "+args, "BAD")
		c.run("NOOP", "OK")
	}
	h.write("mail/broken", "this is no mailbox\n")
	got := c.ok(`LIST "" (Sent Work broken) RETURN (STATUS (MESSAGES SIZE))`) // RFC 5819
	want := []string{
		`* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" Sent`, "* STATUS Sent (MESSAGES 0 SIZE 0)",
		`* LIST (\Noselect \HasChildren) "/" Work`,
	}
	for _, w := range want {
		c.has(got, w)
	}
	if slices.ContainsFunc(got, func(r string) bool {
		return strings.HasPrefix(r, "* STATUS broken") || strings.HasPrefix(r, "* STATUS Work")
	}) {
		t.Errorf("status of what has none: %q", got)
	}
}

func TestLsub(t *testing.T) {
	h, c := folders(t)
	for _, name := range []string{"Inbox", "Sent", "Work/2003/spring", "Work/2004", "Gone/x"} {
		c.ok("SUBSCRIBE " + name)
	}
	c.run(`LSUB "" *`, `* LSUB () "/" Gone/x`, `* LSUB (\NoInferiors) "/" INBOX`, `* LSUB () "/" Sent`,
		`* LSUB () "/" Work/2003/spring`, `* LSUB () "/" Work/2004`, "OK")
	c.run(`LSUB "" %`, `* LSUB (\Noselect) "/" Gone`, `* LSUB (\NoInferiors) "/" INBOX`, `* LSUB () "/" Sent`,
		`* LSUB (\Noselect) "/" Work`, "OK")
	c.run(`LSUB Work/ %`, `* LSUB (\Noselect) "/" Work/2003`, `* LSUB () "/" Work/2004`, "OK")
	c.run(`LSUB "" inb%`, `* LSUB (\NoInferiors) "/" INBOX`, "OK")
	c.ok("UNSUBSCRIBE Gone/x")
	c.ok("UNSUBSCRIBE Gone/x")
	c.run(`LSUB "" G*`, "OK")
	if got := h.read(".mailboxlist"); strings.Contains(got, "Gone") || !strings.Contains(got, "mail/Sent\n") {
		t.Errorf(".mailboxlist: %q", got)
	}
}

func TestFolders(t *testing.T) {
	h, c := folders(t)
	for _, tt := range []struct{ cmd, want string }{
		{"CREATE Sent", "NO [ALREADYEXISTS]"},
		{"CREATE inbox", "NO [ALREADYEXISTS]"},
		{"CREATE inbox/x", "NO [CANNOT] INBOX holds mail"},
		{"CREATE Sent/a/b", "NO [CANNOT] Sent holds mail and so cannot hold folders in this layout"},
		{"CREATE Work/2003/spring/x", "NO [CANNOT] Work/2003/spring holds mail"},
		{"CREATE ../x", "NO [CANNOT]"},
		{"CREATE /tmp/x", "NO [CANNOT]"},
		{`CREATE ""`, "NO [CANNOT]"},
		{`CREATE "a*b"`, "NO [CANNOT]"},
		{`CREATE "a` + "\t" + `b"`, "NO [CANNOT]"},
		{"CREATE " + strings.Repeat("x", 300), "NO [CANNOT]"},
		{"CREATE", "BAD"},
		{"CREATE x (SIZE 5)", "BAD"},
		{"CREATE New/", "OK"},
		{"CREATE New/one", "OK"},
		{"DELETE Nowhere", "NO [NONEXISTENT]"},
		{"DELETE INBOX", "NO [CANNOT]"},
		{"DELETE Work", "NO [HASCHILDREN]"},
		{"DELETE Empty", "OK"},
		{"DELETE New/one", "OK"},
		{"DELETE New", "OK"},
		{"RENAME Nowhere x", "NO [NONEXISTENT]"},
		{"RENAME Sent Work.old", "NO [ALREADYEXISTS]"},
		{"RENAME Sent INBOX", "NO [ALREADYEXISTS]"},
		{"RENAME Sent Work.old/x", "NO [CANNOT] Work.old holds mail"},
		{"RENAME Work Work/2003/x", "NO [CANNOT]"},
		{"RENAME Sent Deep/er/Sent", "OK"},
		{"SELECT Deep/er", "NO [NONEXISTENT]"},
		{"SELECT Deep/er/Sent", "OK"},
		{"DELETE Deep/er/Sent", "NO [INUSE]"},
		{"RENAME Deep x", "NO [INUSE]"},
		{"UNSELECT", "OK"},
		{"DELETE Deep/er/Sent", "OK"},
		{"SUBSCRIBE Not/there", "OK"},
		{`SUBSCRIBE ""`, "NO [CANNOT]"},
		{"STATUS Deep/er (MESSAGES)", "NO [NONEXISTENT]"},
	} {
		if _, done := c.do(tt.cmd); !strings.HasPrefix(done, tt.want) {
			t.Errorf("%.60s: %s, want %s", tt.cmd, done, tt.want)
		}
	}
	for _, r := range h.connect().ok(`LIST "" *`) {
		if strings.Contains(r, h.dir) {
			t.Errorf("path told: %s", r)
		}
	}
}

// RENAME of INBOX moves its messages and leaves an empty INBOX (RFC 3501 §6.3.5).
func TestRenameInbox(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("RENAME INBOX Old/2009", "* 6 EXPUNGE", "* 5 EXPUNGE", "* 4 EXPUNGE", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE", "* 0 RECENT", "OK")
	c.run("STATUS Old/2009 (MESSAGES UNSEEN)", "* STATUS Old/2009 (MESSAGES 6 UNSEEN 2)", "OK")
	c.run("STATUS INBOX (MESSAGES UIDNEXT)", "* STATUS INBOX (MESSAGES 0 UIDNEXT 7)", "OK")
	c.run("RENAME INBOX Old/2009", "NO [ALREADYEXISTS]")
}

func TestStatus(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.run("STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE MESSAGES)",
		"* STATUS INBOX (MESSAGES 6 RECENT 1 UIDNEXT 7 UIDVALIDITY <n> UNSEEN 2 SIZE 888)", "OK STATUS completed")
	c.ok("SELECT INBOX")
	c.run("STATUS inbox (RECENT)", "* STATUS INBOX (RECENT 1)", "OK")
	c.ok("EXAMINE INBOX")
	c.run("STATUS INBOX (RECENT)", "* STATUS INBOX (RECENT 0)", "OK")
	c.run("STATUS Nowhere (MESSAGES)", "NO [NONEXISTENT]")
	for _, args := range []string{"INBOX", "INBOX ()", "INBOX (X-NONE)", "INBOX (HIGHESTMODSEQ)", "INBOX MESSAGES", "(MESSAGES)", "INBOX (MESSAGES) x"} {
		c.run("STATUS "+args, "BAD")
	}
}

// A mailbox with mail that came after it was last read is \Marked.
func TestListMarked(t *testing.T) {
	h := newHost(t, "")
	h.marks = true
	h.write("mail/new", message("x", ""))
	h.write("mail/read", message("x", ""))
	came := time.Now().Add(-time.Hour)
	for name, read := range map[string]time.Time{"new": came.Add(-time.Hour), "read": came.Add(time.Minute)} {
		if err := os.Chtimes(h.path("mail/"+name), read, came); err != nil {
			t.Fatal(err)
		}
	}
	h.connect().run(`LIST "" %`, `* LIST (\NoInferiors \HasNoChildren) "/" INBOX`,
		`* LIST (\NoInferiors \HasNoChildren \Marked) "/" new`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" read`, "OK")
}
