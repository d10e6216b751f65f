package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// The programs with which mail is read on the host itself: they rewrite the mailbox.

func readerRivals() []rival {
	return []rival{
		{name: "c-client", needs: []string{mailutil}, minimum: map[string]int{"rival removes": 6, "rival delivers": 10}, start: cclientRival},
		{name: "mutt, fcntl then dotlock", needs: []string{"mutt", "script"}, minimum: map[string]int{"rival removes": 6}, start: muttRival},
	}
}

// muttRival deletes a message and flags another in each session. When mutt finds that the
// mailbox changed, it may leave its work undone: so what is gone is counted at the end.
//
// mutt 2.2 reads a mailbox that has become smaller anew without any lock (mbox_check_mailbox
// in mbox.c locks only when it has grown), and writes later by what it read in the midst of
// another program's rewrite. So nothing is expunged or appended (which first cuts off what
// mutt left behind the last message) while it runs; flags and keywords go on.
func muttRival(c *contest) []chore {
	home := c.home(c.user)
	c.finish = append(c.finish, c.countRemoved)
	more := c.delivers(func(message string) error { return deliver(c.inbox(), message) })
	return []chore{func(r *rand.Rand) error {
		id := c.prey(r)
		if id == 0 {
			return more(r) // until there is enough to remove
		}
		rc := filepath.Join(home, "muttrc")
		// It quits when it is let; what it cannot write it leaves as it is.
		writeFile(c.t, c.owner, rc, fmt.Appendf(nil, `
set sleep_time=0 timeout=1 wait_key=no mark_old=no beep=no quit=yes delete=yes sort=mailbox-order read_inc=0 write_inc=0
push "<last-entry><flag-message><delete-pattern>~h 'X-Soak: %d '<enter><shell-escape>sleep 0.1<enter><sync-mailbox><quit><quit><quit><exit>"
`, id))
		cmd := c.owner.command(home, "script", "-qec", "mutt -n -F "+rc+" -f "+c.inbox(), "/dev/null")
		cmd.Env = append(cmd.Env, "TERM=xterm")
		c.mayShrink.Lock()
		_, err := output(cmd)
		c.mayShrink.Unlock()
		if err != nil {
			return err
		}
		c.book("mutt ran", func() {})
		return nil
	}}
}

// cclientRival appends and expunges. While c-client has the mailbox open it believes
// that nobody else rewrites it.
func cclientRival(c *contest) []chore {
	home := c.home(c.user)
	// It opens no absolute name for nobody; the lock file is the same under this one.
	if err := os.Symlink(filepath.Dir(c.inbox()), filepath.Join(home, "spool")); err != nil {
		c.t.Fatal(err)
	}
	inbox := filepath.Join("spool", filepath.Base(c.inbox()))
	run := func(args ...string) (string, error) {
		cmd := c.owner.command(home, mailutil, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && args[0] != "prune" { // prune never ends with another status
			return "", fmt.Errorf("mailutil %s: %w\n%s", args[0], err, out)
		}
		return string(out), nil
	}
	deliver := c.delivers(func(message string) error {
		writeFile(c.t, c.owner, filepath.Join(home, "one"), []byte(envelope(strings.ReplaceAll(message, "\nFrom ", "\n>From "))+"\n"))
		_, err := run("append", "one", inbox)
		return err
	})
	prune := c.removes(func(id int) (bool, error) {
		out, err := run("prune", inbox, fmt.Sprintf(`SUBJECT "soak %d."`, id))
		return strings.HasPrefix(out, "1 message(s) purged") || strings.Contains(out, "\n1 message(s) purged"), err
	})
	return []chore{deliver, prune}
}
