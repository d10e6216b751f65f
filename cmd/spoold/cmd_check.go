package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"spoold/mboxstore"
	"spoold/spool"

	"github.com/spf13/cobra"
)

const checkHelp = `Verify all that the store promises of mailbox files, and name each finding with
its offset and a code word, as in

    INBOX:12345: uid-order: X-UID 7 after 9

Nothing is written. A mailbox that is in use is read under shared locks, or,
when it is large, without them and once more if it changed meanwhile.

The exit status is that of the worst finding: 0 for none, or only such as do no
harm; 3 when the next write to the mailbox puts right what was found; 4 when
"spoold repair" is needed, or a backup. A file that is no mailbox has 65, one
that cannot be opened 66 or 77, and one that others keep locked 75.

` + exitHelp

func newCheck(std stdio) *cobra.Command {
	var o toolOptions
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "verify mailbox files",
		Long:  checkHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCheck(cmd.Context(), args, o, std)
		},
	}
	o.flags(cmd)
	return cmd
}

// checkedFile is what check tells of one file in JSON.
type checkedFile struct {
	Path     string              `json:"path"`
	Findings []mboxstore.Finding `json:"findings"`
	Error    string              `json:"error,omitempty"`
}

func runCheck(ctx context.Context, paths []string, o toolOptions, std stdio) error {
	t, err := newTool(o, std)
	if err != nil {
		return err
	}
	var worst error
	files := []checkedFile{}
	for _, path := range paths {
		file := checkedFile{Path: path, Findings: []mboxstore.Finding{}}
		box, options, err := t.mailbox(path)
		if err == nil {
			var found []mboxstore.Finding
			found, err = mboxstore.Check(ctx, box, options)
			file.Findings = append(file.Findings, found...)
		}
		if err == nil {
			err = verdict(path, file.Findings)
		} else {
			err = toolError(path, err)
			file.Error = err.Error()
		}
		worst = worse(worst, err)
		files = append(files, file)
		if !o.json {
			if err := file.print(std); err != nil {
				return err
			}
		}
	}
	if o.json {
		if err := printJSON(std.out, files); err != nil {
			return err
		}
	}
	return worst
}

func (f *checkedFile) print(std stdio) error {
	for _, finding := range f.Findings {
		if _, err := fmt.Fprintf(std.out, "%s:%v\n", f.Path, finding); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// verdict is the exit status of a file's findings.
func verdict(path string, findings []mboxstore.Finding) error {
	worst := mboxstore.Notice
	for _, f := range findings {
		if f.Code == "not-mbox" {
			return &exitError{exDataErr, fmt.Errorf("%s: %w", path, mboxstore.ErrNotMbox)}
		}
		worst = max(worst, f.Severity)
	}
	switch worst {
	case mboxstore.Mends:
		return &exitError{exMends, fmt.Errorf("%s: the next write puts this right", path)}
	case mboxstore.Damaged:
		return &exitError{exDamaged, fmt.Errorf("%s: damaged; see spoold repair", path)}
	}
	return nil
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
