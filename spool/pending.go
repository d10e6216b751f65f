package spool

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// PendingAttr is the extended attribute that names the unfinished change of a mailbox, for whoever finds
// the mailbox without its journal.
const PendingAttr = "user.spoold.pending"

// SetPending sets the attribute, or removes it when id is "". It is durable with the next Sync. That there
// is none to remove is no error.
func (f osFile) SetPending(id string) error {
	err := f.do(func(fd int) error {
		if id == "" {
			return unix.Fremovexattr(fd, PendingAttr)
		}
		return unix.Fsetxattr(fd, PendingAttr, []byte(id), 0)
	})
	if id == "" && errors.Is(err, unix.ENODATA) {
		return nil
	}
	return f.attrError("set", err)
}

// Pending returns the attribute, "" when there is none, also where there can be none.
func (f osFile) Pending() (string, error) {
	b := make([]byte, 256)
	n := 0
	err := f.do(func(fd int) (err error) {
		n, err = unix.Fgetxattr(fd, PendingAttr, b)
		return err
	})
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return "", nil
	case errors.Is(err, unix.ERANGE):
		return "of another program", nil // ours are short
	case err != nil:
		return "", f.attrError("get", err)
	}
	return string(b[:n]), nil
}

func (f osFile) attrError(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s of %s: %w", what, PendingAttr, f.Name(), err)
	}
	return nil
}
