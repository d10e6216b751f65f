package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/emersion/go-imap/v2"

	"spoold/mboxstore"
)

func TestExplain(t *testing.T) {
	path := "/var/spool/mail/chris"
	for _, tt := range []struct {
		err  error
		code string
	}{
		{&fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}, "OVERQUOTA"},
		{fmt.Errorf("append %s: %w", path, syscall.EDQUOT), "OVERQUOTA"},
		{&fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}, "NOPERM"},
		{&fs.PathError{Op: "open", Path: path, Err: syscall.EPERM}, "NOPERM"},
		{&fs.PathError{Op: "open", Path: path, Err: syscall.EROFS}, "NOPERM"},
		{&fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}, "NONEXISTENT"},
		{&fs.PathError{Op: "remove", Path: path, Err: syscall.ENOTEMPTY}, "HASCHILDREN"},
		{&fs.PathError{Op: "open", Path: path, Err: syscall.EEXIST}, "ALREADYEXISTS"},
		{&mboxstore.FormatError{Path: path, Offset: 7, Reason: "no From_ line"}, "CORRUPTION"},
		{fmt.Errorf("open %s: %w", path, mboxstore.ErrInUse), "INUSE"},
		{mboxstore.ErrReadOnly, "READ-ONLY"},
		{mboxstore.ErrTooLarge, "TOOBIG"},
		{mboxstore.ErrKeyword, "CANNOT"},
		{mboxstore.ErrExpunged, "EXPUNGEISSUED"},
		{fmt.Errorf("x: %w", ErrNoMailbox), "NONEXISTENT"},
		{fmt.Errorf("x: %w", ErrCannot("because")), "CANNOT"},
		{errors.New("what is this? " + path), ""},
		{context.Canceled, ""},
	} {
		r := Explain(tt.err)
		if tt.code == "" {
			if r != nil {
				t.Errorf("%v: %+v", tt.err, r)
			}
			continue
		}
		if r == nil || r.Code != tt.code || r.Text == "" || strings.Contains(r.Text, path) {
			t.Errorf("%v: got %+v, want %s", tt.err, r, tt.code)
		}
	}
}

// What the table does not know comes from Config.Explain, or is a bug of ours that shows no path.
func TestImapError(t *testing.T) {
	busy := errors.New("locked: /var/spool/mail/chris")
	s := New(Config{Explain: func(err error) *Refusal {
		if errors.Is(err, busy) {
			return &Refusal{Code: "INUSE", Text: "Busy"}
		}
		return nil
	}})
	for _, tt := range []struct {
		err  error
		want imap.Error
	}{
		{busy, imap.Error{Type: imap.StatusResponseTypeNo, Code: "INUSE", Text: "Busy"}},
		{errNotSelected, imap.Error{Type: imap.StatusResponseTypeBad, Text: "No mailbox is selected"}},
		{errors.New("/x"), imap.Error{Type: imap.StatusResponseTypeNo, Code: "SERVERBUG", Text: "Internal error; the server's log says more"}},
	} {
		var got *imap.Error
		if err := s.imapError("TEST", tt.err); !errors.As(err, &got) || *got != tt.want {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
	if err := s.imapError("TEST", nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}
