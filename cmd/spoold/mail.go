package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"spoold/backend/privsep"
	"spoold/backend/worker"
)

// workerConfig is what the worker of id is told.
func (c *config) workerConfig(id privsep.Identity, hostname string) worker.Config {
	return worker.Config{
		User: id.Name, UID: id.UID, Home: id.Home, Hostname: hostname, Version: version(),
		Inbox: c.Mail.Inbox.expand(id.Name, id.Home),
		Root:  c.Mail.Root.expand(id.Name, id.Home),
		State: c.Mail.State.expand(id.Name, id.Home),

		LockMethods: c.Lock.Methods, LockTimeout: c.Lock.Timeout, LockStale: c.Lock.Stale,

		FlushDelay: c.Mail.Flush, CompactAt: c.Mail.Compact,

		ReadOnly: c.Serve.ReadOnly, MaxSessions: c.Limits.Sessions, AppendLimit: c.Limits.Message,
		AppendTotal: c.Limits.AppendTotal,
		IdleExit:    c.Limits.WorkerIdle, SearchTime: c.Limits.SearchTime,
		Limits: c.Limits.Command, Idle: c.Limits.Idle, Reading: c.Limits.Reading,

		Storage: c.Quota.storage(id.Name),

		Hidden: c.IMAP.hidden(id.Name),

		SpecialUse: c.Folders, Comment: c.IMAP.Comment, Admin: c.IMAP.Admin, Annotations: c.Limits.Annotations,
		Referrals: c.IMAP.Referrals,
	}
}

// keeper returns who makes id's inbox lock where he may not: nobody, where the configuration lets
// the user have a say in what directory the inbox is in.
func (c *config) keeper(id privsep.Identity) *privsep.Keeper {
	if c.Mail.Inbox.personal() || c.Serve.ReadOnly {
		return nil
	}
	dir, name := filepath.Split(c.Mail.Inbox.expand(id.Name, id.Home))
	k := privsep.NewKeeper(dir, name, id)
	k.Stale = c.Lock.Stale
	return k
}

// personalConfig is what an ordinary user's own server and stdio go by: where mail is on this
// host, as its configuration says if there is one, and nothing else of that.
func personalConfig(path string) (config, error) {
	c := defaults()
	host, err := readConfig(path)
	switch {
	case err == nil:
		c.Mail, c.Lock, c.Serve.ReadOnly, c.Limits = host.Mail, host.Lock, host.Serve.ReadOnly, host.Limits
		c.IMAP, c.Folders, c.Quota = host.IMAP, host.Folders, host.Quota
	case errors.Is(err, fs.ErrNotExist):
		c.Mail.State = "%h/.local/state/spoold"
		if _, err := os.Stat("/var/spool/mail"); err != nil {
			c.Mail.Inbox = "/var/mail/%u"
		}
	default:
		return config{}, err
	}
	return c, nil
}

// self is the user who runs this process. Root is not a mail user.
func self() (privsep.Identity, error) {
	u, err := user.Current()
	if err != nil {
		return privsep.Identity{}, fmt.Errorf("who runs this: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return privsep.Identity{}, fmt.Errorf("who runs this: %w", err)
	}
	id := privsep.Identity{Name: u.Username, UID: uint32(uid), GID: uint32(gid), Home: u.HomeDir}
	if err := id.Check(); err != nil {
		return privsep.Identity{}, &exitError{exNoPerm, err}
	}
	return id, nil
}
