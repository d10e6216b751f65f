package spool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestUsage: each file of the user's counts once, and what is no mailbox does not.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, size int) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, make([]byte, size), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := NewTree(filepath.Join(dir, "inbox"), filepath.Join(dir, "mail"))
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, octets int64) {
		t.Helper()
		if got, err := tree.Usage(context.Background()); got != octets || err != nil {
			t.Errorf("%s: %d, %v, want %d", what, got, err, octets)
		}
	}
	want("nothing there", 0)
	put("mail/a/b/c", 1000)
	want("folders only", 1000)
	put("inbox", 20)
	put("outside", 1<<20)
	put("mail/d", 300)
	put("mail/.hidden", 1<<20)
	put("mail/d.lock", 1<<20)
	for _, link := range [][2]string{{"d", "again"}, {"a", "dir"}, {"../outside", "out"}, {"nowhere", "dangling"}, {".", "loop"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, "mail", link[1])); err != nil {
			t.Fatal(err)
		}
	}
	want("all", 1320)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tree.Usage(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDiskQuotaNone: where nobody keeps a quota there is none, whatever the reason.
func TestDiskQuotaNone(t *testing.T) {
	for _, path := range []string{"/proc", "/dev", "/nowhere"} {
		if used, limit, ok := DiskQuota(path, uint32(unix.Getuid())); ok {
			t.Errorf("%s: %d of %d", path, used, limit)
		}
	}
}

// TestDiskQuotaLayout: the kernel writes 72 octets, struct if_dqblk of linux/quota.h.
func TestDiskQuotaLayout(t *testing.T) {
	var q dqblk
	if size := unsafe.Sizeof(q); size != 72 {
		t.Errorf("%d octets, want 72", size)
	}
	if off := unsafe.Offsetof(q.space); off != 16 {
		t.Errorf("space at %d, want 16", off)
	}
}
