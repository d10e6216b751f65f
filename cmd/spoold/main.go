// Spoold is an IMAP server for Unix mbox spools.
//
// Usage:
//
//	spoold serve [--config FILE | --sample DIR]   run the server
//	spoold stdio                                  one session, already logged in, on stdin and stdout
//	spoold info FILE                              what is in a mailbox file
//	spoold check FILE...                          verify mailbox files
//	spoold repair [--write] FILE...               mend mailbox files
//	spoold compact FILE...                        squeeze blanks out of mailbox files
//	spoold passwd USER                            make a line for a passwd-file
//	spoold version                                say which build this is
//
// Exit status, as in sysexits.h where it has a number:
//
//	0   done
//	1   failed for a reason that is none of the following
//	2   wrong usage
//	3   check: the next write puts right what was found
//	4   check: repair is needed, or a backup
//	65  a file is no mailbox
//	66  a mailbox file cannot be opened, or is no regular file
//	69  an address cannot be listened on
//	75  others keep the mailbox locked; try again later
//	77  not allowed to do that
//	78  the configuration is wrong
//
// The program is also executed by itself as the worker of a mail user: see backend/privsep.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"spoold/backend/privsep"

	"github.com/spf13/cobra"
)

func main() { os.Exit(start()) }

// start enters the role that this process was started for, or else runs the command line.
func start() int {
	if role := privsep.Role(); role != "" {
		return report(os.Stderr, enterRole(role))
	}
	return run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
}

// untilSignal is for what has to end in good order: SIGINT and SIGTERM end the context only.
// They kill any other command, which need not look at a context then.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
}

// stdio is where a command reads and writes.
type stdio struct {
	in       *os.File
	out, err io.Writer
}

// run runs one command line and returns its exit status.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRoot(std)
	root.SetArgs(args)
	return report(std.err, root.ExecuteContext(ctx))
}

func newRoot(std stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "spoold",
		Short:         "IMAP server for Unix mbox spools",
		Long:          "spoold serves traditional Unix mailboxes by IMAP.\n\n" + exitHelp,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exUsage, err} })
	root.AddCommand(newServe(std), newStdio(std), newInfo(std), newCheck(std), newRepair(std), newCompact(std), newPasswd(std), newVersion(std))
	for _, cmd := range root.Commands() {
		cmd.Args = usageArgs(cmd.Args)
	}
	root.Args = usageArgs(root.Args)
	return root
}

// usageArgs makes a wrong number of arguments exit as wrong usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &exitError{exUsage, fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}

// Exit statuses; the larger ones are those of sysexits.h.
const (
	exFailure     = 1
	exUsage       = 2
	exMends       = 3
	exDamaged     = 4
	exDataErr     = 65
	exNoInput     = 66
	exUnavailable = 69
	exTempFail    = 75
	exNoPerm      = 77
	exConfig      = 78
)

const exitHelp = `Exit status: 0 done, 1 failed, 2 wrong usage, 3 and 4 findings of check,
65 not a mailbox, 66 no such file or not a regular one, 69 cannot listen,
75 mailbox is locked, 77 not allowed, 78 wrong configuration.`

// exitError is an error with an exit status of its own.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// report prints err and returns its exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	// There is nowhere to tell that this could not be written.
	_, _ = fmt.Fprintf(w, "spoold: %v\n", err)
	return statusOf(err)
}

// statusOf is the exit status of an error.
func statusOf(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.status
	}
	return exFailure
}
