package session

import (
	"context"
	"io"

	"spoold/backend/mime"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// Source is one message of a mailbox that need not be the selected one. Reading it does not make it \Seen.
type Source struct {
	row     Row
	release func()
}

// OpenSource finds a message. uidValidity 0 stands for whatever the mailbox has. The error is ErrNoMailbox or
// mboxstore.ErrExpunged when there is no such message.
func (s *Session) OpenSource(ctx context.Context, name string, uidValidity uint32, uid mboxstore.UID) (*Source, error) {
	m, release, err := s.openFolder(ctx, name)
	if err != nil {
		return nil, err
	}
	found := m.Get([]mboxstore.UID{uid}, nil)
	if len(found) == 0 || uidValidity != 0 && m.Status().UIDValidity != uidValidity {
		release()
		return nil, mboxstore.ErrExpunged
	}
	return &Source{Row{ctx: ctx, v: &View{box: m}, msg: found[0]}, release}, nil
}

// Close lets go of the mailbox.
func (o *Source) Close() { o.release() }

// Write writes a section, or the part of it that p is: a long run straight from the file. ok is false when the message has
// no such part. ErrExpunged: the message went meanwhile.
func (o *Source) Write(w io.Writer, sec mime.Section, p *Partial) (ok bool, err error) {
	if e, known := o.row.Extent(sec); known {
		if e = p.Cut(e); e.Len > StreamOver {
			return true, o.row.WriteOctets(w, e)
		}
	}
	b, err := o.row.Section(sec, p)
	if err != nil || b == nil {
		return false, err
	}
	_, err = w.Write(b)
	return true, err
}

// SelectedName is the name of the selected mailbox; "" when none is.
func (s *Session) SelectedName() string {
	if s.view == nil {
		return ""
	}
	return s.view.name
}

// Named is the mailbox that a URL means by text: UTF-8 (RFC 5092 §3), or else the name as it is on disk and in LIST.
func (s *Session) Named(text string) string {
	name := wire.EncodeMUTF7(text)
	if name != text && !s.cfg.Store.Has(name) && s.cfg.Store.Has(text) {
		return text
	}
	return canonical(name)
}
