package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// maxCounted bounds the files that Usage looks at.
const maxCounted = 200_000

// errEnough ends a walk.
var errEnough = errors.New("too many files")

// Usage is how many octets the user's mailboxes have: the inbox, and all folders that Walk tells of. What a symbolic
// link leads to is counted under its own name. It looks at each file once, and at no more than a bound.
func (t *Tree) Usage(ctx context.Context) (int64, error) {
	var sum int64
	info, err := os.Stat(t.inbox)
	switch {
	case err == nil && info.Mode().IsRegular():
		sum = info.Size()
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("usage: %w", err)
	}
	n := 0
	err = t.Walk(ctx, "", true, func(f Folder) error {
		if n++; n > maxCounted {
			return errEnough
		}
		if !f.Linked {
			sum += f.Size
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return sum, err
}
