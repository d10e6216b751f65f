package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Postfix: a private instance whose local(8) delivers to the mail's owner, with no port
// and with none of its commands' set-group-ID rights. It takes root to run it.
//
// `make peers` takes its programs out of Debian's package, because this cannot be
// installed beside exim4; where postfix is installed, those programs are used.

const postfixPeer = "../../bin/peers/postfix"

func postfixRivals() []rival {
	var out []rival
	for _, methods := range []string{"fcntl, dotlock", "dotlock, fcntl", "dotlock", "fcntl", "flock"} {
		out = append(out, rival{
			name:    "postfix, " + methods,
			minimum: map[string]int{"rival delivers": 20},
			start:   func(c *contest) []chore { return postfixRival(c, methods) },
		})
	}
	return out
}

// postfix is an instance of its own.
type postfix struct {
	root    string // where the programs are
	dir     string // where all it writes is
	mailbox person
	mu      sync.Mutex
}

func postfixRival(c *contest, methods string) []chore {
	if os.Getuid() != 0 {
		c.t.Fatal("postfix runs for root only")
	}
	root, err := filepath.Abs(postfixPeer)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/lib/postfix/sbin/master")); err != nil {
		root = "/"
	}
	if _, err := os.Stat(filepath.Join(root, "usr/lib/postfix/sbin/master")); err != nil {
		c.t.Fatal("postfix is not installed (make interop takes it into bin/peers)")
	}
	p := &postfix{root: root, dir: folder(c.t), mailbox: c.owner}
	p.configure(c, methods)
	p.start(c.t)
	accepted := 0
	deliver := c.delivers(func(message string) error {
		err := p.send(message)
		if err == nil {
			p.mu.Lock()
			accepted++
			p.mu.Unlock()
		}
		return err
	})
	c.finish = append(c.finish, func() error { return p.drain(accepted) })
	return []chore{deliver, deliver}
}

// postfixQueueOwners are a user and a group for an instance's queue: any that own nothing here
// and are not each other's.
func postfixQueueOwners(t testing.TB) (owner *user.User, group *user.Group) {
	t.Helper()
	owner, err := user.Lookup("news")
	if err != nil {
		t.Fatal(err)
	}
	if group, err = user.LookupGroup("uucp"); err != nil {
		t.Fatal(err)
	}
	return owner, group
}

// folders makes the queue as `postfix check` would.
func (p *postfix) folders(t testing.TB, owner *user.User, group *user.Group) {
	t.Helper()
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(group.Gid)
	for _, dir := range []struct {
		mode  os.FileMode
		uid   int
		gid   int
		names string
	}{
		{0o755, 0, 0, "conf queue queue/pid"},
		{0o700, uid, 0, "data queue/active queue/bounce queue/corrupt queue/defer queue/deferred queue/flush queue/hold " +
			"queue/incoming queue/private queue/saved queue/trace"},
		{0o730, uid, gid, "queue/maildrop"},
		{0o710, uid, gid, "queue/public"},
	} {
		for name := range strings.FieldsSeq(dir.names) {
			path := filepath.Join(p.dir, name)
			if err := os.Mkdir(path, dir.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, dir.uid, dir.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, dir.mode); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (p *postfix) configure(c *contest, methods string) {
	c.t.Helper()
	owner, group := postfixQueueOwners(c.t)
	p.folders(c.t, owner, group)
	for name, content := range map[string]string{
		"main.cf": fmt.Sprintf(`
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = %[2]s/usr/sbin
daemon_directory = %[2]s/usr/lib/postfix/sbin
shlib_directory = no
mail_owner = %[3]s
setgid_group = %[4]s
default_privs = %[5]s
myhostname = mx.example.org
mydestination = $myhostname
inet_interfaces = loopback-only
inet_protocols = ipv4
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
import_environment = MAIL_CONFIG LD_LIBRARY_PATH TZ
export_environment = MAIL_CONFIG LD_LIBRARY_PATH TZ
alias_maps =
alias_database =
mail_spool_directory = %[6]s
mailbox_delivery_lock = %[7]s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
`, p.dir, p.root, owner.Username, group.Name, c.owner.name, filepath.Dir(c.inbox()), methods),
		"master.cf": `
pickup  unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
error   unix - - n - - error
retry   unix - - n - - error
proxymap unix - - n - - proxymap
local   unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
`,
	} {
		if err := os.WriteFile(filepath.Join(p.dir, "conf", name), []byte(content), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}

// command is one of the instance's programs.
func (p *postfix) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.root, program), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "TZ=UTC", "MAIL_CONFIG=" + filepath.Join(p.dir, "conf"),
		"LD_LIBRARY_PATH=" + filepath.Join(p.root, "usr/lib/postfix"),
	}
	return cmd
}

// start runs master(8), and ends it and all its daemons with the test.
func (p *postfix) start(t testing.TB) {
	t.Helper()
	master := p.command("usr/lib/postfix/sbin/master", "-d", "-c", filepath.Join(p.dir, "conf"))
	master.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-master.Process.Pid, syscall.SIGTERM); err != nil {
			t.Errorf("postfix master: %v", err)
		}
		_ = master.Wait() // it tells that it was terminated
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(p.dir, "log")) // what there is of it
			t.Logf("postfix: %.20000s", log)
		}
	})
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(p.dir, "queue/public/pickup")); err == nil {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	t.Fatalf("postfix does not start: %s", log)
}

// send puts a message into the queue: from then on postfix answers for it.
func (p *postfix) send(message string) error {
	cmd := p.command("usr/sbin/sendmail", "-C", filepath.Join(p.dir, "conf"), "-i", "-f", "mda@example.org", p.mailbox.name+"@mx.example.org")
	cmd.Stdin = strings.NewReader(message)
	_, err := output(cmd)
	return notDelivered(cmd, err)
}

// drain waits until local(8) has delivered all.
func (p *postfix) drain(accepted int) error {
	sent := 0
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(p.dir, "log"))
		if err != nil {
			return err
		}
		if sent = strings.Count(string(log), "status=sent (delivered to mailbox)"); sent == accepted {
			return nil
		}
	}
	return fmt.Errorf("%d messages were queued and %d delivered", accepted, sent)
}
