package mboxstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"spoold/spool"
)

// urgency says how long a pending change may wait for the file.
type urgency int

const (
	lazy urgency = iota // UIDs and \Recent: durable elsewhere, or nobody's loss
	soon                // flags: Options.FlushDelay
)

const (
	idleBeforeMove = 3 * time.Second  // quiet time before many bytes are moved
	longestWait    = 15 * time.Second // but flags do not wait longer
	lazyFactor     = 2                // lazy changes wait so many flush delays
	longestRetry   = 30 * time.Second
)

// flusher writes a mailbox's pending changes in the background. At most one timer runs at a time.
type flusher struct {
	m *Mailbox

	mu       sync.Mutex
	timer    *time.Timer
	due      time.Time
	since    time.Time // of the oldest change that waits
	touchDue time.Time
	syncDue  time.Time   // for what was written and is not durable
	touched  spool.Stamp // our write that is to be touched
	suspect  bool        // a recheck is due
	blanks   bool        // the file may be worth compacting
	failures int
	stopped  bool
	running  sync.WaitGroup
}

func (f *flusher) init(m *Mailbox) { f.m = m }

// later asks for a flush after the delay that its urgency allows.
func (f *flusher) later(u urgency) {
	delay := f.m.o.FlushDelay
	if u == lazy {
		f.m.numbering.Store(true)
		delay *= lazyFactor
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		f.since = time.Now()
	}
	f.wakeAt(time.Now().Add(delay))
}

// touchAt asks for the file's mtime to be set once that second has begun.
func (f *flusher) touchAt(t time.Time, ours spool.Stamp) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touchDue, f.touched = t, ours
	f.wakeAt(t)
}

// syncLater asks for what has just been written to be made durable, Options.SyncDelay from now at the latest.
func (f *flusher) syncLater() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.syncDue.IsZero() {
		f.syncDue = time.Now().Add(f.m.o.SyncDelay)
		f.wakeAt(f.syncDue)
	}
}

// recheckLater asks for a recheck in a quiet moment.
func (f *flusher) recheckLater() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.suspect = true
	f.wakeAt(time.Now().Add(recheckPause))
}

// compactLater asks for a look at whether the file is worth compacting.
func (f *flusher) compactLater() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blanks = true
	f.wakeAt(time.Now().Add(compactPause))
}

// wakeAt makes the timer fire at t, or earlier when it was to. The caller holds mu.
func (f *flusher) wakeAt(t time.Time) {
	if f.stopped || !f.due.IsZero() && !t.Before(f.due) {
		return
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	f.due = t
	f.timer = time.AfterFunc(time.Until(t), f.run)
}

// stop ends the background work and waits for what is under way.
func (f *flusher) stop() {
	f.mu.Lock()
	f.stopped = true
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// start takes note that a run begins; false when the mailbox is closing.
func (f *flusher) start() (since time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = time.Time{}
	if f.stopped {
		return since, false
	}
	f.running.Add(1)
	return f.since, true
}

// touch does a due touch.
func (f *flusher) touch(ctx context.Context) error {
	f.mu.Lock()
	due, ours := !f.touchDue.IsZero() && !time.Now().Before(f.touchDue), f.touched
	f.mu.Unlock()
	if !due {
		return nil
	}
	if err := f.m.touch(ctx, ours); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.touched == ours {
		f.touchDue = time.Time{}
	}
	return nil
}

func (f *flusher) run() {
	since, ok := f.start()
	if !ok {
		return
	}
	defer f.running.Done()
	ctx, cancel := context.WithTimeout(context.Background(), f.m.o.LookWait)
	defer cancel()
	if err := f.sync(ctx); err != nil {
		f.done(err)
		return
	}
	if wait := f.m.mayWait(since); wait > 0 {
		if err := f.m.writeEarly(ctx); err != nil {
			f.m.log.Info("flags not written early", "err", err)
		}
		f.again(wait, since)
		return
	}
	err := f.m.writePending(ctx, false)
	if err == nil {
		err = f.touch(ctx)
	}
	if err == nil {
		err = f.recheck(ctx)
	}
	if err == nil {
		err = f.compact(ctx)
	}
	f.done(err)
}

// compact compacts a quiet mailbox that is worth it.
func (f *flusher) compact(ctx context.Context) error {
	f.mu.Lock()
	due := f.blanks
	f.mu.Unlock()
	if !due {
		return nil
	}
	done, err := f.m.compactIfQuiet(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blanks = !done
	return err
}

// sync makes durable what has waited for it long enough. One sync is for all that was written by then.
func (f *flusher) sync(ctx context.Context) error {
	f.mu.Lock()
	due := !f.syncDue.IsZero() && !time.Now().Before(f.syncDue)
	f.mu.Unlock()
	if !due {
		return nil
	}
	if err := f.m.syncWritten(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.syncDue = time.Time{}
	return nil
}

// recheck does a due recheck when the mailbox is quiet.
func (f *flusher) recheck(ctx context.Context) error {
	f.mu.Lock()
	due := f.suspect && time.Since(f.m.lastUse()) >= recheckPause
	f.mu.Unlock()
	if !due {
		return nil
	}
	done, err := f.m.recheck(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.suspect = !done
	return err
}

// again puts the run off.
func (f *flusher) again(wait time.Duration, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = since
	f.wakeAt(time.Now().Add(wait))
	f.wakeForOthers()
}

// done retries what failed, later and later.
func (f *flusher) done(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Time{}
	if err == nil || errors.Is(err, ErrReadOnly) {
		f.failures = 0
		f.wakeForOthers()
		return
	}
	f.failures++
	if !errors.Is(err, ErrInUse) && !errors.Is(err, spool.ErrLocked) || f.failures == 10 {
		f.m.log.Warn("pending changes not written", "err", err)
	}
	f.since = time.Now()
	f.wakeAt(time.Now().Add(min(f.m.o.FlushDelay<<min(f.failures, 10), longestRetry)))
}

// retry asks for a flush after an error, unless that comes anyway, later and later.
func (f *flusher) retry() {
	f.mu.Lock()
	first := f.failures == 0
	f.mu.Unlock()
	if first {
		f.later(soon)
	}
}

// wakeForOthers makes the timer fire for what else is due some time. The caller holds mu.
func (f *flusher) wakeForOthers() {
	for _, due := range []time.Time{f.touchDue, f.syncDue} {
		if !due.IsZero() {
			f.wakeAt(due)
		}
	}
	if f.suspect {
		f.wakeAt(time.Now().Add(recheckPause))
	}
	if f.blanks {
		f.wakeAt(time.Now().Add(compactPause))
	}
}

// mayWait tells how much longer a write that moves many bytes should wait for a quiet moment.
func (m *Mailbox) mayWait(since time.Time) time.Duration {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.unfinished.is || time.Since(since) > longestWait || m.index.estimateMove() < m.o.BigMove {
		return 0
	}
	if idle := time.Since(m.lastUse()); idle < idleBeforeMove {
		return idleBeforeMove - idle
	}
	return 0
}

// estimateMove guesses how many octets a flush would move: all behind the first header that has no room.
func (x *index) estimateMove() int64 {
	if x.wide {
		return x.end
	}
	if x.displaced > 0 {
		return x.end - x.ordered()
	}
	for i := range x.records {
		if r := &x.records[i]; r.pending() && (r.intLen == 0 || r.onFile.uid == 0) {
			return x.end - r.off
		}
	}
	if x.onFile.UIDValidity == 0 {
		return x.end
	}
	return 0
}
