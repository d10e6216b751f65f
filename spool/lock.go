package spool

// Locks. Every program that touches a spool knows one or two of the methods;
// we take all that are configured, so that we exclude every one of them.
//
// A round tries the methods in the configured order. When one is held by
// somebody, what the round got is given back, we wait for that one while
// holding nothing, and try again: since nobody waits with a lock in hand, two
// programs with opposite orders (Debian's Dovecot takes fcntl before the
// dotlock, upstream's the other way round) cannot block each other.
//
// Trying and sleeping alone starves against programs that queue in the kernel
// (store.md §5.3), so for fcntl and flock the wait is itself a blocking lock
// call, in a goroutine with a descriptor of its own; what it gets counts as
// ours. For the dotlock it is a poll, fast at first: a delivery holds it for a
// few milliseconds, and watching somebody else's lock file needs rights on it.
//
// A shared lock is fcntl and flock only: a dotlock cannot be shared, and a
// reader that holds one stops the delivery. So it does not exclude a program
// that knows nothing but the dotlock, and what is read under it is to be
// verified.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

// Method is a way to lock a mailbox.
type Method string

// The methods. An fcntl lock is taken as open file description lock, which
// conflicts with everybody's fcntl locks but is not lost when some other
// descriptor of the file is closed.
const (
	Fcntl   Method = "fcntl"
	Dotlock Method = "dotlock"
	Flock   Method = "flock"
)

// LockPolicy says how a mailbox is locked.
type LockPolicy struct {
	Methods []Method      // in this order; none: fcntl, dotlock, flock
	Timeout time.Duration // total; 0: 30 s
	Stale   time.Duration // age at which FILE.lock is taken for left over; 0: 5 min
	Dotlock DotlockMaker  // nil: the setgid program dotlockfile(1) where it is installed
	Log     *slog.Logger  // nil: slog.Default()
}

// DotlockMaker makes and removes FILE.lock for a user who may not; path is
// FILE. Make answers fs.ErrExist when the lock is held, and EACCES, EPERM or
// EROFS when it cannot be made at all: then we do without, with a warning. A
// program with more rights can answer by TryLock of a Box whose only method is
// the dotlock; that also judges a stale one.
type DotlockMaker interface {
	Make(path string) error
	Remove(path string) error
}

// dotlockToucher is a DotlockMaker whose lock file gets old while we hold it.
type dotlockToucher interface {
	touch(path string) error
}

// LockMode says who else may hold the lock.
type LockMode int

// A Shared lock is for reading, an Exclusive one for everything else.
const (
	Shared LockMode = iota
	Exclusive
)

// LockedError says who kept us from locking a mailbox. It is an ErrLocked.
type LockedError struct {
	Path   string
	Method Method        // the lock that could not be had; "" for another session of this process
	Holder string        // who holds it, as far as the system tells
	Age    time.Duration // of FILE.lock
}

func (e *LockedError) Error() string {
	what := string(e.Method)
	if what == "" {
		what = "process"
	}
	s := fmt.Sprintf("%s: %v: %s lock held by %s", e.Path, ErrLocked, what, e.Holder)
	if e.Age > 0 {
		s += fmt.Sprintf(" for %v", e.Age.Round(time.Second))
	}
	return s
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// held is one lock that we have.
type held struct {
	method Method
	free   func() error
	touch  func() error // nil: there is nothing that gets old
}

// blocked is why a round got nothing.
type blocked struct {
	method Method
	freed  <-chan struct{} // for our own process's lock
}

// Lock takes all methods or none and returns what gives them back. It waits
// only while it holds nothing, at most the policy's time-out, and answers a
// *LockedError then. f has to be open for writing for an Exclusive lock. When
// the path does not name f any more the answer is ErrReplaced.
func (b *Box) Lock(ctx context.Context, f File, mode LockMode) (release func() error, err error) {
	of, ok := f.(osFile)
	if !ok {
		return nil, fmt.Errorf("lock %s: %w", b.path, fs.ErrInvalid)
	}
	s := b.newSiege(ctx, of, mode)
	defer s.end()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-s.ctx.Done():
		return nil, s.giveUp(blocked{})
	}
	if err := s.pause(b.politeness()); err != nil {
		return nil, err
	}
	var first *held
	for {
		release, lacking, err := b.round(of, mode, first)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", b.path, err)
		}
		if lacking == nil {
			return release, nil
		}
		if lacking.freed == nil {
			b.metRival()
		}
		if first, err = s.await(*lacking); err != nil {
			return nil, err
		}
	}
}

// TryLock is one round of Lock.
func (b *Box) TryLock(f File, mode LockMode) (release func() error, err error) {
	of, ok := f.(osFile)
	if !ok {
		return nil, fmt.Errorf("lock %s: %w", b.path, fs.ErrInvalid)
	}
	release, lacking, err := b.round(of, mode, nil)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", b.path, err)
	}
	if lacking != nil {
		return nil, b.lockedError(of, lacking.method)
	}
	return release, nil
}

// round passes the gate and then tries every method. first is a lock that
// waiting already brought.
func (b *Box) round(f osFile, mode LockMode, first *held) (func() error, *blocked, error) {
	if mode == Shared {
		return b.roundShared(f, first)
	}
	b.mu.Lock()
	entered := b.gate.enter()
	freed := b.gate.freed
	b.mu.Unlock()
	if !entered {
		return nil, &blocked{freed: freed}, first.drop()
	}
	locks, lacking, err := b.take(f, mode, first)
	if err != nil || lacking != nil {
		b.leave(time.Time{})
		return nil, lacking, err
	}
	since := time.Now()
	rest := b.keepFresh(locks)
	return once(func() error {
		defer b.leave(since)
		rest()
		return freeAll(locks)
	}), nil, nil
}

// roundShared counts the readers of one open file: they share one descriptor
// and so one fcntl lock, which the first takes and the last gives back. It
// keeps the mutex meanwhile, since nothing here waits.
func (b *Box) roundShared(f osFile, first *held) (func() error, *blocked, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate.exclusive {
		return nil, &blocked{freed: b.gate.freed}, first.drop()
	}
	s := b.gate.shared[f]
	if s == nil {
		locks, lacking, err := b.take(f, Shared, first)
		if err != nil || lacking != nil {
			return nil, lacking, err
		}
		s = &sharing{locks: locks}
		b.gate.shared[f] = s
	} else if err := first.drop(); err != nil {
		return nil, nil, err
	}
	s.readers++
	return once(func() error { return b.leaveShared(f, s) }), nil, nil
}

// take tries every method, and checks that f is still the mailbox.
func (b *Box) take(f osFile, mode LockMode, first *held) (locks []held, lacking *blocked, err error) {
	methods := b.methods(f, mode)
	if first != nil {
		locks = append(locks, *first)
		methods = slices.DeleteFunc(methods, func(m Method) bool { return m == first.method })
	}
	defer func() {
		if err != nil || lacking != nil {
			err = errors.Join(err, freeAll(locks))
			locks = nil
		}
	}()
	if len(methods) == 0 && len(locks) == 0 && mode == Exclusive {
		return locks, nil, errors.New("no configured method works on this file system")
	}
	stale := false
	for _, m := range methods {
		h, got, err := b.try(m, f, mode)
		switch {
		case err != nil:
			return locks, nil, fmt.Errorf("%s: %w", m, err)
		case got == yes:
			locks = append(locks, h)
		case got == leftover:
			// Taken away only when all else says that nobody is at the mailbox.
			stale = true
		case got == no:
			return locks, &blocked{method: m}, nil
		}
	}
	if stale {
		h, got, err := b.seize()
		if err != nil {
			return locks, nil, fmt.Errorf("%s: %w", Dotlock, err)
		}
		if got != yes {
			return locks, &blocked{method: Dotlock}, nil
		}
		locks = append(locks, h)
	}
	return locks, nil, b.stillNamed(f)
}

// outcome of trying one method.
type outcome int

const (
	no       outcome = iota // somebody has it
	yes                     // we have it
	leftover                // the dotlock is there, but looks stale
)

func (b *Box) try(m Method, f osFile, mode LockMode) (held, outcome, error) {
	switch m {
	case Fcntl:
		return tryFcntl(f, mode)
	case Flock:
		return tryFlock(f, mode)
	case Dotlock:
		return b.tryDotlock()
	}
	return held{}, no, errors.New("unknown lock method")
}

// methods returns the configured methods that make sense here.
func (b *Box) methods(f osFile, mode LockMode) []Method {
	var ms []Method
	for _, m := range b.policy.Methods {
		switch {
		case m == Dotlock && mode == Shared:
		case m == Flock && onNetwork(f):
		default:
			ms = append(ms, m)
		}
	}
	return ms
}

// stillNamed: an MTA or mail reader may have replaced the file by rename
// between our open and our locks, or somebody gave it a second name.
func (b *Box) stillNamed(f osFile) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := b.named()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	case err != nil:
		return err
	case !info.sameFile(named), info.Nlink == 0, named.Nlink == 0:
		return ErrReplaced
	case info.Nlink != 1, named.Nlink != 1:
		return ErrLinks
	}
	return nil
}

// freeAll gives locks back in reverse order.
func freeAll(locks []held) error {
	var errs []error
	for _, h := range slices.Backward(locks) {
		if err := h.free(); err != nil {
			errs = append(errs, fmt.Errorf("release %s lock: %w", h.method, err))
		}
	}
	return errors.Join(errs...)
}

// drop gives a lock back that is not needed after all.
func (h *held) drop() error {
	if h == nil {
		return nil
	}
	return h.free()
}

// Programs that poll for a lock (procmail, Dovecot's dotlock) would never get a turn from a writer that locks again at
// once. So such a writer pauses now and then; and for as long as it held the lock, half of the time, when others were
// met at this mailbox lately: procmail looks once in eight seconds only.
const (
	turnEvery   = 50 * time.Millisecond
	rivalMemory = time.Minute
)

// politeness is how long after our own release the next Lock has to wait.
func (b *Box) politeness() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.gate.notBefore)
}

// metRival notes that another program held a lock of this mailbox.
func (b *Box) metRival() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate.rival = time.Now()
}

func pollersTurn() time.Duration {
	return time.Millisecond + rand.N(4*time.Millisecond)
}
