package worker

import (
	"context"
	"time"
)

// watch tells a mailbox that somebody has open when its file may have changed. It begins a moment
// after the first holder came: a STATUS of a hundred folders is over by then, and an inotify
// instance for each would reach the user's limit.
type watch struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

const watchDelay = 500 * time.Millisecond

// startWatch begins the watch of an entry that has a holder, unless it runs. The caller holds mu.
func (t *table) startWatch(e *entry) {
	before := e.watch
	if before != nil && before.ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{ctx: ctx, cancel: cancel, done: make(chan struct{})}
	e.watch = w
	go func() {
		defer close(w.done)
		if before != nil {
			<-before.done
		}
		t.watch(ctx, e)
	}()
}

// stop ends the watch and waits until it has ended.
func (w *watch) stop() {
	w.cancel()
	<-w.done
}

// watch looks at the mailbox's file whenever it may have changed, until ctx ends.
func (t *table) watch(ctx context.Context, e *entry) {
	if !pause(ctx, watchDelay) {
		return
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		return
	}
	if e.err != nil {
		return
	}
	changed, err := e.box.watch(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return // closed again already
		}
		t.log.Warn("Mailbox not watched", "mailbox", e.path, "err", err)
		return
	}
	for ok := true; ok; _, ok = <-changed { // the first look is for what came before the watch
		if err := e.box.Refresh(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("Mailbox not read", "mailbox", e.path, "err", err)
		}
	}
}

// pause waits for d and says whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
