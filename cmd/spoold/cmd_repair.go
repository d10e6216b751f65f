package main

import (
	"context"
	"fmt"

	"spoold/mboxstore"

	"github.com/spf13/cobra"
)

const repairHelp = `Tell what is wrong with mailbox files and can be mended, or, with --write, mend
it: finish an interrupted change; write missing UIDs and status headers; leave
out messages that are there twice. When another program has rewritten a mailbox
between a crash and the replay of its journal, what only the journal has is
added to the mailbox, what is only a part of a message goes, and the mailbox can
be written again. Messages keep their UIDs; those that are added get new ones.

Everything that is changed or removed is kept in journal/lost of the user's
state directory first, in files that the output names. A mailbox that is in use
is repaired under its locks; sessions see the result.

Root does not repair: the journal is the user's. Run it as the user.

` + exitHelp

func newRepair(std stdio) *cobra.Command {
	var o toolOptions
	var write bool
	cmd := &cobra.Command{
		Use:   "repair FILE...",
		Short: "mend mailbox files; without --write, tell what would be done",
		Long:  repairHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRepair(cmd.Context(), args, write, o, std)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&write, "write", false, "do it")
	return cmd
}

// repairedFile is what repair tells of one file in JSON.
type repairedFile struct {
	Path  string               `json:"path"`
	Done  bool                 `json:"done"` // false: it would be
	Acts  []mboxstore.Repaired `json:"acts"`
	Error string               `json:"error,omitempty"`
}

func runRepair(ctx context.Context, paths []string, write bool, o toolOptions, std stdio) error {
	return eachFile(paths, o, std, func(t *tool, path string) (outcome, error) {
		file := &repairedFile{Path: path, Done: write, Acts: []mboxstore.Repaired{}}
		box, options, err := t.mailbox(path)
		if err == nil {
			var acts []mboxstore.Repaired
			acts, err = mboxstore.Repair(ctx, box, options, write)
			file.Acts = append(file.Acts, acts...)
		}
		if err != nil {
			err = toolError(path, err)
			file.Error = err.Error()
		}
		return file, err
	})
}

func (f *repairedFile) print(std stdio) error {
	for _, act := range f.Acts {
		if _, err := fmt.Fprintf(std.out, "%s:%v\n", f.Path, act); err != nil {
			return err
		}
	}
	if len(f.Acts) > 0 && !f.Done && f.Error == "" {
		_, err := fmt.Fprintf(std.out, "%s: nothing is written without --write\n", f.Path)
		return err
	}
	return nil
}
