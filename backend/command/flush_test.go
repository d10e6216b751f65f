package command_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoold/mboxstore"
	"spoold/spool"
)

// diskLog counts what reaches a mailbox file. A sync takes its time, so that an answer that does not wait for it is
// there before it is counted.
type diskLog struct {
	mu       sync.Mutex
	syncs    int
	writes   int
	unsynced bool // written since the last sync
	fails    int  // syncs to come that fail
}

const slowSync = 100 * time.Millisecond

func (d *diskLog) wrote() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsynced = true
	d.writes++
}

func (d *diskLog) sync(do func() error) error {
	time.Sleep(slowSync)
	err := do()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails > 0 {
		d.fails--
		err = unix.EIO
	}
	d.syncs++
	d.unsynced = d.unsynced && err != nil
	return err
}

func (d *diskLog) state() (syncs int, unsynced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs, d.unsynced
}

// logged is box as a mailbox is to use it.
func (h *host) logged(box *spool.Box) mboxstore.Spool {
	if h.disk == nil {
		return box
	}
	return loggedBox{box, h.disk}
}

type loggedBox struct {
	*spool.Box
	disk *diskLog
}

type loggedFile struct {
	spool.File
	disk *diskLog
}

func inner(f spool.File) spool.File {
	if l, ok := f.(loggedFile); ok {
		return l.File
	}
	return f
}

func (b loggedBox) Open(write bool) (spool.File, error) {
	f, err := b.Box.Open(write)
	if err != nil {
		return nil, err
	}
	return loggedFile{f, b.disk}, nil
}

func (b loggedBox) Lock(ctx context.Context, f spool.File, mode spool.LockMode) (func() error, error) {
	return b.Box.Lock(ctx, inner(f), mode)
}

func (b loggedBox) SetTimes(f spool.File, atime, mtime time.Time) error {
	return b.Box.SetTimes(inner(f), atime, mtime)
}

func (b loggedBox) Grain(f spool.File) time.Duration { return b.Box.Grain(inner(f)) }

func (f loggedFile) WriteAt(p []byte, off int64) (int, error) {
	f.disk.wrote()
	return f.File.WriteAt(p, off)
}

func (f loggedFile) Truncate(size int64) error {
	f.disk.wrote()
	return f.File.Truncate(size)
}

func (f loggedFile) Sync() error     { return f.disk.sync(f.File.Sync) }
func (f loggedFile) Datasync() error { return f.disk.sync(f.File.Datasync) }

// TestFlagsAreDurableWhenToldSo: a client that says CHECK, CLOSE, UNSELECT or LOGOUT, or selects another mailbox, and
// has the answer, finds its flags on the disk after a power cut, for one sync; and soon after its connection is lost,
// which nobody answers. Nothing is written before.
func TestFlagsAreDurableWhenToldSo(t *testing.T) {
	for _, command := range []string{"CHECK", "CLOSE", "UNSELECT", "LOGOUT", "SELECT other", "EXAMINE INBOX", ""} {
		name := command
		if name == "" {
			name = "connection lost"
		}
		t.Run(name, func(t *testing.T) {
			h := newHost(t, sixMessages())
			h.write("mail/other", "")
			h.delay, h.disk = time.Hour, &diskLog{}
			c := h.connect()
			c.ok("SELECT INBOX")
			c.ok("CHECK") // status headers and UIDs are made, which is a rewrite
			before, unsynced := h.disk.state()
			if unsynced {
				t.Error("not durable after the first CHECK")
			}
			c.ok(`STORE 2,5 +FLAGS (\Flagged)`)
			c.ok("NOOP")
			if n := strings.Count(h.read("inbox"), "\nX-Status: F"); n != 0 {
				t.Fatalf("%d flags are in the file before anybody asked for it", n)
			}
			if command != "" {
				c.ok(command)
			} else {
				h.lose(c)
			}
			syncs, unsynced := h.disk.state()
			if n := strings.Count(h.read("inbox"), "\nX-Status: F"); n != 2 || unsynced || syncs != before+1 {
				t.Errorf("%d flags of 2 are in the file; %d syncs; written without sync: %v", n, syncs-before, unsynced)
			}
			if command == "CHECK" {
				c.ok("CHECK")
				if again, _ := h.disk.state(); again != syncs {
					t.Errorf("%d syncs for nothing", again-syncs)
				}
			}
		})
	}
}

// TestCheckTellsOfFailedSync: a client that asks is told that its flags are not on the disk, when a second try has
// failed as well. The next CHECK writes them again, though the file has them, since a sync that fails loses what it was
// for.
func TestCheckTellsOfFailedSync(t *testing.T) {
	h := newHost(t, sixMessages())
	h.delay, h.disk = time.Hour, &diskLog{}
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("CHECK")
	c.ok(`STORE 2 +FLAGS (\Flagged)`)
	h.disk.mu.Lock()
	h.disk.fails = 2
	h.disk.mu.Unlock()
	c.run("CHECK", "NO [SERVERBUG]")
	c.run("FETCH 2 FLAGS", `* 2 FETCH (FLAGS (\Seen \Flagged))`, "OK")
	h.disk.mu.Lock()
	h.disk.unsynced = false // only what is written from here on counts
	before := h.disk.writes
	h.disk.mu.Unlock()
	c.ok("CHECK")
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.writes == before || h.disk.unsynced {
		t.Errorf("%d writes, unsynced %v", h.disk.writes-before, h.disk.unsynced)
	}
}

// lose cuts a client's connection and waits for what its end makes be written, two seconds at most.
func (h *host) lose(c *client) {
	h.t.Helper()
	before, _ := h.disk.state()
	if err := c.conn.Close(); err != nil {
		h.t.Fatal(err)
	}
	for range 200 {
		if syncs, unsynced := h.disk.state(); syncs > before && !unsynced {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
