package main

import (
	"context"
	"errors"
	"fmt"

	"spoold/mboxstore"

	"github.com/spf13/cobra"
)

const compactHelp = `Squeeze out of mailbox files the blanks that expunges leave in status headers.
On file systems that can take blocks out of the middle of a file, an expunge
moves next to nothing, but leaves up to 900 blanks in messages that follow. The
server does this by itself when a mailbox is quiet and a tenth of it is blanks.

A mailbox that is in use is compacted under its locks. Root does not compact:
the journal that protects the change is the user's. Run it as the user.

` + exitHelp

func newCompact(std stdio) *cobra.Command {
	var o toolOptions
	cmd := &cobra.Command{
		Use:   "compact FILE...",
		Short: "squeeze out of mailbox files the blanks that expunges leave",
		Long:  compactHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompact(cmd.Context(), args, o, std)
		},
	}
	o.flags(cmd)
	return cmd
}

// compactedFile is what compact tells of one file in JSON.
type compactedFile struct {
	Path  string `json:"path"`
	Saved int64  `json:"saved"` // bytes
	Error string `json:"error,omitempty"`
}

func runCompact(ctx context.Context, paths []string, o toolOptions, std stdio) error {
	return eachFile(paths, o, std, func(t *tool, path string) (outcome, error) {
		saved, err := t.compact(ctx, path)
		file := &compactedFile{Path: path, Saved: saved}
		if err != nil {
			err = toolError(path, err)
			file.Error = err.Error()
		}
		return file, err
	})
}

func (f *compactedFile) print(std stdio) error {
	if f.Error != "" {
		return nil
	}
	_, err := fmt.Fprintf(std.out, "%s: %d bytes saved\n", f.Path, f.Saved)
	return err
}

func (t *tool) compact(ctx context.Context, path string) (saved int64, err error) {
	box, options, err := t.mailbox(path)
	if err != nil {
		return 0, err
	}
	m, err := mboxstore.Open(ctx, box, options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	return m.Compact(ctx)
}
