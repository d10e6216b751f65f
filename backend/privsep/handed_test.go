package privsep

import (
	"errors"
	"sync"
	"testing"
)

// dying is a Launcher whose workers take so many connections each, and die when the next one is on its way.
type dying struct {
	takes int
	took  chan string // the tag of each connection that was taken
	mu    sync.Mutex
	born  int
}

func (l *dying) Launch(Identity) (*Process, error) {
	l.mu.Lock()
	l.born++
	takes := l.takes
	if l.born > 1 {
		takes = 100
	}
	l.mu.Unlock()
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	peer, err := FileConn(far)
	if err != nil {
		return nil, err
	}
	dead := make(chan error, 1)
	go func() { dead <- errors.Join(l.work(peer, takes), peer.Close()) }()
	return &Process{Conn: conn, Wait: func() error { return <-dead }, Kill: func() {}}, nil
}

// work is what a worker does until it is told to stop, or dies.
func (l *dying) work(peer *Conn, takes int) error {
	c := NewClient(peer)
	if err := c.Setup(new(any)); err != nil {
		return err
	}
	for range takes {
		m, err := c.Next()
		if err != nil || m.Kind != Hand {
			return err
		}
		l.took <- m.Login.Tag
		if err := m.File.Close(); err != nil {
			return err
		}
	}
	m, err := peer.Receive() // it has come, but nothing is said of it
	return errors.Join(errors.New("killed"), err, m.File.Close())
}

// TestConnectionOfADyingWorker: what a worker was sent and had not taken when it died is the next one's; but a worker
// that dies over its very first connection has no successor for it, which would die as well.
func TestConnectionOfADyingWorker(t *testing.T) {
	for takes, want := range []string{"", "12"} {
		_, s := newProbes(t, noKeeper)
		l := &dying{takes: takes, took: make(chan string, 9)}
		s.o.Launcher = l
		for _, tag := range []string{"1", "2"}[:takes+1] {
			near, far := clientConn(t)
			_ = near
			if err := s.Hand(alice, Login{Tag: tag}, far); err != nil {
				t.Fatal(err)
			}
		}
		got := ""
		for len(got) < len(want) {
			got += <-l.took
		}
		s.Stop(t.Context())
		if close(l.took); got != want || len(l.took) > 0 {
			t.Errorf("%d taken before the death: connections %q, want %q", takes, got, want)
		}
	}
}
