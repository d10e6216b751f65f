package session

import (
	"context"
	"errors"
	"strings"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// canonical spells INBOX as the store does.
func canonical(name string) string {
	if strings.EqualFold(name, inbox) {
		return inbox
	}
	return name
}

// newName checks a name that is to be made. What is on disk under another name can still be opened: see UW's rule in
// mail_utf7_valid, which is about new names only.
func newName(name string) error {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 0x80:
			return ErrCannot("Mailbox name with 8-bit octet; names are in modified UTF-7")
		case c < ' ' || c == 0x7f:
			return ErrCannot("Mailbox name with control character")
		case c == '*' || c == '%':
			return ErrCannot("Mailbox name with wildcard")
		}
	}
	if !wire.CanonicalMUTF7(name) {
		return ErrCannot("Mailbox name is not valid modified UTF-7; \"&\" is written \"&-\"")
	}
	if _, ok := decoded(name); !ok {
		return ErrCannot("Mailbox name with control character, or one that is kept for octets that are no text")
	}
	if strings.Trim(name, "/") == "" {
		return ErrCannot("Empty mailbox name")
	}
	if name[0] == '#' {
		return errNamespace
	}
	if first, _, deep := strings.Cut(name, "/"); deep && strings.EqualFold(first, inbox) {
		return holdsMail(inbox)
	}
	return nil
}

// errNamespace: UW reads a name that begins with "#" as one of a namespace (#news, #mh, #shared) or of a format (#driver).
// There is none here. A file of such a name is a mailbox like any other.
var errNamespace = &Refusal{Code: "CANNOT", Text: "Names that begin with # are of other namespaces, and this server has none"}

// explainMissing says more of a missing mailbox when no mailbox of that name can be made.
func explainMissing(name string, err error) error {
	if strings.HasPrefix(name, "#") && errors.Is(err, ErrNoMailbox) {
		return errNamespace
	}
	return err
}

func holdsMail(parent string) error {
	return ErrCannot(parent + " holds mail and so cannot hold folders in this layout")
}

// explainParent finds out which parent of a name holds mail.
func (s *Session) explainParent(ctx context.Context, name string, err error) error {
	if !errors.Is(err, ErrHoldsMail) {
		return err
	}
	for i, c := range []byte(name) {
		if c == delimiter && s.isMailbox(ctx, name[:i]) {
			return holdsMail(name[:i])
		}
	}
	return err
}

func (s *Session) isMailbox(ctx context.Context, name string) bool {
	found := false
	dir := name[:max(strings.LastIndexByte(name, delimiter), 0)]
	err := s.cfg.Store.Walk(ctx, dir, false, func(f Folder) error {
		found = found || f.Name == name && !f.Dir
		return nil
	})
	return err == nil && found
}

// CreateFolder makes a mailbox, or a directory when the name ends in the delimiter. The mailbox has these special uses
// from the first moment (RFC 6154 §3).
func (s *Session) CreateFolder(ctx context.Context, name string, uses []string) error {
	if s.cfg.ReadOnly {
		return errServerReadOnly
	}
	if name == inbox {
		return &Refusal{Code: "ALREADYEXISTS", Text: "INBOX is always there"}
	}
	if err := newName(name); err != nil {
		return err
	}
	noted, err := s.noteNew(name, uses)
	if err != nil {
		return err
	}
	err = s.cfg.Store.Create(ctx, name)
	if err != nil && noted && !errors.Is(err, ErrExists) {
		s.forget(name)
	}
	return s.explainParent(ctx, name, err)
}

// DeleteFolder removes a mailbox or an empty directory.
func (s *Session) DeleteFolder(ctx context.Context, name string) error {
	if s.cfg.ReadOnly {
		return errServerReadOnly
	}
	name = strings.TrimSuffix(name, "/")
	if name == inbox {
		return errInboxStays
	}
	if s.holds(name) {
		return &Refusal{Code: "INUSE", Text: "The selected mailbox cannot be deleted"}
	}
	err := s.cfg.Store.Delete(ctx, name)
	if err == nil {
		s.forget(name)
	}
	return explainMissing(name, err)
}

// holds reports whether the selected mailbox is name, or below it.
func (s *Session) holds(name string) bool {
	return s.view != nil && (s.view.name == name || strings.HasPrefix(s.view.name, name+"/"))
}

// RenameFolder moves a mailbox or directory with what is below it. INBOX stays, and its messages move (RFC 3501 §6.3.5).
func (s *Session) RenameFolder(ctx context.Context, from, to string) error {
	if s.cfg.ReadOnly {
		return errServerReadOnly
	}
	if err := newName(to); err != nil {
		return err
	}
	if to == inbox {
		return &Refusal{Code: "ALREADYEXISTS", Text: "INBOX is always there"}
	}
	if from == inbox {
		return s.renameInbox(ctx, to)
	}
	from, to = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
	if s.holds(from) {
		return &Refusal{Code: "INUSE", Text: "The selected mailbox cannot be renamed"}
	}
	if strings.HasPrefix(to, from+"/") {
		return ErrCannot("A folder cannot be moved into itself")
	}
	err := s.renameNoted(from, to, func() error { return s.cfg.Store.Rename(ctx, from, to) })
	return explainMissing(from, s.explainParent(ctx, to, err))
}

func (s *Session) renameInbox(ctx context.Context, to string) error {
	src, release, err := s.cfg.Store.Open(ctx, inbox, true)
	if err != nil {
		return err
	}
	defer release()
	if src.ReadOnly() {
		return mboxstore.ErrReadOnly
	}
	to = strings.TrimSuffix(to, "/")
	if err := s.explainParent(ctx, to, s.cfg.Store.Create(ctx, to)); err != nil {
		return err
	}
	if err := s.copyNotes(inbox, to); err != nil {
		return err
	}
	dst, releaseTo, err := s.cfg.Store.Open(ctx, to, false)
	if err != nil {
		return err
	}
	defer releaseTo()
	if err := src.Refresh(ctx); err != nil {
		return err
	}
	return moveAll(ctx, src, dst)
}

// moveAll leaves everything where it was when it cannot be moved.
func moveAll(ctx context.Context, src, dst *mboxstore.Mailbox) error {
	uids := src.UIDs()
	if len(uids) == 0 {
		return nil
	}
	_, _, _, err := src.MoveTo(ctx, dst, uids)
	return err
}

// subscribe adds a name to, or takes it from, the subscriptions. It need not exist: a mailbox that comes back keeps its subscribers
// (RFC 3501 §6.3.6).
func (s *Session) subscribe(name string, on bool) error {
	if name == "" || strings.ContainsAny(name, "\r\n\x00") {
		return ErrBadName
	}
	if on && name[0] == '#' && !s.cfg.Store.Has(name) {
		return errNamespace
	}
	if on {
		return s.cfg.Subscriptions.Add(name)
	}
	return s.cfg.Subscriptions.Remove(name)
}

// openFolder opens a mailbox to look at it, up to date.
func (s *Session) openFolder(ctx context.Context, name string) (*mboxstore.Mailbox, func(), error) {
	m, release, err := s.cfg.Store.Open(ctx, name, false)
	if err != nil {
		return nil, nil, explainMissing(name, err)
	}
	if err := m.Refresh(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return m, release, nil
}
