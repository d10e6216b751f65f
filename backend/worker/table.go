package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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

	// names is held for writing while mailboxes are renamed or removed, and for reading while one
	// is opened: a mailbox must not be opened by a name that is about to mean something else.
	names sync.RWMutex

	mu      sync.Mutex
	entries map[string]*entry
	idle    int            // entries with no holder that are not closing
	closing sync.WaitGroup // entries that are being closed
	closed  bool
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
	path  string
	ready chan struct{} // closed when box or err is there
	box   *opened
	err   error

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
	return &table{open: open, keep: keep, log: log, entries: make(map[string]*entry)}
}

// acquire opens the mailbox at path for h, until release is called.
func (t *table) acquire(ctx context.Context, path string, h holder) (m *mboxstore.Mailbox, release func(), err error) {
	t.names.RLock()
	defer t.names.RUnlock()
	e, first, err := t.enter(ctx, path, h)
	if err != nil {
		return nil, nil, err
	}
	if first {
		e.box, e.err = t.open(ctx, path)
		close(e.ready)
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		t.release(e, h)
		return nil, nil, ctx.Err()
	}
	if e.err != nil {
		t.release(e, h)
		return nil, nil, e.err
	}
	return e.box.Mailbox, sync.OnceFunc(func() { t.release(e, h) }), nil
}

// enter finds or makes the entry and counts h; first says that the caller has to open it.
func (t *table) enter(ctx context.Context, path string, h holder) (e *entry, first bool, err error) {
	for {
		e, first, gone, err := t.tryEnter(path, h)
		if gone == nil {
			return e, first, err
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

func (t *table) tryEnter(path string, h holder) (e *entry, first bool, gone chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, nil, errClosed
	}
	e, known := t.entries[path]
	if known && e.gone != nil {
		return nil, false, e.gone, nil
	}
	if !known {
		e = &entry{path: path, ready: make(chan struct{}), holders: make(map[holder]int)}
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
	delete(t.entries, e.path)
	close(e.gone)
}

// alter closes the mailbox at path, and those below it, and then runs f, which renames or removes
// them. Sessions that hold one get BYE with that text. It is false, and f has not run, when
// somebody does not let go in time.
func (t *table) alter(ctx context.Context, path, bye string, f func() error) (bool, error) {
	t.names.Lock()
	defer t.names.Unlock()
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	for _, e := range t.below(path) {
		if !t.evict(ctx, e, bye) {
			return false, nil
		}
	}
	return true, f()
}

func (t *table) below(path string) []*entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*entry
	for p, e := range t.entries {
		if p == path || strings.HasPrefix(p, path+"/") {
			found = append(found, e)
		}
	}
	return found
}

// evict makes everybody let go of an entry and closes it.
func (t *table) evict(ctx context.Context, e *entry, bye string) bool {
	freed, gone := t.askToLeave(e, bye)
	if freed != nil {
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
		_, gone = t.askToLeave(e, bye)
	}
	select {
	case <-gone:
		return true
	case <-ctx.Done():
		return false
	}
}

// askToLeave returns what to wait for: freed while there are holders, gone when there are none.
func (t *table) askToLeave(e *entry, bye string) (freed, gone chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(e.holders) > 0:
		for h := range e.holders {
			h.Shutdown(bye)
		}
		if e.freed == nil {
			e.freed = make(chan struct{})
		}
		return e.freed, nil
	case e.gone == nil:
		t.startClose(e)
	}
	return nil, e.gone
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
