package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// outcome is what a verb tells of one file.
type outcome interface{ print(std stdio) error }

// eachFile does a verb to files, prints what it tells of each, or of all as JSON, and returns the worst error. do
// returns an outcome in any case.
func eachFile(paths []string, o toolOptions, std stdio, do func(t *tool, path string) (outcome, error)) error {
	t, err := newTool(o, std)
	if err != nil {
		return err
	}
	var worst error
	files := []outcome{}
	for _, path := range paths {
		file, err := do(t, path)
		worst = worse(worst, err)
		files = append(files, file)
		if o.json {
			continue
		}
		if err := file.print(std); err != nil {
			return err
		}
	}
	if o.json {
		if err := printJSON(std.out, files); err != nil {
			return err
		}
	}
	return worst
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// worse is the error with the graver exit status.
func worse(a, b error) error {
	if a == nil || b != nil && statusOf(b) > statusOf(a) {
		return b
	}
	return a
}

// toolError gives an error about a mailbox its exit status.
func toolError(path string, err error) error {
	for _, e := range [...]struct {
		err    error
		status int
	}{
		{fs.ErrNotExist, exNoInput},
		{spool.ErrNotRegular, exNoInput},
		{fs.ErrPermission, exNoPerm},
		{mboxstore.ErrReadOnly, exNoPerm},
		{spool.ErrOwner, exNoPerm},
		{spool.ErrSymlink, exNoPerm},
		{spool.ErrLinks, exNoPerm},
		{mboxstore.ErrNotMbox, exDataErr},
		{spool.ErrLocked, exTempFail},
		{mboxstore.ErrInUse, exTempFail},
		{mboxstore.ErrNoJournal, exNoPerm},
	} {
		if errors.Is(err, e.err) {
			return &exitError{e.status, fmt.Errorf("%s: %w", path, err)}
		}
	}
	return fmt.Errorf("%s: %w", path, err)
}
