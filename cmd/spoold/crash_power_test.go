package main_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// powerWindow is within which time a flag is on the disk.
const powerWindow = 10 * time.Second

// errUnsynced: an agent has delivered and not waited for the disk. A power cut may take that back.
var errUnsynced = errors.New("delivered without fsync")

// syncedAgent delivers under an fcntl lock alone, so that no lock file of its own outlives
// a power cut. It is a lock of the open file, as agents in one process need. Two of three times it does what a careful agent does, and syncs.
func (l *ledger) syncedAgent(path, message string) error {
	m := soakField.FindStringSubmatch(message)
	id := int(number(m[1]))
	l.book("delivery begun", func() { l.crash.unsure[id] = true })
	err := deliverSynced(path, message, id%3 != 0)
	if err == nil && id%3 == 0 {
		return errUnsynced
	}
	return err
}

func deliverSynced(path, message string, sync bool) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &lock); err != nil {
		return fmt.Errorf("fcntl %s: %w", path, err)
	}
	end, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("From mda@example.org %s\n%s", time.Now().UTC().Format(time.ANSIC), message)
	if _, err = f.WriteString(strings.TrimRight(text, "\n") + "\n\n"); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	if sync {
		err = f.Sync()
	}
	return err
}

// TestCrashPower shuts down the file system in the middle of the work, mounts it again and
// starts again: what was acknowledged is there, or gone.
func TestCrashPower(t *testing.T) {
	for _, c := range []struct {
		kind, place string
		long, short int
	}{
		{"ext4", "both", 30, 3},
		{"ext4", "mail", 12, 0},
		{"ext4", "state", 12, 0},
		{"xfs", "both", 30, 3},
		{"xfs", "mail", 12, 0},
		{"xfs", "state", 12, 0},
	} {
		rounds := crashRounds(t, c.long, c.short)
		if rounds == 0 {
			continue
		}
		t.Run(c.kind+" "+c.place, func(t *testing.T) { testCrashPower(t, c.kind, c.place, rounds) })
	}
}

func testCrashPower(t *testing.T, kind, place string, rounds int) {
	needsVolumes(t, kind)
	v := newVolume(t, kind, 512<<20)
	dir := folder(t)
	mailDir, stateDir := v.dir, v.dir
	switch place {
	case "mail":
		stateDir = dir
	case "state":
		mailDir = dir
	}
	h := newHostOn(t, dir, mailDir, stateDir, "soak")
	c := newCrashTest(t, h, 250, 32<<10, nil)
	c.agent = c.syncedAgent
	c.crash.unsure = map[int]bool{}
	c.refiller = func(path, message string) error { return deliverSynced(path, message, true) }
	v.sync()
	for round := range rounds {
		agents, sessions := c.deliver(), c.begin(round)
		c.instant()
		c.crash.halt.Store(true) // from now on agents may fail
		v.shutdown(round % 3)
		since := time.Now().Add(-powerWindow)
		time.Sleep(time.Duration(c.rand.IntN(40)) * time.Millisecond)
		h.kill()
		sessions.Wait()
		c.forgive(since)
		agents.Wait()
		v.recover()
		c.crashed()
		h.serve()
		c.check(round)
	}
	c.report(rounds)
	if n, _, _ := h.collapses(); n == 0 {
		t.Error("no range was taken out by the file system: this proves little")
	}
	t.Logf("%d deliveries that no one synced were cut short", c.crash.torn)
	c.crash.dies.Store(false)
	c.account(t, h, c.validity)
}
