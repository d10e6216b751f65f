package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spoold/spool/faultfs"
)

// TestFailedCut: a full disk refuses to cut the gap, and zeroes what is behind the new end in its page nonetheless. Wherever
// in the page the new end is, the gap is closed later, with what others have appended meanwhile kept; also when the
// zeros were never written and the power fails.
func TestFailedCut(t *testing.T) {
	for _, gap := range []int64{32, 40, 700, 5000} {
		for end := int64(4096 - 40); end <= 4096+2; end++ {
			for _, tail := range []string{"", "From other\n", strings.Repeat("From other\n", 600)} {
				for _, cut := range []int{-1, 0, 2} {
					t.Run(fmt.Sprintf("%d at %d, tail %d, power cut %d", gap, end, len(tail), cut), func(t *testing.T) {
						t.Parallel()
						failedCut(t, numbered(int(end+gap)), deletion(end+gap, 100, 100+gap), tail, cut)
					})
				}
			}
		}
	}
}

func failedCut(t *testing.T, old []byte, l layout, tail string, cut int) {
	t.Helper()
	want := string(l.apply(old)) + tail
	at := operation(changed(t, old, l, 4096).disk.Log(), fmt.Sprintf("truncate %s %d", boxName, l.newSize()))
	if at == 0 {
		t.Fatal("nothing is cut")
	}
	tr := boxWith(old, 4096)
	j, f := tr.open()
	tr.disk.FailAt(at, unix.ENOSPC, true)
	if err := j.rewrite(f, &l); !errors.Is(err, ErrPending) || !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	tr.disk.Append(boxName, []byte(tail))
	die(tr.disk, cut)
	j, f = tr.open()
	if _, err := j.replay(f); err != nil {
		t.Fatal(err)
	}
	die(tr.disk, 0)
	if diff := cmp.Diff(want, string(tr.disk.Bytes(boxName))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// operation is the number of the first operation whose log begins with what.
func operation(log []string, what string) int {
	for i, line := range log {
		if strings.HasPrefix(line, what) {
			return i + 1
		}
	}
	return 0
}

// TestFailedCutOfOwnNULs: an id may begin, end or go on with NULs of its own, which are no sign of a zeroed block.
func TestFailedCutOfOwnNULs(t *testing.T) {
	for _, id := range []planID{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{0, 0, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{1, 0, 0, 3, 0, 5, 6, 7, 0, 9, 10, 11, 12, 13, 0, 0},
	} {
		for end := int64(4096 - 70); end <= 4096+2; end++ {
			for _, gap := range []int64{32, 60, 5000} {
				f := faultfs.New(1)
				l := deletion(end+gap, 100, 100+gap)
				p := &planFile{rewritePlan: &rewritePlan{id: id, layout: l, extSize: end + gap}}
				box := f.File(boxName, bytes.Repeat([]byte("x"), int(end+gap)))
				must(t, p.writeMarks(box))
				must(t, box.Datasync())
				f.FailAt(1, unix.ENOSPC, true)
				if err := box.Truncate(end); !errors.Is(err, unix.ENOSPC) {
					t.Fatal(err)
				}
				if there, err := p.gapThere(box); err != nil || !there {
					t.Errorf("id %x, gap of %d at %d: %v, %v", id, gap, end, there, err)
				}
				must(t, box.Truncate(end))
				must(t, box.Truncate(end+gap))
				writeBox(t, box, "From other", end)
				if there, err := p.gapThere(box); err != nil || there {
					t.Errorf("id %x, gap of %d at %d, cut, and written by others: %v, %v", id, gap, end, there, err)
				}
			}
		}
	}
}
