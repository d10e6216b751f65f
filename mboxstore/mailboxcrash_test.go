package mboxstore

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// change is one command and the two states that a crash in it may leave.
type crashCase struct {
	do       func(ctx context.Context, m *Mailbox) error
	old, new []string
}

func crashCases() map[string]crashCase {
	expunge := func(uids ...UID) func(context.Context, *Mailbox) error {
		return func(ctx context.Context, m *Mailbox) error { _, err := m.Remove(ctx, uids); return err }
	}
	add := func(n int) func(context.Context, *Mailbox) error {
		return func(ctx context.Context, m *Mailbox) error {
			var msgs []NewMessage
			for i := range n {
				text := fmt.Sprintf("Subject: n%d\r\n\r\n%s", i, strings.Repeat("some text\r\n", 90))
				msgs = append(msgs, NewMessage{Text: strings.NewReader(text), Flags: FlagSeen, Keywords: []string{"Fresh"}})
			}
			_, _, err := m.Append(ctx, msgs)
			return err
		}
	}
	five := []string{"1  m1", "2  m2", "3  m3", "4  m4", "5  m5"}
	without := func(gone ...int) []string {
		list := slices.Clone(five)
		for _, g := range slices.Backward(gone) {
			list = slices.Delete(list, g-1, g)
		}
		return list
	}
	flagged := []string{"1 R m1 $Junk", "2 R m2 $Junk", "3 R m3 $Junk", "4 R m4 $Junk", "5 R m5 $Junk"}
	return map[string]crashCase{
		"expunge first":        {expunge(1), five, without(1)},
		"expunge middle":       {expunge(3), five, without(3)},
		"expunge last":         {expunge(5), five, without(5)},
		"expunge every second": {expunge(1, 3, 5), five, without(1, 3, 5)},
		"expunge all":          {expunge(1, 2, 3, 4, 5), five, []string{}},
		"append":               {add(1), five, append(slices.Clone(five), "6 R n0 Fresh")},
		"multi-append":         {add(3), five, append(slices.Clone(five), "6 R n0 Fresh", "7 R n1 Fresh", "8 R n2 Fresh")},
		"copy": {
			func(ctx context.Context, m *Mailbox) error { _, _, _, err := m.CopyTo(ctx, m, []UID{2, 4}); return err },
			five, append(slices.Clone(five), "6  m2", "7  m4"),
		},
		"flags and a new keyword": {func(ctx context.Context, m *Mailbox) error {
			if err := m.Store(ctx, m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"$Junk"}}); err != nil {
				return err
			}
			return m.Flush(ctx)
		}, five, flagged},
		"first status blocks": {func(ctx context.Context, m *Mailbox) error { return m.writePending(ctx, true) }, five, five},
	}
}

// crashWorld is a mailbox on a simulated disk, durable, with or without status blocks.
func crashWorld(t *testing.T, seed int64, blocks, inbox bool) (*faultfs.FS, Options) {
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

func openOn(t *testing.T, disk *faultfs.FS, o Options) *Mailbox {
	t.Helper()
	m, err := Open(t.Context(), disk.Box(modelBox), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(disk.Log(), "\n"))
	}
	m.flush.stop()
	return m
}

// TestCrashInEveryOperation: after a crash at any moment of a change, and in the replay, the mailbox is the old or
// the new one, each message once and with its UID; and the new one when the change was acknowledged.
func TestCrashInEveryOperation(t *testing.T) {
	step := 2
	if os.Getenv("SPOOLD_CRASH") == "full" {
		step = 1
	}
	for name, c := range crashCases() {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at += step {
				if done := crashOnce(t, c, at, int64(at)); done {
					break
				}
			}
		})
	}
}

func crashOnce(t *testing.T, c crashCase, at int, seed int64) (done bool) {
	for mode := -1; mode <= 3; mode++ {
		disk, o := crashWorld(t, seed*7+int64(mode), at%2 == 0, at%4 < 2)
		m := openOn(t, disk, o)
		validity := m.Status().UIDValidity
		disk.CrashAt(at)
		var err error
		crashed := faultfs.Run(func() { err = c.do(t.Context(), m) })
		if !crashed && err != nil {
			t.Fatal(err)
		}
		die(disk, mode)
		if at%3 == 0 { // and once more while it recovers
			disk.CrashAt(1 + at%11)
			faultfs.Run(func() {
				if m, err := Open(t.Context(), disk.Box(modelBox), refresh(disk, o)); err == nil {
					m.flush.stop()
				}
			})
			die(disk, mode)
		}
		m = openOn(t, disk, refresh(disk, o))
		got := list(t, m)
		if !slices.Equal(got, c.new) && (!crashed || !c.between(got)) {
			t.Errorf("crash at %d (%v), mode %d: got %q\n%s\n%q", at, crashed, mode, got, strings.Join(disk.Log(), "\n"), disk.Bytes(modelBox))
		}
		if v := m.Status().UIDValidity; v != validity {
			t.Errorf("crash at %d, mode %d: UIDVALIDITY %d, was %d", at, mode, v, validity)
		}
		if t.Failed() {
			return true
		}
		done = !crashed
	}
	return done
}

// between reports whether got is the old state. Flags are kept message by message: each is the old or the new one.
func (c *crashCase) between(got []string) bool {
	if len(c.old) != len(c.new) || len(got) != len(c.old) {
		return slices.Equal(got, c.old)
	}
	for i := range got {
		if got[i] != c.old[i] && got[i] != c.new[i] {
			return false
		}
	}
	return true
}

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
