package session

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"spoold/backend/annotation"
)

// Annotations of mailboxes and of the server (RFC 5464).
//
// All mailboxes here are the user's own, so /shared entries of a mailbox are kept where its /private ones are: whoever
// else may read the file through the file system does not see them. Of the server the /shared entries are the
// administrator's, and cannot be changed.

// specialUseEntry is tied to what LIST tells (RFC 6154 §4).
const specialUseEntry = "/private/specialuse"

var (
	errNoNotes     = &Refusal{Code: "CANNOT", Text: "Nothing can be noted: the server has no state directory"}
	errServerEntry = &Refusal{Code: "NOPERM", Text: "Shared annotations of the server are the administrator's"}
	errTooMany     = &Refusal{Code: "METADATA TOOMANY", Text: "The mailbox has as many annotations as this server takes"}
	errNoSpace     = &Refusal{Code: "OVERQUOTA", Text: "There is no more space for annotations"}
)

// Metadata returns the annotations of a mailbox, or of the server if the name is empty.
func (s *Session) Metadata(ctx context.Context, name string) ([]annotation.Entry, error) {
	if name == "" {
		return append(s.serverMetadata(), s.notes("")...), nil
	}
	name, err := s.annotated(name)
	if err != nil {
		return nil, err
	}
	var entries []annotation.Entry
	for _, e := range s.notes(name) {
		if e.Name != specialUseEntry {
			entries = append(entries, e)
		}
	}
	if uses := s.specialUses(ctx)[name]; len(uses) > 0 {
		entries = append(entries, annotation.Entry{Name: specialUseEntry, Value: []byte(strings.Join(uses, " "))})
	}
	return entries, nil
}

func (s *Session) serverMetadata() []annotation.Entry {
	var entries []annotation.Entry
	if s.cfg.Admin != "" {
		entries = append(entries, annotation.Entry{Name: "/shared/admin", Value: []byte(s.cfg.Admin)})
	}
	if s.cfg.Comment != "" {
		entries = append(entries, annotation.Entry{Name: "/shared/comment", Value: []byte(s.cfg.Comment)})
	}
	return entries
}

func (s *Session) notes(mailbox string) []annotation.Entry {
	if s.cfg.Annotations == nil {
		return nil
	}
	return s.cfg.Annotations.Get(mailbox)
}

// annotated is the name under which annotations of an existing mailbox or directory are kept.
func (s *Session) annotated(name string) (string, error) {
	name = strings.TrimSuffix(name, "/")
	if name != inbox && !s.cfg.Store.Has(name) {
		return "", explainMissing(name, ErrNoMailbox)
	}
	return name, nil
}

// SetMetadata changes annotations of a mailbox, or of the server: all of them or none.
func (s *Session) SetMetadata(ctx context.Context, name string, entries []annotation.Entry) error {
	switch {
	case s.cfg.ReadOnly:
		return errServerReadOnly
	case s.cfg.Annotations == nil:
		return errNoNotes
	}
	if name != "" {
		var err error
		if name, err = s.annotated(name); err != nil {
			return err
		}
	}
	for i, e := range entries {
		switch {
		case name == "" && strings.HasPrefix(e.Name, "/shared/"):
			return errServerEntry
		case e.Name == specialUseEntry:
			value, err := s.specialUseValue(ctx, name, e.Value)
			if err != nil {
				return err
			}
			entries[i].Value = value
		}
	}
	return s.refuseNotes(s.cfg.Annotations.Set(name, entries, s.watcher))
}

// specialUseValue checks what is to be noted as the special uses of a mailbox. None is noted too, where the
// configuration would give it one by its name.
func (s *Session) specialUseValue(ctx context.Context, name string, value []byte) ([]byte, error) {
	uses, err := parseUses(strings.Fields(string(value)))
	switch {
	case err != nil:
		return nil, err
	case len(uses) > 0 && name != inbox && !s.isMailbox(ctx, name):
		return nil, errNoUse
	case len(uses) > 0:
		return []byte(strings.Join(uses, " ")), nil
	case s.hasDefaultUse(name):
		return []byte{}, nil
	}
	return nil, nil
}

// refuseNotes gives the answers that RFC 5464 §4.3 has for limits.
func (s *Session) refuseNotes(err error) error {
	switch {
	case errors.Is(err, annotation.ErrValue):
		size := strconv.Itoa(s.cfg.Annotations.Limits().Value)
		return &Refusal{Code: "METADATA MAXSIZE " + size, Text: "The value is larger than this server takes"}
	case errors.Is(err, annotation.ErrCount):
		return errTooMany
	case errors.Is(err, annotation.ErrTotal):
		return errNoSpace
	}
	return err
}

// noteNew begins the annotations of a mailbox that is about to be made: what was noted of one that another program has
// removed is not its. It is false when there was nothing to do.
func (s *Session) noteNew(name string, uses []string) (bool, error) {
	uses, err := parseUses(uses)
	if err != nil {
		return false, err
	}
	dir := strings.HasSuffix(name, "/")
	if len(uses) > 0 && (dir || s.cfg.Annotations == nil) {
		return false, errNoUse
	}
	name = strings.TrimSuffix(name, "/")
	if s.cfg.Annotations == nil || s.cfg.Store.Has(name) {
		return false, nil
	}
	if err := s.cfg.Annotations.Drop(name); err != nil || len(uses) == 0 {
		return false, err
	}
	use := annotation.Entry{Name: specialUseEntry, Value: []byte(strings.Join(uses, " "))}
	return true, s.refuseNotes(s.cfg.Annotations.Set(name, []annotation.Entry{use}, s.watcher))
}

// forget drops what is noted of a mailbox that is gone. What cannot be dropped now is when a mailbox of that name is made.
func (s *Session) forget(name string) {
	if s.cfg.Annotations == nil {
		return
	}
	if err := s.cfg.Annotations.Drop(name); err != nil {
		s.log.Warn("annotations of a missing mailbox stay", "mailbox", name, "err", err)
	}
}

func (s *Session) copyNotes(from, to string) error {
	if s.cfg.Annotations == nil {
		return nil
	}
	return s.cfg.Annotations.Copy(from, to)
}

// renameNoted gives the new name what is noted of the old one, before rename, so that a crash loses none of it.
func (s *Session) renameNoted(from, to string, rename func() error) error {
	if s.cfg.Annotations == nil || s.cfg.Store.Has(to) {
		return rename()
	}
	if err := s.cfg.Annotations.Copy(from, to); err != nil {
		return err
	}
	err := rename()
	switch {
	case err == nil:
		s.forget(from)
	case !errors.Is(err, ErrExists):
		s.forget(to)
	}
	return err
}

// tellAnnotations tells a client that has enabled METADATA what others have noted (RFC 5464 §4.4.2).
func (s *Session) tellAnnotations() error {
	if s.watcher == nil || s.out == nil {
		return nil
	}
	for _, c := range s.watcher.Changes() {
		s.out.Raw("* METADATA ")
		s.out.Mailbox(c.Mailbox)
		for _, e := range c.Entries {
			s.out.SP()
			s.out.AString([]byte(e))
		}
		s.out.CRLF()
	}
	return s.out.Err()
}

// CheckEntry says whether this, in lower case, is the name of an annotation (RFC 5464 §3.2).
func CheckEntry(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) < 3 || parts[0] != "" || parts[1] != "private" && parts[1] != "shared" {
		return false
	}
	if parts[2] == "vendor" && len(parts) < 5 {
		return false
	}
	return wellFormedEntry(name)
}

// CheckEntryPath is CheckEntry for what may be asked with DEPTH: what is above annotations, too.
func CheckEntryPath(name string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return strings.HasPrefix(name, "/") && (first == "private" || first == "shared") && wellFormedEntry(name)
}

func wellFormedEntry(name string) bool {
	return !strings.Contains(name, "//") && !strings.HasSuffix(name, "/") && bytes.IndexFunc([]byte(name), func(c rune) bool {
		return c < ' ' || c > '~' || c == '*' || c == '%'
	}) < 0
}

// merge joins two channels of tokens, of which a may be nil, until stop.
func merge(a, b <-chan struct{}) (both <-chan struct{}, stop func()) {
	out, done := make(chan struct{}, 1), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case _, open := <-a:
				if !open {
					a = nil
				}
			case <-b:
			case <-done:
				return
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	})
	return out, func() { close(done); running.Wait() }
}
