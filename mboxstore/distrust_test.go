package mboxstore

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"spoold/spool/faultfs"
)

// failed reports whether the operation that FailAt hit was a sync of the mailbox.
func failedSync(disk *faultfs.FS) bool {
	log := disk.Log()
	for i, op := range log[:len(log)-1] {
		if strings.HasPrefix(log[i+1], "failed") && strings.HasSuffix(op, "sync "+modelBox) {
			return true
		}
	}
	return false
}

// TestFlagsAfterFailedSyncInBackground: nobody asks for the flags to be durable. The sync of them that fails is followed
// by one that writes them.
func TestFlagsAfterFailedSyncInBackground(t *testing.T) {
	for _, partial := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			disk, o, m := timed(t, 3)
			must(t, m.Store(t.Context(), []UID{1, 3}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"Word"}}))
			time.Sleep(10 * time.Second)
			must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet, Flags: FlagFlagged}))
			must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"Word"}}))
			time.Sleep(time.Second)
			disk.FailAt(1, unix.EIO, partial)
			time.Sleep(20 * time.Second)
			if !failedSync(disk) {
				t.Fatalf("no sync has failed:\n%s", strings.Join(disk.Log(), "\n"))
			}
			disk.PowerCut(0)
			m.flush.stop()
			wantList(t, openOn(t, disk, refresh(disk, o)), "1 F m1", "2 R m2 Word", "3 R m3 Word")
		})
	}
}

// TestFlagsAfterFailedSync: whichever operation of a change fails after flags were written in place, and whatever the
// file shows of them then: the client that waits for it is told, unless a second try has made them durable, and the next
// one that has no error finds them durable.
func TestFlagsAfterFailedSync(t *testing.T) {
	changes := map[string]func(t *testing.T, m *Mailbox) error{
		"check":      func(t *testing.T, m *Mailbox) error { return m.Flush(t.Context()) },
		"background": func(t *testing.T, m *Mailbox) error { return m.syncWritten(t.Context()) },
		"expunge": func(t *testing.T, m *Mailbox) error {
			_, err := m.Remove(t.Context(), []UID{4})
			return err
		},
		"append": func(t *testing.T, m *Mailbox) error {
			_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: new\r\n\r\n")}})
			return err
		},
		"look": func(t *testing.T, m *Mailbox) error { return m.lookAnew(t.Context()) },
	}
	hits := 0
	for name, change := range changes {
		for n := 1; ; n++ {
			hit, done := testFailedSync(t, name, change, n, false)
			testFailedSync(t, name, change, n, true)
			if hit {
				hits++
			}
			if done {
				break
			}
		}
	}
	t.Logf("%d syncs of the mailbox failed, twice each", hits)
	if hits < len(changes) {
		t.Errorf("only %d syncs failed", hits)
	}
}

// testFailedSync lets the n-th operation fail; done: there was none. The disk loses what the sync was for; then reverts
// says that readers lose sight of it, too.
func testFailedSync(t *testing.T, name string, change func(*testing.T, *Mailbox) error, n int, reverts bool) (hit, done bool) {
	t.Helper()
	disk, o := simMailbox(t, 1, true, false)
	m := openOn(t, disk, o)
	must(t, m.Store(t.Context(), []UID{1, 2}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"Word", "Other"}}))
	must(t, m.Flush(t.Context()))
	before := disk.Bytes(modelBox)
	must(t, m.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet, Flags: FlagAnswered, Keywords: []string{"Other"}}))
	must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged, Keywords: []string{"Word"}}))
	must(t, m.writePending(t.Context(), false))
	begun := disk.Ops()
	disk.FailAt(n, unix.EIO, false)
	err := change(t, m)
	done = disk.Ops() < begun+n
	disk.FailAt(0, nil, false)
	again := name == "check" // a second try is in order
	if hit = failedSync(disk); err != nil && !errors.Is(err, unix.EIO) || done && err != nil || hit && (err == nil) != again {
		t.Errorf("%s, failure of operation %d: %v", name, n, err)
	}
	if reverts && hit && err != nil && !errors.Is(err, ErrPending) && len(disk.Bytes(modelBox)) == len(before) {
		if _, err := disk.File(modelBox, nil).WriteAt(before, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil || !again {
		must(t, m.Flush(t.Context()))
	}
	disk.PowerCut(0)
	m = openOn(t, disk, refresh(disk, o))
	got := strings.Join(list(t, m), ", ")
	for _, want := range []string{"1 A m1 Other", "2 R m2 Word Other", "3 F m3 Word"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, failure of operation %d, reverted %v: no %q in %s", name, n, reverts, want, got)
		}
	}
	must(t, m.Close(t.Context()))
	return hit, done
}

// TestCheckAfterStaleSyncError: a sync that tells of a disk that was full costs the client of CHECK nothing; one that fails
// again is told.
func TestCheckAfterStaleSyncError(t *testing.T) {
	for _, reason := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EIO} {
		for fails := 1; fails <= 2; fails++ {
			disk, o := simMailbox(t, 1, true, false)
			m := openOn(t, disk, o)
			must(t, m.Store(t.Context(), []UID{1, 2, 3, 4, 5}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
			disk.FailSyncs(modelBox, fails, reason)
			err := m.Flush(t.Context())
			if (err != nil) != (fails > 1) || err != nil && !errors.Is(err, reason) {
				t.Errorf("%v, %d times: %v", reason, fails, err)
			}
			if err == nil {
				disk.PowerCut(0)
				wantList(t, openOn(t, disk, refresh(disk, o)), "1 R m1", "2 R m2", "3 R m3", "4 R m4", "5 R m5")
			}
		}
	}
}
