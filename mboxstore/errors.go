package mboxstore

import (
	"errors"
	"fmt"
)

// What a session has to be told about one message or one command.
var (
	// ErrExpunged: the message is no longer in the mailbox.
	ErrExpunged = errors.New("message is expunged")
	// ErrKeyword: a keyword that the status headers cannot carry, or one more than they can.
	ErrKeyword = errors.New("keyword cannot be stored")
	// ErrTooLarge: a message or a change that is larger than this store can make in one piece.
	ErrTooLarge = errors.New("too large")
)

// What stands between a change and the mailbox file.
var (
	// ErrReadOnly: the mailbox is not changed, by option, by permission, or because a journal waits for repair.
	ErrReadOnly = errors.New("mailbox is read-only")
	// ErrInUse: a UW-IMAP or alpine session holds the mailbox for itself.
	ErrInUse = errors.New("mailbox is in use by another mail program")
)

// ErrNotMbox: the bytes are not a mailbox in UW's mbox format. It always comes as a *FormatError.
var ErrNotMbox = errors.New("not an mbox mailbox")

// FormatError says where a file stops being a mailbox, and why. It matches ErrNotMbox.
type FormatError struct {
	Path   string // empty when only bytes were given
	Offset int64
	Reason string
}

func (e *FormatError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("offset %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("%s: offset %d: %s", e.Path, e.Offset, e.Reason)
}

// Is makes errors.Is(err, ErrNotMbox) true.
func (e *FormatError) Is(target error) bool { return target == ErrNotMbox }
