package privsep

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"
)

var alice = Identity{Name: "alice", UID: 4001, GID: 4001, Groups: []uint32{4008}, Home: "/"}

// probes is a Launcher of probe workers inside this process, whoever runs it.
type probes struct {
	mu       sync.Mutex
	launched int
	clients  []*Client
	orders   orders
}

func (p *probes) Launch(Identity) (*Process, error) {
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	peer, err := FileConn(far)
	if err != nil {
		return nil, err
	}
	client := NewClient(peer)
	p.mu.Lock()
	p.launched++
	p.clients = append(p.clients, client)
	p.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		var o orders
		err := client.Setup(&o)
		if err == nil {
			err = runProbe(client, o)
		}
		done <- errors.Join(err, client.Close())
	}()
	return &Process{Conn: conn, Wait: func() error { return <-done }, Kill: func() { client.Close() }}, nil
}

func (p *probes) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.launched
}

func (p *probes) last() *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clients[len(p.clients)-1]
}

func newProbes(t testing.TB, keeper func(Identity) *Keeper) (*probes, *Supervisor) {
	p := &probes{}
	s := NewSupervisor(Options{
		Launcher: p, Keeper: keeper, Log: quiet(),
		Setup: func(Identity) (any, error) { return p.orders, nil },
	})
	t.Cleanup(func() { stopNow(t, s) })
	return p, s
}

func TestOneWorkerForEachUser(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	for range 3 {
		f := handTo(t, s, alice)
		if f.Login.Tag != "a1" || string(f.Login.Unread) != "a2 NOOP\r\n" {
			t.Errorf("worker was told %+v", f.Login)
		}
	}
	if p.count() != 1 {
		t.Errorf("%d workers for one user", p.count())
	}
	other := alice
	other.UID++ // the same name, given to somebody else
	handTo(t, s, other)
	if p.count() != 2 {
		t.Errorf("%d workers for two users", p.count())
	}
}

func TestRootIsNoMailUser(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	_, far := clientConn(t)
	if err := s.Hand(Identity{Name: "root"}, Login{}, far); !errors.Is(err, ErrIdentity) {
		t.Errorf("Hand: %v", err)
	}
	e := NewExec()
	defer e.Close()
	if _, err := e.Launch(Identity{Name: "toor"}); !errors.Is(err, ErrIdentity) {
		t.Errorf("Exec: %v", err)
	}
	if _, err := (Goroutine{}).Launch(Identity{Name: "x", UID: uint32(os.Getuid()) + 1}); !errors.Is(err, ErrIdentity) {
		t.Errorf("Goroutine with another uid: %v", err)
	}
	if p.count() != 0 {
		t.Error("a worker was started")
	}
}

func TestDeadWorkerIsReplaced(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	p.orders.Replay = "done"
	handTo(t, s, alice)
	if err := p.last().Close(); err != nil {
		t.Fatal(err)
	}
	handTo(t, s, alice) // whether its end was noticed already or not
	// When it was, one has been started to replay, which may have been let go before this login.
	if n := p.count(); n != 2 && n != 3 {
		t.Errorf("%d workers started, want 2 or 3", n)
	}
}

func TestIdleWorkerIsLetGo(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	handTo(t, s, alice)
	handTo(t, s, alice)
	if err := p.last().Idle(1); err != nil { // one more is on its way, as far as it knows
		t.Fatal(err)
	}
	handTo(t, s, alice)
	if p.count() != 1 {
		t.Fatal("a worker was let go that had a connection on its way")
	}
	if err := p.last().Idle(3); err != nil {
		t.Fatal(err)
	}
	ended(t, s)
	handTo(t, s, alice)
	if p.count() != 2 {
		t.Errorf("%d workers started, want 2", p.count())
	}
}

func TestStop(t *testing.T) {
	_, s := newProbes(t, noKeeper)
	handTo(t, s, alice)
	stopNow(t, s)
	_, far := clientConn(t)
	if err := s.Hand(alice, Login{}, far); !errors.Is(err, ErrStopping) {
		t.Errorf("login after the stop: %v", err)
	}
}

func TestStopKills(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	p.orders = orders{Ignore: true}
	near, far := clientConn(t)
	_ = near
	hold := make(chan struct{})
	s.o.Launcher = stuck{hold}
	if err := s.Hand(alice, Login{}, far); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s.Stop(ctx)
	select {
	case <-hold:
	default:
		t.Error("stopped without killing")
	}
}

// TestHangingWorkerIsKilled: a worker that has closed its connection is not waited for without end.
func TestHangingWorkerIsKilled(t *testing.T) {
	_, s := newProbes(t, noKeeper)
	s.endTimeout = time.Millisecond
	hold := make(chan struct{})
	s.o.Launcher = hanging{hold}
	_, far := clientConn(t)
	if err := s.Hand(alice, Login{}, far); err != nil {
		t.Fatal(err)
	}
	ended(t, s)
	select {
	case <-hold:
	default:
		t.Error("ended without being killed")
	}
}

// hanging is a Launcher whose workers close their connection once they are handed one, and end only
// when they are killed.
type hanging struct{ killed chan struct{} }

func (l hanging) Launch(Identity) (*Process, error) {
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	peer, err := FileConn(far)
	if err != nil {
		return nil, err
	}
	closed := make(chan error, 1)
	go func() {
		_, err := peer.Receive() // the setup
		m, err2 := peer.Receive()
		closed <- errors.Join(err, err2, m.File.Close(), peer.Close())
	}()
	return &Process{
		Conn: conn,
		Wait: func() error { <-l.killed; return <-closed },
		Kill: sync.OnceFunc(func() { close(l.killed) }),
	}, nil
}

// stuck is a Launcher whose workers end only when they are killed.
type stuck struct{ killed chan struct{} }

func (l stuck) Launch(Identity) (*Process, error) {
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	return &Process{
		Conn: conn,
		Wait: func() error { <-l.killed; return far.Close() },
		Kill: sync.OnceFunc(func() { close(l.killed); _ = conn.Close() }),
	}, nil
}

func TestRequestsWithoutKeeper(t *testing.T) {
	p, s := newProbes(t, noKeeper)
	handTo(t, s, alice)
	for name, f := range map[string]func(context.Context) error{
		"lock": p.last().Lock, "unlock": p.last().Unlock, "create": p.last().Create,
	} {
		if err := f(t.Context()); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestAfterTheEnd(t *testing.T) {
	a, b := pair(t)
	c := NewClient(b)
	result := make(chan error)
	go func() { result <- c.Lock(context.Background()) }()
	if m, err := a.Receive(); err != nil || m.Kind != Lock {
		t.Fatalf("received %+v, %v", m, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err == nil {
		t.Fatal("Next after the end")
	}
	if err := <-result; err == nil {
		t.Error("lock given by nobody")
	}
	if err := c.Lock(t.Context()); err == nil {
		t.Error("lock given after the end")
	}
}

// TestSupervisorDistrusts: what a worker may not say ends it.
func TestSupervisorDistrusts(t *testing.T) {
	for name, m := range map[string]Message{
		"setup": {Kind: Setup, Body: json.RawMessage("{}")}, "hand": {Kind: Hand}, "stop": {Kind: Stop}, "nonsense": {Kind: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newProbes(t, func(id Identity) *Keeper { return NewKeeper("/nonexistent", "x", id) })
			handTo(t, s, alice)
			if err := p.last().conn.Send(m, nil); err != nil {
				t.Fatal(err)
			}
			ended(t, s)
		})
	}
}
