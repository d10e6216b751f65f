package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoold/backend/auth"
)

// bigInbox is alice's inbox in these tests: a rewrite of it takes long enough to be hit by a kill.
const (
	bigMessages = 4000
	bigBody     = 12 << 10
)

func bigInbox() []byte {
	var b bytes.Buffer
	line := strings.Repeat("All work and no play makes Jack a dull boy. ", 2)[:78] + "\n"
	for i := range bigMessages {
		fmt.Fprintf(&b, "From bob Mon Nov  2 08:14:06 2026\nSubject: %d\n\nbegin %[1]d\n%s\nend %[1]d\n\n", i, strings.Repeat(line, bigBody/len(line)))
	}
	return b.Bytes()
}

// checkBig looks for every message that must be there, once and whole, and nothing else.
func checkBig(t testing.TB, inbox []byte) (messages int) {
	t.Helper()
	line := strings.Repeat("All work and no play makes Jack a dull boy. ", 2)[:78] + "\n"
	body := strings.Repeat(line, bigBody/len(line))
	parts := bytes.Split(inbox, []byte("\n\nbegin "))[1:]
	seen := map[int]bool{}
	for _, part := range parts {
		var i int
		if _, err := fmt.Fscanf(bytes.NewReader(part[:min(20, len(part))]), "%d\n", &i); err != nil || seen[i] {
			t.Errorf("message %d a second time, or without number: %v", i, err)
		}
		seen[i] = true
		if !bytes.HasPrefix(part, fmt.Appendf(nil, "%d\n%s\nend %[1]d\n", i, body)) {
			t.Errorf("message %d is not what it was", i)
		}
	}
	for i := range bigMessages {
		if !seen[i] && i%50 != 0 {
			t.Errorf("message %d is lost", i)
		}
	}
	return len(parts)
}

// beginExpunge deletes messages here and there, and returns once the plan for a rewrite is in force.
func (s *served) beginExpunge() {
	s.t.Helper()
	d := s.login("alice")
	d.do("OK", "SELECT INBOX")
	var set []string
	for i := 1; i <= bigMessages; i += 50 {
		set = append(set, fmt.Sprint(i))
	}
	d.do("OK", "STORE "+strings.Join(set, ",")+` +FLAGS.SILENT (\Deleted)`)
	_, err := d.nc.Write([]byte("a EXPUNGE\r\n"))
	s.check(err)
	for range 20_000 {
		if len(s.plans()) > 0 {
			return
		}
		time.Sleep(500 * time.Microsecond)
	}
	s.t.Fatal("no rewrite is begun")
}

// plans lists what is in force in alice's journal.
func (s *served) plans() []string {
	s.t.Helper()
	names, err := filepath.Glob(s.path("state", "alice", "mailboxes", "journal", "*.plan"))
	s.check(err)
	return names
}

// putBig makes bigInbox alice's.
func (s *served) putBig() {
	s.t.Helper()
	info, err := os.Stat(s.path("spool", "alice"))
	s.check(err)
	st := info.Sys().(*syscall.Stat_t)
	s.check(os.WriteFile(s.path("spool", "alice"), bigInbox(), 0o600), os.Chown(s.path("spool", "alice"), int(st.Uid), int(st.Gid)))
}

// untilCaught tries, with a server each time, to kill in the middle of a rewrite, and returns what is left to replay.
func untilCaught(t *testing.T, kill func(testing.TB) *served) (*served, []string) {
	t.Helper()
	const tries = 5
	for range tries {
		s := kill(t)
		if plans := s.plans(); len(plans) > 0 {
			return s, plans
		}
	}
	t.Fatalf("%d rewrites were done before the kill", tries)
	return nil, nil
}

// A worker that is killed in the middle of a rewrite is followed by one that finishes it, though no client comes.
func TestReplayOnWorkerDeath(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: an ordinary user's server has no worker that could die by itself")
	}
	var killed time.Time
	s, plans := untilCaught(t, func(t testing.TB) *served {
		s := newServed(t)
		s.putBig()
		s.start()
		s.beginExpunge()
		pid, _ := s.worker("alice")
		s.check(syscall.Kill(pid, syscall.SIGKILL))
		killed = time.Now()
		return s
	})
	locks := 0
	for len(s.plans()) > 0 {
		if _, err := os.Lstat(s.path("spool", "alice.lock")); err == nil {
			locks++
		} else if len(s.plans()) > 0 {
			t.Error("the lock file is gone before the replay")
		}
		if time.Since(killed) > 20*time.Second {
			t.Fatalf("nobody replays %v", plans)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("replayed %v after the kill; the lock file was there at %d looks", time.Since(killed), locks)
	n := checkBig(t, must(os.ReadFile(s.path("spool", "alice"))))
	if got := s.login("alice").do("OK", "STATUS INBOX (MESSAGES)"); !strings.Contains(got, fmt.Sprintf("(MESSAGES %d)", n)) {
		t.Errorf("%d messages in the file: %s", n, got)
	}
	if _, err := os.Lstat(s.path("spool", "alice.lock")); err == nil {
		t.Error("lock file left")
	}
}

func (s *served) waitLog(text string) {
	s.t.Helper()
	for range 1000 {
		if strings.Contains(s.log.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("%q is not in the log", text)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A server that was killed in the middle of a rewrite finishes it when it is started again, before it listens.
func TestReplayBeforeListening(t *testing.T) {
	t.Run("one process", func(t *testing.T) {
		replayBeforeListening(t, func(t testing.TB) *served {
			s := newServed(t)
			if os.Getuid() == 0 {
				s.giveTo(65534)
			}
			return s
		})
	})
	t.Run("supervisor and worker", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("needs root: workers are started as other users")
		}
		replayBeforeListening(t, newServed)
	})
}

// giveTo makes everything the ordinary user uid's, who is alice.
func (s *served) giveTo(uid int) {
	s.t.Helper()
	hash, err := auth.Hash("secret", auth.SHA512, 1000)
	s.check(err)
	line := fmt.Sprintf("alice:%s:%d:%[2]d::%s:\n", hash, uid, s.path("home", "alice"))
	s.check(os.WriteFile(s.path("passwd"), []byte(line), 0o600), os.Mkdir(s.path("state"), 0o755))
	s.check(filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, uid)
	}))
}

// process is a server as a process of its own, as whom the spool directory belongs to.
func (s *served) process() *exec.Cmd {
	s.t.Helper()
	exe := s.path("spoold")
	if _, err := os.Stat(exe); err != nil {
		s.check(os.WriteFile(exe, must(os.ReadFile("/proc/self/exe")), 0o755))
	}
	info, err := os.Stat(s.path("spool"))
	s.check(err)
	cmd := exec.Command(exe)
	cmd.Args = []string{"spoold", "serve", "--config", s.path("spoold.toml")} // TestMain goes by the name
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &s.log, &s.log
	if uid := info.Sys().(*syscall.Stat_t).Uid; os.Getuid() == 0 && uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	s.check(cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it may be a second time
	})
	return cmd
}

func replayBeforeListening(t *testing.T, newServer func(testing.TB) *served) {
	t.Helper()
	s, _ := untilCaught(t, func(t testing.TB) *served {
		s := newServer(t)
		s.putBig()
		first := s.process()
		s.waitLog(" Ready ")
		s.beginExpunge()
		worker := childOf(first.Process.Pid)
		s.check(first.Process.Kill())
		if worker != 0 {
			s.check(syscall.Kill(worker, syscall.SIGKILL))
		}
		_ = first.Wait() // killed, as it says
		return s
	})
	_, err := os.Lstat(s.path("spool", "alice.lock"))
	s.check(err)
	before := len(s.log.String())
	start := time.Now()
	second := s.process()
	for !strings.Contains(s.log.String()[before:], " Ready ") {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("not ready: %s", s.log.String())
		}
		time.Sleep(time.Millisecond)
	}
	if plans := s.plans(); len(plans) > 0 {
		t.Errorf("listens before it has replayed %v", plans)
	}
	t.Logf("ready %v after the start", time.Since(start))
	log := s.log.String()[before:]
	if i := strings.Index(log, "Journal replayed"); i < 0 || i > strings.Index(log, " Ready ") {
		t.Errorf("log of the second server: %s", log)
	}
	checkBig(t, must(os.ReadFile(s.path("spool", "alice"))))
	s.check(second.Process.Signal(syscall.SIGTERM))
	if err := second.Wait(); err != nil {
		t.Errorf("second server: %v", err)
	}
	if left := must(filepath.Glob(s.path("spool", "*.lock"))); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Lstat(s.path("state", "alice", "worker.sock")); err == nil {
		t.Error("the worker did not end in good order")
	}
}

// childOf finds a worker of the process pid; 0 when there is none.
func childOf(pid int) (child int) {
	for _, path := range must(filepath.Glob("/proc/[0-9]*/status")) {
		// Processes may end while we look.
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			_, _ = fmt.Sscanf(path, "/proc/%d/", &child)
		}
	}
	return child
}
