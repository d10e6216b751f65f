package worker

import (
	"context"
	"time"

	"spoold/mboxstore"
)

// moveRetry is how long an interrupted move waits after it could not be finished, because another program keeps one of
// the mailboxes locked or a journal waits for repair. Until then its messages are in both.
const moveRetry = time.Minute

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

// retryMoves tries again, until ctx is done.
func (w *Worker) retryMoves(ctx context.Context, moves []*mboxstore.Move) {
	for len(moves) > 0 {
		select {
		case <-time.After(moveRetry):
			moves = w.finishMoves(ctx, moves)
		case <-ctx.Done():
			return
		}
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
