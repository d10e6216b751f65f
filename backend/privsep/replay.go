package privsep

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A worker that dies may leave a mailbox half rewritten, and the journal that finishes it. Only the
// user may act on a journal of his, so the supervisor starts the next worker at once, which replays
// it without waiting for a login. The lock of the inbox, if the dead worker had it, stays where it
// is and goes over to the next: no other program gets in between.

// maxReplays is how many workers in a row are started to replay; after them a login has to start the next.
const maxReplays = 3

// replay is a request to replay. It outlives the worker that dies over it.
type replay struct {
	attempts int
	once     sync.Once
	done     chan struct{}
	err      error // once done is closed
}

func newReplay() *replay { return &replay{done: make(chan struct{})} }

// end tells those who wait; only the first end counts.
func (r *replay) end(err error) {
	if r == nil {
		return
	}
	r.once.Do(func() {
		r.err = err
		close(r.done)
	})
}

// ErrReplay is told of a replay that was not done.
var ErrReplay = errors.New("journal not replayed")

// Replay has id's worker replay the journals that a crash left, and waits until it has done so or
// ctx is done. A worker that was started for it ends afterwards, unless somebody logs in.
func (s *Supervisor) Replay(ctx context.Context, id Identity) error {
	r, err := s.askReplay(id)
	if err != nil {
		return fmt.Errorf("user %s: %w: %w", id.Name, ErrReplay, err)
	}
	select {
	case <-r.done:
		err = r.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("user %s: %w: %w", id.Name, ErrReplay, err)
	}
	return nil
}

func (s *Supervisor) askReplay(id Identity) (*replay, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, ErrStopping
	}
	w, ok := s.workers[key{id.Name, id.UID}]
	switch {
	case !ok:
		return s.startReplay(id, s.o.Keeper(id), newReplay())
	case w.replay != nil:
		return w.replay, nil
	}
	w.replay = newReplay()
	w.askReplay()
	return w.replay, nil
}

// startReplay starts a worker that replays. The caller holds mu.
func (s *Supervisor) startReplay(id Identity, keeper *Keeper, r *replay) (*replay, error) {
	r.attempts++
	w, err := s.start(id, keeper, r)
	if err != nil {
		return nil, err
	}
	w.askReplay()
	return r, nil
}

// askReplay sends the request. A worker that does not take it has to die, which tend notices.
func (w *worker) askReplay() {
	if err := w.proc.Conn.Send(Message{Kind: Replay}, nil); err != nil {
		w.proc.Kill()
	}
}

// replayed ends a replay. A worker that was started for it only says that it is idle next.
func (s *Supervisor) replayed(w *worker, err error) error {
	s.mu.Lock()
	r := w.replay
	w.replay = nil
	s.mu.Unlock()
	if err != nil {
		s.o.Log.Error("Journals not replayed", "user", w.id.Name, "err", err)
	}
	r.end(err)
	if w.keeper != nil {
		if err := w.keeper.Disown(); err != nil {
			s.o.Log.Error("Lock of dead worker", "user", w.id.Name, "err", err)
		}
	}
	return nil
}

// bury takes an ended worker off the books, and starts the next if it died with err. It says
// whether the next has taken over its keeper.
func (s *Supervisor) bury(dead *worker, err error) (revived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, dead)
	r := dead.replay
	dead.replay = nil
	if err == nil {
		r.end(fmt.Errorf("worker ended: %w", ErrReplay))
		return false
	}
	if r == nil {
		r = newReplay()
	}
	if err := s.revive(dead, r); err != nil {
		s.o.Log.Error("Journals not replayed", "user", dead.id.Name, "err", err)
		r.end(err)
		return false
	}
	return true
}

// revive starts a worker in place of a dead one. The caller holds mu.
func (s *Supervisor) revive(dead *worker, r *replay) error {
	if s.stopping {
		return ErrStopping
	}
	if s.workers[key{dead.id.Name, dead.id.UID}] != nil {
		return errors.New("there is another worker") // of a login, which replays at its start
	}
	if r.attempts >= maxReplays {
		return fmt.Errorf("%d workers died over it", maxReplays)
	}
	if dead.keeper != nil {
		dead.keeper.Orphan()
	}
	_, err := s.startReplay(dead.id, dead.keeper, r)
	return err
}
