package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Dovecot: its imap process works on the inbox for the whole time while its delivery
// agent delivers into it, both with the same locks.

const dovecotLDA = "/usr/lib/dovecot/dovecot-lda"

func dovecotRivals() []rival {
	var out []rival
	deliversAndReads := map[string]int{"rival delivers": 30, "rival removes": 6, "Dovecot stores": 6}
	for _, methods := range []struct {
		name, read, write string
		minimum           map[string]int
	}{
		{"Debian's order", "fcntl", "fcntl dotlock", deliversAndReads},
		{"upstream's order", "fcntl", "dotlock fcntl", deliversAndReads},
		{"dotlock only", "dotlock", "dotlock", deliversAndReads},
		{"fcntl only", "fcntl", "fcntl", deliversAndReads},
		// Its delivery alone: the imap process turns flock's exclusive lock into a shared one, which is not atomic
		// (flock(2)), and goes on as if nobody could have come in between.
		{"flock only", "flock", "flock", map[string]int{"rival delivers": 30}},
	} {
		out = append(out, rival{
			name:    "Dovecot, " + methods.name,
			needs:   []string{dovecot, dovecotLDA},
			minimum: methods.minimum,
			start:   func(c *contest) []chore { return dovecotRival(c, methods.read, methods.write) },
		})
	}
	return out
}

func dovecotRival(c *contest, read, write string) []chore {
	home := c.home(c.user)
	state := filepath.Join(home, "dovecot")
	if err := os.Mkdir(state, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.owner.own(c.t, state)
	conf := filepath.Join(home, "dovecot.conf")
	writeFile(c.t, c.owner, conf, fmt.Appendf(nil, `
base_dir = %[1]s
state_dir = %[1]s
mail_location = mbox:~/dovecot/mail:INBOX=%[2]s
log_path = %[1]s/log
ssl = no
first_valid_uid = 1
stats_writer_socket_path =
default_internal_user = %[3]s
default_login_user = %[3]s
postmaster_address = postmaster@example.org
hostname = mx.example.org
mbox_read_locks = %[4]s
mbox_write_locks = %[5]s
mbox_dirty_syncs = no
mbox_lock_timeout = 30 secs
`, state, c.inbox(), c.owner.name, read, write))
	d := &dovecotSession{contest: c, start: func() *client { return startPiped(c.t, c.owner.command(home, dovecot, "-c", conf), false) }}
	c.finish = append(c.finish, d.end)
	deliver := c.feeds(envelope, dovecotLDA, "-c", conf, "-f", "mda@example.org")
	if write == "flock" {
		return []chore{deliver, deliver}
	}
	return []chore{d.chore, deliver, deliver}
}

// dovecotSession is an IMAP session of Dovecot's; it speaks of messages by their own
// number, because UIDs are its own business until it has written them.
type dovecotSession struct {
	*contest
	start  func() *client
	client *client
}

// chore is one step of the session. When Dovecot ends it, because what it knows of the
// mailbox is not so any more, another one begins.
func (d *dovecotSession) chore(r *rand.Rand) error {
	if d.client == nil {
		d.client = d.start()
		if _, err := d.command("SELECT INBOX"); err != nil {
			return err
		}
		d.book("Dovecot sessions", func() {})
	}
	err := d.step(r)
	if err == nil {
		return nil
	}
	d.t.Logf("Dovecot's session ends: %v", err)
	d.client.close()
	d.client = nil
	return nil
}

func (d *dovecotSession) end() error {
	if d.client == nil {
		return nil
	}
	_, err := d.command("LOGOUT")
	return err
}

func (d *dovecotSession) command(format string, args ...any) (answer, error) {
	text := fmt.Sprintf(format, args...)
	a, err := d.client.try(text)
	if err == nil && a.status != "OK" {
		err = fmt.Errorf("%.80q: %s %s", text, a.status, a.text)
	}
	return a, err
}

// step appends, sets a flag or expunges.
func (d *dovecotSession) step(r *rand.Rand) error {
	switch r.IntN(4) {
	case 0:
		return d.delivers(func(message string) error {
			text := strings.ReplaceAll(message, "\n", "\r\n")
			_, err := d.command("APPEND INBOX (\\Seen) {%d+}\r\n%s", len(text), text)
			return err
		})(r)
	case 1:
		return d.removes(d.expunge)(r)
	case 2:
		_, err := d.command("CHECK")
		return err
	}
	a, err := d.command("UID SEARCH ALL")
	if uids := a.search(); err == nil && len(uids) > 0 {
		_, err = d.command("UID STORE %d %sFLAGS (\\Flagged)", uids[r.IntN(len(uids))], []string{"+", "-"}[r.IntN(2)])
		d.book("Dovecot stores", func() {})
	}
	return err
}

// expunge removes one message. That it is gone is what Dovecot says when it is asked
// again: EXPUNGE responses also come when it makes its index anew.
func (d *dovecotSession) expunge(id int) (bool, error) {
	uid, err := d.find(id)
	if uid == 0 || err != nil {
		return false, err
	}
	if _, err := d.command(`UID STORE %d +FLAGS.SILENT (\Deleted)`, uid); err != nil {
		return false, err
	}
	if _, err := d.command("UID EXPUNGE %d", uid); err != nil {
		return false, err
	}
	uid, err = d.find(id)
	return uid == 0 && err == nil, err
}

// find is the UID under which Dovecot has a message now, 0 when it has not.
func (d *dovecotSession) find(id int) (uint32, error) {
	if _, err := d.command("NOOP"); err != nil {
		return 0, err
	}
	a, err := d.command("UID SEARCH HEADER X-Soak %q", fmt.Sprintf("%d ", id))
	if err != nil {
		return 0, err
	}
	for _, uid := range a.search() {
		a, err := d.command("UID FETCH %d (UID BODY.PEEK[])", uid)
		if err != nil {
			return 0, err
		}
		for _, m := range a.mails() {
			if soakID(m.Text) == id { // 7 is found in 17, too
				return uid, nil
			}
		}
	}
	return 0, nil
}
