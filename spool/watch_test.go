package spool

import (
	"context"
	"os"
	"testing"
	"time"
)

// token waits for a token, much longer than it can take.
func token(t *testing.T, told <-chan struct{}, after string) {
	t.Helper()
	select {
	case _, open := <-told:
		if !open {
			t.Fatalf("after %s: the channel was closed", after)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("after %s: told nothing", after)
	}
}

// noToken: nothing is told for a while.
func noToken(t *testing.T, told <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-told:
		t.Errorf("told of %s", why)
	case <-time.After(10 * settle):
	}
}

// drain waits until nothing is told any more: an event can come in two parts.
func drain(told <-chan struct{}) {
	for {
		select {
		case <-told:
		case <-time.After(5 * settle):
			return
		}
	}
}

func appendTo(t *testing.T, path, s string) {
	t.Helper()
	f := must[*os.File](t)(os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0))
	must[int](t)(f.WriteString(s))
	ok(t, f.Close())
}

// The same life of a mailbox, told by inotify and by polling alone.
func TestWatch(t *testing.T) {
	for name, poll := range map[string]time.Duration{"inotify": time.Hour, "poll": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, LockPolicy{})
			b.poll = poll
			ctx, cancel := context.WithCancel(t.Context())
			told := watchBy(t, ctx, b, name == "inotify")
			noToken(t, told, "nothing")

			appendTo(t, b.Path(), "more")
			token(t, told, "a delivery")
			drain(told)

			write(t, b.Path()+".new", "new content")
			ok(t, os.Rename(b.Path()+".new", b.Path()))
			token(t, told, "a replacement")
			drain(told)
			appendTo(t, b.Path(), "more")
			token(t, told, "a delivery to the new file")
			drain(told)

			ok(t, os.Remove(b.Path()))
			token(t, told, "the removal")
			drain(told)
			write(t, b.Path()+".neighbour", "")
			noToken(t, told, "a neighbour")
			write(t, b.Path(), "made anew")
			token(t, told, "a new file")
			drain(told)
			appendTo(t, b.Path(), "more")
			token(t, told, "a delivery to it")

			cancel()
			drainToEnd(t, told)
		})
	}
}

func watchBy(t *testing.T, ctx context.Context, b *Box, inotify bool) <-chan struct{} {
	t.Helper()
	if inotify {
		return must[<-chan struct{}](t)(b.Watch(ctx))
	}
	w := &watch{box: b, told: make(chan struct{}, 1)}
	w.look()
	go w.run(ctx)
	return w.told
}

func drainToEnd(t *testing.T, told <-chan struct{}) {
	t.Helper()
	for {
		select {
		case _, open := <-told:
			if !open {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the channel stays open after the context's end")
		}
	}
}

func TestWatchCoalesces(t *testing.T) {
	b := newBox(t, LockPolicy{})
	told := must[<-chan struct{}](t)(b.Watch(t.Context()))
	for range 100 {
		appendTo(t, b.Path(), "x")
	}
	token(t, told, "a hundred deliveries")
	time.Sleep(5 * settle)
	if n := len(told); n > 1 {
		t.Errorf("%d tokens wait", n)
	}
}

func TestWatchMissingMailbox(t *testing.T) {
	b := newBox(t, LockPolicy{})
	b.poll = time.Hour
	ok(t, os.Remove(b.Path()))
	told := must[<-chan struct{}](t)(b.Watch(t.Context()))
	write(t, b.Path(), "first mail")
	token(t, told, "the first delivery")
}

func TestWatchWithDeadContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newBox(t, LockPolicy{}).Watch(ctx)
	isError(t, "Watch", err, context.Canceled)
}

func BenchmarkLock(b *testing.B) {
	for _, methods := range []string{"fcntl", "dotlock", "flock", "fcntl+dotlock+flock"} {
		b.Run(methods, func(b *testing.B) {
			box := newBox(b, LockPolicy{Methods: methodList(methods)})
			f := openBox(b, box)
			for b.Loop() {
				release, err := box.TryLock(f, Exclusive)
				if err != nil {
					b.Fatal(err)
				}
				ok(b, release())
			}
		})
	}
}
