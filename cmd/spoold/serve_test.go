package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spoold/backend/auth"
	"spoold/backend/wire/strict"
)

// served is a server that runs in this process, with its workers as processes when we are root.
type served struct {
	t    testing.TB
	dir  string
	addr string
	stop context.CancelFunc
	done chan int
	log  output
}

// output takes what several goroutines write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// newServed makes a host with a spool directory as Debian has it and the users alice and bob. Root
// gives them uids 4101 and 4102; otherwise they are both who we are.
func newServed(t testing.TB) *served {
	t.Helper()
	s := &served{t: t, dir: t.TempDir(), done: make(chan int, 1)}
	root := os.Getuid() == 0
	s.check(os.Chmod(s.dir, 0o755), os.Chmod(filepath.Dir(s.dir), 0o755), os.Mkdir(s.path("spool"), 0o755))
	if root {
		s.check(os.Chown(s.path("spool"), 0, 8), os.Chmod(s.path("spool"), os.ModeSetgid|0o775))
	}
	hash, err := auth.Hash("secret", auth.SHA512, 1000)
	s.check(err)
	var passwd strings.Builder
	fmt.Fprintf(&passwd, "root:%s:0:0::/root:\n", hash)
	for i, user := range []string{"alice", "bob"} {
		uid, gid := os.Getuid(), os.Getgid()
		if root {
			uid, gid = 4101+i, 4101+i
		}
		home := s.path("home", user)
		s.check(os.MkdirAll(filepath.Join(home, "mail"), 0o700), os.Chown(home, uid, gid), os.Chown(filepath.Join(home, "mail"), uid, gid))
		fmt.Fprintf(&passwd, "%s:%s:%d:%d::%s:\n", user, hash, uid, gid, home)
	}
	s.check(os.Chmod(s.path("home"), 0o755), os.WriteFile(s.path("passwd"), []byte(passwd.String()), 0o600))
	s.check(os.WriteFile(s.path("spool", "alice"), []byte("From bob Mon Nov  2 08:14:06 2026\nSubject: hello\n\nHello\n"), 0o600))
	if root {
		s.check(os.Chown(s.path("spool", "alice"), 4101, 8))
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.addr = ln.Addr().String()
	s.check(ln.Close(), os.WriteFile(s.path("spoold.toml"), fmt.Appendf(nil, `
listen = [{address = %[1]q}]
mail = {inbox = "%[2]s/spool/%%u", root = "%%h/mail", state = "%[2]s/state/%%u"}
auth = {sources = ["passwd-file:%[2]s/passwd"]}
`, s.addr, s.dir), 0o600))
	return s
}

func (s *served) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *served) check(errs ...error) {
	s.t.Helper()
	if err := errors.Join(errs...); err != nil {
		s.t.Fatal(err)
	}
}

// start runs the server until stop.
func (s *served) start() {
	s.t.Helper()
	old := syscall.Umask(0o022)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		s.done <- run(ctx, []string{"serve", "--config", s.path("spoold.toml")}, stdio{os.Stdin, &s.log, &s.log})
	}()
	s.t.Cleanup(func() {
		s.end()
		syscall.Umask(old)
		if s.t.Failed() {
			s.t.Log(s.log.String())
		}
	})
	for range 500 {
		if strings.Contains(s.log.String(), " Ready ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("server is not ready")
}

func (s *served) end() {
	s.t.Helper()
	s.stop()
	select {
	case status := <-s.done:
		if status != 0 {
			s.t.Errorf("exit status %d", status)
		}
		s.done <- status
	case <-time.After(60 * time.Second):
		s.t.Fatal("server does not end")
	}
}

// dialogue is a client connection.
type dialogue struct {
	s  *served
	nc net.Conn
	r  *bufio.Reader
}

func (s *served) connect() *dialogue {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	s.check(err)
	s.t.Cleanup(func() { nc.Close() })
	s.check(nc.SetDeadline(time.Now().Add(30 * time.Second)))
	judged := strict.Watch(nc, func(err error) { s.t.Errorf("violation of the grammar: %v", err) })
	return &dialogue{s, judged, bufio.NewReader(judged)}
}

func (s *served) login(user string) *dialogue {
	s.t.Helper()
	d := s.connect()
	d.until("* OK ")
	d.do("OK", "LOGIN "+user+" secret")
	return d
}

// until reads lines up to one with that prefix.
func (d *dialogue) until(prefix string) string {
	d.s.t.Helper()
	var all strings.Builder
	for {
		l, err := d.r.ReadString('\n')
		all.WriteString(l)
		if err != nil {
			d.s.t.Fatalf("%q expected: %v after %q", prefix, err, all.String())
		}
		if strings.HasPrefix(l, prefix) {
			return all.String()
		}
	}
}

func (d *dialogue) do(typ, command string) string {
	d.s.t.Helper()
	_, err := d.nc.Write([]byte("a " + command + "\r\n"))
	d.s.check(err)
	got := d.until("a ")
	if !strings.Contains(got, "a "+typ) {
		d.s.t.Fatalf("%s: %s", command, got)
	}
	return got
}

func TestServeStops(t *testing.T) {
	if os.Getuid() != 0 {
		syscall.Umask(syscall.Umask(0o077)) // serve sets it for good
	}
	s := newServed(t)
	s.start()
	d := s.login("alice")
	d.do("OK", "SELECT INBOX")
	d.do("OK", `STORE 1 +FLAGS.SILENT (\Flagged)`)
	s.stop()
	d.until("* BYE Server shutting down")
	s.end()
	text, err := os.ReadFile(s.path("spool", "alice"))
	s.check(err)
	if !bytes.Contains(text, []byte("X-Status: F")) {
		t.Errorf("the flag is not in the file:\n%s", text)
	}
}

// worker finds the process that serves a user.
func (s *served) worker(user string) (pid int, status string) {
	s.t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	s.check(err)
	for _, p := range procs {
		// Processes may end while we look.
		if cmd, err := os.ReadFile(p); err != nil || string(cmd) != "spoold-worker\x00"+user+"\x00" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(p), "status"))
		s.check(err)
		if !strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		_, err = fmt.Sscanf(p, "/proc/%d/", &pid)
		s.check(err)
		return pid, string(text)
	}
	s.t.Fatalf("no worker of %s", user)
	return 0, ""
}

func TestWorkersOfRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: workers are started as other users")
	}
	s := newServed(t)
	s.start()
	alice, bob := s.login("alice"), s.login("bob")
	for user, uid := range map[string]int{"alice": 4101, "bob": 4102} {
		_, status := s.worker(user)
		for _, field := range []string{"Uid", "Gid"} {
			want := fmt.Sprintf("\n%s:\t%[2]d\t%[2]d\t%[2]d\t%[2]d\n", field, uid)
			if !strings.Contains(status, want) {
				t.Errorf("worker of %s has not %q", user, want)
			}
		}
		if !strings.Contains(status, "\nUmask:\t0077\n") || !strings.Contains(status, "\nGroups:\t \n") {
			t.Errorf("worker of %s has another umask or groups:\n%s", user, status)
		}
	}
	alice.do("OK", "SELECT INBOX")
	alice.do("OK", `STORE 1 +FLAGS (\Flagged)`)
	alice.do("OK", "CHECK")
	if got := bob.do("OK", "STATUS INBOX (MESSAGES)"); !strings.Contains(got, "(MESSAGES 0)") {
		t.Errorf("bob has mail: %s", got)
	}
	bob.do("OK", "APPEND INBOX {5+}\r\nHello")
	info, err := os.Stat(s.path("spool", "bob"))
	s.check(err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 4102 || st.Gid != 8 || info.Mode().Perm() != 0o660 {
		t.Errorf("bob's new inbox is %d:%d %v", st.Uid, st.Gid, info.Mode())
	}
	if _, err := os.Stat(s.path("spool", "alice.lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock left: %v", err)
	}
	if strings.Contains(s.log.String(), "without lock file") {
		t.Error("the supervisor made no lock")
	}
}

// TestWorkerKilled: a worker that dies takes its sessions along, and the next login has a new one.
func TestWorkerKilled(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: workers are started as other users")
	}
	s := newServed(t)
	s.start()
	alice, bob := s.login("alice"), s.login("bob")
	alice.do("OK", "SELECT INBOX")
	pid, _ := s.worker("alice")
	s.check(syscall.Kill(pid, syscall.SIGKILL))
	if l, err := alice.r.ReadString('\n'); err == nil {
		t.Errorf("session goes on: %q", l)
	}
	s.login("alice").do("OK", "SELECT INBOX")
	bob.do("OK", "NOOP")
	if now, _ := s.worker("alice"); now == pid {
		t.Error("the same worker")
	}
}

func TestRootMayNotLogIn(t *testing.T) {
	s := newServed(t)
	s.start()
	d := s.connect()
	d.do("NO [AUTHENTICATIONFAILED]", "LOGIN root secret")
}
