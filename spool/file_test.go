package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestInfoAgreesWithStat(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "12345")
	fifo, link, special := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "special")
	ok(t, unix.Mkfifo(fifo, 0o640))
	ok(t, os.Symlink(path, link))
	ok(t, os.Mkdir(special, 0o700))
	ok(t, os.Chmod(special, 0o750|fs.ModeSticky|fs.ModeSetgid|fs.ModeSetuid))
	for _, name := range []string{path, dir, fifo, link, special, "/dev/null"} {
		want := must[fs.FileInfo](t)(os.Lstat(name))
		st := want.Sys().(*syscall.Stat_t)
		got := must[Info](t)(statPath(name, unix.AT_SYMLINK_NOFOLLOW))
		wantInfo := Info{
			Dev: st.Dev, Ino: st.Ino, Birth: got.Birth, Nlink: uint64(st.Nlink),
			UID: st.Uid, GID: st.Gid, Mode: want.Mode(), Size: st.Size,
			Atime: st.Atim.Nano(), Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
		}
		if diff := cmp.Diff(wantInfo, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.Birth > got.Ctime {
			t.Errorf("%s: born at %d, changed at %d", name, got.Birth, got.Ctime)
		}
	}
}

func TestStampChanges(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	before := must[Info](t)(f.Stat())
	if before.Stamp() != must[Info](t)(b.Stat()).Stamp() {
		t.Error("stamps of the same state differ")
	}
	time.Sleep(20 * time.Millisecond) // a tick of the file system's clock
	must[int](t)(f.WriteAt([]byte("F"), 0))
	if before.Stamp() == must[Info](t)(f.Stat()).Stamp() {
		t.Error("a write of the same size did not change the stamp")
	}
	ok(t, f.Datasync())
	ok(t, f.Sync())
	ok(t, f.Close())
	isError(t, "Datasync of a closed file", f.Datasync(), fs.ErrClosed)
	_, err := f.Stat()
	isError(t, "Stat of a closed file", err, fs.ErrClosed)
}

func TestOpenDir(t *testing.T) {
	for name, c := range map[string]struct {
		perm fs.FileMode
		want error
	}{
		"private":          {0o700, nil},
		"readable":         {0o755, nil},
		"group's":          {0o770, fs.ErrPermission},
		"everybody's":      {0o777, fs.ErrPermission},
		"sticky directory": {0o777 | fs.ModeSticky, fs.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenDir(spoolDir(t, c.perm))
			isError(t, "OpenDir", err, c.want)
		})
	}
	_, err := OpenDir(filepath.Join(t.TempDir(), "nothing"))
	isError(t, "OpenDir of nothing", err, fs.ErrNotExist)
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "")
	_, err = OpenDir(path)
	isError(t, "OpenDir of a file", err, unix.ENOTDIR)
}

func TestOpenDirOfStranger(t *testing.T) {
	needRoot(t)
	dir := spoolDir(t, 0o700)
	ok(t, os.Chown(dir, 12345, -1))
	_, err := OpenDir(dir)
	isError(t, "OpenDir", err, ErrOwner)
}

func TestDir(t *testing.T) {
	d := must[Dir](t)(OpenDir(t.TempDir()))
	sub := must[Dir](t)(d.Sub("journal"))
	must[Dir](t)(d.Sub("journal"))
	f := must[File](t)(sub.Open("a", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
	must[int](t)(f.WriteAt([]byte("text"), 0))
	ok(t, f.Close())
	_, err := sub.Open("a", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	isError(t, "exclusive Open", err, fs.ErrExist)
	ok(t, sub.Rename("a", "b"))
	ok(t, sub.Sync())
	if diff := cmp.Diff([]string{"b"}, must[[]string](t)(sub.Names())); diff != "" {
		t.Error(diff)
	}
	ok(t, sub.Remove("b"))
	isError(t, "Remove of nothing", sub.Remove("b"), fs.ErrNotExist)
	isError(t, "Rename of nothing", sub.Rename("b", "c"), fs.ErrNotExist)
	_, err = sub.Open("b", os.O_RDONLY, 0)
	isError(t, "Open of nothing", err, fs.ErrNotExist)
	if got := must[[]string](t)(sub.Names()); len(got) != 0 {
		t.Errorf("names: %q", got)
	}
}

func TestDirIsFlat(t *testing.T) {
	d := must[Dir](t)(OpenDir(t.TempDir()))
	for _, name := range []string{"", ".", "..", "a/b", "../x", "/x", "a\x00"} {
		_, err := d.Open(name, os.O_RDWR|os.O_CREATE, 0o600)
		isError(t, "Open", err, fs.ErrInvalid)
		_, err = d.Sub(name)
		isError(t, "Sub", err, fs.ErrInvalid)
		isError(t, "Remove", d.Remove(name), fs.ErrInvalid)
		isError(t, "Rename", d.Rename("x", name), fs.ErrInvalid)
		isError(t, "Rename", d.Rename(name, "x"), fs.ErrInvalid)
	}
}

// A state directory that somebody tampered with before it became ours.
func TestDirRefusesStrangeFiles(t *testing.T) {
	path := t.TempDir()
	d := must[Dir](t)(OpenDir(path))
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "secret")
	ok(t, os.Symlink(outside, filepath.Join(path, "symlink")))
	ok(t, os.Link(outside, filepath.Join(path, "link")))
	ok(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	ok(t, os.Mkdir(filepath.Join(path, "dir"), 0o700))
	ok(t, os.Symlink(filepath.Dir(outside), filepath.Join(path, "dirlink")))
	for name, want := range map[string]error{
		"symlink": ErrSymlink, "link": ErrLinks, "fifo": ErrNotRegular, "dir": ErrNotRegular,
	} {
		_, err := d.Open(name, os.O_RDWR|os.O_CREATE, 0o600)
		isError(t, name, err, want)
	}
	if _, err := d.Sub("dirlink"); err == nil {
		t.Error("Sub followed a symbolic link")
	}
	if _, err := d.Sub("symlink"); !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
		t.Errorf("Sub of a file: %v", err)
	}
	ok(t, os.Chmod(filepath.Join(path, "dir"), 0o777))
	_, err := d.Sub("dir")
	isError(t, "Sub that others may write to", err, fs.ErrPermission)
	got := must[[]string](t)(d.Names())
	slices.Sort(got)
	if diff := cmp.Diff("dir dirlink fifo link symlink", strings.Join(got, " ")); diff != "" {
		t.Error(diff)
	}
}

// TestShortWrite: a write that hits the end of what is allowed tells how far it came, and the signal that comes with
// it ends nothing.
func TestShortWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "12345")
	f := osFile{must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0))}
	defer f.Close()
	var before unix.Rlimit
	ok(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &before))
	ok(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: before.Max}))
	n, err := f.WriteAt(make([]byte, 2000), 5)
	ok(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &before))
	if n != 995 || !errors.Is(err, unix.EFBIG) {
		t.Errorf("WriteAt: %d, %v; want 995, %v", n, err, unix.EFBIG)
	}
	if info := must[Info](t)(f.Stat()); info.Size != 1000 {
		t.Errorf("size %d, want 1000", info.Size)
	}
}
