package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"spoold/backend/auth"
	"spoold/backend/privsep"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const passwdHelp = `Ask for a password and print a line for a passwd-file (see spoold.toml, auth).
Uid, gid and home are left empty: they are those of the system user of the same
name, and may be filled in by hand. From a terminal the password is read twice
and not shown; else it is the first line of standard input.

` + exitHelp

func newPasswd(std stdio) *cobra.Command {
	var scheme string
	var rounds int
	cmd := &cobra.Command{
		Use:   "passwd USER",
		Short: "make a line for a passwd-file",
		Long:  passwdHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runPasswd(args[0], auth.Scheme(scheme), rounds, std)
		},
	}
	cmd.Flags().StringVar(&scheme, "hash", string(auth.Yescrypt), "`SCHEME`: yescrypt, sha512 or bcrypt")
	cmd.Flags().IntVar(&rounds, "rounds", 0, "`NUMBER` of rounds of sha512 (0: 5000)")
	return cmd
}

func runPasswd(user string, scheme auth.Scheme, rounds int, std stdio) error {
	if err := privsep.CheckName(user); err != nil {
		return &exitError{exUsage, err}
	}
	password, err := readPassword(std)
	if err != nil {
		return err
	}
	hash, err := auth.Hash(password, scheme, rounds)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s:%s::::::\n", user, hash)
	return err
}

func readPassword(std stdio) (string, error) {
	fd := int(std.in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			return "", fmt.Errorf("read password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	stop, err := restoreOnSignal(fd)
	if err != nil {
		return "", err
	}
	defer stop()
	var answers [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		// Prompts go where they are seen when the line goes into a file.
		if _, err := fmt.Fprint(std.err, prompt); err != nil {
			return "", err
		}
		b, err := term.ReadPassword(fd)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		if _, err := fmt.Fprintln(std.err); err != nil {
			return "", err
		}
		answers[i] = string(b)
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two passwords differ")
	}
	return answers[0], nil
}

// restoreOnSignal gives the terminal its echo back when a signal ends us while a password is typed.
func restoreOnSignal(fd int) (stop func(), err error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("read password: %w", err)
	}
	ctx, cancel := untilSignal(context.Background())
	disarm := context.AfterFunc(ctx, func() {
		// There is nothing else to try when this fails.
		_ = term.Restore(fd, state)
		os.Exit(exFailure)
	})
	return func() { disarm(); cancel() }, nil
}
