package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// spoolDir makes a directory with the given permissions.
func spoolDir(t testing.TB, perm fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.Chmod(dir, perm))
	return dir
}

func TestOpenRefuses(t *testing.T) {
	const private, sticky = fs.FileMode(0o755), 0o777 | fs.ModeSticky
	file := func(t *testing.T, path string) { write(t, path, "mail") }
	for name, c := range map[string]struct {
		dir  fs.FileMode
		make func(t *testing.T, path string)
		want error
	}{
		"regular file":           {private, file, nil},
		"regular file in sticky": {sticky, file, nil},
		"nothing":                {private, func(*testing.T, string) {}, fs.ErrNotExist},
		"directory":              {private, func(t *testing.T, path string) { ok(t, os.Mkdir(path, 0o700)) }, ErrNotRegular},
		"FIFO":                   {sticky, func(t *testing.T, path string) { ok(t, unix.Mkfifo(path, 0o600)) }, ErrNotRegular},
		"socket": {private, func(t *testing.T, path string) {
			ok(t, unix.Mknod(path, unix.S_IFSOCK|0o600, 0))
		}, ErrNotRegular},
		"hard link": {sticky, func(t *testing.T, path string) {
			file(t, path+".victim")
			ok(t, os.Link(path+".victim", path))
		}, ErrLinks},
		"symbolic link": {sticky, func(t *testing.T, path string) {
			file(t, path+".victim")
			ok(t, os.Symlink(path+".victim", path))
		}, ErrSymlink},
		"symbolic link in a group's directory": {0o770, func(t *testing.T, path string) {
			file(t, path+".victim")
			ok(t, os.Symlink(path+".victim", path))
		}, ErrSymlink},
		"own symbolic link": {private, func(t *testing.T, path string) {
			file(t, path+".target")
			ok(t, os.Symlink(path+".target", path))
		}, nil},
		"own symbolic link to a hard link": {private, func(t *testing.T, path string) {
			file(t, path+".target")
			ok(t, os.Link(path+".target", path+".too"))
			ok(t, os.Symlink(path+".target", path))
		}, ErrLinks},
		"symbolic link loop": {private, func(t *testing.T, path string) { ok(t, os.Symlink(path, path)) }, ErrSymlink},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(spoolDir(t, c.dir), "joe")
			c.make(t, path)
			b := NewBox(path, uint32(os.Getuid()), LockPolicy{Log: quiet})
			for _, write := range []bool{false, true} {
				f, err := b.Open(write)
				isError(t, "Open", err, c.want)
				if err != nil {
					continue
				}
				info := must[Info](t)(f.Stat())
				if diff := cmp.Diff(must[Info](t)(b.Stat()), info); diff != "" {
					t.Error(diff)
				}
				release := must[func() error](t)(b.TryLock(f, Shared))
				ok(t, release())
				ok(t, f.Close())
			}
		})
	}
}

func TestOpenOwner(t *testing.T) {
	needRoot(t)
	const owner, other = 12345, 12346
	for name, c := range map[string]struct {
		dirOwner, fileOwner int
		dir                 fs.FileMode
		want                error
	}{
		"owner's":                           {0, owner, 0o755, nil},
		"owner's in sticky":                 {0, owner, 0o777 | fs.ModeSticky, nil},
		"stranger's in sticky":              {0, other, 0o777 | fs.ModeSticky, ErrOwner},
		"stranger's in owner's directory":   {owner, other, 0o755, ErrOwner},
		"stranger's in a third's":           {owner + 7, other, 0o755, ErrOwner},
		"stranger's in a group's directory": {0, other, 0o775, ErrOwner},
		"shared folder of root's":           {0, 0, 0o755, nil},
		"shared folder of a user's":         {other, other, 0o755, nil},
		"shared folder in root's directory": {0, other, 0o755, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := spoolDir(t, c.dir)
			path := filepath.Join(dir, "joe")
			write(t, path, "mail")
			ok(t, os.Chown(path, c.fileOwner, -1))
			ok(t, os.Chown(dir, c.dirOwner, -1))
			f, err := NewBox(path, owner, LockPolicy{}).Open(false)
			isError(t, "Open", err, c.want)
			if err == nil {
				ok(t, f.Close())
			}
		})
	}
}

func TestOpenSymlinkToStranger(t *testing.T) {
	needRoot(t)
	dir := spoolDir(t, 0o755)
	write(t, filepath.Join(dir, "target"), "mail")
	ok(t, os.Chown(filepath.Join(dir, "target"), 12346, -1))
	ok(t, os.Symlink("target", filepath.Join(dir, "joe")))
	_, err := NewBox(filepath.Join(dir, "joe"), 12345, LockPolicy{}).Open(false)
	isError(t, "Open", err, ErrOwner)
}

func TestSymlinkAppearsAfterOpen(t *testing.T) {
	dir := spoolDir(t, 0o777|fs.ModeSticky)
	b := NewBox(filepath.Join(dir, "joe"), uint32(os.Getuid()), LockPolicy{Log: quiet})
	write(t, b.Path(), "mail")
	f := openBox(t, b)
	ok(t, os.Rename(b.Path(), b.Path()+".moved"))
	ok(t, os.Symlink(b.Path()+".moved", b.Path()))
	_, err := b.TryLock(f, Exclusive)
	isError(t, "TryLock", err, ErrSymlink)
	_, err = b.Stat()
	isError(t, "Stat", err, ErrSymlink)
}

// An attacker changes the name in a 1777 directory as fast as possible between
// the mailbox and links to another file of the same owner's. What is opened is
// the mailbox or an error, never the other file.
func TestOpenDuringAttack(t *testing.T) {
	dir := spoolDir(t, 0o777|fs.ModeSticky)
	path, mail, victim := filepath.Join(dir, "joe"), filepath.Join(dir, "mail"), filepath.Join(dir, "victim")
	write(t, path, "mail")
	write(t, victim, "secret")
	b := NewBox(path, uint32(os.Getuid()), LockPolicy{Log: quiet, Timeout: time.Second})
	secret := must[Info](t)(statPath(victim, 0))
	box := must[Info](t)(b.Stat())

	until(t, func(i int) {
		_ = os.Rename(path, mail)
		switch i % 3 {
		case 0:
			_ = os.Symlink(victim, path)
		case 1:
			_ = os.Link(victim, path)
		case 2:
			_ = unix.Mkfifo(path, 0o600)
		}
		_ = os.Remove(path)
		_ = os.Rename(mail, path)
	})
	allowed := []error{nil, fs.ErrNotExist, ErrSymlink, ErrLinks, ErrReplaced, ErrNotRegular}
	deadline := time.Now().Add(500 * time.Millisecond)
	opened := 0
	for opened < 10 || time.Now().Before(deadline) {
		f, err := b.Open(true)
		checkOneOf(t, err, allowed)
		if err != nil {
			continue
		}
		opened++
		info := must[Info](t)(f.Stat())
		if info.sameFile(secret) || !info.sameFile(box) {
			t.Fatalf("opened %+v", info)
		}
		release, err := b.TryLock(f, Exclusive)
		checkOneOf(t, err, allowed)
		if err == nil {
			ok(t, release())
		}
		ok(t, f.Close())
	}
}

// until repeats something in the background until the test ends.
func until(t *testing.T, do func(i int)) {
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				do(i)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		group.Wait()
	})
}

func checkOneOf(t *testing.T, err error, allowed []error) {
	t.Helper()
	for _, want := range allowed {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("unexpected error %v", err)
}

// Deliveries that replace the file by rename all the time do not make Open fail.
func TestOpenDuringRenameStorm(t *testing.T) {
	b := newBox(t, LockPolicy{})
	until(t, func(int) {
		_ = os.WriteFile(b.Path()+".new", []byte("new"), 0o600)
		_ = os.Rename(b.Path()+".new", b.Path())
	})
	for range 200 {
		f, err := b.Open(true)
		if err != nil {
			t.Fatal(err)
		}
		release, err := b.TryLock(f, Exclusive)
		checkOneOf(t, err, []error{nil, ErrReplaced})
		if err == nil {
			ok(t, release())
		}
		ok(t, f.Close())
	}
}

func TestNewFile(t *testing.T) {
	dir := t.TempDir()
	owner := uint32(os.Getuid())
	if owner == 0 {
		owner = 12345
	}
	b := NewBox(filepath.Join(dir, "joe"), owner, LockPolicy{})
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	f := must[File](t)(b.NewFile(0o660))
	defer f.Close()
	info := must[Info](t)(f.Stat())
	if info.UID != owner || info.Mode != 0o660 || info.Size != 0 {
		t.Errorf("made %+v", info)
	}
	must[int](t)(f.WriteAt([]byte("x"), 0))
	_, err := b.NewFile(0o600)
	isError(t, "NewFile again", err, fs.ErrExist)
	linked := NewBox(filepath.Join(dir, "linked"), owner, LockPolicy{})
	ok(t, os.Symlink("nothing", linked.Path()))
	_, err = linked.NewFile(0o600)
	isError(t, "NewFile over a link", err, fs.ErrExist)
	_, err = NewBox(filepath.Join(dir, "no", "such"), owner, LockPolicy{}).NewFile(0o600)
	isError(t, "NewFile nowhere", err, fs.ErrNotExist)
}

func TestSetTimes(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	ok(t, b.SetTimes(f, time.Unix(100, 5), time.Unix(200, 7)))
	ok(t, b.SetTimes(f, time.Time{}, time.Unix(300, 0)))
	info := must[Info](t)(b.Stat())
	if info.Atime != 100e9+5 || info.Mtime != 300e9 {
		t.Errorf("times are %d and %d", info.Atime, info.Mtime)
	}
	if err := b.SetTimes(nil, time.Time{}, time.Time{}); err == nil {
		t.Error("set times of no file")
	}
}

// Raw reads without a trace: who looks for new mail by the times of the file still finds it.
func TestRaw(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box")
	if err := os.WriteFile(path, []byte("From here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := time.Unix(1e9, 0)
	if err := os.Chtimes(path, read, read.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b := NewBox(path, uint32(os.Getuid()), LockPolicy{})
	f, err := b.Raw()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(got) != "From here\n" {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := b.Stat(); err != nil || info.Atime != read.UnixNano() {
		t.Errorf("read at %v, %v", time.Unix(0, info.Atime), err)
	}
	if _, err := NewBox(path+"x", 0, LockPolicy{}).Raw(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
