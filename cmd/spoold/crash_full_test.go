package main_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Full disks. Every command for which there is no room answers NO [OVERQUOTA] (RFC 5530
// §3, RFC 9208 §5.4) and leaves the mailbox as it was; flags are kept and written later.

// fullPlaces are where the mailbox and the state directory are.
var fullPlaces = []struct{ kind, place string }{
	{"tmpfs", "both"},
	{"tmpfs", "mail"},
	{"tmpfs", "state"},
	{"ext4", "both"},
	{"ext4", "mail"},
	{"ext4", "state"},
	{"xfs", "both"},
	// Where even an overwrite needs space, a change may be left unfinished until there is some: what is before it can be
	// read, all else answers UNAVAILABLE, and what becomes of the command is told by the ledger only.
	{"btrfs", "both"},
	{"btrfs", "mail"},
}

// fullHost is a host on a small file system: its mail, its states or both.
func fullHost(t *testing.T, kind, place string) (*volume, *host) {
	t.Helper()
	size := map[string]int64{
		"tmpfs": 40 << 20, "ext4": 40 << 20,
		"xfs": 320 << 20, "btrfs": 128 << 20, // about the smallest that mkfs makes
	}
	v := newVolume(t, kind, size[kind])
	dir := folder(t)
	mailDir, stateDir := v.dir, v.dir
	switch place {
	case "mail":
		stateDir = dir
	case "state":
		mailDir = dir
	}
	return v, newHostOn(t, dir, mailDir, stateDir, "soak")
}

func TestCrashFullDisk(t *testing.T) {
	for _, p := range fullPlaces {
		if p.kind == "btrfs" || !fullCrash() && (p.kind != "tmpfs" || p.place != "both") {
			continue
		}
		t.Run(p.kind+" "+p.place, func(t *testing.T) {
			needsVolumes(t, p.kind)
			v, h := fullHost(t, p.kind, p.place)
			testFullDisk(t, v, h)
		})
	}
}

// fullTest is one session on a small disk, and what came of its commands.
type fullTest struct {
	*volume
	*host
	t       *testing.T
	c       *client
	refused map[string]int
}

// testFullDisk leaves more and more room, and tries each command in it.
func testFullDisk(t *testing.T, v *volume, h *host) {
	l := newLedger()
	l.crash = newCrashBook(32 << 10)
	h.put("soak", "INBOX", nil)
	l.refill(t, deliver, h.file("soak", "INBOX"), 0, 150, 1)
	h.serve()
	soakSetup(h)
	f := fullTest{volume: v, host: h, t: t, c: h.login("soak"), refused: map[string]int{}}
	f.c.open("SELECT", "INBOX")
	f.c.ok("CHECK")
	_, text := l.newMessage(newRand(5))
	text = strings.ReplaceAll(text, "\n", "\r\n")
	long := strings.Repeat("long line of a long message\r\n", 20000)
	leaves := []int64{0, 64 << 10}
	if fullCrash() {
		leaves = []int64{0, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 3 << 20, 6 << 20}
	}
	for round, leave := range leaves {
		for i, command := range []string{
			fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text),
			fmt.Sprintf("APPEND Other {%d+}\r\n%s%s", len(text)+len(long), text, long),
			"COPY 1:20 Other",
			"COPY 1:20 INBOX",
			"MOVE 3 Other",
			"UID EXPUNGE 1:*",
		} {
			f.try(leave, fmt.Sprintf("K%d-%d", round, i), command)
		}
	}
	t.Logf("refused: %v", f.refused)
	if len(f.refused) == 0 {
		t.Error("nothing was refused: this proves nothing")
	}
	if w := h.spooldWarnings(); strings.Contains(w, "ERROR") {
		t.Errorf("the server's log:\n%.2000s", w)
	}
	f.c.logout()
}

// try runs a command with so much room, and again with more when it was refused. Before
// it, a keyword is set, which is kept until there is room.
func (f *fullTest) try(leave int64, word, command string) {
	t, c := f.t, f.c
	t.Helper()
	if strings.HasPrefix(command, "UID EXPUNGE") {
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		c.ok("CHECK")
	}
	before := fullState(t, f.host, c)
	f.fill(leave)
	c.ok(`STORE 2:4 +FLAGS.SILENT (%s)`, word)
	a := c.do("%s", command)
	name := fmt.Sprintf("%.20s with %d octets free", command, leave)
	switch {
	case a.status == "NO" && code(a.text) == "OVERQUOTA":
		f.refused[strings.Fields(command)[0]]++
		before.compare(t, name, fullState(t, f.host, c))
	case a.status != "OK":
		t.Errorf("%s: %s %s", name, a.status, a.text)
	}
	f.free()
	if a := c.ok("SEARCH KEYWORD %s", word); len(a.search()) == 0 {
		t.Errorf("%s: keyword %s is gone", name, word)
	}
	if a.status == "NO" {
		if a := c.do("%s", command); a.status != "OK" {
			t.Errorf("%s, and then with room: %s %s", name, a.status, a.text)
		}
	}
	c.ok("CHECK")
	if !bytes.Contains(readFile(t, f.file("soak", "INBOX")), []byte(word)) {
		t.Errorf("%s: keyword %s does not reach the file", name, word)
	}
}

// fullPicture is what must be the same after a command that was refused.
type fullPicture struct{ inbox, other string }

// fullState reads both mailboxes, without flags: those may change while nothing else can.
func fullState(t *testing.T, h *host, c *client) fullPicture {
	t.Helper()
	read := func(mails []mail) string {
		var b strings.Builder
		for _, m := range mails {
			fmt.Fprintf(&b, "UID %d size %d message %d %x\n", m.UID, m.Size, soakID(m.Text), sha256.Sum256([]byte(m.Text)))
		}
		return b.String()
	}
	const items = "UID FETCH 1:* (UID RFC822.SIZE BODY.PEEK[])"
	p := fullPicture{inbox: read(c.ok(items).mails())}
	d := h.login("soak")
	defer d.logout()
	if d.open("EXAMINE", "Other").Exists > 0 {
		p.other = read(d.ok(items).mails())
	}
	return p
}

func (p fullPicture) compare(t *testing.T, name string, now fullPicture) {
	t.Helper()
	if p.inbox != now.inbox {
		t.Errorf("%s has changed INBOX:\n%.2000s", name, changedLines(p.inbox, now.inbox))
	}
	if p.other != now.other {
		t.Errorf("%s has changed the other folder:\n%.2000s", name, changedLines(p.other, now.other))
	}
}

// changedLines shows which lines are only before or only now.
func changedLines(before, now string) string {
	var b strings.Builder
	for line := range strings.Lines(before) {
		if !strings.Contains(now, line) {
			b.WriteString("-" + line)
		}
	}
	for line := range strings.Lines(now) {
		if !strings.Contains(before, line) {
			b.WriteString("+" + line)
		}
	}
	return b.String()
}

// TestCrashFullDiskSoak fills up the disk and frees it again while sessions and agents work.
func TestCrashFullDiskSoak(t *testing.T) {
	for i, p := range fullPlaces {
		if !fullCrash() && i > 0 {
			break
		}
		t.Run(p.kind+" "+p.place, func(t *testing.T) {
			needsVolumes(t, p.kind)
			v, h := fullHost(t, p.kind, p.place)
			agent := crashAgent(t)
			if p.kind == "btrfs" { // nobody can take back there what he has written in part: all that is delivered behind it is lost in it
				agent = func(string, string) error { return errUnsynced }
			}
			testFullDiskSoak(t, v, h, agent)
		})
	}
}

func testFullDiskSoak(t *testing.T, v *volume, h *host, agent func(path, message string) error) {
	c := newCrashTest(t, h, 150, 32<<10, agent)
	c.crash.broken = v.kind == "btrfs"
	fillings := crashRounds(t, 40, 4)
	for round := range fillings {
		agents := c.deliver()
		var sessions sync.WaitGroup
		c.startSessions(&sessions, h, time.Now().Add(forever), uint64(round), crashSessions)
		c.crash.tight.Store(true)
		sizes := []int64{0, 0, 10 << 10, 100 << 10, 1 << 20}
		v.fill(sizes[c.rand.IntN(len(sizes))])
		time.Sleep(time.Duration(300+c.rand.IntN(500)) * time.Millisecond)
		v.free()
		time.Sleep(time.Duration(100+c.rand.IntN(300)) * time.Millisecond)
		c.end(agents)
		sessions.Wait()
		c.crash.tight.Store(false)
		c.check(round)
	}
	c.report(fillings)
	if c.ops["refused"] == 0 {
		t.Error("nothing was refused: this proves nothing")
	}
	c.account(t, h, c.validity)
}
