package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// volume is a small file system of a test's own: it can be filled up, and its power cut.
type volume struct {
	t       testing.TB
	kind    string // ext4, xfs, btrfs or tmpfs
	size    int64
	image   string // of the disk; empty for tmpfs
	dir     string
	mounted bool
}

// needsVolumes skips a test that mounts file systems, except in make crash and make interop as root.
func needsVolumes(t testing.TB, kinds ...string) {
	t.Helper()
	switch {
	case os.Getuid() != 0:
		t.Skip("needs root, to mount file systems")
	case !fullCrash() && os.Getenv("SPOOLD_INTEROP") != "1":
		t.Skip("mounts file systems: make crash and make interop run it")
	}
	for _, kind := range kinds {
		if _, err := exec.LookPath("mkfs." + kind); kind != "tmpfs" && err != nil {
			t.Fatalf("mkfs.%s is not installed (make peers installs it)", kind)
		}
	}
}

// newVolume makes a file system of at most size octets and mounts it.
func newVolume(t testing.TB, kind string, size int64) *volume {
	t.Helper()
	dir := folder(t)
	v := &volume{t: t, kind: kind, size: size, dir: filepath.Join(dir, kind)}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if kind != "tmpfs" {
		v.image = filepath.Join(dir, "disk")
		writeFile(t, person{uid: 0, gid: 0}, v.image, nil)
		if err := os.Truncate(v.image, size); err != nil {
			t.Fatal(err)
		}
		mkfs := map[string][]string{"ext4": {"mkfs.ext4", "-q", "-F", "-m", "0"}, "xfs": {"mkfs.xfs", "-q"}, "btrfs": {"mkfs.btrfs", "-q", "-M"}}[kind]
		v.run(append(mkfs, v.image)...)
	}
	t.Cleanup(v.remove)
	v.mount()
	return v
}

func (v *volume) run(args ...string) {
	v.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		v.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (v *volume) mount() {
	v.t.Helper()
	if v.kind == "tmpfs" {
		v.run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=755,size=%d", v.size), "spoold-test", v.dir)
	} else {
		v.run("mount", "-t", v.kind, "-o", "loop", v.image, v.dir) // the loop device goes with the mount
	}
	v.mounted = true
}

// unmount waits a moment for those who have just died.
func (v *volume) unmount() error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Unmount(v.dir, 0)
		if err == nil {
			v.mounted = false
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return fmt.Errorf("unmount %s: %w", v.dir, err)
		}
	}
}

// remove leaves no mount behind, whatever has happened.
func (v *volume) remove() {
	if !v.mounted {
		return
	}
	if err := v.unmount(); err != nil {
		v.t.Error(err, unix.Unmount(v.dir, unix.MNT_DETACH))
	}
}

// shutdown makes the file system refuse everything from now on, as when the disk is gone. The flag says what still
// reaches the disk, the same for ext4 and XFS: 0 all, 1 the file system's log, 2 nothing.
func (v *volume) shutdown(flag int) {
	v.t.Helper()
	const fsIocShutdown = 0x8004587d // FS_IOC_SHUTDOWN of <linux/fs.h>
	d, err := os.Open(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	defer d.Close()
	if err := unix.IoctlSetPointerInt(int(d.Fd()), fsIocShutdown, flag); err != nil {
		v.t.Fatalf("shutdown of %s: %v", v.kind, err)
	}
}

// recover mounts a file system again after a shutdown, which repairs it by its journal.
func (v *volume) recover() {
	v.t.Helper()
	if err := v.unmount(); err != nil {
		v.t.Fatal(err)
	}
	v.mount()
}

// sync writes out what is there.
func (v *volume) sync() {
	v.t.Helper()
	d, err := os.Open(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		v.t.Fatal(err)
	}
}

func (v *volume) filler() string { return filepath.Join(v.dir, "filler") }

// fill uses up all space but so many octets, about. btrfs may have no room to cut a file then, so what is left is a
// file that is removed.
func (v *volume) fill(leave int64) {
	v.t.Helper()
	spare := v.filler() + ".spare"
	v.writeUntilFull(spare, leave)
	v.writeUntilFull(v.filler(), 1<<40)
	if err := os.Remove(spare); err != nil {
		v.t.Fatal(err)
	}
	v.sync() // freed blocks can be used after the log's commit
}

// writeUntilFull makes a file of so many octets, or of what there is.
func (v *volume) writeUntilFull(name string, n int64) {
	v.t.Helper()
	f, err := os.Create(name)
	if err != nil {
		v.t.Fatal(err)
	}
	defer f.Close()
	for size := int64(1 << 20); size >= 1<<9 && n > 0; {
		wrote, err := f.Write(make([]byte, min(size, n)))
		n -= int64(wrote)
		if err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				v.t.Fatal(err)
			}
			size /= 2
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.ENOSPC) { // delayed allocation
		v.t.Fatal(err)
	}
}

// free gives all space back.
func (v *volume) free() {
	v.t.Helper()
	if err := os.Remove(v.filler()); err != nil {
		v.t.Fatal(err)
	}
	v.sync()
}
