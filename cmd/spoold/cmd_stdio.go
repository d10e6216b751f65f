package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"spoold/backend/worker"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const stdioHelp = `Serve one IMAP session on standard input and output, already logged in as the
user who runs this: for "ssh host spoold stdio", fetchmail's plugin, or inetd.

All sessions of a user are served by one process. If there is one already, this
one passes the session to it; else it serves the session itself, and those that
others pass to it meanwhile.

` + exitHelp

func newStdio(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "stdio",
		Short: "serve one session, already logged in, on standard input and output",
		Long:  stdioHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return runStdio(ctx, std)
		},
	}
}

func runStdio(ctx context.Context, std stdio) error {
	if os.Geteuid() == 0 || os.Getuid() == 0 {
		return &exitError{exNoPerm, errors.New("stdio: root is not a mail user")}
	}
	c, err := personalConfig(hostConfig)
	if err != nil {
		return err
	}
	id, err := self()
	if err != nil {
		return err
	}
	hostname, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	private()
	near, far, err := streamPair()
	if err != nil {
		return err
	}
	// What stdin and stdout are does not matter to the session: a socket goes between.
	pumped := make(chan error, 1)
	go func() { pumped <- pump(near, std) }()
	err = worker.Stdio(ctx, c.workerConfig(id, hostname), far, newLog(std.err, false))
	if ctx.Err() != nil {
		return errors.Join(err, near.Close())
	}
	return errors.Join(err, <-pumped)
}

// streamPair makes a socketpair, one end as a connection and one as a file to hand over.
func streamPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "session"), os.NewFile(uintptr(fds[1]), "session")
	nc, err := net.FileConn(near)
	if err := errors.Join(err, near.Close()); err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", errors.Join(err, far.Close()))
	}
	return nc.(*net.UnixConn), far, nil // what FileConn makes of a socket of AF_UNIX
}

// pump copies between the client and the session until the session ends. The end of the client's
// input is passed on as such: the session may still have something to say.
func pump(nc *net.UnixConn, std stdio) error {
	go func() {
		// What goes wrong here ends the session, and the other direction tells.
		_, _ = io.Copy(nc, std.in)
		_ = nc.CloseWrite()
	}()
	_, err := io.Copy(std.out, nc)
	return errors.Join(err, nc.Close())
}
