package privsep

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReplay(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	p.orders.Replay = "done"
	if err := s.Replay(t.Context(), alice); err != nil {
		t.Error(err)
	}
	ended(t, s) // nobody has logged in
	if p.count() != 1 {
		t.Errorf("%d workers started, want 1", p.count())
	}
	handTo(t, s, alice)
	if err := s.Replay(t.Context(), alice); err != nil {
		t.Error(err)
	}
	if f := handTo(t, s, alice); f.Login.Tag == "" || p.count() != 2 {
		t.Errorf("a worker that has a session was let go: %d were started", p.count())
	}
	p.orders.Replay = "failed"
	bob := Identity{Name: "bob", UID: 4002, GID: 4002, Home: "/"}
	if err := s.Replay(t.Context(), bob); !errors.Is(err, ErrReplay) || !strings.Contains(err.Error(), "journal damaged") {
		t.Errorf("a replay that failed: %v", err)
	}
}

// A worker that dies is followed by one that replays, without a login, and that again, but not for ever.
func TestReplayAfterDeath(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	p.orders.Replay = "die"
	if err := s.Replay(t.Context(), alice); !errors.Is(err, ErrReplay) {
		t.Errorf("Replay: %v", err)
	}
	if p.count() != maxReplays {
		t.Errorf("%d workers died over it, want %d", p.count(), maxReplays)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	p.orders.Replay = "hang"
	if err := s.Replay(ctx, alice); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a replay that takes longer than one waits: %v", err)
	}
}

func TestStopEndsReplay(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	p.orders.Replay = "hang"
	told := make(chan error, 1)
	go func() { told <- s.Replay(context.Background(), alice) }()
	for p.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	stopNow(t, s)
	if err := <-told; !errors.Is(err, ErrReplay) {
		t.Errorf("Replay: %v", err)
	}
	if err := s.Replay(t.Context(), alice); !errors.Is(err, ErrStopping) {
		t.Errorf("Replay after Stop: %v", err)
	}
}

// The lock of a worker that was killed is never off the mailbox until the next one has replayed.
func TestLockGoesOverToTheNextWorker(t *testing.T) {
	dir := spoolDir(t)
	report := filepath.Join(openDir(t), "told", "lock")
	if err := errors.Join(os.Mkdir(filepath.Dir(report), 0o700), os.Chown(filepath.Dir(report), 4001, 4001)); err != nil {
		t.Fatal(err)
	}
	s := rooted(t, orders{Lock: true, Replay: "die", Report: report}, func(id Identity) *Keeper { return NewKeeper(dir, id.Name, id) })
	if f := handTo(t, s, alice); f.LockError != "" {
		t.Fatalf("lock: %s", f.LockError)
	}
	lock := filepath.Join(dir, "alice.lock")
	first := inode(t, lock)
	kept, err := os.Open(lock) // so that its number is not used again
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for _, w := range s.running() {
		w.proc.Kill()
	}
	seen := 0
	for deadline := time.Now().Add(20 * time.Second); len(s.running()) > 0; {
		if info, err := os.Lstat(lock); err == nil && info.Sys().(*syscall.Stat_t).Ino == first {
			seen++
		} else if len(s.running()) > 0 && time.Now().After(deadline) {
			t.Fatal("worker does not end")
		}
	}
	if got, err := os.ReadFile(report); err != nil || string(got) != "lock:" {
		t.Errorf("the next worker asked for the lock: %q, %v", got, err)
	}
	if seen == 0 {
		t.Error("lock file gone while a worker replays")
	}
	for range 500 { // all have died: nobody needs it any more
		if _, err := os.Lstat(lock); errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("lock left")
}

func inode(t testing.TB, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestKeeperOrphan(t *testing.T) {
	dir := spoolDir(t)
	lock := filepath.Join(dir, "alice.lock")
	k := NewKeeper(dir, "alice", alice)
	k.Orphan() // it has none
	if err := errors.Join(k.Disown(), k.Lock()); err != nil {
		t.Fatal(err)
	}
	first := inode(t, lock)
	if err := k.Disown(); err != nil || inode(t, lock) != first {
		t.Errorf("the lock of a living worker was removed: %v", err)
	}
	k.Orphan()
	if err := k.Lock(); err != nil || inode(t, lock) != first {
		t.Errorf("lock of an orphan: %v", err)
	}
	if err := k.Lock(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second lock: %v", err)
	}
	k.Orphan()
	// Another program took it for stale and put its own there.
	if err := errors.Join(os.Remove(lock), os.WriteFile(lock, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := k.Lock(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an orphan that was overridden: %v", err)
	}
	if err := errors.Join(os.Remove(lock), k.Lock()); err != nil {
		t.Fatal(err)
	}
	k.Orphan()
	if err := k.Disown(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock of an orphan that nobody asked for: %v", err)
	}
}

// The lock of a supervisor that was killed says so, and does not stop the next.
func TestKeeperTakesOverFromTheDead(t *testing.T) {
	dir := spoolDir(t)
	lock := filepath.Join(dir, "alice.lock")
	old, k := NewKeeper(dir, "alice", alice), NewKeeper(dir, "alice", alice)
	k.Stale = time.Hour
	if err := old.Lock(); err != nil {
		t.Fatal(err)
	}
	if got := owned(t, lock); got != "4001:8 -rw-------" {
		t.Errorf("lock file is %s", got)
	}
	if err := k.Lock(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("lock of a living supervisor: %v", err)
	}
	old.letGo() // as the kernel does for a dead process
	if err := k.Lock(); err != nil {
		t.Errorf("lock of a dead supervisor: %v", err)
	}
	if err := k.Unlock(); err != nil {
		t.Error(err)
	}
	for content, uid := range map[string]int{"": 4001, "spoold": 4001, "1\n": 0, lockLine: 4002} {
		if err := errors.Join(os.WriteFile(lock, []byte(content), 0o600), os.Chown(lock, uid, -1)); err != nil {
			t.Fatal(err)
		}
		if err := k.Lock(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("lock file %q of %d: %v", content, uid, err)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
	}
}
