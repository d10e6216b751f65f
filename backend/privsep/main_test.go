package privsep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be executed again as a worker, the way the program is.
func TestMain(m *testing.M) {
	if Role() != "" {
		if err := probe(); err != nil {
			fmt.Fprintln(os.Stderr, "probe:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	if os.Getenv(launchVar) != "" {
		fmt.Fprintln(os.Stderr, "launch:", launchAndWait())
		os.Exit(3)
	}
	goleak.VerifyTestMain(m)
}

// orders is the configuration of a probe worker.
type orders struct {
	Read   string // a file that it tries to read
	Ignore bool   // it ignores Stop and SIGTERM
	Deaf   bool   // it tells its process id as an idle count and then waits
	Lock   bool   // it takes the lock of its inbox first
	Replay string // what it does when it is told to replay: "done", "failed", "hang", "die"
	Report string // a file for what the lock was like then
}

// findings is what a probe worker says on a connection that it is handed.
type findings struct {
	UID, GID, EUID, EGID int
	Groups               []int
	Env                  []string
	Dir                  string
	Leader               bool // of its session
	Descriptors          []string
	ReadError            string
	LockError            string
	Login                Login
}

// probe is a worker that looks at itself.
func probe() error {
	client, err := Enter()
	if err != nil {
		return err
	}
	var o orders
	if err := client.Setup(&o); err != nil {
		return err
	}
	if o.Deaf {
		err := client.Idle(uint64(os.Getpid()))
		time.Sleep(time.Minute)
		return err
	}
	if o.Ignore {
		signal.Ignore(syscall.SIGTERM)
	}
	return runProbe(client, o)
}

func runProbe(client *Client, o orders) error {
	messages := make(chan Message, 16) // so that Next goes on while an answer is waited for
	go func() {
		defer close(messages)
		for {
			m, err := client.Next()
			if err != nil {
				return
			}
			messages <- m
		}
	}()
	locked := ""
	if o.Lock {
		locked = encodeError(client.Lock(context.Background()))
	}
	for m := range messages {
		switch {
		case m.Kind == Hand:
			if err := answer(m, look(o, locked, *m.Login)); err != nil {
				return err
			}
		case m.Kind == Replay && o.Replay != "":
			if err := replays(client, o, locked); err != nil {
				return err
			}
		case !o.Ignore:
			return nil
		}
	}
	if o.Ignore {
		time.Sleep(time.Minute)
	}
	return nil
}

func replays(client *Client, o orders, locked string) error {
	if o.Report != "" {
		if err := os.WriteFile(o.Report, []byte("lock:"+locked), 0o600); err != nil {
			return err
		}
	}
	switch o.Replay {
	case "done":
		return errors.Join(client.Replayed(nil), client.Idle(0))
	case "failed":
		return client.Replayed(errors.New("journal damaged"))
	case "hang":
		return nil
	}
	return errors.New("died over it")
}

func look(o orders, locked string, l Login) findings {
	f := findings{
		UID: os.Getuid(), GID: os.Getgid(), EUID: os.Geteuid(), EGID: os.Getegid(),
		Env: os.Environ(), LockError: locked, Login: l,
	}
	f.Groups, _ = syscall.Getgroups()
	f.Dir, _ = os.Getwd()
	sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	f.Leader = int(sid) == os.Getpid()
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			f.Descriptors = append(f.Descriptors, to)
		}
	}
	if o.Read != "" {
		_, err := os.ReadFile(o.Read)
		f.ReadError = encodeError(err)
	}
	return f
}

func answer(m Message, f findings) error {
	nc, err := net.FileConn(m.File)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(nc).Encode(f), nc.Close(), m.File.Close())
}

// client makes a connection: its near end, and the far end as a supervisor would hand it over.
func clientConn(t testing.TB) (near net.Conn, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); nc.Close() })
	if err := near.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return near, nc.(*net.TCPConn)
}

// handTo hands a new connection to id's worker and returns what that says on it.
func handTo(t testing.TB, s *Supervisor, id Identity) findings {
	t.Helper()
	near, far := clientConn(t)
	if err := s.Hand(id, Login{Tag: "a1", Remote: "[192.0.2.1]", Unread: []byte("a2 NOOP\r\n")}, far); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	var f findings
	if err := json.NewDecoder(near).Decode(&f); err != nil {
		t.Fatalf("worker's answer: %v", err)
	}
	return f
}

// ended waits for a worker's end in the table.
func ended(t testing.TB, s *Supervisor) {
	t.Helper()
	for range 1000 {
		if len(s.running()) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("worker did not end")
}

func stopNow(t testing.TB, s *Supervisor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.Stop(ctx)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func noKeeper(Identity) *Keeper { return nil }
