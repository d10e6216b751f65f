package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func dotlockOnly(stale time.Duration) LockPolicy {
	return LockPolicy{Methods: []Method{Dotlock}, Timeout: time.Second, Stale: stale, Log: quiet}
}

// names lists a directory, hidden files too.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		list = append(list, e.Name())
	}
	return list
}

func TestDotlockFile(t *testing.T) {
	b := newBox(t, dotlockOnly(0))
	release := must[func() error](t)(b.TryLock(openBox(t, b), Exclusive))
	info := must[fs.FileInfo](t)(os.Lstat(b.Path() + ".lock"))
	if info.Mode() != 0o600|fs.ModeSticky {
		t.Errorf("lock file has mode %v", info.Mode())
	}
	if diff := cmp.Diff("spoold\n", string(must[[]byte](t)(os.ReadFile(b.Path()+".lock")))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mbox", "mbox.lock"}, names(t, filepath.Dir(b.Path()))); diff != "" {
		t.Error(diff)
	}
	ok(t, release())
	if diff := cmp.Diff([]string{"mbox"}, names(t, filepath.Dir(b.Path()))); diff != "" {
		t.Error(diff)
	}
}

// What lies there as lock file is not ours to follow, write or remove.
func TestDotlockObstacles(t *testing.T) {
	for name, c := range map[string]struct {
		make func(lock string) error
		want error
	}{
		"symbolic link to a file":  {func(lock string) error { return os.Symlink(strings.TrimSuffix(lock, ".lock"), lock) }, ErrSymlink},
		"symbolic link to nothing": {func(lock string) error { return os.Symlink("nothing", lock) }, ErrSymlink},
		"directory":                {func(lock string) error { return os.Mkdir(lock, 0o700) }, ErrLocked},
		"FIFO":                     {func(lock string) error { return unix.Mkfifo(lock, 0o600) }, ErrLocked},
		"fresh lock file":          {func(lock string) error { return os.WriteFile(lock, []byte("1:host"), 0o600) }, ErrLocked},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, dotlockOnly(time.Hour))
			f := openBox(t, b)
			lock := b.Path() + ".lock"
			ok(t, c.make(lock))
			_, err := b.TryLock(f, Exclusive)
			isError(t, "TryLock", err, c.want)
			if diff := cmp.Diff([]string{"mbox", "mbox.lock"}, names(t, filepath.Dir(lock))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnlyRegularFilesGetStale(t *testing.T) {
	b := newBox(t, dotlockOnly(time.Nanosecond))
	f := openBox(t, b)
	ok(t, os.Mkdir(b.Path()+".lock", 0o700))
	time.Sleep(60 * time.Millisecond)
	_, err := b.TryLock(f, Exclusive)
	isError(t, "TryLock", err, ErrLocked)
}

func TestStaleDotlock(t *testing.T) {
	const stale = 200 * time.Millisecond
	const longer = stale + 50*time.Millisecond // time stamps tick
	setup := func(t *testing.T) (*Box, File) {
		b := newBox(t, LockPolicy{Stale: stale})
		write(t, b.Path()+".lock", "")
		// Times that anybody can set count for nothing.
		ok(t, os.Chtimes(b.Path()+".lock", time.Unix(0, 0), time.Unix(0, 0)))
		return b, openBox(t, b)
	}
	t.Run("young", func(t *testing.T) {
		b, f := setup(t)
		_, err := b.TryLock(f, Exclusive)
		isError(t, "TryLock", err, ErrLocked)
	})
	t.Run("old", func(t *testing.T) {
		b, f := setup(t)
		var log bytes.Buffer
		b.policy.Log = slog.New(slog.NewTextHandler(&log, nil))
		time.Sleep(longer)
		release := must[func() error](t)(b.TryLock(f, Exclusive))
		if !strings.Contains(log.String(), "stale lock file taken away") {
			t.Errorf("not logged: %s", log.String())
		}
		ok(t, release())
		if diff := cmp.Diff([]string{"mbox"}, names(t, filepath.Dir(b.Path()))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("old but the mailbox is being written", func(t *testing.T) {
		b, f := setup(t)
		time.Sleep(longer)
		must[int](t)(f.WriteAt([]byte("F"), 0))
		_, err := b.TryLock(f, Exclusive)
		isError(t, "TryLock", err, ErrLocked)
	})
	t.Run("old but another lock is held", func(t *testing.T) {
		for _, m := range []Method{Fcntl, Flock} {
			b, f := setup(t)
			p := holder(t, m, "exclusive", b.Path())
			time.Sleep(longer)
			_, err := b.TryLock(f, Exclusive)
			if locked, is := errors.AsType[*LockedError](err); !is || locked.Method != m {
				t.Errorf("TryLock: %v, want a LockedError about %s", err, m)
			}
			if _, err := os.Lstat(b.Path() + ".lock"); err != nil {
				t.Errorf("the lock file was taken away under a %s lock", m)
			}
			ok(t, p.end())
		}
	})
}

// Two that find the same stale lock: one gets the mailbox.
func TestStaleDotlockIsSeizedOnce(t *testing.T) {
	b := newBox(t, dotlockOnly(time.Second))
	write(t, b.Path()+".lock", "")
	time.Sleep(1100 * time.Millisecond)
	var got atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			rival := NewBox(b.Path(), b.owner, b.policy)
			f, err := rival.Open(true)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			switch _, err := rival.TryLock(f, Exclusive); {
			case err == nil:
				got.Add(1) // and never gives it back
			case !errors.Is(err, ErrLocked):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := got.Load(); n != 1 {
		t.Errorf("%d got the lock", n)
	}
}

func TestOverriddenDotlockIsNotRemoved(t *testing.T) {
	var log bytes.Buffer
	b := newBox(t, LockPolicy{Methods: []Method{Dotlock}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	lock := b.Path() + ".lock"
	release := must[func() error](t)(b.TryLock(openBox(t, b), Exclusive))
	ok(t, os.Rename(lock, lock+".old")) // keeps the inode number in use
	write(t, lock, "theirs")
	ok(t, release())
	if diff := cmp.Diff("theirs", string(must[[]byte](t)(os.ReadFile(lock)))); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "overridden") {
		t.Errorf("not logged: %s", log.String())
	}
}

// fakeMaker is a DotlockMaker that answers as told.
type fakeMaker struct {
	answer        error
	made, removed []string
}

func (m *fakeMaker) Make(path string) error {
	m.made = append(m.made, path)
	return m.answer
}

func (m *fakeMaker) Remove(path string) error {
	m.removed = append(m.removed, path)
	return nil
}

// Whoever may not write to the spool directory has the lock made or does
// without, but never ignores somebody else's.
func TestDotlockWithoutRights(t *testing.T) {
	if !asNobody(t) {
		return
	}
	for name, c := range map[string]struct {
		maker *fakeMaker // nil: dotlockfile(1), which cannot help here
		lock  bool       // somebody else's is there
		want  error
		warns bool
	}{
		"made by the helper":           {maker: &fakeMaker{}},
		"helper says it is held":       {maker: &fakeMaker{answer: fs.ErrExist}, want: ErrLocked},
		"helper has no rights either":  {maker: &fakeMaker{answer: unix.EROFS}, warns: true},
		"helper has no space":          {maker: &fakeMaker{answer: unix.ENOSPC}, want: unix.ENOSPC},
		"no helper":                    {warns: true},
		"held by somebody":             {lock: true, maker: &fakeMaker{}, want: ErrLocked},
		"held by somebody, no helper":  {lock: true, want: ErrLocked},
		"helper is broken in some way": {maker: &fakeMaker{answer: errors.ErrUnsupported}, want: errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			p := LockPolicy{Log: slog.New(slog.NewTextHandler(&log, nil))}
			if c.maker != nil {
				p.Dotlock = c.maker
			}
			b := newBox(t, p)
			f := openBox(t, b)
			if c.lock {
				write(t, b.Path()+".lock", "")
			}
			ok(t, os.Chmod(filepath.Dir(b.Path()), 0o500))
			defer os.Chmod(filepath.Dir(b.Path()), 0o700)
			for range 2 {
				release, err := b.TryLock(f, Exclusive)
				isError(t, "TryLock", err, c.want)
				if err == nil {
					ok(t, release())
				}
			}
			if n := strings.Count(log.String(), "without lock file"); c.warns && n != 1 || !c.warns && n != 0 {
				t.Errorf("warned %d times: %s", n, log.String())
			}
			if c.maker != nil && c.maker.answer == nil && !c.lock {
				want := []string{b.Path(), b.Path()}
				if diff := cmp.Diff(want, c.maker.removed); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// A spool directory as on Debian: root:mail 2775, where only dotlockfile(1) helps.
func TestDotlockfile(t *testing.T) {
	const program = "/usr/bin/dotlockfile"
	info, err := os.Stat(program)
	if err != nil || info.Mode()&fs.ModeSetgid == 0 {
		t.Skip("needs the setgid program dotlockfile (Debian: liblockfile-bin)")
	}
	if os.Geteuid() == 0 {
		st := must[Info](t)(statPath(program, 0))
		spoolDir := filepath.Join(t.TempDir(), "mail")
		ok(t, os.Chmod(filepath.Dir(filepath.Dir(spoolDir)), 0o755))
		ok(t, os.Mkdir(spoolDir, 0o755))
		ok(t, os.Chown(spoolDir, 0, int(st.GID)))
		ok(t, os.Chmod(spoolDir, 0o775|fs.ModeSetgid))
		inbox := filepath.Join(spoolDir, "nobody")
		write(t, inbox, "")
		ok(t, os.Chown(inbox, nobody, int(st.GID)))
		asNobodyWith(t, "SPOOL_TEST_INBOX="+inbox)
		return
	}
	inbox := os.Getenv("SPOOL_TEST_INBOX")
	if inbox == "" {
		t.Skip("needs root: to make a spool directory of group mail")
	}
	p := LockPolicy{Timeout: time.Second, Log: quiet}
	b, rival := NewBox(inbox, nobody, p), NewBox(inbox, nobody, p)
	f, g := openBox(t, b), openBox(t, rival)
	release := must[func() error](t)(b.TryLock(f, Exclusive))
	if _, err := os.Lstat(inbox + ".lock"); err != nil {
		t.Errorf("no lock file: %v", err)
	}
	isError(t, "making a lock that is held", setgidMaker{program}.Make(inbox), fs.ErrExist)
	young := must[Info](t)(statPath(inbox+".lock", 0))
	time.Sleep(1100 * time.Millisecond)
	ok(t, setgidMaker{program}.touch(inbox))
	if now := must[Info](t)(statPath(inbox+".lock", 0)); now.Mtime <= young.Mtime {
		t.Error("lock file not touched")
	}
	_, err = rival.TryLock(g, Exclusive)
	isError(t, "TryLock", err, ErrLocked)
	ok(t, release())
	if _, err := os.Lstat(inbox + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock file after release: %v", err)
	}
}

func TestSetgidMakerAnswers(t *testing.T) {
	script := func(code string) setgidMaker {
		path := filepath.Join(t.TempDir(), "dotlockfile")
		ok(t, os.WriteFile(path, []byte("#!/bin/sh\nexit "+code+"\n"), 0o700))
		return setgidMaker{path}
	}
	box := filepath.Join(t.TempDir(), "mbox")
	for name, c := range map[string]struct {
		maker setgidMaker
		want  error
	}{
		"made":          {script("0"), nil},
		"held":          {script("4"), fs.ErrExist},
		"no rights":     {script("2"), unix.EACCES},
		"not installed": {setgidMaker{"/nonexistent"}, unix.EPERM},
	} {
		t.Run(name, func(t *testing.T) {
			isError(t, "Make", c.maker.Make(box), c.want)
		})
	}
	if err := script("3").Make(box); err == nil || mayWaive(err) {
		t.Errorf("a lock that could not be written: %v", err)
	}
}
