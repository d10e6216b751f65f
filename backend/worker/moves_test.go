package worker

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// image is what a crash leaves: the bytes of all files below a directory.
func image(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[path] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestInterruptedMove: after a crash between the copy and the removal the next worker removes.
func TestInterruptedMove(t *testing.T) {
	cfg := user(t)
	cfg.LockMethods, cfg.LockTimeout = []string{"fcntl"}, time.Minute
	w := open(t, cfg)
	c := preauth(t, w)
	c.do("OK", "CREATE Saved")
	c.do("OK", "SELECT INBOX")
	saved, dir := filepath.Join(cfg.Root, "Saved"), filepath.Dir(cfg.Inbox)
	unlock := foreignLock(t, cfg.Inbox)
	c.send("x MOVE 1 Saved\r\n")
	var left map[string]string
	until(t, "the copy is not made", func() bool {
		now := image(t, dir)
		ready := strings.Contains(now[saved], "Subject: one") && maps.Equal(now, left)
		left = now
		return ready
	})
	if !strings.Contains(left[cfg.Inbox], "Subject: one") {
		t.Fatal("removed from a locked mailbox")
	}
	unlock()
	for s := ""; !strings.HasPrefix(s, "x OK"); {
		s = c.line("")
	}
	closeWorker(t, w)
	for path, content := range left {
		if strings.HasPrefix(filepath.Base(path), "worker.") {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, cfg)
	until(t, "the move is not finished", func() bool { return !strings.Contains(read(t, cfg.Inbox), "Subject: one") })
	until(t, "the record stays", func() bool {
		found, err := filepath.Glob(filepath.Join(cfg.State, "mailboxes", "journal", "*.move"))
		return err == nil && len(found) == 0
	})
	if n := strings.Count(read(t, saved), "Subject: one"); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// foreignLockWhenFree is foreignLock for a mailbox that spoold is just about to unlock.
func foreignLockWhenFree(t testing.TB, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	until(t, "the mailbox stays locked", func() bool {
		l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l) == nil
	})
	return func() { f.Close() }
}

// TestRefusedMove: a move that is refused while its copy cannot be taken back is settled by the running worker: the
// message stays where it was.
func TestRefusedMove(t *testing.T) {
	cfg := user(t)
	cfg.LockMethods, cfg.LockTimeout = []string{"fcntl"}, 2*time.Second
	w := open(t, cfg)
	c := preauth(t, w)
	c.do("OK", "CREATE Saved")
	c.do("OK", "SELECT INBOX")
	saved := filepath.Join(cfg.Root, "Saved")
	unlockSource := foreignLock(t, cfg.Inbox)
	c.send("x MOVE 1 Saved\r\n")
	copies := func() int { return strings.Count(read(t, saved), "Subject: one") }
	until(t, "the copy is not made", func() bool { return copies() == 1 })
	unlockTarget := foreignLockWhenFree(t, saved)
	for s := ""; !strings.HasPrefix(s, "x NO"); {
		if s = c.line(""); strings.HasPrefix(s, "x OK") {
			t.Fatal(s)
		}
	}
	if copies() != 1 {
		t.Error("the copy was taken back from a locked mailbox")
	}
	unlockSource()
	unlockTarget()
	until(t, "the copy is not taken back", func() bool { return copies() == 0 })
	until(t, "the record stays", func() bool {
		found, err := filepath.Glob(filepath.Join(cfg.State, "mailboxes", "journal", "*.move"))
		return err == nil && len(found) == 0
	})
	if !strings.Contains(read(t, cfg.Inbox), "Subject: one") {
		t.Error("the message is gone")
	}
	c.do("OK", "MOVE 1 Saved")
	if copies() != 1 {
		t.Errorf("%d copies", copies())
	}
}
