package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// sessionLock returns the path of UW's session lock on b.
func sessionLock(t testing.TB, b *Box) string {
	t.Helper()
	var st unix.Stat_t
	ok(t, unix.Stat(b.Path(), &st))
	b.sessions = t.TempDir()
	return filepath.Join(b.sessions, fmt.Sprintf(".%x.%x", st.Dev, st.Ino))
}

func TestSessionHeld(t *testing.T) {
	b := newBox(t, LockPolicy{})
	lock := sessionLock(t, b)
	check := func(what string, want bool) {
		t.Helper()
		if got := must[bool](t)(b.SessionHeld()); got != want {
			t.Errorf("%s: held = %v", what, got)
		}
	}
	check("no lock file", false)
	if got := names(t, b.sessions); len(got) != 0 {
		t.Errorf("made %q", got)
	}
	write(t, lock, "1234")
	check("lock file of a dead session", false)
	p := holder(t, Flock, "exclusive", lock)
	check("held", true)
	ok(t, os.Link(lock, lock+".too"))
	check("with a second link", false)
	ok(t, os.Remove(lock+".too"))
	check("held again", true)
	ok(t, p.end())
	check("after the session", false)
	if !canLock(t, Flock, "exclusive", lock) {
		t.Error("asking left a lock behind")
	}
	if got := string(must[[]byte](t)(os.ReadFile(lock))); got != "1234" {
		t.Errorf("lock file now holds %q", got)
	}
}

// Anybody can put anything into /tmp.
func TestSessionHeldIgnoresForgery(t *testing.T) {
	held := filepath.Join(t.TempDir(), "held")
	write(t, held, "1234")
	holder(t, Flock, "exclusive", held)
	for name, forge := range map[string]func(lock string) error{
		"symbolic link": func(lock string) error { return os.Symlink(held, lock) },
		"hard link":     func(lock string) error { return os.Link(held, lock) },
		"FIFO":          func(lock string) error { return unix.Mkfifo(lock, 0o666) },
		"directory":     func(lock string) error { return os.Mkdir(lock, 0o777) },
		"socket":        func(lock string) error { return unix.Mknod(lock, unix.S_IFSOCK|0o666, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, LockPolicy{})
			lock := sessionLock(t, b)
			ok(t, forge(lock))
			if must[bool](t)(b.SessionHeld()) {
				t.Error("believed")
			}
			ok(t, os.Remove(lock))
		})
	}
}

func TestSessionHeldByStranger(t *testing.T) {
	needRoot(t)
	for name, c := range map[string]struct {
		uid  int
		want bool
	}{"root": {0, true}, "owner": {12345, true}, "stranger": {12346, false}} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, LockPolicy{})
			b.owner = 12345
			lock := sessionLock(t, b)
			write(t, lock, "1234")
			holder(t, Flock, "exclusive", lock)
			ok(t, os.Chown(lock, c.uid, -1))
			if got := must[bool](t)(b.SessionHeld()); got != c.want {
				t.Errorf("held = %v", got)
			}
		})
	}
}

func TestSessionHeldOfNothing(t *testing.T) {
	b := newBox(t, LockPolicy{})
	ok(t, os.Remove(b.Path()))
	_, err := b.SessionHeld()
	isError(t, "SessionHeld", err, os.ErrNotExist)
}
