package privsep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: workers are started as other users")
	}
}

// open makes a directory that everybody can reach.
func openDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rooted is a Supervisor with real processes.
func rooted(t testing.TB, o orders, keeper func(Identity) *Keeper) *Supervisor {
	t.Helper()
	e := NewExec()
	s := NewSupervisor(Options{
		Launcher: e, Keeper: keeper, Log: quiet(),
		Setup: func(Identity) (any, error) { return o, nil },
	})
	t.Cleanup(func() { stopNow(t, s); e.Close() })
	return s
}

func TestWorkerRights(t *testing.T) {
	needRoot(t)
	t.Setenv("SECRET", "of root")
	t.Setenv("TZ", "Europe/Berlin")
	theirs := filepath.Join(openDir(t), "bob")
	if err := errors.Join(os.WriteFile(theirs, []byte("mail"), 0o600), os.Chown(theirs, 4002, 4002)); err != nil {
		t.Fatal(err)
	}
	f := handTo(t, rooted(t, orders{Read: theirs}, noKeeper), alice)
	want := findings{
		UID: 4001, GID: 4001, EUID: 4001, EGID: 4001, Groups: []int{4008}, Dir: "/", Leader: true,
		Env:       []string{"PATH=/usr/bin:/bin", "HOME=/", "USER=alice", "LOGNAME=alice", "TZ=Europe/Berlin"},
		ReadError: permissionName,
		Login:     Login{Tag: "a1", Remote: "[192.0.2.1]", Unread: []byte("a2 NOOP\r\n")},
	}
	open := f.Descriptors
	f.Descriptors = nil
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("worker (-want +got):\n%s", diff)
	}
	for _, d := range open {
		// The Go runtime opens its own files of /proc and /sys.
		ours := strings.HasPrefix(d, "/proc/") || strings.HasPrefix(d, "/sys/") || d == os.DevNull || d == stderrName(t)
		if strings.HasPrefix(d, "/") && !ours {
			t.Errorf("worker inherited %s", d)
		}
	}
}

func stderrName(t testing.TB) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/fd/2")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestWorkersDieWithSupervisor kills a process that has started a worker.
func TestWorkersDieWithSupervisor(t *testing.T) {
	needRoot(t)
	supervisor := exec.Command("/proc/self/exe")
	supervisor.Env = append(os.Environ(), launchVar+"=1")
	supervisor.Stderr = os.Stderr
	out, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		t.Errorf("worker does not run: %v", err)
	}
	if err := supervisor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = supervisor.Wait() // killed, as it says
	for range 500 {
		if state(pid) == "" || state(pid) == "Z" {
			return // gone, or waiting for an init that collects it
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("worker outlives the supervisor in state %s", state(pid))
}

// state is a process's state as ps(1) has it; "" when it is gone.
func state(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return after[:1]
}

// launchVar makes the test binary a process that starts a worker and then waits.
const launchVar = "SPOOLD_TEST_LAUNCH"

// launchAndWait is that process. Its worker does not look at the connection, so it ends by the signal only.
func launchAndWait() error {
	p, err := NewExec().Launch(alice)
	if err != nil {
		return err
	}
	if err := p.Conn.Send(Message{Kind: Setup, Body: []byte(`{"Deaf":true}`)}, nil); err != nil {
		return err
	}
	if m, err := p.Conn.Receive(); err != nil || m.Kind != Idle {
		return fmt.Errorf("worker said %+v, %w", m, err)
	} else if _, err := fmt.Println(m.Count); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return errors.New("was not killed")
}

func TestStopKillsProcess(t *testing.T) {
	needRoot(t)
	s := rooted(t, orders{Ignore: true}, noKeeper)
	handTo(t, s, alice)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s.Stop(ctx)
	if n := len(s.running()); n != 0 {
		t.Errorf("%d workers left", n)
	}
}

// spool makes Debian's spool directory: of root, setgid, for a group that the user is not in.
func spoolDir(t testing.TB) string {
	t.Helper()
	needRoot(t)
	dir := filepath.Join(openDir(t), "mail")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, 0, 8), os.Chmod(dir, os.ModeSetgid|0o775)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestKeeperForWorker(t *testing.T) {
	dir := spoolDir(t)
	keeper := func(id Identity) *Keeper { return NewKeeper(dir, id.Name, id) }
	s := rooted(t, orders{Lock: true}, keeper)
	if f := handTo(t, s, alice); f.LockError != "" {
		t.Fatalf("lock: %s", f.LockError)
	}
	lock := filepath.Join(dir, "alice.lock")
	if _, err := os.Lstat(lock); err != nil {
		t.Error(err)
	}
	stopNow(t, s) // the worker ends with its lock held
	if _, err := os.Lstat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock of an ended worker: %v", err)
	}
}

func TestKeeperLock(t *testing.T) {
	dir := spoolDir(t)
	lock := filepath.Join(dir, "alice.lock")
	k, other := NewKeeper(dir, "alice", alice), NewKeeper(dir, "alice", alice)
	if err := k.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := other.Lock(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second lock: %v", err)
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(lock); err != nil {
		t.Errorf("a lock was removed by who had not made it: %v", err)
	}
	// Somebody takes it for stale and puts his own there.
	if err := errors.Join(os.Rename(lock, lock+"2"), os.WriteFile(lock, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := k.Unlock(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(lock); err != nil {
		t.Errorf("another's lock was removed: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Lock(), k.Unlock(), k.Unlock()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock not removed: %v", err)
	}
}

// A supervisor that was killed leaves its lock behind; nobody else may remove it there.
func TestKeeperRemovesAStaleLock(t *testing.T) {
	dir := spoolDir(t)
	dead, k := NewKeeper(dir, "alice", alice), NewKeeper(dir, "alice", alice)
	if err := dead.Lock(); err != nil {
		t.Fatal(err)
	}
	k.Stale = time.Hour
	if err := k.Lock(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a young lock: %v", err)
	}
	k.Stale = time.Millisecond
	time.Sleep(5 * time.Millisecond)
	if err := k.Lock(); err != nil {
		t.Errorf("a stale lock: %v", err)
	}
}

func TestKeeperRefuses(t *testing.T) {
	dir := spoolDir(t)
	victim := filepath.Join(openDir(t), "victim")
	users := filepath.Join(openDir(t), "users")
	if err := errors.Join(os.Mkdir(users, 0o777), os.Chown(users, 4001, 4001)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link.lock", "link"} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, dir, inbox string
		want             error
	}{
		{"symbolic link in the way", dir, "link", fs.ErrExist},
		{"directory of a user", users, "alice", fs.ErrPermission},
		{"path as name", dir, "../mail/alice", fs.ErrPermission},
		{"dot dot", dir, "..", fs.ErrPermission},
		{"no name", dir, "", fs.ErrPermission},
		{"missing directory", dir + "/none", "alice", fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := NewKeeper(tt.dir, tt.inbox, alice)
			if err := k.Lock(); !errors.Is(err, tt.want) {
				t.Errorf("Lock: %v", err)
			}
			if err := k.Create(); !errors.Is(err, tt.want) {
				t.Errorf("Create: %v", err)
			}
		})
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made behind a symbolic link: %v", err)
	}
}

func TestKeeperCreate(t *testing.T) {
	dir := spoolDir(t)
	plain := openDir(t)
	for _, tt := range []struct {
		name, dir string
		want      string
	}{
		{"setgid directory", dir, "4001:8 -rw-rw----"},
		{"plain directory", plain, "4001:4001 -rw-------"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := NewKeeper(tt.dir, "alice", alice)
			if err := k.Create(); err != nil {
				t.Fatal(err)
			}
			if got := owned(t, filepath.Join(tt.dir, "alice")); got != tt.want {
				t.Errorf("inbox is %s, want %s", got, tt.want)
			}
			if err := k.Create(); !errors.Is(err, fs.ErrExist) {
				t.Errorf("second time: %v", err)
			}
		})
	}
}

func owned(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %s", st.Uid, st.Gid, info.Mode())
}

func TestMakeStateDir(t *testing.T) {
	needRoot(t)
	top := openDir(t)
	parent := filepath.Join(top, "lib", "spoold")
	path := filepath.Join(parent, "alice")
	for range 2 { // made, and found
		if err := MakeStateDir(path, alice); err != nil {
			t.Fatal(err)
		}
		if got := owned(t, path); got != "4001:4001 drwx------" {
			t.Errorf("state directory is %s", got)
		}
	}
	if got := owned(t, parent); got != "0:0 drwxr-xr-x" {
		t.Errorf("its parent is %s", got)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := MakeStateDir(path, alice); err != nil || owned(t, path) != "4001:4001 drwx------" {
		t.Errorf("open directory: %v, %s", err, owned(t, path))
	}
}

func TestMakeStateDirRefuses(t *testing.T) {
	needRoot(t)
	top := openDir(t)
	mine := filepath.Join(top, "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(path string) error{
		"symbolic link": func(path string) error { return os.Symlink(mine, path) },
		"file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"of another":    func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 4002, 4002)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(top, strconv.Quote(name))
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			if err := MakeStateDir(path, alice); err == nil {
				t.Error("taken for a state directory")
			}
		})
	}
	if got := owned(t, mine); got != "0:0 drwx------" {
		t.Errorf("the directory behind the link is now %s", got)
	}
	shared := filepath.Join(top, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o777), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := MakeStateDir(filepath.Join(shared, "alice"), alice); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("in a directory that anybody may write: %v", err)
	}
}

func TestRoleWithoutSupervisor(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(slices.Clone(os.Environ()), roleVar+"="+WorkerRole)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a worker without supervisor ran: %s", out)
	}
}
