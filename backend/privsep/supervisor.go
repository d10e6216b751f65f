package privsep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options says how a Supervisor treats its workers.
type Options struct {
	Launcher Launcher
	// Setup returns the configuration of id's worker. It may prepare what the worker needs.
	Setup func(id Identity) (any, error)
	// Keeper returns who makes locks for id, or nil where the user is to do it himself.
	Keeper func(id Identity) *Keeper
	Log    *slog.Logger
}

// ErrStopping is the answer to a login while the server ends.
var ErrStopping = errors.New("server is stopping")

// endTimeout is how long a worker may take to end once its connection has.
const endTimeout = 30 * time.Second

// Supervisor has the table of workers.
type Supervisor struct {
	o          Options
	endTimeout time.Duration

	mu       sync.Mutex
	workers  map[key]*worker
	live     map[*worker]struct{} // also those that were let go and have not ended yet
	stopping bool
	all      sync.WaitGroup // one for each worker until it has ended
}

// key is what makes two logins the same user: a name that was given to another uid is another.
type key struct {
	name string
	uid  uint32
}

// worker is a running worker. What is not set at its start is guarded by Supervisor.mu.
type worker struct {
	id     Identity
	proc   *Process
	keeper *Keeper
	hands  uint64
	handed []handed // and not taken yet, the oldest first
	took   bool     // one of them
	replay *replay  // nil: not asked for one, or done
}

// NewSupervisor makes a Supervisor without workers.
func NewSupervisor(o Options) *Supervisor {
	return &Supervisor{o: o, endTimeout: endTimeout, workers: make(map[key]*worker), live: make(map[*worker]struct{})}
}

// Hand gives a connection that has logged in as id to id's worker, which is started when there is
// none. It sends a duplicate of conn: the caller closes his.
func (s *Supervisor) Hand(id Identity, l Login, conn syscall.Conn) error {
	for {
		w, fresh, err := s.worker(id)
		if err != nil {
			return err
		}
		if err = s.handTo(w, l, conn); err == nil {
			return nil
		}
		s.unhand(w) // it never comes to w, which would be waited for
		if fresh || errors.Is(err, ErrMessage) {
			return err
		}
		// It has died since its last session and was not noticed yet; the next one is fresh.
		s.forget(w)
	}
}

// worker finds or starts the worker of id and counts a connection for it.
func (s *Supervisor) worker(id Identity) (w *worker, fresh bool, err error) {
	if err := id.Check(); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, false, ErrStopping
	}
	w, ok := s.workers[key{id.Name, id.UID}]
	if !ok {
		if w, err = s.start(id, s.o.Keeper(id), nil); err != nil {
			return nil, false, err
		}
	}
	w.hands++
	return w, !ok, nil
}

// unhand takes back what worker has counted.
func (s *Supervisor) unhand(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.hands--
}

// start starts a worker and puts it in the table. The caller holds mu.
func (s *Supervisor) start(id Identity, keeper *Keeper, r *replay) (*worker, error) {
	setup, err := s.o.Setup(id)
	if err != nil {
		return nil, fmt.Errorf("set up worker of %s: %w", id.Name, err)
	}
	body, err := json.Marshal(setup)
	if err != nil {
		return nil, fmt.Errorf("set up worker of %s: %w", id.Name, err)
	}
	proc, err := s.o.Launcher.Launch(id)
	if err != nil {
		return nil, err
	}
	w := &worker{id: id, proc: proc, keeper: keeper, replay: r}
	s.live[w] = struct{}{}
	s.all.Go(func() { s.tend(w) })
	if err := proc.Conn.Send(Message{Kind: Setup, Body: body}, nil); err != nil {
		proc.Kill()
		return nil, fmt.Errorf("start worker of %s: %w", id.Name, err)
	}
	s.workers[key{id.Name, id.UID}] = w
	s.o.Log.Debug("Worker started", "user", id.Name, "uid", id.UID)
	return w, nil
}

// tend answers a worker's requests until it ends, and clears up after it.
func (s *Supervisor) tend(w *worker) {
	for {
		m, err := w.proc.Conn.Receive()
		if err == nil {
			err = s.serve(w, m)
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.o.Log.Warn("Worker connection lost", "user", w.id.Name, "err", err)
			}
			break
		}
	}
	s.forget(w)
	err := s.end(w)
	if err != nil {
		s.o.Log.Error("Worker died", "user", w.id.Name, "err", err)
	}
	s.handOn(w)
	revived := s.bury(w, err)
	if w.keeper != nil && !revived {
		if err := w.keeper.Unlock(); err != nil {
			s.o.Log.Error("Lock of dead worker", "user", w.id.Name, "err", err)
		}
	}
}

// end waits for the end of a worker, which comes when it sees its connection closed. One that hangs
// is killed: it would keep its locks, and the worker that follows it would wait for them.
func (s *Supervisor) end(w *worker) error {
	err := w.proc.Conn.Close()
	late := time.AfterFunc(s.endTimeout, func() {
		s.o.Log.Warn("Worker killed", "user", w.id.Name)
		w.proc.Kill()
	})
	defer late.Stop()
	return errors.Join(err, w.proc.Wait())
}

// forget takes w out of the table, unless another has its place already.
func (s *Supervisor) forget(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(w)
}

func (s *Supervisor) drop(w *worker) {
	if k := (key{w.id.Name, w.id.UID}); s.workers[k] == w {
		delete(s.workers, k)
	}
}

// serve does what the worker asks for.
func (s *Supervisor) serve(w *worker, m Message) error {
	switch m.Kind {
	case Taken:
		return s.taken(w)
	case Idle:
		return s.idle(w, m.Count)
	case Replayed:
		return s.replayed(w, decodeError(m.Error))
	}
	k := w.keeper
	var err error
	switch {
	case k == nil:
		err = syscall.EPERM
	case m.Kind == Lock:
		err = k.Lock()
	case m.Kind == Unlock:
		err = k.Unlock()
	case m.Kind == Create:
		err = k.Create()
	default:
		return fmt.Errorf("%w: %q from a worker", ErrMessage, m.Kind)
	}
	return w.proc.Conn.Send(Message{Kind: Reply, ID: m.ID, Error: encodeError(err)}, nil)
}

// idle lets a worker go that has no session, unless a connection is on its way to it.
func (s *Supervisor) idle(w *worker, count uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.hands != count {
		return nil
	}
	s.drop(w)
	// It knows before the next one can be started: otherwise that would pass it a session, which would end at once.
	return w.proc.Conn.Send(Message{Kind: Stop}, nil)
}

// Stop tells all workers to flush and end, waits for them until ctx is done, and kills those that
// are left. A kill at any instant loses no message that was acknowledged; of flags it loses the changes
// that were not written yet, as the mailbox file lags behind them by the flush delay.
func (s *Supervisor) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	for _, w := range s.running() {
		if err := w.proc.Conn.Send(Message{Kind: Stop}, nil); err != nil {
			s.o.Log.Debug("Worker not told to stop", "user", w.id.Name, "err", err)
		}
	}
	ended := make(chan struct{})
	go func() { s.all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		for _, w := range s.running() {
			s.o.Log.Warn("Worker killed", "user", w.id.Name)
			w.proc.Kill()
		}
		<-ended
	}
}

func (s *Supervisor) running() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.live))
}
