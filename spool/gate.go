package spool

import (
	"sync"
	"time"
)

// gate keeps the sessions of this process apart: they may use the same open
// file, between whose users the kernel does not distinguish.
type gate struct {
	exclusive bool
	shared    map[File]*sharing
	freed     chan struct{} // closed and made anew whenever somebody leaves
	notBefore time.Time
	lastTurn  time.Time // when the pollers had their last one
}

// sharing is the lock of all readers of one open file.
type sharing struct {
	readers int
	locks   []held
}

func (g *gate) enter() bool {
	if g.exclusive || len(g.shared) > 0 {
		return false
	}
	g.exclusive = true
	return true
}

func (g *gate) wake() {
	close(g.freed)
	g.freed = make(chan struct{})
}

// leave ends an exclusive lock, or an attempt at one.
func (b *Box) leave(locked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate.exclusive = false
	if now := time.Now(); locked && now.Sub(b.gate.lastTurn) > turnEvery {
		b.gate.lastTurn, b.gate.notBefore = now, now.Add(pollersTurn())
	}
	b.gate.wake()
}

func (b *Box) leaveShared(f osFile, s *sharing) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.readers--; s.readers > 0 {
		return nil
	}
	delete(b.gate.shared, f)
	b.gate.wake()
	return freeAll(s.locks)
}

// once makes a release harmless when it is called twice.
func once(f func() error) func() error {
	var o sync.Once
	return func() (err error) {
		o.Do(func() { err = f() })
		return err
	}
}
