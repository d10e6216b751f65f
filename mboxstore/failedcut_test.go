package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spoold/spool"
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

// TestPowerCutAfterFailedCut: what the refused cut has zeroed is zeroed for readers alone, and comes back with a power
// cut: also when that happens while a plan is carried out that was made of the zeros, since others have appended.
func TestPowerCutAfterFailedCut(t *testing.T) {
	trials, sizes := 0, []int64{4096 - 1000, 4096 - 10}
	if full() {
		sizes = append(sizes, 4096-500, 4096-40)
	}
	for _, size := range sizes {
		for _, length := range []int64{700, 2000, 5000} {
			for name, c := range map[string]func(size, length int64) cutRefused{"gap": refusedGap, "extension": refusedExtension, "append": refusedAppend} {
				for mode := range 4 {
					for at, crashed := 1, true; crashed; at++ {
						var err error
						if crashed, err = c(size, length).powerCut(t, at, mode); err != nil {
							t.Fatalf("%s of %d at %d, crash at %d, mode %d: %v", name, length, size, at, mode, err)
						}
						trials++
					}
				}
			}
		}
	}
	t.Logf("%d trials", trials)
}

// cutRefused is something that a full disk refuses to cut off a file.
type cutRefused struct {
	old, want []byte
	size      int64                                // that it was to have
	do        func(j *journal, f spool.File) error // does not come to an end
	back      bool                                 // a power cut before the replay may bring the old file back
}

// refusedGap moves all left and leaves a gap at size.
func refusedGap(size, length int64) cutRefused {
	old, l := numbered(int(size+length)), deletion(size+length, 100, 100+length)
	return cutRefused{old, l.apply(old), size, func(j *journal, f spool.File) error { return j.rewrite(f, &l) }, false}
}

// refusedExtension takes back what was to become the new end.
func refusedExtension(size, length int64) cutRefused {
	old := numbered(int(size))
	l := layout{oldSize: size, start: 100, segs: []segment{literal(numbered(int(length))), {src: 100, n: size - 100}}}
	return cutRefused{old, old, size, func(j *journal, f spool.File) error {
		p, err := j.draft(f, infoOf(f), l)
		if err == nil {
			err = j.enact(f, p)
		}
		if err == nil {
			err = fillWith(f, size, length)
		}
		if err == nil {
			_, err = j.replay(f)
		}
		return err
	}, false}
}

// refusedAppend takes messages back that were just appended. They are whole when nothing of the zeros reaches the disk;
// then the record of the move tells what becomes of them.
func refusedAppend(size, length int64) cutRefused {
	old := numbered(int(size))
	return cutRefused{slices.Concat(old, []byte("From copy\n"), numbered(int(length))), old, size, func(j *journal, f spool.File) error {
		return j.cut(f, size+10+length, size)
	}, true}
}

func infoOf(f spool.File) spool.Info {
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	return info
}

func fillWith(f spool.File, off, n int64) error {
	_, err := f.WriteAt(bytes.Repeat([]byte{'\n'}, int(n)), off)
	return errors.Join(err, f.Sync())
}

// powerCut refuses the cut, lets others append, and cuts the power at an operation of the replay.
func (c cutRefused) powerCut(t *testing.T, at, mode int) (crashed bool, err error) {
	t.Helper()
	cutAt := func(log []string) int { return operation(log, fmt.Sprintf("truncate %s %d", boxName, c.size)) }
	dry := boxWith(c.old, 4096)
	j, f := dry.open()
	_ = c.do(j, f) // as far as it gets: only where it cuts is asked
	n := cutAt(dry.disk.Log())
	if n == 0 {
		t.Fatal("nothing is cut")
	}
	tr := boxWith(c.old, 4096)
	j, f = tr.open()
	tr.disk.FailAt(n, unix.ENOSPC, true)
	if err := c.do(j, f); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	tr.disk.FailAt(0, nil, false)
	const tail = "From other\n"
	tr.disk.Append(boxName, []byte(tail))
	die(tr.disk, -1)
	tr.disk.CrashAt(at)
	crashed = faultfs.Run(func() { j, f := tr.open(); _, err = j.replay(f) })
	if crashed {
		die(tr.disk, mode)
		j, f = tr.open()
		_, err = j.replay(f)
	}
	got := string(tr.disk.Bytes(boxName))
	if c.back && crashed && got == string(c.old)+tail {
		return crashed, err
	}
	if diff := cmp.Diff(string(c.want)+tail, got); err == nil && diff != "" {
		err = fmt.Errorf("(-want +got):\n%s\n%s", diff, strings.Join(tr.disk.Log(), "\n"))
	}
	return crashed, err
}
