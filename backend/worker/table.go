package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"spoold/mboxstore"
)

// table has the open mailboxes by path. A mailbox is opened once, shared by all who acquire it,
// and kept open for a while after the last release: clients come back to the same few.
type table struct {
	open func(ctx context.Context, path string) (*opened, error)
	keep time.Duration
	log  *slog.Logger

	mu          sync.Mutex
	entries     map[string]*entry
	alterations map[*alteration]struct{} // under way
	idle        int                      // entries with no holder that are not closing
	closing     sync.WaitGroup           // entries that are being closed
	closed      bool
}

// opened is an open mailbox and how to learn of changes to its file.
type opened struct {
	*mboxstore.Mailbox
	watch func(context.Context) (<-chan struct{}, error)
}

// holder is a session that uses mailboxes.
type holder interface{ Shutdown(text string) }

// entry is one mailbox of the table.
type entry struct {
	path   string
	ctx    context.Context // of opening it: the first holder's, until an alteration cancels it
	cancel context.CancelFunc

	ready chan struct{} // closed when what follows is there
	box   *opened
	err   error
	again bool // err is only that ctx ended, which is nothing to others

	// guarded by table.mu:
	holders map[holder]int
	used    time.Time
	timer   *time.Timer   // closes it, while nobody holds it
	gone    chan struct{} // not nil: being closed; closed when that is done
	freed   chan struct{} // not nil: closed when nobody holds it any more
	watch   *watch
}

// maxIdle bounds the mailboxes that are kept open without use.
const maxIdle = 16

// closeTimeout bounds how long a mailbox takes to write what is pending, locks included.
const closeTimeout = 20 * time.Second

var errClosed = errors.New("worker is stopping")

func newTable(keep time.Duration, log *slog.Logger, open func(context.Context, string) (*opened, error)) *table {
	return &table{
		open: open, keep: keep, log: log,
		entries: make(map[string]*entry), alterations: make(map[*alteration]struct{}),
	}
}

// acquire opens the mailbox at path for h, until release is called. It waits while the mailbox is
// closed, deleted or renamed; when h itself is in the way of that, the answer is errAltered.
func (t *table) acquire(ctx context.Context, path string, h holder) (m *mboxstore.Mailbox, release func(), err error) {
	for {
		e, first, err := t.enter(ctx, path, h)
		if err != nil {
			return nil, nil, err
		}
		if first {
			t.openEntry(e)
		}
		if !isClosed(ctx, e.ready) {
			t.release(e, h)
			return nil, nil, ctx.Err()
		}
		if e.err == nil {
			return e.box.Mailbox, sync.OnceFunc(func() { t.release(e, h) }), nil
		}
		t.release(e, h)
		switch {
		case !e.again:
			return nil, nil, e.err
		case ctx.Err() != nil:
			return nil, nil, fmt.Errorf("%w: %w", ctx.Err(), e.err)
		}
	}
}

// isClosed waits for ch, and says whether it was closed before ctx ended. What is there already
// counts even when the time is over: a mailbox that took long to read is not read in vain.
func isClosed(ctx context.Context, ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
	}
	select {
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	}
}

// openEntry opens an entry for all who wait for it. One that failed leaves the table at once, so
// that the next to come tries anew and does not wait for those who are still to hear of it.
func (t *table) openEntry(e *entry) {
	defer e.cancel()
	e.box, e.err = t.open(e.ctx, e.path)
	if e.err != nil {
		e.again = e.ctx.Err() != nil
		t.forget(e)
	}
	close(e.ready)
}

func (t *table) forget(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries[e.path] == e {
		delete(t.entries, e.path)
	}
}

// enter finds or makes the entry and counts h; first says that the caller has to open it.
func (t *table) enter(ctx context.Context, path string, h holder) (e *entry, first bool, err error) {
	for {
		e, first, wait, err := t.tryEnter(ctx, path, h)
		if wait == nil {
			return e, first, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// tryEnter is enter, or what to wait for before it is tried again.
func (t *table) tryEnter(ctx context.Context, path string, h holder) (e *entry, first bool, wait chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, nil, errClosed
	}
	if a := t.alterationOf(path); a != nil {
		if t.inTheWay(h) {
			return nil, false, nil, errAltered
		}
		return nil, false, a.done, nil
	}
	e, known := t.entries[path]
	if known && e.gone != nil {
		return nil, false, e.gone, nil
	}
	if !known {
		e = &entry{path: path, ready: make(chan struct{}), holders: make(map[holder]int)}
		e.ctx, e.cancel = context.WithCancel(ctx)
		t.entries[path] = e
	} else if len(e.holders) == 0 {
		t.idle--
		e.timer.Stop()
	}
	e.holders[h]++
	t.startWatch(e)
	return e, !known, nil, nil
}

// release counts h out, and the last one starts the time until the mailbox is closed.
func (t *table) release(e *entry, h holder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.holders[h]--; e.holders[h] == 0 {
		delete(e.holders, h)
	}
	if len(e.holders) > 0 {
		return
	}
	e.watch.cancel()
	if e.freed != nil {
		close(e.freed)
		e.freed = nil
	}
	if e.gone != nil {
		return // whoever closes it has waited for this
	}
	e.used = time.Now()
	t.idle++
	e.timer = time.AfterFunc(t.keep, func() { t.expire(e) })
	switch {
	case e.err != nil, t.closed:
		t.startClose(e)
	case t.idle > maxIdle:
		t.startClose(t.oldest())
	}
}

// oldest is the entry that has been without holder for the longest time.
func (t *table) oldest() *entry {
	var old *entry
	for _, e := range t.entries {
		if len(e.holders) == 0 && e.gone == nil && (old == nil || e.used.Before(old.used)) {
			old = e
		}
	}
	return old
}

// expire closes an entry that nobody has come back to.
func (t *table) expire(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(e.holders) == 0 && e.gone == nil {
		t.startClose(e)
	}
}

// startClose closes an entry without holders in the background. The caller holds mu.
func (t *table) startClose(e *entry) {
	t.idle--
	e.timer.Stop()
	e.gone = make(chan struct{})
	t.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		t.finish(ctx, e)
	})
}

// finish flushes and closes an entry that is marked as gone and has no holder.
func (t *table) finish(ctx context.Context, e *entry) {
	<-e.ready
	t.mu.Lock()
	w := e.watch
	t.mu.Unlock()
	w.stop()
	if e.err == nil {
		if err := e.box.Close(ctx); err != nil {
			t.log.Warn("Mailbox not flushed", "mailbox", e.path, "err", err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries[e.path] == e { // it may have failed and been forgotten, and another one be there
		delete(t.entries, e.path)
	}
	close(e.gone)
}

// close closes all mailboxes. Nobody holds one any more, unless he is stuck; then his mailbox is
// flushed and left to him.
func (t *table) close(ctx context.Context) {
	t.mu.Lock()
	t.closed = true
	var stuck []*entry
	for _, e := range t.entries {
		switch {
		case e.gone != nil:
		case len(e.holders) == 0:
			t.startClose(e)
		default:
			stuck = append(stuck, e)
		}
	}
	t.mu.Unlock()
	for _, e := range stuck {
		t.flushStuck(ctx, e)
	}
	t.closing.Wait()
}

func (t *table) flushStuck(ctx context.Context, e *entry) {
	select {
	case <-e.ready:
	case <-ctx.Done():
		return
	}
	if e.err != nil {
		return
	}
	if err := e.box.Flush(ctx); err != nil {
		t.log.Warn("Mailbox not flushed", "mailbox", e.path, "err", err)
	}
}
