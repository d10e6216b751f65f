package spool

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var allMethods = []Method{Fcntl, Dotlock, Flock}

// The lock suite: each of its tests runs for every method, against a second
// process that knows nothing but this one method.
func TestLockSuite(t *testing.T) {
	for _, m := range allMethods {
		for name, test := range map[string]func(*testing.T, Method){
			"refuses what another process holds": suiteRefuses,
			"keeps another process out":          suiteKeepsOut,
			"waits for another process":          suiteWaits,
			"holds nothing while waiting":        suiteHoldsNothing,
			"times out":                          suiteTimesOut,
			"obeys its context":                  suiteCancels,
			"survives the death of its holder":   suiteDeath,
		} {
			t.Run(string(m)+"/"+name, func(t *testing.T) { test(t, m) })
		}
	}
}

func suiteRefuses(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	_, err := b.TryLock(f, Exclusive)
	isError(t, "TryLock", err, ErrLocked)
	locked, is := errors.AsType[*LockedError](err)
	if !is || locked.Method != m {
		t.Fatalf("TryLock: %v, want a LockedError about %s", err, m)
	}
	if m != Dotlock && !strings.Contains(locked.Holder, strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("holder is %q, want process %d", locked.Holder, p.cmd.Process.Pid)
	}
	for _, other := range allMethods {
		if other != m && !canLock(t, other, "exclusive", b.Path()) {
			t.Errorf("%s is still held after refusal", other)
		}
	}
	ok(t, p.end())
	release := must[func() error](t)(b.TryLock(f, Exclusive))
	ok(t, release())
}

func suiteKeepsOut(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	release := must[func() error](t)(b.Lock(t.Context(), f, Exclusive))
	if canLock(t, m, "exclusive", b.Path()) {
		t.Error("another process got the lock that we hold")
	}
	if m != Dotlock && canLock(t, m, "shared", b.Path()) {
		t.Error("another process got a shared lock beside our exclusive one")
	}
	ok(t, release())
	if !canLock(t, m, "exclusive", b.Path()) {
		t.Error("the lock is still held after release")
	}
	ok(t, release())
}

func suiteWaits(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	got := lockInBackground(t, b, f)
	select {
	case err := <-got:
		t.Fatalf("Lock came back while the lock was held: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	ok(t, p.end())
	ok(t, <-got)
}

// lockInBackground locks and releases and tells how that went.
func lockInBackground(t *testing.T, b *Box, f File) <-chan error {
	got := make(chan error, 1)
	go func() {
		release, err := b.Lock(t.Context(), f, Exclusive)
		if err == nil {
			err = release()
		}
		got <- err
	}()
	return got
}

func suiteHoldsNothing(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	got := lockInBackground(t, b, f)
	for _, other := range allMethods {
		if other == m {
			continue
		}
		// A round of ours may be under way at that moment; a wait is longer.
		free := false
		for range 20 {
			free = free || canLock(t, other, "exclusive", b.Path())
		}
		if !free {
			t.Errorf("%s is held while waiting for %s", other, m)
		}
	}
	ok(t, p.end())
	ok(t, <-got)
}

func suiteTimesOut(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{Timeout: 50 * time.Millisecond})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	for range 2 { // the second one joins the first one's place in the queue
		_, err := b.Lock(t.Context(), f, Exclusive)
		isError(t, "Lock", err, ErrLocked)
		if locked, is := errors.AsType[*LockedError](err); !is || locked.Method != m {
			t.Errorf("Lock: %v, want a LockedError about %s", err, m)
		}
	}
	ok(t, p.end())
	b.waitForWaiters(t)
	release := must[func() error](t)(b.TryLock(f, Exclusive))
	ok(t, release())
}

// waitForWaiters: a waiter that nobody wants any more gives its lock back.
func (b *Box) waitForWaiters(t *testing.T) {
	t.Helper()
	for range 1000 {
		b.mu.Lock()
		n := len(b.wait)
		b.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("a waiter is still in the kernel's queue")
}

func suiteCancels(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := b.Lock(ctx, f, Exclusive)
	isError(t, "Lock", err, context.Canceled)
	ok(t, p.end())
	b.waitForWaiters(t)
}

func suiteDeath(t *testing.T, m Method) {
	b := newBox(t, LockPolicy{Stale: 50 * time.Millisecond})
	f := openBox(t, b)
	p := holder(t, m, "exclusive", b.Path())
	p.kill()
	if err := p.end(); err == nil {
		t.Fatal("the holder was not killed")
	}
	release := must[func() error](t)(b.Lock(t.Context(), f, Exclusive))
	ok(t, release())
}

func TestSharedLock(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f, g := openBox(t, b), openBox(t, b)
	var releases []func() error
	for _, file := range []File{f, f, g} {
		releases = append(releases, must[func() error](t)(b.TryLock(file, Shared)))
	}
	if _, err := os.Lstat(b.Path() + ".lock"); err == nil {
		t.Error("a shared lock made a lock file")
	}
	_, err := b.TryLock(f, Exclusive)
	isError(t, "exclusive beside shared", err, ErrLocked)
	for i, release := range releases {
		for _, m := range []Method{Fcntl, Flock} {
			if !canLock(t, m, "shared", b.Path()) {
				t.Errorf("%s: no shared lock beside %d others", m, len(releases)-i)
			}
			if canLock(t, m, "exclusive", b.Path()) {
				t.Errorf("%s: exclusive lock beside %d shared ones", m, len(releases)-i)
			}
		}
		ok(t, release())
		ok(t, release())
	}
	release := must[func() error](t)(b.TryLock(f, Exclusive))
	_, err = b.TryLock(g, Shared)
	isError(t, "shared beside exclusive", err, ErrLocked)
	ok(t, release())
}

func TestSharedWaitsInTheQueue(t *testing.T) {
	for _, m := range []Method{Fcntl, Flock} {
		t.Run(string(m), func(t *testing.T) {
			b := newBox(t, LockPolicy{})
			f := openBox(t, b)
			p := holder(t, m, "exclusive", b.Path())
			time.AfterFunc(20*time.Millisecond, p.kill)
			release := must[func() error](t)(b.Lock(t.Context(), f, Shared))
			if canLock(t, m, "exclusive", b.Path()) {
				t.Error("another process got the lock that we waited for")
			}
			again := must[func() error](t)(b.TryLock(f, Shared))
			ok(t, release())
			if canLock(t, m, "exclusive", b.Path()) {
				t.Error("the first reader gave the second one's lock away")
			}
			ok(t, again())
		})
	}
}

func TestLockFindsReplacedFile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   error
	}{
		"replaced": {func(t *testing.T, path string) {
			write(t, path+".new", "new")
			ok(t, os.Rename(path+".new", path))
		}, ErrReplaced},
		"removed":     {func(t *testing.T, path string) { ok(t, os.Remove(path)) }, ErrReplaced},
		"hard linked": {func(t *testing.T, path string) { ok(t, os.Link(path, path+".too")) }, ErrLinks},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, LockPolicy{})
			f := openBox(t, b)
			c.change(t, b.Path())
			_, err := b.Lock(t.Context(), f, Exclusive)
			isError(t, "Lock", err, c.want)
			if _, err := os.Lstat(b.Path() + ".lock"); err == nil {
				t.Error("the lock file was left behind")
			}
		})
	}
}

func TestLockMisuse(t *testing.T) {
	b := newBox(t, LockPolicy{})
	readOnly := must[File](t)(b.Open(false))
	defer readOnly.Close()
	if _, err := b.TryLock(readOnly, Exclusive); err == nil {
		t.Error("exclusive lock on a file open for reading")
	}
	if _, err := b.TryLock(nil, Shared); err == nil {
		t.Error("lock on no file")
	}
	if _, err := b.Lock(t.Context(), nil, Shared); err == nil {
		t.Error("lock on no file")
	}
	b.policy.Methods = []Method{"lockf"}
	f := openBox(t, b)
	if _, err := b.TryLock(f, Exclusive); err == nil {
		t.Error("unknown method")
	}
}

// In one process the fake clock decides: two sessions, one of which never
// gives the lock back.
func TestSecondSessionTimesOut(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	synctest.Test(t, func(t *testing.T) {
		b := NewBox(b.Path(), b.owner, b.policy) // its channels belong to the bubble
		release := must[func() error](t)(b.TryLock(f, Exclusive))
		start := time.Now()
		_, err := b.Lock(t.Context(), f, Exclusive)
		isError(t, "Lock", err, ErrLocked)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Lock gave up after %v", took)
		}
		time.AfterFunc(time.Second, func() { _ = release() })
		start = time.Now()
		release = must[func() error](t)(b.Lock(t.Context(), f, Exclusive))
		if took := time.Since(start); took != time.Second {
			t.Errorf("Lock took %v", took)
		}
		ok(t, release())
		start = time.Now()
		release = must[func() error](t)(b.Lock(t.Context(), f, Exclusive))
		if took := time.Since(start); took < time.Millisecond || took > 5*time.Millisecond {
			t.Errorf("after our own release pollers had %v for a turn", took)
		}
		ok(t, release())
	})
}

func TestLongWaitIsLogged(t *testing.T) {
	b := newBox(t, LockPolicy{})
	f := openBox(t, b)
	write(t, b.Path()+".lock", "")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := NewBox(b.Path(), b.owner, LockPolicy{Log: slog.New(slog.NewTextHandler(&log, nil))})
		start := time.Now()
		_, err := b.Lock(t.Context(), f, Exclusive)
		isError(t, "Lock", err, ErrLocked)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Lock gave up after %v", took)
		}
		if n := strings.Count(log.String(), "waiting for mailbox lock"); n != 1 || !strings.Contains(log.String(), "lock=dotlock") {
			t.Errorf("logged %d times: %s", n, log.String())
		}
	})
}

func TestLockedErrorText(t *testing.T) {
	for _, c := range []struct {
		err  LockedError
		want string
	}{
		{LockedError{"/m/a", Dotlock, "user joe", 90 * time.Second}, "/m/a: locked by another program: dotlock lock held by user joe for 1m30s"},
		{LockedError{"/m/a", Fcntl, "process 7", 0}, "/m/a: locked by another program: fcntl lock held by process 7"},
		{LockedError{"/m/a", "", "us", 0}, "/m/a: locked by another program: process lock held by us"},
	} {
		if diff := cmp.Diff(c.want, c.err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}
