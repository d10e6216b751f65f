package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoold/backend/session"
)

// limited gives the user a quota of that many octets.
func (h *host) limited(octets int64) {
	h.config.Quota = &session.Quota{Storage: octets, Usage: h.tree.Usage}
}

// padding is a header line that makes a message large.
func padding(n int) string { return "X-Padding: " + strings.Repeat("x", n) + "\n" }

// usedBytes is what the files of a user have, by another way than the server's.
func (h *host) usedBytes() (sum int64) {
	h.t.Helper()
	for _, top := range []string{"inbox", "mail"} {
		err := filepath.Walk(h.path(top), func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() && !strings.HasSuffix(path, ".lock") {
				sum += info.Size()
			}
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return sum
}

// The examples of RFC 9208 §4.1 and §4.2, with our names of quota roots.
func TestQuota(t *testing.T) {
	h := newHost(t, sixMessages())
	h.limited(512 << 10)
	h.config.Quota.Disks = []session.DiskQuota{
		{Root: "disk", Folders: true, Ask: func() (int64, int64, bool) { return 5000, 1 << 40, true }},
		{Root: "inbox disk", Inbox: true, Ask: func() (int64, int64, bool) { return 1024, 2048, true }},
		{Root: "third", Inbox: true, Folders: true, Ask: func() (int64, int64, bool) { return 0, 0, false }},
	}
	c := h.connect()
	c.ok("CREATE a/b")
	if _, completion := c.append("a/b", strings.Repeat("x", 3000)); !strings.HasPrefix(completion, "OK") {
		t.Fatal(completion)
	}
	mail := fmt.Sprintf(`* QUOTA "mail" (STORAGE %d 512)`, (h.usedBytes()+1023)/1024)
	c.run(`GETQUOTA "mail"`, mail, "OK")
	c.run(`GETQUOTA mail`, mail, "OK")
	c.run(`GETQUOTAROOT INBOX`, `* QUOTAROOT INBOX "mail" "inbox disk"`, mail, `* QUOTA "inbox disk" (STORAGE 1 2)`, "OK")
	c.run(`GETQUOTAROOT a/b`, `* QUOTAROOT a/b "mail" "disk"`, mail, `* QUOTA "disk" (STORAGE 5 1073741824)`, "OK")
	c.run(`GETQUOTAROOT not/there`, `* QUOTAROOT not/there "mail" "disk"`, mail, `* QUOTA "disk" (STORAGE 5 1073741824)`, "OK") // §4.1.2: may be about to be made
	c.run(`GETQUOTA "inbox disk"`, `* QUOTA "inbox disk" (STORAGE 1 2)`, "OK")
	for _, root := range []string{`""`, "third", "MAIL", "rubbish"} {
		c.run("GETQUOTA "+root, "NO [NONEXISTENT] ")
	}
	c.run(`SETQUOTA "mail" (STORAGE 510)`, "NO [NOPERM] ")
	c.run(`SETQUOTA "" ()`, "NO [NOPERM] ")
	c.run(`SETQUOTA {4+}`+"\r\n"+`mail (STORAGE 9223372036854775807 MESSAGE 5)`, "NO [NOPERM] ")
	c.run(`GETQUOTA "mail"`, mail, "OK")
}

func TestQuotaSyntax(t *testing.T) {
	h := newHost(t, "")
	h.limited(1 << 20)
	c := h.connect()
	for _, cmd := range []string{
		"GETQUOTA", "GETQUOTA ", "GETQUOTA a b", "GETQUOTA (a)", "GETQUOTAROOT", "GETQUOTAROOT INBOX x", "GETQUOTAROOT %",
		"SETQUOTA", "SETQUOTA mail", "SETQUOTA mail STORAGE 5", "SETQUOTA mail (STORAGE)", "SETQUOTA mail (STORAGE x)",
		"SETQUOTA mail (STORAGE -1)", "SETQUOTA mail (STORAGE 9223372036854775808)", "SETQUOTA mail (STORAGE 5", "SETQUOTA mail (STORAGE 5) x",
	} {
		c.run(cmd, "BAD")
		c.run("NOOP", "OK")
	}
}

// Without a quota there is no root.
func TestQuotaNone(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.run("GETQUOTAROOT INBOX", "* QUOTAROOT INBOX", "OK")
	c.run("GETQUOTA mail", "NO [NONEXISTENT] ")
	h.limited(0)
	c = h.connect()
	c.run("GETQUOTAROOT INBOX", "* QUOTAROOT INBOX", "OK")
	c.ok("CREATE b")
	if _, completion := c.append("b", "Subject: x\r\n\r\nx"); !strings.HasPrefix(completion, "OK [APPENDUID ") {
		t.Errorf("APPEND: %s", completion)
	}
}

// APPEND and COPY beyond the limit fail, the one before the message is asked for, and change nothing. MOVE needs no room, and
// what is removed makes some.
func TestQuotaEnforced(t *testing.T) {
	h := newHost(t, message("big", padding(1800)))
	h.limited(6000)
	h.delay = time.Hour // no UID is written meanwhile
	c := h.connect()
	c.ok("CREATE b")
	c.ok("SELECT INBOX")
	c.ok("COPY 1 b")
	before := h.read("mail/b")
	c.run("COPY 1 b", "NO [OVERQUOTA] ")
	c.run("UID COPY 1 b", "NO [OVERQUOTA] ")
	if _, completion := c.append("b", strings.Repeat("z", 4000)); !strings.HasPrefix(completion, "NO [OVERQUOTA] ") {
		t.Errorf("APPEND: %s", completion)
	}
	c.run("APPEND b {2000+}\r\n"+strings.Repeat("z", 2000), "NO [OVERQUOTA] ")
	c.run("APPEND nobox {9223372036854775807}", "NO ")
	c.run("NOOP", "OK")
	if got := h.read("mail/b"); got != before {
		t.Errorf("the refused commands changed the mailbox:\n%s", got)
	}
	c.ok("SELECT b")
	c.ok("STORE 1 +FLAGS (\\Deleted)")
	c.ok("EXPUNGE")
	c.ok("SELECT INBOX")
	if _, completion := c.append("b", strings.Repeat("z", 1000)); !strings.HasPrefix(completion, "OK [APPENDUID ") {
		t.Errorf("APPEND after EXPUNGE: %s", completion)
	}
	h.deliver("inbox", message("more", padding(9000))) // a delivery is never refused
	c.ok("NOOP")
	c.run("APPEND b {1+}\r\nz", "NO [OVERQUOTA] ")
	c.ok("MOVE 2 b")
	c.ok("STORE 1 +FLAGS (\\Flagged)")
}

// What two sessions write at the same time counts for both.
func TestQuotaShared(t *testing.T) {
	h := newHost(t, "")
	h.limited(10_000)
	a, b := h.connect(), h.connect()
	a.ok("CREATE b")
	a.send("x APPEND b {6000}\r\n")
	a.next("+ ...")
	b.run("APPEND b {6000+}\r\n"+strings.Repeat("z", 6000), "NO [OVERQUOTA] ")
	a.send(strings.Repeat("z", 6000) + "\r\n")
	if _, completion := a.until("x"); !strings.HasPrefix(completion, "OK [APPENDUID ") {
		t.Errorf("APPEND: %s", completion)
	}
	b.run("APPEND b {6000+}\r\n"+strings.Repeat("z", 6000), "NO [OVERQUOTA] ")
	b.ok("APPEND b {600+}\r\n" + strings.Repeat("z", 600))
}

// DELETED-STORAGE is what an EXPUNGE frees (RFC 9208 §4.1.4).
func TestQuotaDeletedStorage(t *testing.T) {
	h := newHost(t, message("a", padding(5000))+message("b", "")+message("c", padding(3000)))
	c := h.connect()
	c.run("STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)", "* STATUS INBOX (MESSAGES 3 DELETED 0 DELETED-STORAGE 0)", "OK")
	c.ok("SELECT INBOX")
	c.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
	c.ok("CHECK")
	before := h.usedBytes()
	got := c.ok("STATUS INBOX (DELETED deleted-storage)")[0]
	c.ok("EXPUNGE")
	freed := before - h.usedBytes()
	if want := fmt.Sprintf("* STATUS INBOX (DELETED 2 DELETED-STORAGE %d)", (freed+1023)/1024); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c.has(c.ok("LIST \"\" * RETURN (STATUS (DELETED-STORAGE))"), "* STATUS INBOX (DELETED-STORAGE 0)")
}
