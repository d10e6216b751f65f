package main

import (
	"context"
	"fmt"

	"spoold/mboxstore"

	"github.com/spf13/cobra"
)

const checkHelp = `Verify all that the store promises of mailbox files, and name each finding with
its offset and a code word, as in

    INBOX:12345: uid-order: X-UID 7 after 9

Nothing is written. When an interrupted change waits in the journal, that is one
finding, and all others, with their offsets, are of the mailbox as it will be
when the change has been finished, so that what stands in the file twice until
then is none. A mailbox that is in use is read under shared locks, or,
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
	return eachFile(paths, o, std, func(t *tool, path string) (outcome, error) {
		file := &checkedFile{Path: path, Findings: []mboxstore.Finding{}}
		box, options, err := t.mailbox(path)
		if err == nil {
			var found []mboxstore.Finding
			found, err = mboxstore.Check(ctx, box, options)
			file.Findings = append(file.Findings, found...)
		}
		if err == nil {
			return file, verdict(path, file.Findings)
		}
		err = toolError(path, err)
		file.Error = err.Error()
		return file, err
	})
}

func (f *checkedFile) print(std stdio) error {
	for _, finding := range f.Findings {
		if _, err := fmt.Fprintf(std.out, "%s:%v\n", f.Path, finding); err != nil {
			return err
		}
	}
	return nil
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
