package mboxstore

import (
	"slices"
	"testing"

	"spoold/spool/faultfs"
)

// TestUIDsOfUnfinishedAppendAreSkipped: an append to an inbox dies at any operation. What is delivered then keeps the
// UID that it is told when the process dies once more.
func TestUIDsOfUnfinishedAppendAreSkipped(t *testing.T) {
	for mode := -1; mode <= 3; mode++ {
		for at, crashed := 1, true; crashed; at++ {
			disk, o := simMailbox(t, int64(at), true, true)
			m := openOn(t, disk, refresh(disk, o))
			disk.CrashAt(at)
			crashed = faultfs.Run(func() { must(t, crashAppend(1)(&crashWorld{ctx: t.Context(), a: m})) })
			die(disk, mode)
			m = openOn(t, disk, refresh(disk, o))
			disk.Append(modelBox, []byte(delivered(9)))
			must(t, m.Refresh(t.Context()))
			told := m.UIDs()
			die(disk, -1)
			if m = openOn(t, disk, refresh(disk, o)); !slices.Equal(m.UIDs(), told) {
				t.Fatalf("mode %d, crash at %d: %v, were %v", mode, at, m.UIDs(), told)
			}
		}
	}
}
