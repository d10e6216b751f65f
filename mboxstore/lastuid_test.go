package mboxstore

import (
	"testing"

	"spoold/spool/faultfs"
)

// TestLastUIDOfExpungedIsKept: a message whose UID no base line tells of yet is expunged, and the process dies at any
// moment of it. Its UID must not be given again.
func TestLastUIDOfExpungedIsKept(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		for at := 1; ; at++ {
			disk, o := simMailbox(t, int64(at), true, inbox)
			m := openOn(t, disk, o)
			disk.Append(modelBox, []byte(delivered(6)))
			must(t, m.Refresh(t.Context()))
			told := m.UIDs()
			disk.CrashAt(at)
			crashed := faultfs.Run(func() {
				_, err := m.Remove(t.Context(), told[len(told)-1:])
				must(t, err)
			})
			die(disk, -1)
			m = openOn(t, disk, refresh(disk, o))
			left := len(m.UIDs())
			disk.Append(modelBox, []byte(delivered(7)))
			must(t, m.Refresh(t.Context()))
			uids := m.UIDs()
			if last := uids[len(uids)-1]; left == len(told)-1 && last <= told[len(told)-1] {
				t.Fatalf("inbox %v, crash at %d: UID %d was given twice", inbox, at, last)
			}
			if !crashed {
				break
			}
		}
	}
}
