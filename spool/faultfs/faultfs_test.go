package faultfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"spoold/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, f io.WriterAt, s string, off int64) {
	t.Helper()
	must[int](t)(f.WriteAt([]byte(s), off))
}

func TestReadWrite(t *testing.T) {
	d := New(1)
	f := d.File("mbox", []byte("hello"))
	put(t, f, "LLO, world", 2)
	buf := make([]byte, 100)
	n, err := f.ReadAt(buf, 7)
	if got := string(buf[:n]); got != "world" || err != io.EOF {
		t.Errorf("ReadAt = %q, %v", got, err)
	}
	if _, err := f.ReadAt(buf, 12); err != io.EOF {
		t.Errorf("ReadAt at the end: %v, want EOF", err)
	}
	ok(t, f.Truncate(3))
	ok(t, f.Truncate(6))
	if diff := cmp.Diff("heL\x00\x00\x00", string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("hello", string(d.Durable("mbox"))); diff != "" {
		t.Error(diff)
	}
	ok(t, f.Datasync())
	if diff := cmp.Diff(d.Bytes("mbox"), d.Durable("mbox")); diff != "" {
		t.Error(diff)
	}
	if want, got := 4, d.Ops(); want != got {
		t.Errorf("Ops = %d, want %d", got, want)
	}
}

func TestStampsRise(t *testing.T) {
	for name, clock := range map[string]func() time.Time{
		"own clock":    nil,
		"frozen clock": func() time.Time { return time.Unix(1e9, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			d := New(1)
			d.Clock(clock)
			f := d.File("mbox", []byte("same"))
			before := must[spool.Info](t)(f.Stat())
			put(t, f, "same", 0)
			after := must[spool.Info](t)(f.Stat())
			if after.Ctime <= before.Ctime || after.Mtime <= before.Mtime {
				t.Errorf("stamps did not rise: %+v, %+v", before, after)
			}
		})
	}
}

func TestCrashStopsEverything(t *testing.T) {
	d := New(1)
	f := d.File("mbox", nil)
	d.CrashAt(2)
	crashed := Run(func() {
		defer func() {
			if err := f.Truncate(0); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("truncation after death: %v", err)
			}
		}()
		put(t, f, "one", 0)
		put(t, f, "two", 3)
		t.Error("the second write came back")
	})
	if !crashed {
		t.Fatal("no crash")
	}
	d.Kill()
	if diff := cmp.Diff("one", string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
	if _, err := f.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("handle of the dead process: %v", err)
	}
	put(t, d.File("mbox", nil), "2", 3)
}

func TestRunPassesOtherPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "other" {
			t.Errorf("recovered %v", r)
		}
	}()
	Run(func() { panic("other") })
}

// A long write may stop at any page boundary of the file, and only there.
func TestKillInLongWrite(t *testing.T) {
	seen := map[int]bool{}
	for seed := range int64(200) {
		d := New(seed)
		f := d.File("mbox", []byte("0123456789"))
		d.CrashAt(1)
		if !Run(func() { put(t, f, strings.Repeat("x", 3*page), 10) }) {
			t.Fatal("no crash")
		}
		d.Kill()
		seen[len(d.Bytes("mbox"))] = true
	}
	want := map[int]bool{10: true, page: true, 2 * page: true, 3 * page: true}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestKillInShortWriteIsAtomic(t *testing.T) {
	for seed := range int64(50) {
		d := New(seed)
		f := d.File("mbox", nil)
		d.CrashAt(1)
		Run(func() { put(t, f, strings.Repeat("x", page), 0) })
		d.Kill()
		if n := len(d.Bytes("mbox")); n != 0 {
			t.Fatalf("seed %d: %d bytes of a page survived", seed, n)
		}
	}
}

func TestFailAt(t *testing.T) {
	d := New(3)
	f := d.File("mbox", []byte("old"))
	d.FailAt(2, syscall.EIO, false)
	put(t, f, "1", 0)
	if n, err := f.WriteAt([]byte("2"), 0); n != 0 || !errors.Is(err, syscall.EIO) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	put(t, f, "3", 2)
	if diff := cmp.Diff("1l3", string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
}

func TestPartialWrite(t *testing.T) {
	d := New(3)
	f := d.File("mbox", nil)
	d.FailAt(1, syscall.ENOSPC, true)
	n, err := f.WriteAt([]byte("0123456789"), 0)
	if !errors.Is(err, syscall.ENOSPC) || n >= 10 {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	if diff := cmp.Diff("0123456789"[:n], string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
}

// What a failed truncation has zeroed reaches the disk only when something else in its page does.
func TestFailedTruncate(t *testing.T) {
	for _, at := range []int64{-1, 0, page - 1, page} {
		d := New(1)
		f := d.File("mbox", []byte(strings.Repeat("o", 3*page)))
		d.FailAt(1, syscall.ENOSPC, true)
		if err := f.Truncate(100); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("Truncate = %v", err)
		}
		zeroed := strings.Repeat("o", 100) + strings.Repeat("\x00", page-100) + strings.Repeat("o", 2*page)
		if diff := cmp.Diff(zeroed, string(d.Bytes("mbox"))); diff != "" {
			t.Error(diff)
		}
		if at >= 0 {
			put(t, f, "n", at)
		}
		ok(t, f.Sync())
		d.PowerCut(0)
		want := at >= 0 && at < page
		if got := bytes.Count(d.Bytes("mbox"), []byte{0}) > 0; got != want {
			t.Errorf("written at %d: zeros on the disk: %v", at, got)
		}
	}
}

// After a failed fsync the kernel believes that the pages are clean.
func TestFailedSyncLosesForEver(t *testing.T) {
	for _, partial := range []bool{false, true} {
		d := New(1)
		f := d.File("mbox", []byte(strings.Repeat("o", 32*sector)))
		put(t, f, strings.Repeat("n", 32*sector), 0)
		d.FailAt(1, syscall.EIO, partial)
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Sync = %v", err)
		}
		ok(t, f.Sync())
		if n := bytes.Count(d.Bytes("mbox"), []byte("n")); n != 32*sector {
			t.Errorf("readers see %d new bytes", n)
		}
		d.PowerCut(1)
		n := bytes.Count(d.Bytes("mbox"), []byte("n"))
		if n == 32*sector || !partial && n != 0 || partial && n == 0 {
			t.Errorf("partial %v: %d new bytes on the disk", partial, n)
		}
	}
}

func TestSpace(t *testing.T) {
	d := New(1)
	f := d.File("mbox", []byte("12345"))
	d.File("other", []byte("123"))
	d.Space(10)
	put(t, f, "abcde", 0)
	if n, err := f.WriteAt([]byte("fghij"), 5); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	if err := f.Truncate(8); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Truncate = %v", err)
	}
	d.Space(-1)
	put(t, f, "hij", 7)
	if diff := cmp.Diff("abcdefghij", string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
}

func TestForeignAppend(t *testing.T) {
	d := New(1)
	d.Append("mbox", []byte("one\n"))
	d.Append("mbox", []byte("two\n"))
	ops := d.Ops()
	d.PowerCut(0)
	if diff := cmp.Diff("one\ntwo\n", string(d.Bytes("mbox"))); diff != "" {
		t.Error(diff)
	}
	if ops != 0 {
		t.Errorf("%d operations of ours", ops)
	}
	want := []string{"foreign append mbox 4 bytes", "foreign append mbox 4 bytes", "power cut, mode 0"}
	if diff := cmp.Diff(want, d.Log()); diff != "" {
		t.Error(diff)
	}
}

func TestBox(t *testing.T) {
	d := New(1)
	b := d.Box("mbox")
	if _, err := b.Stat(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of nothing: %v", err)
	}
	if _, err := b.Open(true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing: %v", err)
	}
	f := must[spool.File](t)(b.NewFile(0o600))
	if _, err := b.NewFile(0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second NewFile: %v", err)
	}
	release := must[func() error](t)(b.Lock(t.Context(), f, spool.Exclusive))
	ok(t, release())
	ok(t, b.SetTimes(f, time.Unix(1, 0), time.Unix(2, 0)))
	info := must[spool.Info](t)(b.Stat())
	if info.Atime != 1e9 || info.Mtime != 2e9 {
		t.Errorf("times: %+v", info)
	}
	if held := must[bool](t)(b.SessionHeld()); held {
		t.Error("session lock held")
	}
	other := d.File("other", nil)
	if _, err := b.TryLock(other, spool.Shared); !errors.Is(err, spool.ErrReplaced) {
		t.Errorf("lock of another file: %v", err)
	}
	d.PowerCut(0)
	if b.Path() != "mbox" || d.Bytes("mbox") == nil {
		t.Error("made mailbox is gone")
	}
}

// Whatever is written, a power cut that keeps all is a kill, one that keeps
// nothing leaves what was durable, and every other sector is one of those that
// were written there.
func TestDiskModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.IntRange(0, 3).Draw(t, "mode")
		d := New(rapid.Int64().Draw(t, "seed"))
		f := d.File("mbox", []byte(strings.Repeat("0", 4*sector)))
		kinds := rapid.SliceOf(rapid.IntRange(0, 2)).Draw(t, "operations")
		for i, kind := range kinds {
			switch kind {
			case 0:
				off := rapid.Int64Range(0, 5*sector).Draw(t, "offset")
				size := rapid.IntRange(1, 3*sector).Draw(t, "size")
				if _, err := f.WriteAt(bytes.Repeat([]byte{byte('A' + i%26)}, size), off); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := f.Truncate(rapid.Int64Range(0, 6*sector).Draw(t, "cut")); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		}
		seen, durable := d.Bytes("mbox"), d.Durable("mbox")
		d.PowerCut(mode)
		got := d.Bytes("mbox")
		switch {
		case mode == 0 && !bytes.Equal(durable, got):
			t.Fatalf("nothing was to survive: %q", got)
		case mode == 1 && !bytes.Equal(seen, got):
			t.Fatalf("everything was to survive: %q", got)
		case len(kinds) > 0 && kinds[len(kinds)-1] == 2 && !bytes.Equal(seen, got):
			t.Fatalf("synced content changed: %q", got)
		}
	})
}
