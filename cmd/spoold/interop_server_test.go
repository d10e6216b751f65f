package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoold/backend/wire/strict"
)

// secret is every test user's password and hash what passwd-file holds for it.
const (
	secret = "secret"
	hash   = "$6$rounds=1000$interop$pKWwW2at2QcnUl0eXnbbLEFCNIKqf3h16127FWmRCPaln0m4z8w5YcQ70Y9fciuv73kmy4upaA0NxNdFNq3bo."
)

// host is one machine in small: a spool, homes, a configuration and, once started, a server.
type host struct {
	t      testing.TB
	owner  person
	dir    string
	mail   string // where spool and homes are
	states string // where the users' state directories are
	port   int
	limit  string // of a file's size, as ulimit -f takes it; empty: none
	debug  bool   // the server logs more
	server *exec.Cmd
	ended  chan error // what Wait said of server
	log    *safeBuffer
}

// safeBuffer takes what a program logs while the test may look at it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newHost makes the folders and the configuration for these users. All of them own
// their mail as mailOwner, so that peers can be run on the same files.
func newHost(t testing.TB, users ...string) *host {
	t.Helper()
	dir := folder(t)
	return newHostOn(t, dir, dir, dir, users...)
}

// newHostOn is newHost with the mail and the state directories where they are wanted.
func newHostOn(t testing.TB, dir, mail, states string, users ...string) *host {
	t.Helper()
	h := &host{t: t, owner: mailOwner(), dir: dir, mail: mail, states: filepath.Join(states, "state"), log: &safeBuffer{}}
	for _, dir := range []string{filepath.Join(h.mail, "spool"), filepath.Join(h.mail, "home"), h.states} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(h.mail, "spool"), os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	var passwd strings.Builder
	for _, u := range users {
		fmt.Fprintf(&passwd, "%s:%s:%d:%d::%s:\n", u, hash, h.owner.uid, h.owner.gid, h.home(u))
		for _, dir := range []string{h.home(u), filepath.Join(h.home(u), "mail")} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			h.owner.own(t, dir)
		}
	}
	t.Cleanup(func() {
		h.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("spoold: %s", h.log)
		}
	})
	h.port = freePort(t)
	h.write("passwd", passwd.String())
	h.write("spoold.toml", fmt.Sprintf(`
[[listen]]
address = "127.0.0.1:%[2]d"
tls = "none"

[mail]
inbox = "%[3]s/spool/%%u"
root = "%%h/mail"
state = "%[4]s/%%u"

[auth]
sources = ["passwd-file:%[1]s/passwd"]
`, h.dir, h.port, h.mail, h.states))
	return h
}

func (h *host) write(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) home(user string) string { return filepath.Join(h.mail, "home", user) }

// file is where a user's mailbox is.
func (h *host) file(user, mailbox string) string {
	if mailbox == "INBOX" {
		return filepath.Join(h.mail, "spool", user)
	}
	return filepath.Join(h.home(user), "mail", mailbox)
}

// put gives a user a mailbox with that content.
func (h *host) put(user, mailbox string, content []byte) {
	h.t.Helper()
	writeFile(h.t, h.owner, h.file(user, mailbox), content)
}

// freePort finds a port that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// program builds spoold once for all tests of this run. A shell waits for the end of
// the run on a pipe to remove it: a test binary has no other moment after all tests.
var program = sync.OnceValues(func() (built, error) {
	dir, err := os.MkdirTemp("", "spoold-bin-")
	if err != nil {
		return built{}, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return built{}, err
	}
	reaper := exec.Command("sh", "-c", `read end; rm -rf "$1"`, "sh", dir)
	alive, err := reaper.StdinPipe()
	if err != nil {
		return built{}, err
	}
	if err := reaper.Start(); err != nil {
		return built{}, err
	}
	b := built{path: filepath.Join(dir, "spoold"), alive: alive}
	build := exec.Command("go", "build", "-o", b.path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return b, nil
})

// built is the program; it is removed when alive is closed, at the latest by the end of
// this process.
type built struct {
	path  string
	alive io.Closer
}

func spooldProgram(t testing.TB) string {
	t.Helper()
	b, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return b.path
}

// serve starts `spoold serve` and waits until it accepts connections.
func (h *host) serve() {
	h.t.Helper()
	command := []string{spooldProgram(h.t), "serve", "--config", filepath.Join(h.dir, "spoold.toml")}
	if h.debug {
		command = append(command, "--debug")
	}
	if h.limit != "" {
		command = append([]string{"sh", "-c", `ulimit -f "$1" && shift && exec "$@"`, "sh", h.limit}, command...)
	}
	h.server = exec.Command(command[0], command[1:]...)
	h.server.Env = append(os.Environ(), "TZ=UTC")
	h.server.Stdout, h.server.Stderr = h.log, h.log
	if err := h.server.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- cmd.Wait() }(h.server, h.ended)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", h.address())
		if err == nil {
			_ = c.Close() // only looked whether it answers
			return
		}
		select {
		case err := <-h.ended:
			h.server = nil
			h.t.Fatalf("spoold ended at once: %v", err)
		default:
		}
		if time.Now().After(end) {
			h.t.Fatalf("spoold does not accept connections: %v", err)
		}
	}
}

func (h *host) address() string { return fmt.Sprintf("127.0.0.1:%d", h.port) }

// stop ends the server with a signal and waits for it.
func (h *host) stop(sig os.Signal) {
	h.t.Helper()
	if h.server == nil {
		return
	}
	cmd := h.server
	h.server = nil
	if err := cmd.Process.Signal(sig); err != nil {
		h.t.Errorf("spoold ended before it was told to: %v", err)
	}
	select {
	case err := <-h.ended:
		if sig == syscall.SIGTERM && err != nil {
			h.t.Errorf("spoold after SIGTERM: %v", err)
		}
	case <-time.After(30 * time.Second):
		h.t.Errorf("spoold goes on after %v", sig)
		_ = cmd.Process.Kill() // it may be gone by now
		<-h.ended
	}
}

// kill ends the server and all its workers at once, as a crash does, and returns when all of them are gone.
func (h *host) kill() {
	h.t.Helper()
	cmd := h.server
	h.server = nil
	// Its end would be a SIGTERM for the workers, and they would end in good order. So they go first.
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		h.t.Fatal(err)
	}
	h.killWorkers(cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	<-h.ended
}

// killWorkers ends the workers of a server, and returns when they are gone: no system call of theirs goes on.
func (h *host) killWorkers(server int) {
	h.t.Helper()
	for _, pid := range h.workers(server) {
		if err := killAndWait(pid); err != nil {
			h.t.Fatalf("kill worker %d: %v", pid, err)
		}
	}
}

// workers are the processes of a server's workers.
func (h *host) workers(server int) (pids []int) {
	h.t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", server))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, list := range lists {
		for field := range strings.FieldsSeq(string(readFile(h.t, list))) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				h.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// killAndWait kills a process that is not our child.
func killAndWait(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil // it ended by itself
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(deadline/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errors.New("it goes on")
		default:
			return nil
		}
	}
}

// login is a new session of user.
func (h *host) login(user string) *client {
	h.t.Helper()
	c := h.connect()
	c.ok("LOGIN %s %s", user, secret)
	return c
}

// tryLogin sends a login and a SELECT and does not care what becomes of it.
func (h *host) tryLogin(user string) error {
	conn, err := net.Dial("tcp", h.address())
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(conn, "a LOGIN %s %s\r\nb SELECT INBOX\r\n", user, secret); err == nil {
		_, err = io.Copy(io.Discard, conn) // until the server dies
	}
	return errors.Join(err, conn.Close())
}

func (h *host) connect() *client {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address())
	if err != nil {
		h.t.Fatal(err)
	}
	r, w := strict.Pipes(patientConn(conn), conn, violation(h.t))
	c := newClient(h.t, r, w, func() { _ = conn.Close() /* nothing is written after this */ })
	h.t.Cleanup(c.close)
	return c
}

// spooldWarnings are the lines of the server's log at level WARN or ERROR.
func (h *host) spooldWarnings() string {
	var out strings.Builder
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, "WARN") || strings.Contains(line, "ERROR") {
			out.WriteString(line)
		}
	}
	return out.String()
}
