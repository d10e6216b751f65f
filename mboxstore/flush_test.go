package mboxstore

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spoold/spool/faultfs"
)

// timed is a numbered mailbox of n messages on a simulated disk, under the clock of a synctest bubble, with its
// background writer at work.
func timed(t *testing.T, n int) (*faultfs.FS, Options, *Mailbox) {
	t.Helper()
	disk := faultfs.New(1)
	disk.Clock(time.Now)
	o := Options{State: disk.Dir("/state"), User: "u", Hostname: "example.com"}
	disk.File(modelBox, []byte(mailbox(n)))
	m := openOn(t, disk, o)
	must(t, m.writePending(t.Context(), true))
	must(t, m.Close(t.Context()))
	m, err := Open(t.Context(), disk.Box(modelBox), o)
	must(t, err)
	time.Sleep(20 * time.Second) // all that an opening leaves to do later
	return disk, o, m
}

func syncs(disk *faultfs.FS, name string) (n int) {
	for _, op := range disk.Log() {
		if strings.HasSuffix(op, "sync "+name) {
			n++
		}
	}
	return n
}

// TestFlagsAreWrittenAndDurableInTime: a second after a STORE the file has the flag, at the latest; five seconds after it
// a power cut cannot take it away, though no client asked for anything. Before that it may: then the old flag is there.
func TestFlagsAreWrittenAndDurableInTime(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{1 * time.Second, []string{"1  m1", "2  m2", "3  m3"}},
		{5 * time.Second, []string{"1  m1", "2 R m2", "3  m3"}},
	} {
		t.Run(tt.after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk, o, m := timed(t, 3)
				must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
				time.Sleep(time.Second)
				if c := disk.Bytes(modelBox); strings.Count(string(c), "\nStatus: R") != 1 {
					t.Errorf("not in the file after a second:\n%s", c)
				}
				time.Sleep(tt.after - time.Second)
				disk.PowerCut(0)
				m.flush.stop()
				wantList(t, openOn(t, disk, refresh(disk, o)), tt.want...)
			})
		})
	}
}

// TestOneSyncForManyStores: a client that sets flags all the time costs a sync every few seconds, not one a STORE.
func TestOneSyncForManyStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, _, m := timed(t, 200)
		before := syncs(disk, modelBox)
		for uid := range UID(200) { // 20 s
			must(t, m.Store(t.Context(), []UID{uid + 1}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		crossing := 0 // edits that have an intent are durable at once, one half before the other where that matters
		for _, op := range disk.Log() {
			if strings.Contains(op, ".intent") && strings.HasPrefix(op, "fdatasync") {
				crossing++
			}
		}
		n := syncs(disk, modelBox) - before
		t.Logf("%d syncs of the mailbox in 25 s, %d of intents", n, crossing)
		if n > 6+crossing {
			t.Errorf("%d syncs of the mailbox", n)
		}
		disk.PowerCut(0)
		m.flush.stop()
	})
}

// TestFlagsDoNotWaitForABigMove: in a mailbox that was never opened before every header has to grow, which waits for a
// quiet moment. A flag of a message that has room is in the file within a second all the same, and those of others are
// durable in the state directory.
func TestFlagsDoNotWaitForABigMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, o, m := timed(t, 3)
		must(t, m.Close(t.Context()))
		o.BigMove = 1
		disk.Append(modelBox, []byte(mailbox(5)))
		m, err := Open(t.Context(), disk.Box(modelBox), o)
		must(t, err)
		must(t, m.Store(t.Context(), []UID{2, 5}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
		for range 10 { // somebody is at work in the mailbox
			time.Sleep(100 * time.Millisecond)
			m.use()
		}
		if c := string(disk.Bytes(modelBox)); strings.Count(c, "\nStatus: R") != 1 || strings.Contains(c, "X-UID: 5") {
			t.Errorf("after a second:\n%s", c)
		}
		for range 40 {
			time.Sleep(100 * time.Millisecond)
			m.use()
		}
		disk.PowerCut(0)
		m.flush.stop()
		m = openOn(t, disk, refresh(disk, o))
		wantList(t, m, "1  m1", "2 R m2", "3  m3", "4  m1", "5 R m2", "6  m3", "7  m4", "8  m5")
	})
}

// TestWriteEarlyWithoutBaseLine: where the file has no base line, what is written early must not make one up.
func TestWriteEarlyWithoutBaseLine(t *testing.T) {
	w := numberedWorld(t, false)
	messages := split(t, w.content())
	messages[1] = strings.Replace(messages[1], "\nX-UID:", strings.Repeat(" ", 200)+"\nX-UID:", 1)
	w.overwrite(strings.Join(messages, ""))
	m := w.open()
	defer w.close(m)
	w.overwrite(strings.Join(messages[1:], ""))
	refreshed(t, m)
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	must(t, m.writeEarly(t.Context()))
	if got := w.content(); strings.Contains(got, "X-IMAPbase: 0") || strings.Count(got, "X-Status: F") < 3 {
		t.Errorf("written:\n%s", got)
	}
}
