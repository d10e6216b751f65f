package worker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"spoold/backend/privsep"
)

func TestLeftUndone(t *testing.T) {
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, socketName), "")
	for name, c := range map[string]struct {
		make func(state string) error
		want bool
	}{
		"nothing":             {func(string) error { return nil }, false},
		"new":                 {func(state string) error { return os.Mkdir(state, 0o700) }, false},
		"a file":              {func(state string) error { return os.WriteFile(state, nil, 0o600) }, false},
		"lock without socket": {func(state string) error { return makeState(state, lockName) }, false},
		"socket":              {func(state string) error { return makeState(state, socketName) }, true},
		"plan":                {func(state string) error { return makeState(state, "mailboxes/journal/00ff.0001.plan") }, true},
		"plan being written":  {func(state string) error { return makeState(state, "mailboxes/journal/00ff.0001.tmp") }, false},
		"intent":              {func(state string) error { return makeState(state, "mailboxes/journal/00ff.intent") }, false},
		"symbolic link":       {func(state string) error { return os.Symlink(elsewhere, state) }, true},
		"symbolic link further": {func(state string) error {
			return errors.Join(os.Mkdir(state, 0o700), os.Symlink(elsewhere, state+"/mailboxes"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "alice")
			if err := c.make(state); err != nil {
				t.Fatal(err)
			}
			got, err := LeftUndone(filepath.Split(state))
			if err != nil || got != c.want {
				t.Errorf("LeftUndone: %v, %v, want %v", got, err, c.want)
			}
		})
	}
	if _, err := LeftUndone(filepath.Join(elsewhere, "none"), "alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

func makeState(state, file string) error {
	path := filepath.Join(state, file)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600))
}

// A worker that ends in good order leaves no sign; one that is there, or was killed, does.
func TestLeftUndoneOfAWorker(t *testing.T) {
	cfg := user(t)
	s := run(t, cfg)
	s.hand().do("OK", "NOOP")
	if yes, err := LeftUndone(filepath.Split(cfg.State)); err != nil || !yes {
		t.Errorf("while the worker runs: %v, %v", yes, err)
	}
	if err := s.conn.Send(privsep.Message{Kind: privsep.Stop}, nil); err != nil {
		t.Fatal(err)
	}
	s.wait()
	if yes, err := LeftUndone(filepath.Split(cfg.State)); err != nil || yes {
		t.Errorf("after its end: %v, %v", yes, err)
	}
}

// Told to replay, a process becomes the worker without a connection; where there is one, it leaves it to that.
func TestReplayWithoutConnection(t *testing.T) {
	cfg := user(t)
	for range 2 { // the second beside the first
		s := run(t, cfg)
		if err := s.conn.Send(privsep.Message{Kind: privsep.Replay}, nil); err != nil {
			t.Fatal(err)
		}
		m, err := s.conn.Receive()
		if err != nil || m.Kind != privsep.Replayed || m.Error != "" {
			t.Fatalf("answer: %+v, %v", m, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(cfg.State, socketName)); err != nil {
		t.Errorf("no worker: %v", err)
	}
}

// The lock file of a worker that died keeps deliveries waiting, also when there is no journal; the next worker takes it
// away without a client.
func TestLockOfADeadWorkerIsTakenAway(t *testing.T) {
	cfg := user(t)
	write(t, cfg.Inbox, "")
	write(t, cfg.Inbox+".lock", "spoold\n")
	s := run(t, cfg)
	if err := s.conn.Send(privsep.Message{Kind: privsep.Replay}, nil); err != nil {
		t.Fatal(err)
	}
	if m, err := s.conn.Receive(); err != nil || m.Error != "" {
		t.Fatalf("answer: %+v, %v", m, err)
	}
	if _, err := os.Lstat(cfg.Inbox + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock file: %v", err)
	}
}
