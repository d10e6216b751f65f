package worker

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
