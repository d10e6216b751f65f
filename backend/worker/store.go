package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"spoold/backend/session"
	"spoold/mboxstore"
	"spoold/spool"
)

// store is the user's mailboxes as one session sees them. It implements session.Store.
type store struct {
	w *Worker
	h holder
}

// Open opens a mailbox; see session.Store. A missing inbox is an empty one.
func (s *store) Open(ctx context.Context, name string, create bool) (*mboxstore.Mailbox, func(), error) {
	path, err := s.w.tree.Path(name)
	if err != nil {
		return nil, nil, known(err)
	}
	if path == s.w.cfg.Inbox {
		if create && !s.w.cfg.ReadOnly {
			if err := s.w.makeInbox(); err != nil {
				return nil, nil, err
			}
		}
		return s.w.table.acquire(ctx, path, s.h)
	}
	f, err := s.w.tree.Stat(name)
	if err != nil {
		return nil, nil, known(err)
	}
	if f.Dir {
		return nil, nil, fmt.Errorf("open %s: %w", name, session.ErrNoMailbox)
	}
	m, release, err := s.w.table.acquire(ctx, path, s.h)
	if err != nil {
		return nil, nil, err
	}
	// It may have waited until the folder was deleted or renamed, and what is missing opens as empty.
	if _, err := s.w.tree.Stat(name); err != nil {
		release()
		return nil, nil, known(err)
	}
	return m, release, nil
}

// Walk tells the folders below dir.
func (s *store) Walk(ctx context.Context, dir string, deep bool, f func(session.Folder) error) error {
	err := s.w.tree.Walk(ctx, dir, deep, func(found spool.Folder) error {
		return f(session.Folder{
			Name: found.Name, Dir: found.Dir, HasChildren: found.HasChildren, Marked: found.Marked,
		})
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, spool.ErrName) || errors.Is(err, spool.ErrNotFolder) {
		return nil // nothing is below it
	}
	return err
}

// Has implements session.Store.
func (s *store) Has(name string) bool {
	_, err := s.w.tree.Stat(name)
	return err == nil
}

// Raw implements session.Store.
func (s *store) Raw(name string) (io.ReadCloser, error) {
	path, err := s.w.tree.Path(name)
	if err != nil {
		return nil, known(err)
	}
	f, err := s.w.box(path).Raw()
	return f, known(err)
}

// Create makes a folder with UW-IMAP's pseudo message in it, so that its UIDVALIDITY is in the
// file from the first moment; or a directory.
func (s *store) Create(_ context.Context, name string) error {
	if strings.HasSuffix(name, "/") {
		return known(s.w.tree.Create(name, nil))
	}
	v, err := s.w.validity.next()
	if err != nil {
		return err
	}
	base := mboxstore.Base{UIDValidity: v}
	return known(s.w.tree.Create(name, mboxstore.AppendPseudo(nil, base, s.w.cfg.Hostname, time.Now(), true)))
}

// Delete removes a folder. Other sessions that have it selected are ended.
func (s *store) Delete(ctx context.Context, name string) error {
	return s.alter(ctx, name, "deleted", func() error { return s.w.tree.Remove(name) })
}

// Rename renames a folder or directory. Other sessions that have it, or one below it, selected are ended.
func (s *store) Rename(ctx context.Context, from, to string) error {
	return s.alter(ctx, from, "renamed", func() error { return s.w.tree.Rename(from, to) })
}

func (s *store) alter(ctx context.Context, name, what string, f func() error) error {
	path, err := s.w.tree.Path(name)
	if err != nil {
		return known(err)
	}
	if _, err := s.w.tree.Stat(name); err != nil {
		return known(err) // before anybody has to leave
	}
	// The text must be true when it fails, too.
	free, err := s.w.table.alter(ctx, path, s.h, "The mailbox is being "+what+" by another session", f)
	if !free && err == nil {
		return &session.Refusal{Code: "INUSE", Text: "The mailbox is in use by another session"}
	}
	return known(err)
}

// known turns spool's errors about names into those of the session package.
func known(err error) error {
	for _, pair := range [...]struct{ from, to error }{
		{spool.ErrName, session.ErrBadName},
		{spool.ErrNotFolder, session.ErrHoldsMail},
		{fs.ErrNotExist, session.ErrNoMailbox},
		{syscall.ENOTDIR, session.ErrNoMailbox},
		{fs.ErrExist, session.ErrExists},
	} {
		if errors.Is(err, pair.from) {
			return fmt.Errorf("%w: %w", pair.to, err)
		}
	}
	return err
}

// explain says how spool's errors about files are answered.
func explain(err error) *session.Refusal {
	for _, a := range [...]struct {
		err        error
		code, text string
	}{
		{spool.ErrLocked, "INUSE", "The mailbox is locked by another program"},
		{spool.ErrReplaced, "INUSE", "The mailbox was replaced by another program; try again"},
		{spool.ErrNotRegular, "NOPERM", "The mailbox is not a regular file"},
		{spool.ErrLinks, "NOPERM", "The mailbox file has more than one name"},
		{spool.ErrOwner, "NOPERM", "The mailbox file belongs to another user"},
		{spool.ErrSymlink, "NOPERM", "The mailbox is a symbolic link"},
		{errAltered, "INUSE", "The mailbox is being deleted or renamed by another session"},
		{errClosed, "UNAVAILABLE", "The server is stopping"},
		{context.DeadlineExceeded, "INUSE", "The mailbox is busy"},
	} {
		if errors.Is(err, a.err) {
			return &session.Refusal{Code: a.code, Text: a.text}
		}
	}
	return nil
}

// box describes the mailbox file at path. Only the inbox lies where the user may not be allowed
// to make lock files, so only for it is the supervisor asked.
func (w *Worker) box(path string) *box {
	policy := w.cfg.LockPolicy(w.log)
	b := &box{}
	if path == w.cfg.Inbox && w.o.Supervisor != nil {
		policy.Dotlock = locker{w.o.Supervisor}
		b.create = w.o.Supervisor.Create
	}
	b.Box = spool.NewBox(path, w.cfg.UID, policy)
	return b
}

// box is a spool.Box whose missing file the supervisor makes where the user may not.
type box struct {
	*spool.Box
	create func(context.Context) error
}

// NewFile makes the missing mailbox.
func (b *box) NewFile(perm fs.FileMode) (spool.File, error) {
	f, err := b.Box.NewFile(perm)
	if b.create == nil || !errors.Is(err, fs.ErrPermission) {
		return f, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	if askErr := b.create(ctx); askErr != nil {
		return nil, errors.Join(err, askErr)
	}
	return b.Open(true)
}

// askTimeout bounds how long the supervisor is waited for.
const askTimeout = 10 * time.Second

// locker asks the supervisor for the lock of the inbox. The path is not part of the question.
type locker struct{ s Supervisor }

// Make implements spool.DotlockMaker.
func (l locker) Make(string) error { return ask(l.s.Lock) }

// Remove implements spool.DotlockMaker.
func (l locker) Remove(string) error { return ask(l.s.Unlock) }

func ask(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	return f(ctx)
}

// makeInbox makes the inbox if it is missing. That it cannot be made is no reason not to show it empty.
func (w *Worker) makeInbox() error {
	b := w.box(w.cfg.Inbox)
	if _, err := b.Stat(); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := b.NewFile(0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrExist):
		return nil
	}
	w.log.Warn("Inbox not made", "path", w.cfg.Inbox, "err", err)
	return nil
}
