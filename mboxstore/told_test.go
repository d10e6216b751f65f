package mboxstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// Messages are appended, the process or the power ends before the base line tells of their UIDs, and another program
// removes some before the next start. The others keep the UIDs that were told, also when more mail has come, and also
// with the index cache lost.
func TestCrashKeepsToldUIDs(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			for mode := -1; mode < 4; mode++ {
				t.Run(fmt.Sprintf("inbox %v, cache lost %v, mode %d", inbox, lost, mode), func(t *testing.T) {
					testToldUIDs(t, inbox, lost, mode)
				})
			}
		}
	}
}

func testToldUIDs(t *testing.T, inbox, lost bool, mode int) {
	disk, o := simMailbox(t, 1, true, inbox)
	m := openOn(t, disk, o)
	for n := 6; n <= 8; n++ {
		_, uids, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader(fmt.Sprintf("Subject: m%d\r\n\r\nx\r\n", n))}})
		must(t, err)
		if len(uids) != 1 || uids[0] != UID(n) {
			t.Fatalf("UIDs %v", uids)
		}
	}
	die(disk, mode)
	file := disk.Bytes(modelBox)
	if bytes.Contains(file, []byte("0000000008")) {
		t.Fatal("the base line tells of the last UID already: not a test")
	}
	at := func(n int) int {
		i := bytes.Index(file, fmt.Appendf(nil, "\nSubject: m%d\n", n))
		return bytes.LastIndex(file[:i], []byte("\nFrom ")) + 1
	}
	file = append(append([]byte{}, file[:at(6)]...), file[at(7):]...)
	file = append(file, delivered(9)...)
	overwrite(t, disk, file)
	if lost {
		must(t, refresh(disk, o).State.Remove(m.cacheName()))
	}
	m = openOn(t, disk, refresh(disk, o))
	wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7  m7", "8  m8", "9  m9")
	must(t, m.Close(t.Context()))
}

// All that was appended and told is removed by others after a crash, then mail arrives: it gets none of those UIDs.
func TestCrashNeverReusesToldUIDs(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		for mode := -1; mode < 4; mode++ {
			t.Run(fmt.Sprintf("inbox %v, mode %d", inbox, mode), func(t *testing.T) {
				disk, o := simMailbox(t, 1, true, inbox)
				m := openOn(t, disk, o)
				for n := 6; n <= 8; n++ {
					_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader(fmt.Sprintf("Subject: m%d\r\n\r\nx\r\n", n))}})
					must(t, err)
				}
				die(disk, mode)
				file := disk.Bytes(modelBox)
				at := bytes.LastIndex(file[:bytes.Index(file, []byte("\nSubject: m6\n"))], []byte("\nFrom ")) + 1
				file = append(bytes.Clone(file[:at]), delivered(9)...)
				overwrite(t, disk, file)
				m = openOn(t, disk, refresh(disk, o))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "9  m9")
				must(t, m.Close(t.Context()))
			})
		}
	}
}

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
				overwrite(t, disk, file)
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

// Two processes serve a mailbox. What one has told is not taken back by a change of the other, which looked before.
func TestToldIsNeverLowered(t *testing.T) {
	disk, o := simMailbox(t, 1, true, false)
	one, two := openOn(t, disk, o), openOn(t, disk, o)
	validity := one.Status().UIDValidity
	for _, m := range []*Mailbox{one, two} {
		must(t, m.journal.recallTold(m.file))
	}
	info, err := one.file.Stat()
	must(t, err)
	box := identityOf(info)
	stored := func(when string, want told) {
		t.Helper()
		j := newJournal(one.journal.dir, modelBox, one.o.Now, one.log, 0)
		must(t, j.recallTold(one.file))
		if j.told != want {
			t.Errorf("%s: told %v, want %v", when, j.told, want)
		}
	}
	must(t, two.journal.acknowledge(box, told{validity, 6}))
	must(t, one.journal.acknowledge(box, told{validity, 8}))
	must(t, two.journal.writeIntent(&intent{kind: recEdits, box: box, path: modelBox}))
	stored("edit by the other", told{validity, 8})
	must(t, two.journal.clearIntent(box))
	stored("cleared by the other", told{validity, 8})
	must(t, one.journal.acknowledge(box, told{validity, 9}))
	must(t, two.journal.recallTold(two.file))
	if two.journal.told != (told{validity, 9}) {
		t.Errorf("the other knows %v", two.journal.told)
	}
	must(t, two.journal.acknowledge(box, told{validity + 1, 2}))
	stored("another UIDVALIDITY", told{validity + 1, 2})
}
