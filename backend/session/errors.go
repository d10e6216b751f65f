package session

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/emersion/go-imap/v2"

	"spoold/mboxstore"
)

// What a Store answers. It may wrap them.
var (
	// ErrNoMailbox: no mailbox of that name. Where a new one could be made it is answered [TRYCREATE].
	ErrNoMailbox = errors.New("no such mailbox")
	// ErrExists: a mailbox or directory of that name is there already.
	ErrExists = errors.New("mailbox already exists")
	// ErrHoldsMail: a parent of the name is a mailbox, and a mailbox holds no folders.
	ErrHoldsMail = errors.New("parent holds mail")
	// ErrBadName: no mailbox can have that name.
	ErrBadName = errors.New("invalid mailbox name")
)

// Refusal is an answer that is already decided: NO, or BAD or BYE, with a response code and a sentence that the
// client may see.
type Refusal struct {
	Code, Text string
	Bad, Bye   bool
}

func (r *Refusal) Error() string { return r.Text }

// ErrCannot is the answer NO [CANNOT] (RFC 5530): what is asked can never work, for the reason that text tells.
func ErrCannot(text string) error { return &Refusal{Code: "CANNOT", Text: text} }

var (
	errServerReadOnly = &Refusal{Code: "NOPERM", Text: "This server changes nothing"}
	errInboxStays     = &Refusal{Code: "CANNOT", Text: "INBOX cannot be deleted"}
	errNotSelected    = &Refusal{Bad: true, Text: "No mailbox is selected"}
)

// answers is the table from errors to IMAP answers, first match wins. The sentences are all that a client sees: errors
// name paths, and paths are nobody's business on the other side.
var answers = []struct {
	err        error
	code, text string
}{
	{syscall.ENOTEMPTY, "HASCHILDREN", "The folder is not empty"}, // is an fs.ErrExist too
	{ErrNoMailbox, "NONEXISTENT", "No such mailbox"},
	{ErrExists, "ALREADYEXISTS", "There is a mailbox of this name already"},
	{ErrHoldsMail, "CANNOT", "A mailbox that holds mail cannot hold folders in this layout"},
	{ErrBadName, "CANNOT", "No mailbox can have this name"},
	{mboxstore.ErrExpunged, "EXPUNGEISSUED", "Some of the messages are no longer there"},
	{mboxstore.ErrReadOnly, "READ-ONLY", "The mailbox is read-only"},
	{mboxstore.ErrInUse, "INUSE", "The mailbox is in use by another mail program"},
	{mboxstore.ErrNotOwner, "NOPERM", "The mailbox belongs to another user: nothing can be removed from it"},
	{mboxstore.ErrNoJournal, "CANNOT", "Nothing can be removed from mailboxes: the server has no state directory"},
	{mboxstore.ErrKeyword, "CANNOT", "A keyword cannot be stored in this mailbox"},
	{mboxstore.ErrTooLarge, "TOOBIG", "The message is too large"},
	{mboxstore.ErrNotMbox, "CORRUPTION", "The file is not a mailbox in mbox format, or it is damaged"},
	{syscall.ENOSPC, "OVERQUOTA", "No space left for mail"},
	{syscall.EDQUOT, "OVERQUOTA", "Disk quota exceeded"},
	{mboxstore.ErrPending, "UNAVAILABLE", "A change of the mailbox is unfinished; please try again later"},
	{syscall.EFBIG, "LIMIT", "The mailbox would be too large"},
	{syscall.EROFS, "NOPERM", "The mailbox is on a read-only file system"},
	{fs.ErrPermission, "NOPERM", "Permission denied"},
	{syscall.ENAMETOOLONG, "CANNOT", "The mailbox name is too long"},
	{fs.ErrExist, "ALREADYEXISTS", "There is a mailbox of this name already"},
	{fs.ErrNotExist, "NONEXISTENT", "No such mailbox"},
}

// Explain says how an error is answered; nil when it is none that a client can be blamed for or told about: then
// the answer is [SERVERBUG], and the error belongs into the log.
func Explain(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return &Refusal{Code: a.code, Text: a.text}
		}
	}
	return nil
}

// imapError makes the error of an imapserver callback, which answers what it does not know with a sentence of its own.
func (s *Session) imapError(what string, err error) error {
	if err == nil {
		return nil
	}
	r := s.Explain(err)
	if r == nil {
		s.log.Error("command failed", "command", what, "err", err)
		r = &Refusal{Code: "SERVERBUG", Text: "Internal error; the server's log says more"}
	}
	typ := imap.StatusResponseTypeNo
	if r.Bad {
		typ = imap.StatusResponseTypeBad
	}
	return &imap.Error{Type: typ, Code: imap.ResponseCode(r.Code), Text: r.Text}
}

// Explain is the function Explain with what Config.Explain adds to it.
func (s *Session) Explain(err error) *Refusal {
	if r := Explain(err); r != nil || s.cfg.Explain == nil {
		return r
	}
	return s.cfg.Explain(err)
}
