package mboxstore

import (
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// Mail is delivered and told, and one message of it is removed before any of it has its UID in the file. A crash at any
// operation leaves the others with the UIDs that were told.
func TestCrashInRemovalOfUnnumbered(t *testing.T) {
	trials := 0
	for _, inbox := range []bool{false, true} {
		for mode := -1; mode < 4; mode++ {
			for at := 1; ; at++ {
				disk, o := simMailbox(t, int64(at), true, inbox)
				m := openOn(t, disk, o)
				disk.Append(modelBox, []byte(delivered(6)+delivered(7)+delivered(8)))
				must(t, m.Refresh(t.Context()))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7  m7", "8  m8")
				disk.CrashAt(at)
				crashed := faultfs.Run(func() {
					if _, err := m.Remove(t.Context(), []UID{6}); err != nil {
						t.Error(err)
					}
				})
				die(disk, mode)
				m = openOn(t, disk, refresh(disk, o))
				got := list(t, m)
				old := []string{"1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7  m7", "8  m8"}
				removed := slices.Delete(slices.Clone(old), 5, 6)
				if !slices.Equal(got, removed) && (!crashed || !slices.Equal(got, old)) {
					t.Fatalf("inbox %v, mode %d, crash at %d: %q\n%s", inbox, mode, at, got, strings.Join(disk.Log(), "\n"))
				}
				must(t, m.Close(t.Context()))
				if trials++; !crashed {
					break
				}
			}
		}
	}
	t.Logf("%d trials", trials)
}
