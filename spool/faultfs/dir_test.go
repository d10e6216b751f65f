package faultfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spoold/spool"
)

func TestDir(t *testing.T) {
	d := New(1)
	dir := d.Dir("state")
	sub := must[spool.Dir](t)(dir.Sub("journal"))
	f := must[spool.File](t)(sub.Open("a", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
	put(t, f, "text", 0)
	if _, err := sub.Open("a", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive open: %v", err)
	}
	if _, err := sub.Open("b", os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of nothing: %v", err)
	}
	if _, err := sub.Open("../x", os.O_CREATE, 0); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("open outside: %v", err)
	}
	r := must[spool.File](t)(sub.Open("a", os.O_RDONLY, 0))
	if _, err := r.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("write to a file open for reading: %v", err)
	}
	ok(t, sub.Rename("a", "b"))
	if diff := cmp.Diff("text", string(d.Bytes("state/journal/b"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"journal"}, must[[]string](t)(dir.Names())); diff != "" {
		t.Error(diff)
	}
	ok(t, sub.Remove("b"))
	if info := must[spool.Info](t)(f.Stat()); info.Nlink != 0 || info.Size != 4 {
		t.Errorf("removed file: %+v", info)
	}
	must[spool.File](t)(sub.Open("c", os.O_WRONLY|os.O_CREATE, 0o600))
	f = must[spool.File](t)(sub.Open("c", os.O_WRONLY|os.O_TRUNC, 0o600))
	ok(t, f.Close())
	if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func TestNamesAreDurableAfterSync(t *testing.T) {
	setup := func() (*FS, spool.Dir) {
		d := New(1)
		dir := d.Dir("state")
		f := must[spool.File](t)(dir.Open("a", os.O_RDWR|os.O_CREATE, 0o600))
		put(t, f, "A", 0)
		ok(t, f.Sync())
		return d, dir
	}
	t.Run("created", func(t *testing.T) {
		d, _ := setup()
		d.PowerCut(0)
		if got := d.Bytes("state/a"); got != nil {
			t.Errorf("file survived: %q", got)
		}
	})
	t.Run("synced", func(t *testing.T) {
		d, dir := setup()
		ok(t, dir.Sync())
		ok(t, dir.Rename("a", "b"))
		d.PowerCut(0)
		if diff := cmp.Diff([]string{"a"}, must[[]string](t)(d.Dir("state").Names())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("A", string(d.Bytes("state/a"))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("removal lost", func(t *testing.T) {
		d, dir := setup()
		ok(t, dir.Sync())
		ok(t, dir.Remove("a"))
		d.PowerCut(0)
		if diff := cmp.Diff("A", string(d.Bytes("state/a"))); diff != "" {
			t.Error(diff)
		}
		f := must[spool.File](t)(d.Dir("state").Open("a", os.O_RDONLY, 0))
		if info := must[spool.Info](t)(f.Stat()); info.Nlink != 1 {
			t.Errorf("%d links", info.Nlink)
		}
	})
	t.Run("rename kept", func(t *testing.T) {
		d, dir := setup()
		ok(t, dir.Sync())
		ok(t, dir.Rename("a", "b"))
		d.PowerCut(1)
		if diff := cmp.Diff([]string{"b"}, must[[]string](t)(d.Dir("state").Names())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("failed sync", func(t *testing.T) {
		d, dir := setup()
		d.FailAt(1, syscall.EIO, false)
		if err := dir.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Sync = %v", err)
		}
		ok(t, dir.Sync())
		d.PowerCut(1)
		if got := d.Bytes("state/a"); got != nil {
			t.Errorf("file survived: %q", got)
		}
	})
}
