package spool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// siege is one call of Lock while it waits.
type siege struct {
	b        *Box
	f        osFile
	mode     LockMode
	caller   context.Context
	ctx      context.Context // caller's, with our time-out
	end      context.CancelFunc
	patience *time.Timer // runs out once: then the holder is logged
	polls    int
}

func (b *Box) newSiege(ctx context.Context, f osFile, mode LockMode) *siege {
	s := &siege{b: b, f: f, mode: mode, caller: ctx, patience: time.NewTimer(10 * time.Second)}
	s.ctx, s.end = context.WithTimeout(ctx, b.policy.Timeout)
	return s
}

// giveUp tells why: the caller did not want to wait any longer, or we.
func (s *siege) giveUp(lacking blocked) error {
	err := s.caller.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(s.b.lockedError(s.f, lacking.method), err)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", s.b.path, err)
	}
	return s.b.lockedError(s.f, lacking.method)
}

func (s *siege) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-s.ctx.Done():
		return s.giveUp(blocked{})
	}
}

// await waits until another round makes sense, and returns the lock when the
// waiting brought it.
func (s *siege) await(lacking blocked) (*held, error) {
	var (
		w     *waiter
		got   <-chan queued
		again <-chan time.Time
	)
	if lacking.freed == nil {
		if w = s.b.enqueue(lacking.method, s.f, s.mode); w != nil {
			got = w.got
		} else {
			again = time.After(s.interval())
		}
	}
	for {
		select {
		case q := <-got:
			return q.lock, q.err
		case <-lacking.freed:
			return nil, nil
		case <-again:
			return nil, nil
		case <-s.patience.C:
			e := s.b.lockedError(s.f, lacking.method)
			s.b.policy.Log.Warn("waiting for mailbox lock", "path", e.Path, "lock", e.Method, "holder", e.Holder, "age", e.Age)
		case <-s.ctx.Done():
			return nil, errors.Join(s.giveUp(lacking), s.b.forsake(w))
		}
	}
}

// interval between looks at a dotlock: short at first, then 50 to 250 ms, at
// random so that two pollers do not meet for ever.
func (s *siege) interval() time.Duration {
	s.polls++
	if s.polls <= 4 {
		return time.Duration(s.polls) * (2*time.Millisecond + rand.N(8*time.Millisecond))
	}
	return 50*time.Millisecond + rand.N(200*time.Millisecond)
}

// waiter is a goroutine that queues in the kernel for a lock. The call cannot
// be interrupted: when nobody wants the lock any more the goroutine stays until
// it gets it, and gives it back. So there is one for each lock at most, which a
// later Lock joins.
type waiter struct {
	key    waitKey
	wanted bool // under Box.mu
	done   bool // under Box.mu; then got is filled if it was wanted
	got    chan queued
}

type waitKey struct {
	method   Method
	mode     LockMode
	dev, ino uint64
}

type queued struct {
	lock *held
	err  error
}

// maxWaiters bounds the goroutines stuck on files that were replaced meanwhile.
const maxWaiters = 4

// enqueue returns the waiter for a lock, or nil when one has to poll. Only the
// Lock whose turn it is calls it.
func (b *Box) enqueue(m Method, f osFile, mode LockMode) *waiter {
	if m != Fcntl && m != Flock {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := waitKey{m, mode, info.Dev, info.Ino}
	if w := b.wait[key]; w != nil {
		w.wanted = true
		return w
	}
	if len(b.wait) >= maxWaiters {
		return nil
	}
	own, err := reopen(f, mode)
	if err != nil {
		return nil
	}
	w := &waiter{key: key, wanted: true, got: make(chan queued, 1)}
	b.wait[key] = w
	go b.queue(w, own)
	return w
}

// reopen opens the same inode once more: a lock belongs to an open file description.
func reopen(f osFile, mode LockMode) (osFile, error) {
	flag := unix.O_RDWR
	if mode == Shared {
		flag = unix.O_RDONLY
	}
	var own int
	err := f.do(func(fd int) (err error) {
		own, err = openFD(unix.AT_FDCWD, byDescriptor(fd), flag, 0)
		return err
	})
	if err != nil {
		return osFile{}, err
	}
	return osFile{os.NewFile(uintptr(own), f.Name())}, nil
}

func (b *Box) queue(w *waiter, own osFile) {
	wait := queueFcntl
	if w.key.method == Flock {
		wait = queueFlock
	}
	h, err := wait(own, w.key.mode)
	q := queued{lock: &h}
	if err != nil {
		q = queued{err: errors.Join(fmt.Errorf("%s lock of %s: %w", w.key.method, b.path, err), own.Close())}
	}
	b.mu.Lock()
	delete(b.wait, w.key)
	w.done = true
	wanted := w.wanted
	if wanted {
		w.got <- q
	}
	b.mu.Unlock()
	if !wanted && q.lock != nil {
		_ = q.lock.free() // closing a descriptor that was only locked; nobody is left to tell
	}
}

// forsake leaves the queue, and gives back what came in the last moment.
func (b *Box) forsake(w *waiter) error {
	if w == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.wanted = false
	if !w.done {
		return nil
	}
	q := <-w.got
	return q.lock.drop()
}
