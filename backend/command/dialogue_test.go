package command_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestDialogueFirstLook is the first acceptance dialogue: what a person sees who tries the server with telnet.
func TestDialogueFirstLook(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.run(`lsub "*" "*"`, "OK")
	c.run("namespace", `* NAMESPACE (("" "/")) NIL NIL`, "OK")
	first := c.ok("select INBOX")
	c.has(first, "* 6 EXISTS")
	c.has(first, "* 1 RECENT")
	c.has(first, "* OK [UNSEEN 5] ...")
	c.run("uid fetch 1:* (FLAGS)",
		`* 1 FETCH (UID 1 FLAGS (\Seen))`, `* 2 FETCH (UID 2 FLAGS (\Seen))`, `* 3 FETCH (UID 3 FLAGS (\Seen))`,
		`* 4 FETCH (UID 4 FLAGS (\Seen))`, `* 5 FETCH (UID 5 FLAGS ())`, `* 6 FETCH (UID 6 FLAGS (\Recent))`, "OK")
	c.run("logout", "* BYE ...", "OK")

	c = h.connect()
	c.has(c.ok("select INBOX"), "* 0 RECENT")
	answer := c.ok("uid fetch 6 BODY[HEADER]")
	if len(answer) != 1 || !strings.HasSuffix(answer[0], `FLAGS (\Seen))`) || strings.Contains(answer[0], "X-UID") ||
		strings.Contains(answer[0], "Status:") || !strings.Contains(answer[0], "Subject: m6\r\n") {
		t.Errorf("header of message 6: %q", answer)
	}
	c.run(`store 6 +FLAGS (\Deleted)`, `* 6 FETCH (FLAGS (\Seen \Deleted))`, "OK")
	c.ok("check")
	last := h.read("inbox")[strings.LastIndex(h.read("inbox"), "\nFrom "):]
	if !strings.Contains(last, "\nStatus: RO\n") || !strings.Contains(last, "\nX-Status: D") {
		t.Errorf("message 6 in the file:\n%s", last)
	}
	before := stat(t, h.path("inbox"))
	c.run("close", "OK")
	again := c.ok("select INBOX")
	c.has(again, "* 5 EXISTS")
	c.has(again, "* OK [UIDNEXT 7] ...")
	after := stat(t, h.path("inbox"))
	if after.Ino != before.Ino || after.Size >= before.Size || strings.Contains(h.read("inbox"), "Subject: m6") {
		t.Errorf("file after CLOSE: inode %d to %d, size %d to %d", before.Ino, after.Ino, before.Size, after.Size)
	}
	c.ok(`store 1:5 +FLAGS (\Deleted)`)
	c.run("expunge", "* 5 EXPUNGE", "* 4 EXPUNGE", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE", "OK")
	if s := h.read("inbox"); !strings.Contains(s, "FOLDER INTERNAL DATA") || !strings.Contains(s, "\nX-IMAP: ") || strings.Count(s, "\nFrom ") > 0 {
		t.Errorf("emptied file:\n%s", s)
	}
	h.deliver("inbox", message("m7", ""))
	c.run("noop", "* 1 EXISTS", "* 1 RECENT", "OK")
	c.run("fetch 1 UID", "* 1 FETCH (UID 7)", "OK")
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

// TestDialogueMovingHouse is the second acceptance dialogue: folders in UW's flat layout.
func TestDialogueMovingHouse(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	for _, name := range []string{"Sent", "Drafts", "Trash", "Projects/2003/spring"} {
		c.ok("create " + name)
		info, err := os.Stat(h.path("mail/" + name))
		if err != nil || info.Mode() != 0o600 || !strings.Contains(h.read("mail/"+name), "X-IMAP: ") {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	c.run("create Sent/old", "NO [CANNOT] Sent holds mail and so cannot hold folders in this layout")
	c.run("create INBOX/x", "NO [CANNOT] INBOX holds mail and so cannot hold folders in this layout")
	c.ok("subscribe Projects/2003/spring")
	c.ok("rename Projects Archive")
	c.run(`lsub "" "*"`, `* LSUB () "/" Projects/2003/spring`, "OK")
	c.run(`list "" "Archive/*"`,
		`* LIST (\Noselect \HasChildren) "/" Archive/2003`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" Archive/2003/spring`, "OK")
	if got := h.read(".mailboxlist"); got != "mail/Projects/2003/spring\n" {
		t.Errorf(".mailboxlist: %q", got)
	}
	c.ok("select INBOX")
	c.ok(`store 2 +FLAGS (\Flagged work)`)
	_, done := c.do("copy 1:2 Archive/2003/spring")
	if !matches("OK [COPYUID <n> 1:2 1:2] COPY completed", done) {
		t.Errorf("copy: %s", done)
	}
	c.ok(`store 1:2 +FLAGS.SILENT (\Deleted)`)
	c.run("expunge", "* 2 EXPUNGE", "* 1 EXPUNGE", "OK")
	c.run("copy 1 Nowhere", "NO [TRYCREATE]")
	c.ok("select Archive/2003/spring") // RFC 3501 §6.4.7: copies are \Recent
	c.run("fetch 1:* (INTERNALDATE FLAGS)",
		`* 1 FETCH (INTERNALDATE " 7-Sep-2009 15:14:13 +0000" FLAGS (\Recent \Seen))`,
		`* 2 FETCH (INTERNALDATE " 7-Sep-2009 15:14:13 +0000" FLAGS (\Recent \Seen \Flagged work))`, "OK")
}
