package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleVariable makes the test binary a second process that plays a foreign program.
const roleVariable = "SPOOL_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// play is the second process. What it prints is its answer.
func play(role string, args []string) int {
	var err error
	switch role {
	case "hold":
		err = playHolder(args[0], args[1], args[2])
	case "own":
		err = playOwn(args[0], args[1])
	case "count":
		err = playCounter(args[0], args[1], args[2])
	default:
		err = errors.New("unknown role " + role)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// playHolder locks as other programs do, not with our own code, and holds the
// lock until its standard input ends.
func playHolder(method, mode, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	switch Method(method) {
	case Fcntl: // a classic POSIX lock
		typ := int16(unix.F_WRLCK)
		if mode == "shared" {
			typ = unix.F_RDLCK
		}
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: typ})
	case Flock:
		how := unix.LOCK_EX
		if mode == "shared" {
			how = unix.LOCK_SH
		}
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	case Dotlock:
		var lock *os.File
		if lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			defer os.Remove(path + ".lock")
			err = lock.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("busy: %w", err)
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// playCounter adds one to the number in a mailbox, under our locks, many times.
func playCounter(method, times, path string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	b := NewBox(path, uint32(os.Getuid()), LockPolicy{Methods: methodList(method), Timeout: time.Minute, Stale: time.Hour})
	for range n {
		if err := countUp(b); err != nil {
			return err
		}
	}
	return nil
}

func methodList(s string) []Method {
	var ms []Method
	for m := range strings.SplitSeq(s, "+") {
		ms = append(ms, Method(m))
	}
	return ms
}

// second starts the second process, which is gone at the end of the test.
func second(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], args...)}
	// The race detector sleeps a second at the end of each process otherwise.
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0")
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = os.Stderr
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(); _ = p.end() })
	return p
}

type process struct {
	cmd   *exec.Cmd
	in    io.Closer
	out   *bufio.Reader
	ended bool
}

// says returns the next line of its answer.
func (p *process) says() string {
	line, _ := p.out.ReadString('\n') // at the end: ""
	return strings.TrimSuffix(line, "\n")
}

// end lets it finish and waits for that.
func (p *process) end() error {
	if p.ended {
		return nil
	}
	p.ended = true
	_ = p.in.Close()
	rest, _ := io.ReadAll(p.out)
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, rest)
	}
	return nil
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// holder returns a process that holds a lock.
func holder(t testing.TB, m Method, mode, path string) *process {
	t.Helper()
	p := second(t, "hold", string(m), mode, path)
	if got := p.says(); got != "held" {
		t.Fatalf("second process: %s", got)
	}
	return p
}

// canLock says whether another process could take the lock at this moment.
func canLock(t testing.TB, m Method, mode, path string) bool {
	t.Helper()
	p := second(t, "hold", string(m), mode, path)
	got := p.says()
	if err := p.end(); err != nil && got == "held" {
		t.Fatal(err)
	}
	return got == "held"
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	ok(t, os.WriteFile(path, []byte(content), 0o600))
}

var quiet = slog.New(slog.DiscardHandler)

// newBox makes a mailbox in a private directory.
func newBox(t testing.TB, p LockPolicy) *Box {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "From a\n\ntext\n")
	if p.Log == nil {
		p.Log = quiet
	}
	return NewBox(path, uint32(os.Getuid()), p)
}

func openBox(t testing.TB, b *Box) File {
	t.Helper()
	f := must[File](t)(b.Open(true))
	t.Cleanup(func() { _ = f.Close() }) // some tests close it themselves
	return f
}

// asNobody runs the calling test again in a process without root's rights; it
// says whether this is that process, or one that had no such rights anyway.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	asNobodyWith(t)
	return false
}

// asNobodyWith is root's part of asNobody.
func asNobodyWith(t *testing.T, env ...string) {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.Chmod(filepath.Dir(dir), 0o755))
	binary := filepath.Join(dir, "spool.test")
	program := must[[]byte](t)(os.ReadFile("/proc/self/exe"))
	ok(t, os.WriteFile(binary, program, 0o755))
	tmp := filepath.Join(dir, "tmp")
	ok(t, os.Mkdir(tmp, 0o755))
	ok(t, os.Chown(tmp, nobody, nobody))
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(env, "TMPDIR="+tmp, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}

const nobody = 65534

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to make files of other users")
	}
}
