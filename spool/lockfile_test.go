package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// playOwn holds our own locks, has a child, and waits to be killed.
func playOwn(methods, path string) error {
	b := NewBox(path, uint32(os.Getuid()), LockPolicy{Methods: methodList(methods), Log: quiet})
	f, err := b.Open(true)
	if err != nil {
		return err
	}
	if _, err := b.TryLock(f, Exclusive); err != nil {
		return err
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		return err
	}
	fmt.Println("held")
	fmt.Println(child.Process.Pid)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// killed leaves the lock of a process that was killed, while a child of it lives on.
func killed(t testing.TB, methods, path string) {
	t.Helper()
	p := second(t, "own", methods, path)
	if got := p.says(); got != "held" {
		t.Fatalf("second process: %s", got)
	}
	child := must[int](t)(strconv.Atoi(p.says()))
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	p.kill()
	_ = p.end()
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child has ended: %v", err)
	}
}

func TestLockOfADeadProcessIsTakenOver(t *testing.T) {
	for _, methods := range []string{"dotlock", "fcntl+dotlock+flock"} {
		t.Run(methods, func(t *testing.T) {
			b := newBox(t, LockPolicy{Methods: methodList(methods), Stale: time.Hour})
			f := openBox(t, b)
			killed(t, methods, b.Path())
			if diff := cmp.Diff([]string{"mbox", "mbox.lock"}, names(t, filepath.Dir(b.Path()))); diff != "" {
				t.Fatal(diff)
			}
			start := time.Now()
			release := must[func() error](t)(b.TryLock(f, Exclusive))
			t.Logf("taken over after %v", time.Since(start))
			rival := NewBox(b.Path(), b.owner, b.policy)
			_, err := rival.TryLock(openBox(t, rival), Exclusive)
			isError(t, "TryLock of what was taken over", err, ErrLocked)
			ok(t, release())
			if diff := cmp.Diff([]string{"mbox"}, names(t, filepath.Dir(b.Path()))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A power cut takes what the lock file says, which is not synced.
func TestLockAfterAPowerCutIsTakenOver(t *testing.T) {
	for name, left := range map[string]string{"nothing": "", "a block of the disk": strings.Repeat("\x00", len(lockLine))} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, LockPolicy{Methods: methodList("dotlock"), Stale: time.Hour})
			killed(t, "dotlock", b.Path())
			ok(t, os.WriteFile(b.Path()+".lock", []byte(left), 0o600)) // the mode of one that is there stays
			ok(t, must[func() error](t)(b.TryLock(openBox(t, b), Exclusive))())
		})
	}
}

// The lock file of a process that died stays while somebody else is at the mailbox.
func TestLockOfADeadProcessUnderAnotherLock(t *testing.T) {
	for _, m := range []Method{Fcntl, Flock} {
		b := newBox(t, LockPolicy{Stale: time.Hour})
		f := openBox(t, b)
		killed(t, "fcntl+dotlock+flock", b.Path())
		p := holder(t, m, "exclusive", b.Path())
		_, err := b.TryLock(f, Exclusive)
		if locked, is := errors.AsType[*LockedError](err); !is || locked.Method != m {
			t.Errorf("TryLock: %v, want a LockedError about %s", err, m)
		}
		must[fs.FileInfo](t)(os.Lstat(b.Path() + ".lock"))
		ok(t, p.end())
	}
}

func TestLockOfADeadProcessIsTakenOverOnce(t *testing.T) {
	for round := range 20 {
		b := newBox(t, dotlockOnly(time.Hour))
		write(t, b.Path()+".lock", lockLine)
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
				t.Cleanup(func() { _ = f.Close() })
				for range 5 {
					switch release, err := rival.TryLock(f, Exclusive); {
					case err == nil:
						got.Add(1)
						t.Cleanup(func() { _ = release() }) // not before all have tried
					case !errors.Is(err, ErrLocked):
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if n := got.Load(); n != 1 {
			t.Fatalf("round %d: %d got the lock", round, n)
		}
	}
}

// A living maker keeps his lock however old the file looks.
func TestLockOfALivingProcessStays(t *testing.T) {
	b := newBox(t, dotlockOnly(time.Hour))
	release := must[func() error](t)(b.TryLock(openBox(t, b), Exclusive))
	rival := NewBox(b.Path(), b.owner, dotlockOnly(time.Millisecond))
	g := openBox(t, rival)
	time.Sleep(50 * time.Millisecond)
	_, err := rival.TryLock(g, Exclusive)
	isError(t, "TryLock", err, ErrLocked)
	ok(t, release())
}

// What is not exactly our file, of somebody whom we believe, is an ordinary lock.
func TestLockFilesThatAreNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		uid     int
	}{
		"empty":           {"", os.Getuid()},
		"process id":      {"1", os.Getuid()},
		"Dovecot's":       {"999999:host", os.Getuid()},
		"line cut off":    {"spoold", os.Getuid()},
		"another line":    {lockLine + "\n", os.Getuid()},
		"of another user": {lockLine, 4001},
	} {
		t.Run(name, func(t *testing.T) {
			if c.uid != os.Getuid() {
				needRoot(t)
			}
			b := newBox(t, dotlockOnly(time.Hour))
			write(t, b.Path()+".lock", c.content)
			ok(t, os.Chown(b.Path()+".lock", c.uid, -1))
			_, err := b.TryLock(openBox(t, b), Exclusive)
			isError(t, "TryLock", err, ErrLocked)
		})
	}
}

func TestLockFileIsTouchedWhileHeld(t *testing.T) {
	b := newBox(t, LockPolicy{Stale: 80 * time.Millisecond}) // touched every 20 ms
	f := openBox(t, b)
	lock := b.Path() + ".lock"
	release := must[func() error](t)(b.TryLock(f, Exclusive))
	long := time.Now().Add(-time.Hour)
	ok(t, os.Chtimes(lock, long, long))
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if info := must[fs.FileInfo](t)(os.Lstat(lock)); time.Since(info.ModTime()) < time.Minute {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not touched")
		}
	}
	keep := must[*os.File](t)(os.Open(lock)) // the inode, after its name has gone
	defer keep.Close()
	ok(t, release())
	ok(t, os.Chtimes(byDescriptor(int(keep.Fd())), long, long))
	time.Sleep(100 * time.Millisecond)
	if info := must[fs.FileInfo](t)(keep.Stat()); time.Since(info.ModTime()) < time.Minute {
		t.Error("touched after it was given back")
	}
}

// Other programs take our lock file for an ordinary one: held while it is young,
// left over when it is old, and its content for no process id.
func TestInteropLockFile(t *testing.T) {
	if os.Getenv("SPOOLD_INTEROP") != "1" {
		t.Skip("needs dotlockfile, procmail and mutt: make interop")
	}
	for _, c := range []struct {
		program string
		args    []string
		stale   time.Duration // 0: it never overrides
		held    int           // its exit status then
	}{
		{"/usr/bin/dotlockfile", []string{"-l", "-i", "1", "-r", "0", "LOCK"}, 5 * time.Minute, 4},
		{"/usr/bin/dotlockfile", []string{"-l", "-p", "-i", "1", "-r", "0", "LOCK"}, 5 * time.Minute, 4},
		{"/usr/bin/lockfile", []string{"-r", "0", "LOCK"}, 0, 73}, // procmail's
		{"/usr/bin/mutt_dotlock", []string{"-r", "1", "BOX"}, 0, 3},
	} {
		t.Run(filepath.Base(c.program)+strings.Join(c.args[:2], ""), func(t *testing.T) {
			t.Parallel() // they sleep
			if _, err := os.Stat(c.program); err != nil {
				t.Fatal(err)
			}
			b := newBox(t, dotlockOnly(time.Hour))
			lock := b.Path() + ".lock"
			release := must[func() error](t)(b.TryLock(openBox(t, b), Exclusive))
			args := strings.Split(strings.NewReplacer("LOCK", lock, "BOX", b.Path()).Replace(strings.Join(c.args, " ")), " ")
			run := func() int {
				cmd := exec.Command(c.program, args...)
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState == nil {
					t.Fatal(err)
				}
				t.Logf("%v: %v %s", args, cmd.ProcessState, out)
				return cmd.ProcessState.ExitCode()
			}
			if got := run(); got != c.held {
				t.Errorf("while the lock is held: exit status %d, want %d", got, c.held)
			}
			if diff := cmp.Diff(lockLine, string(must[[]byte](t)(os.ReadFile(lock)))); diff != "" {
				t.Errorf("lock file of ours: %s", diff)
			}
			ok(t, release())
			if c.stale == 0 {
				return
			}
			for age, stays := range map[time.Duration]bool{-30 * time.Second: true, 30 * time.Second: false} {
				write(t, lock, lockLine)
				old := time.Now().Add(-c.stale - age)
				ok(t, os.Chtimes(lock, old, old))
				args[slices.Index(args, "-r")+1] = "1" // it takes a stale one away in the second try
				run()
				if _, err := os.Lstat(lock); (err == nil) != stays {
					t.Errorf("left behind for %v: %v", c.stale+age, err)
				}
			}
		})
	}
}

// The lock file leaks neither a descriptor nor a name, also when another lock is lacking.
func TestLockFileDescriptorIsClosed(t *testing.T) {
	b := newBox(t, LockPolicy{Methods: []Method{Dotlock, Fcntl}, Log: quiet})
	f := openBox(t, b)
	p := holder(t, Fcntl, "exclusive", b.Path())
	before := len(names(t, "/proc/self/fd"))
	for range 20 {
		_, err := b.TryLock(f, Exclusive)
		isError(t, "TryLock", err, ErrLocked)
	}
	ok(t, p.end())
	for range 20 {
		ok(t, must[func() error](t)(b.TryLock(f, Exclusive))())
	}
	if after := len(names(t, "/proc/self/fd")); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
