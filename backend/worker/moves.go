package worker

import (
	"context"
	"time"

	"spoold/mboxstore"
)

// How long a move waits after it could not be finished, because another program keeps one of the mailboxes locked, a
// journal waits for repair or the disk is full. Until then its messages are in both.
const (
	moveRetry = time.Minute     // at most, and for one that a crash interrupted
	leftRetry = 2 * time.Second // at first, for one that was refused
)

// finishMoves finishes what a crash interrupted, and returns what could not be.
func (w *Worker) finishMoves(ctx context.Context, moves []*mboxstore.Move) (left []*mboxstore.Move) {
	for _, v := range moves {
		if err := w.finishMove(ctx, v); err != nil {
			w.log.Error("Interrupted move not finished", "from", v.Source(), "to", v.Target(), "err", err)
			left = append(left, v)
		}
	}
	return left
}

// retryMoves tries again, later and later, until ctx is done.
func (w *Worker) retryMoves(ctx context.Context, moves []*mboxstore.Move, wait time.Duration) {
	for ; len(moves) > 0; wait = min(2*wait, moveRetry) {
		select {
		case <-time.After(wait):
			moves = w.finishMoves(ctx, moves)
		case <-ctx.Done():
			return
		}
	}
}

// settleLater is for a move that was refused while its copies stay. When the worker ends before, the next one finishes
// it.
func (w *Worker) settleLater(ctx context.Context, v *mboxstore.Move) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopping {
		w.running.Go(func() { w.retryMoves(ctx, []*mboxstore.Move{v}, leftRetry) })
	}
}

func (w *Worker) finishMove(ctx context.Context, v *mboxstore.Move) error {
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	dst, release, err := w.table.acquire(ctx, v.Target(), replayer{})
	if err != nil {
		return err
	}
	defer release()
	src, release, err := w.table.acquire(ctx, v.Source(), replayer{})
	if err != nil {
		return err
	}
	defer release()
	return v.Finish(ctx, src, dst)
}
