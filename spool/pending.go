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
	return f.attrError("set", PendingAttr, err)
}

// Pending returns the attribute, "" when there is none, also where there can be none.
func (f osFile) Pending() (string, error) { return f.attribute(PendingAttr) }

// LayoutAttr is the extended attribute that has another value after each change that moved messages. It is for
// processes that have the mailbox open, so nothing depends on its being durable.
const LayoutAttr = "user.spoold.layout"

// SetLayout sets the attribute.
func (f osFile) SetLayout(id string) error {
	return f.attrError("set", LayoutAttr, f.do(func(fd int) error { return unix.Fsetxattr(fd, LayoutAttr, []byte(id), 0) }))
}

// Layout returns the attribute, "" when there is none, also where there can be none.
func (f osFile) Layout() (string, error) { return f.attribute(LayoutAttr) }

func (f osFile) attribute(name string) (string, error) {
	b := make([]byte, 256)
	n := 0
	err := f.do(func(fd int) (err error) {
		n, err = unix.Fgetxattr(fd, name, b)
		return err
	})
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return "", nil
	case errors.Is(err, unix.ERANGE):
		return "of another program", nil // ours are short
	case err != nil:
		return "", f.attrError("get", name, err)
	}
	return string(b[:n]), nil
}

// attrError names what was attempted.
func (f osFile) attrError(what, attr string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s of %s: %w", what, attr, f.Name(), err)
	}
	return nil
}
