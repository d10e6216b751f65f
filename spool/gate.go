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
	rival     time.Time // when another program was met
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

// leave ends an exclusive lock that was held since then, or an attempt at one.
func (b *Box) leave(since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g, now := &b.gate, time.Now()
	g.exclusive = false
	switch {
	case since.IsZero():
	case now.Sub(g.rival) < rivalMemory:
		g.notBefore = now.Add(max(pollersTurn(), now.Sub(since)))
	case now.Sub(g.lastTurn) > turnEvery:
		g.lastTurn, g.notBefore = now, now.Add(pollersTurn())
	}
	g.wake()
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
