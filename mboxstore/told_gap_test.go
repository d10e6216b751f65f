package mboxstore

import (
	"bytes"
	"fmt"
	"testing"
)

// Mail is delivered and told, and before it has its UIDs in the file another program removes the first of it. A crash then
// leaves the others with their UIDs.
func TestCrashKeepsUIDsBehindGap(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		for mode := -1; mode < 4; mode++ {
			t.Run(fmt.Sprintf("inbox %v, mode %d", inbox, mode), func(t *testing.T) {
				disk, o := simMailbox(t, 1, true, inbox)
				m := openOn(t, disk, o)
				disk.Append(modelBox, []byte(delivered(6)+delivered(7)+delivered(8)))
				must(t, m.Refresh(t.Context()))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7  m7", "8  m8")
				file := disk.Bytes(modelBox)
				i := bytes.Index(file, []byte(delivered(6)))
				file = append(append([]byte{}, file[:i]...), file[i+len(delivered(6)):]...)
				f, err := disk.Box(modelBox).Open(true)
				must(t, err)
				_, err = f.WriteAt(file, 0)
				must(t, err)
				must(t, f.Truncate(int64(len(file))))
				must(t, f.Sync())
				must(t, m.Refresh(t.Context()))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7  m7", "8  m8")
				die(disk, mode)
				m = openOn(t, disk, refresh(disk, o))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7  m7", "8  m8")
				must(t, m.Close(t.Context()))
			})
		}
	}
}
