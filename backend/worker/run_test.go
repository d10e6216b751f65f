package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"spoold/backend/privsep"

	"golang.org/x/sys/unix"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// supervised is a running worker and the supervisor's end of its connection.
type supervised struct {
	t    testing.TB
	conn *privsep.Conn
	done chan error
}

func run(t testing.TB, cfg Config) *supervised {
	t.Helper()
	conn, far, err := privsep.Pair()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := privsep.FileConn(far)
	if err != nil {
		t.Fatal(err)
	}
	s := &supervised{t: t, conn: conn, done: make(chan error, 1)}
	log := testLog(t)
	client := privsep.NewClient(peer)
	go func() {
		s.done <- errors.Join(Run(context.Background(), client, func(bool) *slog.Logger { return log }), client.Close())
	}()
	body, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(privsep.Message{Kind: privsep.Setup, Body: body}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); s.wait() })
	return s
}

// wait waits for the worker's end.
func (s *supervised) wait() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("worker ended with %v", err)
		}
		s.done <- nil
	case <-time.After(30 * time.Second):
		s.t.Fatal("worker does not end")
	}
}

// socketpair makes a stream connection: one end to use, one to hand over.
func socketpair(t testing.TB) (net.Conn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	near := os.NewFile(uintptr(fds[0]), "near")
	nc, err := net.FileConn(near)
	if err := errors.Join(err, near.Close()); err != nil {
		t.Fatal(err)
	}
	return nc, os.NewFile(uintptr(fds[1]), "far")
}

func (s *supervised) hand() *client {
	s.t.Helper()
	nc, far := socketpair(s.t)
	if err := s.conn.Send(privsep.Message{Kind: privsep.Hand, Login: &privsep.Login{Tag: "a", Remote: "test"}}, far); err != nil {
		s.t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		s.t.Fatal(err)
	}
	for {
		m, err := s.conn.Receive()
		if err != nil {
			s.t.Fatal(err)
		}
		if m.Kind == privsep.Taken {
			break // it may have said before that it is idle
		}
	}
	c := newClient(s.t, nc, "a")
	c.line("a OK ")
	return c
}

func TestRun(t *testing.T) {
	cfg := user(t)
	s := run(t, cfg)
	a, b := s.hand(), s.hand()
	a.do("OK", "SELECT INBOX")
	a.do("OK", `STORE 1 +FLAGS.SILENT (\Flagged)`)
	b.do("OK", "LOGOUT")
	if err := s.conn.Send(privsep.Message{Kind: privsep.Stop}, nil); err != nil {
		t.Fatal(err)
	}
	a.bye()
	s.wait()
	want(t, read(t, cfg.Inbox), "X-Status: F")
	if info, err := os.Stat(cfg.State); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info, err)
	}
}

// TestSupervisorDies: a worker whose supervisor is gone ends as if it had been told to.
func TestSupervisorDies(t *testing.T) {
	s := run(t, user(t))
	c := s.hand()
	if err := s.conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.bye()
	s.wait()
}

func TestTellsIdle(t *testing.T) {
	cfg := user(t)
	cfg.IdleExit = 50 * time.Millisecond
	s := run(t, cfg)
	s.hand().do("OK", "LOGOUT")
	m, err := s.conn.Receive()
	if err != nil || m.Kind != privsep.Idle || m.Count != 1 {
		t.Errorf("received %+v, %v", m, err)
	}
}

// TestOneSeat: of two processes of a user one is the worker, and the other's sessions are its.
func TestOneSeat(t *testing.T) {
	cfg := user(t)
	first, second := run(t, cfg), run(t, cfg)
	a := first.hand()
	a.do("OK", "SELECT INBOX")
	b := second.hand()
	b.do("OK", "SELECT INBOX")
	if err := second.conn.Close(); err != nil { // it had no session of its own
		t.Fatal(err)
	}
	second.wait()
	a.do("OK", `STORE 1 +FLAGS.SILENT (\Flagged)`)
	want(t, b.do("OK", "NOOP"), `\Flagged`)
	if err := first.conn.Close(); err != nil {
		t.Fatal(err)
	}
	b.bye()
	first.wait()
	third := run(t, cfg) // the seat is free again
	third.hand().do("OK", "LOGOUT")
}

// A worker that has offered to leave takes no connection of another process: Stop, which the supervisor sent without
// knowing of that connection, would cut off the session in the middle.
func TestNobodyEntersALeavingWorker(t *testing.T) {
	for name, leave := range map[string]func(*supervised){
		"idle": func(s *supervised) { s.hand().do("OK", "LOGOUT") },
		"replayed": func(s *supervised) {
			if err := s.conn.Send(privsep.Message{Kind: privsep.Replay}, nil); err != nil {
				s.t.Fatal(err)
			}
			s.receive(privsep.Replayed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := user(t)
			cfg.IdleExit = 40 * time.Millisecond
			s := run(t, cfg)
			leave(s)
			s.receive(privsep.Idle)
			next := run(t, cfg) // a supervisor that has sent Stop starts the next worker, and hands it this
			nc, far := socketpair(t)
			if err := next.conn.Send(privsep.Message{Kind: privsep.Hand, Login: &privsep.Login{Tag: "a", Remote: "test"}}, far); err != nil {
				t.Fatal(err)
			}
			if err := far.Close(); err != nil {
				t.Fatal(err)
			}
			if err := nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("served by a worker that leaves: %d, %v", n, err)
			}
			if err := s.conn.Send(privsep.Message{Kind: privsep.Stop}, nil); err != nil {
				t.Fatal(err)
			}
			s.wait()
			c := newClient(t, nc, "a")
			c.line("a OK ")
			c.do("OK", "SELECT INBOX")
			c.do("OK", "LOGOUT")
		})
	}
}

// receive takes the worker's next message of a kind; one that comes before it fails the test.
func (s *supervised) receive(k privsep.Kind) {
	s.t.Helper()
	if m, err := s.conn.Receive(); err != nil || m.Kind != k || m.Error != "" {
		s.t.Fatalf("message of the worker: %+v, %v, want %s", m, err, k)
	}
}

func TestStdio(t *testing.T) {
	cfg := user(t)
	stdio := func() (*client, chan error) {
		nc, far := socketpair(t)
		done := make(chan error, 1)
		go func() { done <- Stdio(context.Background(), cfg, far, testLog(t)) }()
		c := newClient(t, nc, "")
		c.line("* PREAUTH [CAPABILITY ")
		return c, done
	}
	end := func(done chan error) {
		t.Helper()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("stdio does not end")
		}
	}
	a, aDone := stdio() // becomes the worker
	b, bDone := stdio()
	end(bDone) // its session is a's business now
	a.do("OK", "LOGOUT")
	b.do("OK", "SELECT INBOX") // a's process stays for it
	select {
	case err := <-aDone:
		t.Fatalf("ended with a session left: %v", err)
	default:
	}
	b.do("OK", "LOGOUT")
	end(aDone)
}

func TestStdioInterrupted(t *testing.T) {
	nc, far := socketpair(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	cfg, log := user(t), testLog(t)
	go func() { done <- Stdio(ctx, cfg, far, log) }()
	c := newClient(t, nc, "")
	c.line("* PREAUTH ")
	cancel()
	c.bye()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNoState: mail is served without a state directory, and there is a warning.
func TestNoState(t *testing.T) {
	for name, prepare := range map[string]func(*Config) error{
		"none":            func(c *Config) error { c.State = ""; return nil },
		"a file":          func(c *Config) error { return os.WriteFile(c.State, nil, 0o600) },
		"anybody's":       func(c *Config) error { return errors.Join(os.Mkdir(c.State, 0o700), os.Chmod(c.State, 0o777)) },
		"a symbolic link": func(c *Config) error { return os.Symlink(c.Home, c.State) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := user(t)
			if err := prepare(&cfg); err != nil {
				t.Fatal(err)
			}
			b := &buffer{}
			r := newRunner(cfg.withDefaults(), logTo(b))
			w, err := r.become()
			if err != nil {
				t.Fatal(err)
			}
			c := preauth(t, w)
			want(t, c.do("OK", "SELECT INBOX"), "* 2 EXISTS")
			want(t, c.do("OK", "FETCH 1 (BODY[TEXT])"), "Hello")
			c.do("OK", "LOGOUT")
			if err := r.stop(nil); err != nil {
				t.Error(err)
			}
			want(t, b.String(), "No state directory")
		})
	}
}

func TestSeat(t *testing.T) {
	// A path longer than sun_path.
	dir := filepath.Join(t.TempDir(), "a-rather-long-name-for-a-directory", "and-another-one-below-it-to-be-sure", "of-more-than-108")
	s, err := takeSeat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeSeat(dir); !errors.Is(err, errTaken) {
		t.Errorf("second: %v", err)
	}
	for _, name := range []string{lockName, socketName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	// What a killed worker leaves: a socket that nobody listens on.
	if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = takeSeat(dir)
	if err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := call(dir); err == nil {
		t.Error("called a worker that is gone")
	}
}

// TestPeerNonsense: who knocks at the socket and says something else than Hand is sent away.
func TestPeerNonsense(t *testing.T) {
	cfg := user(t)
	s := run(t, cfg)
	c := s.hand()
	peer, err := call(cfg.State)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Send(privsep.Message{Kind: privsep.Stop}, nil); err != nil {
		t.Fatal(err)
	}
	if m, err := peer.Receive(); err == nil {
		t.Errorf("answered %+v", m)
	}
	c.do("OK", "NOOP")
}
