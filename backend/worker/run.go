package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"spoold/backend/privsep"
)

// stopTimeout bounds how long a worker takes to end.
const stopTimeout = 25 * time.Second

// hangUpTimeout bounds how long it waits then for clients that still hang up; each has a second.
const hangUpTimeout = 2 * time.Second

// Run is the worker of a supervisor: it serves the connections that client is handed until it is
// told to stop, the supervisor is gone, or ctx is done. newLog makes the log once the
// configuration is there.
func Run(ctx context.Context, client *privsep.Client, newLog func(debug bool) *slog.Logger) error {
	var cfg Config
	if err := client.Setup(&cfg); err != nil {
		return err
	}
	log := newLog(cfg.Debug)
	r := newRunner(cfg.withDefaults(), log)
	if cfg.Delegate {
		r.supervisor = client
	}
	// A blocked Next ends when the connection is closed.
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	ended := make(chan struct{})
	defer close(ended)
	go r.tellIdle(client, ended)
	for {
		m, err := client.Next()
		if err == nil && m.Kind == privsep.Hand && m.File != nil && m.Login != nil {
			r.received(1)
			go func() { defer r.left(); r.serve(m) }()
			continue
		}
		if err == nil && m.Kind == privsep.Replay {
			r.received(0)
			go func() { defer r.left(); r.replay(client) }()
			continue
		}
		if err != nil && !errors.Is(err, net.ErrClosed) {
			log.Error("Supervisor lost", "err", err)
		}
		return r.stop(client)
	}
}

// Stdio serves one connection that has logged in already, through the user's worker, or as it
// when there is none. It returns when that session, and those of others who came meanwhile, are over.
func Stdio(ctx context.Context, cfg Config, conn *os.File, log *slog.Logger) error {
	r := newRunner(cfg.withDefaults(), log)
	r.received(0)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer r.left()
		r.serve(privsep.Message{Kind: privsep.Hand, Login: &privsep.Login{Remote: "stdio"}, File: conn})
	}()
	select {
	case <-over:
		r.untilAlone(ctx)
	case <-ctx.Done():
	}
	return r.stop(nil)
}

// runner is a process that serves a user's connections: as the worker, or by giving them to it.
type runner struct {
	cfg        Config
	log        *slog.Logger
	supervisor Supervisor // nil: none to ask

	enter  sync.Mutex // held while becoming the worker
	worker *Worker    // nil: we are not; guarded by enter
	seat   *seat      // nil: we are not, or there is no state directory
	peers  sync.WaitGroup

	mu       sync.Mutex
	count    uint64 // connections that the supervisor has handed to us
	active   int    // connections, also of others, that are not over
	lastUsed time.Time
	alone    chan struct{} // closed when active is 0
	leaving  bool          // the supervisor was told that we are idle: Stop is on its way, or another connection of his
	stopping bool
}

func newRunner(cfg Config, log *slog.Logger) *runner {
	r := &runner{cfg: cfg, log: log, lastUsed: time.Now(), alone: make(chan struct{})}
	close(r.alone)
	return r
}

// received counts a connection in; handed is 1 for one of the supervisor's.
func (r *runner) received(handed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if handed > 0 {
		r.leaving = false
	}
	r.count += handed
	r.enters()
}

// enters counts a connection in. The caller holds mu.
func (r *runner) enters() {
	if r.active == 0 {
		r.alone = make(chan struct{})
	}
	r.active++
}

// receivedFromPeer counts in what another process brings, unless we are about to end. The supervisor, which does not
// know of it, may have sent Stop by now: the session would be cut off as soon as that is read.
func (r *runner) receivedFromPeer() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving || r.stopping {
		return false
	}
	r.enters()
	return true
}

func (r *runner) left() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastUsed = time.Now()
	if r.active--; r.active == 0 {
		close(r.alone)
	}
}

func (r *runner) untilAlone(ctx context.Context) {
	for {
		r.mu.Lock()
		active, alone := r.active, r.alone
		r.mu.Unlock()
		if active == 0 {
			return
		}
		select {
		case <-alone:
		case <-ctx.Done():
			return
		}
	}
}

// tellIdle tells the supervisor when nobody has been here for a while.
func (r *runner) tellIdle(client *privsep.Client, ended <-chan struct{}) {
	tick := time.NewTicker(max(r.cfg.IdleExit/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ended:
			return
		}
		r.mu.Lock()
		idle, count := r.active == 0 && time.Since(r.lastUsed) >= r.cfg.IdleExit, r.count
		r.leaving = r.leaving || idle
		r.mu.Unlock()
		if idle {
			r.offerToLeave(client, count)
		}
	}
}

// offerToLeave tells the supervisor that we are idle; r.leaving is set. He sends Stop, unless he has handed out more
// than count connections: then the one on its way ends r.leaving.
func (r *runner) offerToLeave(client *privsep.Client, count uint64) {
	if err := client.Idle(count); err != nil && !errors.Is(err, net.ErrClosed) {
		r.log.Debug("Supervisor not told", "err", err)
	}
}

// admitTimeout bounds how long a connection waits while one worker ends and another begins.
const admitTimeout = 20 * time.Second

// serve serves a connection until it is over, or gives it to the process that is the worker.
func (r *runner) serve(m privsep.Message) {
	defer func() { _ = m.File.Close() }() // a duplicate is served
	deadline := time.Now().Add(admitTimeout)
	for {
		w, err := r.become()
		if err == nil {
			r.serveHere(w, m)
			return
		}
		if errors.Is(err, errTaken) {
			if err = relay(r.cfg.State, m); err == nil {
				return
			}
		}
		if time.Now().After(deadline) || errors.Is(err, errClosed) {
			r.log.Error("Connection not served", "user", r.cfg.User, "err", err)
			r.refuse(m, errors.New("mail is not available now"))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// replay becomes the worker without a connection, and tells when it has replayed what waited. What
// another process replays, which is the worker already, is left to that.
func (r *runner) replay(client *privsep.Client) {
	w, err := r.become()
	if err == nil {
		err = w.Replayed()
	} else if errors.Is(err, errTaken) {
		err = nil
	}
	if err := client.Replayed(err); err != nil && !errors.Is(err, net.ErrClosed) {
		r.log.Warn("Supervisor not told of the replay", "err", err)
	}
	r.mu.Lock()
	idle := r.active == 1 && r.count == 0 // there is this replay only
	r.leaving = r.leaving || idle
	r.mu.Unlock()
	if idle {
		r.offerToLeave(client, 0)
	}
}

func (r *runner) serveHere(w *Worker, m privsep.Message) {
	nc, err := net.FileConn(m.File)
	if err != nil {
		r.log.Error("Connection not served", "user", r.cfg.User, "err", err)
		return
	}
	w.Serve(nc, *m.Login)
}

func (r *runner) refuse(m privsep.Message, reason error) {
	nc, err := net.FileConn(m.File)
	if err != nil {
		return
	}
	turnAway(nc, *m.Login, reason)
	_ = nc.Close() // refused anyway
}

// become returns the Worker of this process, after making it one. Error errTaken: another is.
func (r *runner) become() (*Worker, error) {
	r.enter.Lock()
	defer r.enter.Unlock()
	if r.isStopping() {
		return nil, errClosed
	}
	if r.worker != nil {
		return r.worker, nil
	}
	o := Options{Supervisor: r.supervisor, Log: r.log}
	if err := r.sitDown(); err != nil {
		return nil, err
	}
	if r.seat != nil {
		o.State = r.seat.state
	}
	w, err := Open(r.cfg, o)
	if err != nil {
		return nil, errors.Join(err, r.standUp())
	}
	r.worker = w
	return w, nil
}

func (r *runner) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}

// sitDown takes the seat. Without a usable state directory there is none, and no need of one.
func (r *runner) sitDown() error {
	err := fs.ErrNotExist
	if r.cfg.State != "" {
		r.seat, err = takeSeat(r.cfg.State)
	}
	switch {
	case err == nil:
		r.peers.Go(r.acceptPeers)
	case errors.Is(err, errTaken):
		return err
	default:
		r.log.Warn("No state directory: mailboxes are not rewritten", "user", r.cfg.User, "path", r.cfg.State, "err", err)
	}
	return nil
}

func (r *runner) standUp() error {
	if r.seat == nil {
		return nil
	}
	err := r.seat.close()
	r.peers.Wait()
	r.seat = nil
	return err
}

// stop ends the sessions, flushes, and gives up the seat. While client is not nil its answers are
// still taken: flushing the inbox may need the supervisor for its lock.
func (r *runner) stop(client *privsep.Client) error {
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	if client != nil {
		go drain(client)
	}
	r.enter.Lock()
	defer r.enter.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var err error
	if r.worker != nil {
		err = r.worker.Close(ctx)
	}
	err = errors.Join(err, r.standUp())
	hungUp, late := context.WithTimeout(context.Background(), hangUpTimeout)
	defer late()
	r.untilAlone(hungUp)
	if err != nil {
		return fmt.Errorf("stop worker of %s: %w", r.cfg.User, err)
	}
	return nil
}

// drain takes the answers of the supervisor until the connection is closed.
func drain(client *privsep.Client) {
	for {
		m, err := client.Next()
		if err != nil {
			return
		}
		if m.File != nil {
			_ = m.File.Close() // came too late
		}
	}
}
