package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// broken returns a mailbox in which the rewrite of old by l broke off before the n-th operation whose log begins with
// op, and a new process for it.
func broken(t *testing.T, old []byte, l layout, window int64, op string, n int) (*trial, *journal, spool.File) {
	t.Helper()
	at := 0
	for i, line := range changed(t, old, l, window).disk.Log() {
		if strings.HasPrefix(line, op) {
			if n--; n == 0 {
				at = i + 1
			}
		}
	}
	if at == 0 {
		t.Fatalf("no such operation: %s", op)
	}
	tr := boxWith(old, window)
	j, f := tr.open()
	tr.disk.CrashAt(at)
	if !faultfs.Run(func() { _ = j.rewrite(f, &l) }) { // it crashes
		t.Fatal("no crash")
	}
	tr.disk.Kill()
	j, f = tr.open()
	return tr, j, f
}

func boxWith(content []byte, window int64) *trial {
	tr := newTrial(1, 0)
	tr.disk = faultfs.New(1)
	tr.disk.File(boxName, content)
	tr.disk.Dir(journalName)
	tr.window = window
	return tr
}

// changed is a mailbox after the rewrite.
func changed(t *testing.T, old []byte, l layout, window int64) *trial {
	t.Helper()
	tr := boxWith(old, window)
	j, f := tr.open()
	if err := j.rewrite(f, &l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(l.apply(old)), string(tr.disk.Bytes(boxName))); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	return tr
}

// numbered is a content of which every 16 bytes are different.
func numbered(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "line %9d\n\n", i)
	}
	return b[:n]
}

// deletion leaves out [from, to).
func deletion(size, from, to int64) layout {
	return layout{oldSize: size, start: from, segs: []segment{{src: to, n: size - to}}}
}

func writeBox(t *testing.T, f spool.File, s string, off int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(s), off); err != nil {
		t.Fatal(err)
	}
}

func planNamed(t *testing.T, tr *trial) string {
	t.Helper()
	names, err := tr.disk.Dir(journalName).Names()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, planSuffix) {
			return n
		}
	}
	t.Fatalf("no plan among %q", names)
	return ""
}

// editPlan opens the plan's file and lets change it.
func editPlan(t *testing.T, tr *trial, change func(f spool.File)) {
	t.Helper()
	f, err := tr.disk.Dir(journalName).Open(planNamed(t, tr), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	change(f)
}

func TestReplayVerifies(t *testing.T) {
	old := numbered(10000)
	l := deletion(10000, 1000, 1700) // windows of 1024: 1000-2024, 2024-3048, ...
	futureHead := recordHead{kind: recPlan}.encode()
	copy(futureHead, "spooldJ\x02")
	tests := []struct {
		name   string
		change func(t *testing.T, tr *trial, f spool.File)
		want   error // nil: the rewrite is finished and the change kept
	}{
		{"nothing", func(*testing.T, *trial, spool.File) {}, nil},
		{"before the rewrite", func(t *testing.T, _ *trial, f spool.File) { writeBox(t, f, "FLAG", 500) }, nil},
		{"in a window already durable", func(t *testing.T, _ *trial, f spool.File) { writeBox(t, f, "FLAG", 1500) }, nil},
		{"in a window in doubt", func(t *testing.T, _ *trial, f spool.File) { writeBox(t, f, "FLAG", 3500) }, ErrDamaged},
		{"in a source", func(t *testing.T, _ *trial, f spool.File) { writeBox(t, f, "FLAG", 8000) }, ErrDamaged},
		{"cut", func(t *testing.T, _ *trial, f spool.File) {
			if err := f.Truncate(9990); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
		{"plan is empty", func(t *testing.T, tr *trial, _ spool.File) {
			editPlan(t, tr, func(f spool.File) {
				if err := f.Truncate(0); err != nil {
					t.Fatal(err)
				}
			})
		}, ErrJournal},
		{"plan is no plan", func(t *testing.T, tr *trial, _ spool.File) {
			editPlan(t, tr, func(f spool.File) { writeBox(t, f, "hello", 0) })
		}, ErrJournal},
		{"plan's body is damaged", func(t *testing.T, tr *trial, _ spool.File) {
			editPlan(t, tr, func(f spool.File) { writeBox(t, f, "hello", 100) })
		}, ErrJournal},
		{"plan of a later version", func(t *testing.T, tr *trial, _ spool.File) {
			editPlan(t, tr, func(f spool.File) { writeBox(t, f, string(futureHead), 0) })
		}, ErrJournal},
		{"both slots are damaged", func(t *testing.T, tr *trial, _ spool.File) {
			editPlan(t, tr, func(f spool.File) {
				name, _ := parsePlanName(planNamed(t, tr))
				p, err := readPlan(f, name)
				if err != nil {
					t.Fatal(err)
				}
				writeBox(t, f, "hello", p.dataAt(0))
				writeBox(t, f, "hello", p.dataAt(1))
			})
		}, ErrJournal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr, j, f := broken(t, old, l, 1024, "write box", 8) // in window 3
			tt.change(t, tr, f)
			before := tr.disk.Bytes(boxName)
			_, err := j.replay(f)
			if !errors.Is(err, tt.want) || err == nil != (tt.want == nil) {
				t.Fatalf("want error %v, got %v", tt.want, err)
			}
			after := tr.disk.Bytes(boxName)
			if err == nil {
				want := bytes.ReplaceAll(after, []byte("FLAG"), nil)
				if len(after) != 9300 || bytes.Count(before, []byte("FLAG")) != (len(after)-len(want))/4 {
					t.Errorf("got %d bytes: %.200q", len(after), after)
				}
				return
			}
			if !bytes.Equal(before, after) {
				t.Error("a mailbox that does not fit was written")
			}
			planNamed(t, tr) // it is still there
			if err := j.rewrite(f, &layout{oldSize: int64(len(after))}); !errors.Is(err, tt.want) {
				t.Errorf("a rewrite after it: want %v, got %v", tt.want, err)
			}
		})
	}
}

// A file system may zero the rest of the last block before the new size is durable.
func TestZeroedGap(t *testing.T) {
	for _, deleted := range []int64{32, 40, 700, 5000} {
		for _, zeroed := range []int64{16, 24, 33, 690, 4096, 1 << 20} {
			for _, tail := range []string{"", "From other\n"} {
				t.Run(fmt.Sprintf("%d of %d, tail %q", zeroed, deleted, tail), func(t *testing.T) {
					old := numbered(9000)
					l := deletion(9000, 100, 100+deleted)
					want := string(l.apply(old)) + tail
					tr, j, f := broken(t, old, l, 4096, "truncate box", 1)
					writeBox(t, f, string(make([]byte, min(zeroed, deleted))), l.newSize())
					tr.disk.Append(boxName, []byte(tail))
					if _, err := j.replay(f); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, string(tr.disk.Bytes(boxName))); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestReplacedMailbox(t *testing.T) {
	old := numbered(3000)
	tr, _, _ := broken(t, old, deletion(3000, 100, 900), 512, "write box", 3)
	plan := planNamed(t, tr)
	if err := tr.disk.Dir(".").Remove(boxName); err != nil {
		t.Fatal(err)
	}
	f := tr.disk.File(boxName, []byte("another"))
	j, _ := tr.open()
	if replayed, err := j.replay(f); replayed || err != nil {
		t.Fatal(replayed, err)
	}
	if got := tr.disk.Bytes(boxName); string(got) != "another" {
		t.Errorf("the new file was written: %q", got)
	}
	names, err := tr.disk.Dir(journalName + "/" + lostName).Names()
	if diff := cmp.Diff([]string{plan}, names); err != nil || diff != "" {
		t.Errorf("lost/ (-want +got):\n%s%v", diff, err)
	}
	if paths, err := pendingPaths(tr.disk.Dir(journalName)); len(paths) != 0 || err != nil {
		t.Errorf("pending: %q, %v", paths, err)
	}
}

func TestPendingPaths(t *testing.T) {
	old := numbered(3000)
	tr, j, f := broken(t, old, deletion(3000, 100, 900), 512, "write box", 3)
	dir := tr.disk.Dir(journalName)
	box := identity{ino: 77, birth: 1}
	if err := j.writeIntent(&intent{kind: recEdits, box: box, path: "/mail/other"}); err != nil {
		t.Fatal(err)
	}
	paths, err := pendingPaths(dir)
	slices.Sort(paths)
	if diff := cmp.Diff([]string{"/mail/box", "/mail/other"}, paths); err != nil || diff != "" {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
	if pending, err := j.pending(f); !pending || err != nil {
		t.Errorf("pending: %v, %v", pending, err)
	}
	if err := j.clearIntent(box); err != nil {
		t.Fatal(err)
	}
	if _, err := j.replay(f); err != nil {
		t.Fatal(err)
	}
	if paths, err := pendingPaths(dir); len(paths) != 0 || err != nil {
		t.Errorf("pending after replay: %q, %v", paths, err)
	}
}

func TestIdentity(t *testing.T) {
	born := spool.Info{Dev: 1, Ino: 2, Birth: 3}
	moved := born
	moved.Dev = 9
	if identityOf(born) != identityOf(moved) {
		t.Error("a new device number makes another mailbox of a file whose birth is known")
	}
	born.Birth, moved.Birth = 0, 0
	if identityOf(born) == identityOf(moved) {
		t.Error("one inode number on two devices is one mailbox")
	}
}

// TestCost counts what the package promises about syncs and bytes.
func TestCost(t *testing.T) {
	old := numbered(20000)
	tests := []struct {
		name    string
		l       layout
		windows int
		syncs   int
	}{
		{"tail", layout{oldSize: 20000, start: 15000}, 0, 5},
		{"one window", deletion(20000, 15000, 16000), 1, 5},
		{"two windows", deletion(20000, 11000, 12000), 2, 5},
		{"five windows", deletion(20000, 0, 1000), 5, 11},
		{"grows", layout{oldSize: 20000, start: 5000, segs: []segment{literal(numbered(300)), {src: 5000, n: 15000}}}, 4, 11},
		{"keeps its size", layout{oldSize: 20000, start: 5000, segs: []segment{literal(numbered(300)), {src: 5300, n: 14700}}}, 1, 4},
		{"nothing", layout{oldSize: 20000, start: 20000}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			syncs, written := 0, int64(0)
			for _, line := range changed(t, old, tt.l, 4096).disk.Log() {
				var name string
				var off, n int64
				if k, _ := fmt.Sscanf(line, "write %s %d+%d", &name, &off, &n); k == 3 {
					written += n
				} else if strings.Contains(line, "sync") {
					syncs++
				}
			}
			tt.l.simplify()
			moved := int64(0)
			windows := tt.l.windows(4096)
			for _, w := range windows {
				moved += w.n
			}
			if len(windows) != tt.windows || syncs != tt.syncs {
				t.Errorf("want %d windows, %d syncs; got %d, %d", tt.windows, tt.syncs, len(windows), syncs)
			}
			if most := 2*moved + max(0, tt.l.newSize()-tt.l.oldSize) + int64(len(windows))*1024 + 10000; written > most {
				t.Errorf("%d bytes written for %d that move", written, moved)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	const content = "0123456789"
	long := bytes.Repeat([]byte("x"), 600)
	data := func() io.Reader { return strings.NewReader("data") }
	tests := []struct {
		name string
		do   func(j *journal, f spool.File) error
		want error
	}{
		{"edit of other bytes", func(j *journal, f spool.File) error {
			return j.patch(f, []edit{{off: 0, old: []byte("01"), new: []byte("xx")}, {off: 5, old: []byte("00"), new: []byte("xx")}})
		}, ErrForeign},
		{"edit behind the end", func(j *journal, f spool.File) error {
			return j.patch(f, []edit{{off: 9, old: []byte("90"), new: []byte("xx")}})
		}, ErrForeign},
		{"rewrite of another size", func(j *journal, f spool.File) error { return j.rewrite(f, &layout{oldSize: 9}) }, ErrForeign},
		{"rewrite that cannot be", func(j *journal, f spool.File) error {
			return j.rewrite(f, &layout{oldSize: 10, segs: []segment{{src: 5, n: 6}}})
		}, errLayout},
		{"rewrite that is too large", func(j *journal, f spool.File) error {
			return j.rewrite(f, &layout{oldSize: 10, segs: []segment{literal(make([]byte, maxRecord))}})
		}, ErrTooLarge},
		{"append elsewhere", func(j *journal, f spool.File) error { return j.append(f, 9, data, 4, told{}) }, ErrForeign},
		{"append of less than announced", func(j *journal, f spool.File) error { return j.append(f, 10, data, 5, told{}) }, io.ErrUnexpectedEOF},
		{"rewrite without a journal", func(j *journal, f spool.File) error {
			j.dir = nil
			return j.rewrite(f, &layout{oldSize: 10})
		}, ErrNoJournal},
		{"edit across sectors without a journal", func(j *journal, f spool.File) error {
			j.dir = nil
			if err := j.append(f, 10, func() io.Reader { return bytes.NewReader(long) }, 600, told{}); err != nil {
				return err
			}
			err := j.patch(f, []edit{{off: 500, old: long[:100], new: bytes.Repeat([]byte("y"), 100)}})
			return errors.Join(err, f.Truncate(10))
		}, ErrNoJournal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := boxWith([]byte(content), 1<<20)
			j, f := tr.open()
			if err := tt.do(j, f); !errors.Is(err, tt.want) || errors.Is(err, ErrPending) {
				t.Errorf("want %v, got %v", tt.want, err)
			}
			if got := string(tr.disk.Bytes(boxName)); got != content {
				t.Errorf("the mailbox was written: %q", got)
			}
		})
	}
}

// What the simulation does on its disk has to work on a real one.
func TestRealFiles(t *testing.T) {
	dir, err := spool.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := dir.Open(boxName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sub, err := dir.Sub(journalName)
	if err != nil {
		t.Fatal(err)
	}
	j, _ := newTrial(1, 0).open()
	j.dir, j.window = sub, 64<<10
	content := numbered(1_000_000)
	if err := j.append(f, 0, func() io.Reader { return bytes.NewReader(content) }, int64(len(content)), told{}); err != nil {
		t.Fatal(err)
	}
	l := layout{oldSize: 1_000_000, start: 10, segs: []segment{{src: 500, n: 500_000}, literal(numbered(3000)), {src: 500_500, n: 499_500}}}
	if err := j.rewrite(f, &l); err != nil {
		t.Fatal(err)
	}
	want := l.apply(content)
	if err := j.patch(f, []edit{{off: 500, old: want[500:520], new: []byte("0123456789abcdefghij")}}); err != nil {
		t.Fatal(err)
	}
	copy(want[500:], "0123456789abcdefghij")
	got := make([]byte, len(want)+1)
	if n, _ := f.ReadAt(got, 0); !bytes.Equal(want, got[:n]) {
		t.Errorf("want %d bytes, got %d, or others", len(want), n)
	}
	names, err := sub.Names()
	if err != nil || len(names) != 1 || !strings.HasSuffix(names[0], intentSuffix) {
		t.Errorf("left in the journal: %q, %v", names, err)
	}
}
