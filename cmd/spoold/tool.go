package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"spoold/backend/privsep"
	"spoold/backend/worker"
	"spoold/mboxstore"
	"spoold/spool"

	"github.com/spf13/cobra"
)

// toolOptions are the flags of the verbs that work on mailbox files.
type toolOptions struct {
	json  bool
	state string
}

func (o *toolOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().StringVar(&o.state, "state", "", "the user's state directory is `DIR`, and not where the configuration says")
}

// tool is what such a verb goes by: the same configuration and state directory as the user's server.
type tool struct {
	config   worker.Config
	hostname string
	state    spool.Dir // nil: none
	log      *slog.Logger
}

func newTool(o toolOptions, std stdio) (*tool, error) {
	private()
	c, err := personalConfig(hostConfig)
	if err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	id := privsep.Identity{Name: "root", Home: "/root"}
	if os.Geteuid() != 0 {
		if id, err = self(); err != nil {
			return nil, err
		}
	}
	t := &tool{config: c.workerConfig(id, hostname), log: newLog(std.err, false), hostname: hostname}
	switch {
	case o.state != "":
		t.config.State = o.state
	case os.Geteuid() == 0:
		return t, nil // a journal is the user's business
	}
	if t.state, err = boxState(t.config.State); err != nil && (o.state != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, &exitError{exNoInput, fmt.Errorf("state directory: %w", err)}
	}
	return t, nil
}

// boxState is the part of a state directory that is mboxstore's, if there is one.
func boxState(path string) (spool.Dir, error) {
	state, err := spool.OpenDir(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(path, worker.MailboxState)); err != nil {
		return nil, err
	}
	return state.Sub(worker.MailboxState)
}

// mailbox describes the mailbox at path as the user's server does.
func (t *tool) mailbox(path string) (*spool.Box, mboxstore.Options, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, mboxstore.Options{}, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, mboxstore.Options{}, err
	}
	inbox := false
	if other, err := os.Stat(t.config.Inbox); err == nil && os.SameFile(st, other) {
		path, inbox = t.config.Inbox, true // by the name under which it is known
	}
	owner := uint32(os.Geteuid())
	if info, err := spool.NewBox(path, owner, spool.LockPolicy{Log: t.log}).Stat(); err == nil && owner == 0 {
		owner = info.UID
	}
	box := spool.NewBox(path, owner, t.config.LockPolicy(t.log))
	return box, mboxstore.Options{
		Inbox: inbox, State: t.state, Hostname: t.hostname, User: t.config.User, Log: t.log,
	}, nil
}
