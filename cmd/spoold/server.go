package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"spoold/backend/auth"
	"spoold/backend/login"
	"spoold/backend/privsep"
	"spoold/backend/worker"
)

// server puts the roles together: as root the supervisor with a process for each worker, as an
// ordinary user all in one.
type server struct {
	config  config
	sources []auth.Source
	log     *slog.Logger
	debug   bool
	ready   func(addresses []string) error // called once all addresses are listened on
}

// stopTimeout is above what a worker takes (see backend/worker), and below the 90 s after which
// systemd kills.
const stopTimeout = 45 * time.Second

// run serves until ctx is done.
func (s *server) run(ctx context.Context) (err error) {
	hostname, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	supervisor, done := s.supervisor(hostname)
	defer done()
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		supervisor.Stop(stopCtx)
		s.log.Info("Stopped")
	}()
	checker := auth.NewChecker(runtime.NumCPU(), s.sources...)
	s.replay(ctx, supervisor, checker)
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	front := login.NewServer(login.Config{
		Hostname: hostname, Plaintext: s.config.Auth.Plaintext, Referrals: s.config.Auth.Referrals,
		Check: checker.Check, Hand: supervisor.Hand, Log: s.log,
		Timeout:        s.config.Limits.LoginTimeout,
		MaxConnections: s.config.Limits.Connections, MaxPerAddress: s.config.Limits.PerAddress,
	})
	return s.serveAll(ctx, front, listeners)
}

// serveAll serves all listeners until ctx is done or one of them fails.
func (s *server) serveAll(ctx context.Context, front *login.Server, listeners []net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(listeners)+1)
	for i, ln := range listeners {
		all.Go(func() {
			defer cancel()
			errs[i] = front.Serve(ctx, ln)
		})
	}
	addresses := make([]string, len(listeners))
	for i, ln := range listeners {
		addresses[i] = ln.Addr().String()
	}
	s.log.Info("Ready", "addresses", fmt.Sprint(addresses), "version", version())
	if errs[len(listeners)] = s.ready(addresses); errs[len(listeners)] != nil {
		cancel()
	}
	all.Wait()
	return errors.Join(errs...)
}

// listen opens all addresses, or none.
func (s *server) listen(ctx context.Context) ([]net.Listener, error) {
	addresses := s.config.Listen
	if len(addresses) == 0 {
		addresses = []address{personalAddress}
		if os.Geteuid() == 0 {
			addresses = []address{":143"}
		}
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a sandbox's rules for TCP would not apply to it
	var listeners []net.Listener
	for _, a := range addresses {
		ln, err := lc.Listen(ctx, "tcp", string(a))
		if err != nil {
			return nil, &exitError{exUnavailable, errors.Join(err, closeAll(listeners))}
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) error {
	var err error
	for _, ln := range listeners {
		err = errors.Join(err, ln.Close())
	}
	return err
}

// supervisor makes the supervisor that fits who we are; done is to be called after its Stop.
func (s *server) supervisor(hostname string) (_ *privsep.Supervisor, done func()) {
	o := privsep.Options{Log: s.log}
	if os.Geteuid() != 0 {
		private()
		o.Launcher = privsep.Goroutine{Run: func(c *privsep.Client) error {
			return worker.Run(context.Background(), c, func(bool) *slog.Logger { return s.log })
		}}
		o.Setup = func(id privsep.Identity) (any, error) { return s.config.workerConfig(id, hostname), nil }
		o.Keeper = func(privsep.Identity) *privsep.Keeper { return nil }
		return privsep.NewSupervisor(o), func() {}
	}
	syscall.Umask(0o022) // what root makes here, users have to be able to reach
	exec := privsep.NewExec()
	o.Launcher = exec
	o.Setup = func(id privsep.Identity) (any, error) { return s.rootSetup(id, hostname), nil }
	o.Keeper = s.config.keeper
	return privsep.NewSupervisor(o), exec.Close
}

// rootSetup prepares what the worker of id cannot make himself.
func (s *server) rootSetup(id privsep.Identity, hostname string) worker.Config {
	wc := s.config.workerConfig(id, hostname)
	wc.Debug = s.debug
	wc.Delegate = s.config.keeper(id) != nil
	// In a place that the user has a say in he makes it himself.
	if !s.config.Mail.State.personal() {
		if err := privsep.MakeStateDir(wc.State, id); err != nil {
			s.log.Error("State directory not made", "user", id.Name, "err", err)
		}
	}
	return wc
}
