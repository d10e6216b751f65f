package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The programs that deliver: each message by a process of its own, two at a time.

// deliveryRivals are those that need no server of their own.
func deliveryRivals() []rival {
	out := []rival{
		// Its own order is the dotlock, when the recipe says so, then fcntl.
		{name: "procmail, dotlock then fcntl", needs: []string{"procmail"}, start: procmailRival(":0:")},
		{name: "procmail, fcntl only", needs: []string{"procmail"}, start: procmailRival(":0")},
		{name: "dotlockfile", needs: []string{"dotlockfile"}, start: dotlockfileRival},
	}
	for _, methods := range []string{"dotlock fcntl", "dotlock", "fcntl", "flock"} {
		out = append(out, rival{name: "exim4, " + methods, needs: []string{"exim4"}, start: eximRival(methods)})
	}
	for i := range out {
		out[i].minimum = map[string]int{"rival delivers": 15}
	}
	return out
}

// envelope puts a From_ line before a message, for agents that want one.
func envelope(message string) string {
	return "From mda@example.org " + time.Now().UTC().Format(time.ANSIC) + "\n" + message
}

// feeds is a chore: each message is the input of a run of that program, whose status says what became of it.
func (c *contest) feeds(frame func(string) string, program string, args ...string) chore {
	return c.delivers(func(message string) error {
		cmd := c.owner.command(c.home(c.user), program, args...)
		cmd.Stdin = strings.NewReader(frame(message))
		_, err := output(cmd)
		return notDelivered(cmd, err)
	})
}

// notDelivered makes a refusal of sysexits.h's EX_TEMPFAIL.
func notDelivered(cmd *exec.Cmd, err error) error {
	if err != nil && cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 75 {
		return refusal{err}
	}
	return err
}

func asIs(message string) string { return message }

func procmailRival(recipe string) func(*contest) []chore {
	return func(c *contest) []chore {
		rc := filepath.Join(c.home(c.user), "procmailrc")
		writeFile(c.t, c.owner, rc, []byte("LOCKSLEEP=1\nLOCKTIMEOUT=120\n"+recipe+"\n"+c.inbox()+"\n"))
		deliver := c.feeds(envelope, "procmail", "-m", rc)
		return []chore{deliver, deliver}
	}
}

// dotlockfileRival appends by the shell in two steps, with dotlockfile(1) as its only lock.
func dotlockfileRival(c *contest) []chore {
	const script = `head -c 200 "$1" >>"$2"; sleep 0.005; tail -c +201 "$1" >>"$2"`
	one := func(i int) chore {
		message := filepath.Join(c.home(c.user), fmt.Sprintf("message%d", i))
		lock := []string{"-l", "-r", "100", "-i", "1", "-p", c.inbox() + ".lock", "sh", "-c", script, "sh", message, c.inbox()}
		return c.delivers(func(text string) error {
			if err := os.WriteFile(message, []byte(envelope(text)+"\n"), 0o644); err != nil {
				return err
			}
			_, err := output(c.owner.command(c.home(c.user), "dotlockfile", lock...))
			return err
		})
	}
	return []chore{one(0), one(1)}
}

// eximRival runs exim4 without a daemon and without rights: the mail's owner is its user.
func eximRival(methods string) func(*contest) []chore {
	return func(c *contest) []chore {
		home := c.home(c.user)
		var locks strings.Builder
		for _, l := range []struct{ method, option string }{
			{"dotlock", "use_lockfile"}, {"fcntl", "use_fcntl_lock"}, {"flock", "use_flock_lock"},
		} {
			fmt.Fprintf(&locks, "  %s = %v\n", l.option, strings.Contains(" "+methods+" ", " "+l.method+" "))
		}
		group := strconv.Itoa(c.owner.gid)
		if g, err := user.LookupGroupId(group); err == nil {
			group = g.Name
		}
		for _, dir := range []string{"queue", "log"} {
			if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
				c.t.Fatal(err)
			}
			c.owner.own(c.t, filepath.Join(home, dir))
		}
		conf := filepath.Join(home, "exim.conf")
		writeFile(c.t, c.owner, conf, fmt.Appendf(nil, `
exim_user = %[2]s
exim_group = %[3]s
trusted_users = %[2]s
deliver_drop_privilege = true
keep_environment =
spool_directory = %[1]s/queue
log_file_path = %[1]s/log/%%slog
primary_hostname = mx.example.org
domainlist local_domains = *

begin routers
all:
  driver = accept
  transport = inbox

begin transports
inbox:
  driver = appendfile
  file = %[4]s
  mode = 0600
  lock_interval = 1s
  lock_retries = 60
%[5]s
begin retry
* * F,1h,1s
`, home, c.owner.name, group, c.inbox(), locks.String()))
		// It answers 0 when it has the message in its queue; what was deferred there is delivered at the end.
		deliver := c.feeds(asIs, "exim4", "-C", conf, "-odi", "-f", "mda@example.org", "u@example.org")
		c.finish = append(c.finish, func() error {
			if _, err := output(c.owner.command(home, "exim4", "-C", conf, "-qff")); err != nil {
				return err
			}
			left, err := output(c.owner.command(home, "exim4", "-C", conf, "-bpc"))
			if err == nil && strings.TrimSpace(left) != "0" {
				err = fmt.Errorf("%s messages are left in its queue", strings.TrimSpace(left))
			}
			return err
		})
		return []chore{deliver, deliver}
	}
}
