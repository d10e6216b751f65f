package mboxstore

import (
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// modelBox is the mailbox of a simulated disk.
const modelBox = "/mail/u"

// simMailbox is a mailbox of five messages on a simulated disk, durable, with or without status blocks.
func simMailbox(t *testing.T, seed int64, blocks, inbox bool) (*faultfs.FS, Options) {
	t.Helper()
	disk := faultfs.New(seed)
	o := Options{State: disk.Dir("/state"), User: "u", Hostname: "example.com", Inbox: inbox}
	disk.File(modelBox, []byte(mailbox(5)))
	m := openOn(t, disk, o)
	if blocks {
		must(t, m.writePending(t.Context(), true))
	}
	must(t, m.Close(t.Context()))
	return disk, o
}

// openOn opens the mailbox of a simulated disk; nothing is written in the background.
func openOn(t *testing.T, disk *faultfs.FS, o Options) *Mailbox {
	t.Helper()
	m, err := Open(t.Context(), disk.Box(modelBox), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(disk.Log(), "\n"))
	}
	m.flush.stop()
	return m
}

// die ends the process by a kill, or by a power cut of a mode from 0 on.
func die(disk *faultfs.FS, mode int) {
	disk.CrashAt(0)
	if mode < 0 {
		disk.Kill()
		return
	}
	disk.PowerCut(mode)
}

// refresh gives the options the directory as it is after a restart.
func refresh(disk *faultfs.FS, o Options) Options {
	o.State = disk.Dir("/state")
	return o
}

// overwrite is what a program does that writes the mailbox anew and keeps its inode, as mutt does.
func overwrite(t *testing.T, disk *faultfs.FS, file []byte) {
	t.Helper()
	f, err := disk.Box(modelBox).Open(true)
	must(t, err)
	_, err = f.WriteAt(file, 0)
	must(t, err)
	must(t, f.Truncate(int64(len(file))))
	must(t, f.Sync())
}
