package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"spoold/mboxstore"
	"spoold/spool"
)

// replay opens every mailbox that has a journal from before a crash, which replays it, and finishes the moves that a
// crash interrupted. What there is to do is listed before the first session can add to it.
func (w *Worker) replay() {
	if w.boxes == nil {
		w.replayErr <- nil
		return
	}
	paths, err := mboxstore.PendingPaths(w.boxes)
	if err != nil {
		w.log.Error("Journals not listed", "err", err)
	}
	moves, merr := mboxstore.PendingMoves(w.boxes)
	if merr != nil {
		w.log.Error("Interrupted moves not listed", "err", merr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.endReplay = cancel
	w.moveLeft = func(v *mboxstore.Move) { w.settleLater(ctx, v) }
	w.running.Go(func() {
		for _, path := range paths {
			err = errors.Join(err, w.replayOne(ctx, path))
		}
		w.takeAwayLock(ctx)
		moves = w.finishMoves(ctx, moves)
		w.replayErr <- errors.Join(err, merr)
		w.retryMoves(ctx, moves, moveRetry)
	})
}

// takeAwayLock opens the inbox when a process that died has left its lock file, which keeps deliveries waiting: whoever
// locks the mailbox takes it away.
func (w *Worker) takeAwayLock(ctx context.Context) {
	if l, err := w.box(w.cfg.Inbox).LockFile(); err != nil || !l.There || !l.Stale {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	_, release, err := w.table.acquire(ctx, w.cfg.Inbox, replayer{})
	if err != nil {
		w.log.Warn("Lock file of a dead process stays", "mailbox", w.cfg.Inbox, "err", err)
		return
	}
	release()
}

// Replayed waits until what was in the journals when the worker was opened is replayed. Its error is
// what could not be: that waits for the mailbox's next opening.
func (w *Worker) Replayed() error {
	err := <-w.replayErr
	w.replayErr <- err
	return err
}

// replayOne goes on while another program has the mailbox, which may be half written.
func (w *Worker) replayOne(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	start := time.Now()
	m, release, err := w.table.acquire(ctx, path, replayer{})
	for errors.Is(err, spool.ErrLocked) && ctx.Err() == nil {
		w.log.Warn("Journal waits for the mailbox", "mailbox", path, "err", err)
		m, release, err = w.table.acquire(ctx, path, replayer{})
	}
	if err == nil {
		err = m.Damaged()
		release()
	}
	if err != nil {
		w.log.Error("Journal not replayed", "mailbox", path, "err", err)
		return fmt.Errorf("replay %s: %w", path, err)
	}
	w.log.Info("Journal replayed", "mailbox", path, "took", time.Since(start))
	return nil
}

// replayTimeout bounds one replay, its locks included.
const replayTimeout = 2 * time.Minute

// replayer holds a mailbox while its journal is replayed; that ends by itself.
type replayer struct{}

// Shutdown implements holder.
func (replayer) Shutdown(string) {}
