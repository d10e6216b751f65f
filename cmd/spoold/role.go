package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"spoold/backend/privsep"
	"spoold/backend/worker"
)

// enterRole runs a process that the supervisor started.
func enterRole(role string) error {
	if role != privsep.WorkerRole {
		return &exitError{exUsage, fmt.Errorf("unknown role %q", role)}
	}
	if os.Getuid() == 0 || os.Geteuid() == 0 {
		return &exitError{exNoPerm, errors.New("a worker does not run as root")}
	}
	client, err := privsep.Enter()
	if err != nil {
		return err
	}
	private()
	if err := os.Chdir(os.Getenv("HOME")); err != nil {
		// A home that is not mounted does not matter to a spool: we stay in "/".
		newLog(os.Stderr, false).Warn("No home directory", "user", os.Getenv("USER"), "err", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return errors.Join(worker.Run(ctx, client, func(debug bool) *slog.Logger { return newLog(os.Stderr, debug) }), client.Close())
}

// private makes everything that this process creates the user's alone.
func private() { syscall.Umask(0o077) }
