package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"spoold/backend/auth"
	"spoold/backend/privsep"
	"spoold/backend/worker"
)

const (
	// replayWait bounds how long the start of the server waits. What takes longer goes on beside it.
	replayWait = time.Minute
	// replaysAtOnce is how many users' workers replay at the same time.
	replaysAtOnce = 4
)

// replay has the journals replayed that a crash left, each by its user's worker, before the first
// client comes.
func (s *server) replay(ctx context.Context, supervisor *privsep.Supervisor, users *auth.Checker) {
	names := s.leftUndone()
	if len(names) == 0 {
		return
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, replayWait)
	defer cancel()
	queue := make(chan string)
	var all sync.WaitGroup
	for range min(replaysAtOnce, len(names)) {
		all.Go(func() {
			for name := range queue {
				id, err := users.Identify(name)
				if err == nil {
					err = supervisor.Replay(ctx, id)
				}
				if err != nil {
					s.log.Error("Journals not replayed", "user", name, "err", err)
				}
			}
		})
	}
	for _, name := range names {
		queue <- name
	}
	close(queue)
	all.Wait()
	s.log.Info("Replayed what the last run left", "users", len(names), "took", time.Since(start))
}

// leftUndone lists the users for whom a journal may wait. Where state directories are in places that
// users have a say in, only who we are ourselves is looked for: root does not walk through homes,
// and their journals are replayed at the next login.
func (s *server) leftUndone() []string {
	state := s.config.Mail.State
	if state.personal() {
		if id, err := self(); err == nil && s.undone(state.expand(id.Name, id.Home)) {
			return []string{id.Name}
		}
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(string(state)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("State directories not listed", "err", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := state.user(e.Name()); ok && s.undone(state.expand(name, "")) {
			names = append(names, name)
		}
	}
	return names
}

func (s *server) undone(state string) bool {
	yes, err := worker.LeftUndone(filepath.Split(state))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("State directory not looked at", "path", state, "err", err)
	}
	return yes
}
