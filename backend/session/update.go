package session

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// How a client learns what others did.
//
// Mailbox.Changes tells what happened since a ModSeq. Each look moves the view's modseq on and sorts the news into
// what is told now and what must wait: EXPUNGE waits in numbering.gone while a command runs in which numbers must
// stand still; nothing else does. What the client knows from the answers to its own commands (View.told) is
// left out, message by message and only as long as the message is still in the state that was told; a change by
// another session that falls between is told.
//
// The order is EXPUNGE, EXISTS, RECENT, FLAGS, FETCH, ESEARCH (live.go), so that every number is right where it stands.

// teller is where untagged news goes: spoold's own connection, or imapserver's writers.
type teller interface {
	expunge(num uint32) error
	exists(n int) error
	recent(n int) error
	keywords(list, permanent []string) error
	flags(num uint32, m *mboxstore.Message, recent bool) error
}

// errMailboxGone is why a session must end: its numbers and UIDs mean nothing any more.
var errMailboxGone = &Refusal{Bye: true, Text: "The mailbox was replaced by another one; please connect again"}

// refresh adopts what others did to the file. A mailbox that cannot be looked at now is one whose news come later.
func (s *Session) refresh(ctx context.Context) {
	if err := s.view.box.Refresh(ctx); err != nil {
		s.log.Warn("mailbox not looked at", "mailbox", s.view.name, "err", err)
	}
}

// update looks for news and tells them. In a command that names messages by number, expunge must be false.
func (s *Session) update(ctx context.Context, t teller, expunge bool) error {
	if err := s.tellAnnotations(); err != nil || s.view == nil {
		return err
	}
	s.refresh(ctx)
	return s.view.tell(ctx, t, expunge)
}

// tell tells what changed in the index.
func (v *View) tell(ctx context.Context, t teller, expunge bool) error {
	c := v.box.Changes(v.modseq)
	if c.Lost {
		return errMailboxGone
	}
	v.num.lose(c.Expunged)
	added := v.num.add(c.New)
	v.recent = append(v.recent, v.claim(added)...)
	v.modseq = c.ModSeq
	if expunge {
		if err := v.tellExpunges(t.expunge); err != nil {
			return err
		}
	}
	if err := v.tellSizes(t); err != nil {
		return err
	}
	if c.Keywords {
		if err := v.tellKeywords(t); err != nil {
			return err
		}
	}
	if err := v.tellFlags(t, c.Changed); err != nil {
		return err
	}
	return v.tellResults(ctx, c.Changed, added)
}

// tellGone tells the EXPUNGEs and nothing else. The rest of the news stays where it is, for the next tell.
func (v *View) tellGone(write func(num uint32) error) error {
	v.num.lose(v.box.Changes(v.modseq).Expunged)
	return v.tellExpunges(write)
}

func (v *View) tellExpunges(write func(num uint32) error) error {
	gone := v.num.gone
	if err := v.tellLeft(gone); err != nil {
		return err
	}
	for _, num := range v.num.tell() {
		if err := write(num); err != nil {
			return err
		}
	}
	if len(v.recent) > 0 && len(gone) > 0 {
		v.recent = slices.DeleteFunc(v.recent, func(uid mboxstore.UID) bool {
			_, lost := slices.BinarySearch(gone, uid)
			return lost
		})
	}
	v.exists -= len(gone)
	return nil
}

func (v *View) tellSizes(t teller) error {
	grown := v.num.len() != v.exists
	if grown {
		v.exists = v.num.len()
		if err := t.exists(v.exists); err != nil {
			return err
		}
	}
	if (grown || len(v.recent) != v.recents) && !v.noRecent {
		v.recents = len(v.recent)
		return t.recent(v.recents)
	}
	return nil
}

// tellKeywords tells new keywords before the first message that carries one (RFC 3501 §7.2.6).
func (v *View) tellKeywords(t teller) error {
	list := v.box.Status().Keywords
	if slices.Equal(list, v.keywords) {
		return nil
	}
	v.keywords = list
	return t.keywords(flagList(list), permanentFlags(list, v.readOnly))
}

func (v *View) tellFlags(t teller, changed []mboxstore.UID) error {
	slices.SortStableFunc(v.told, func(a, b toldFlags) int { return int(int64(a.uid) - int64(b.uid)) })
	for part := range slices.Chunk(changed, batch) {
		v.rows = v.box.Get(part, v.rows[:0])
		for i := range v.rows {
			m := &v.rows[i]
			num := v.num.find(m.UID)
			if num == 0 || v.knows(m) {
				continue
			}
			if err := t.flags(num, m, v.isRecent(m.UID) && !v.noRecent); err != nil {
				return err
			}
		}
	}
	v.told = v.told[:0]
	return nil
}

// wireTeller tells on spoold's own connection.
type wireTeller struct{ w *wire.Writer }

func (t wireTeller) expunge(num uint32) error { return t.line(uint64(num), " EXPUNGE") }
func (t wireTeller) exists(n int) error       { return t.line(uint64(n), " EXISTS") }
func (t wireTeller) recent(n int) error       { return t.line(uint64(n), " RECENT") }

func (t wireTeller) line(n uint64, text string) error {
	t.w.Raw("* ")
	t.w.Num(n)
	t.w.Raw(text)
	t.w.CRLF()
	return t.w.Err()
}

func (t wireTeller) keywords(list, permanent []string) error {
	t.w.Raw("* FLAGS ")
	t.w.List(len(list), func(i int) { t.w.Flag(list[i]) })
	t.w.CRLF()
	t.w.Raw("* OK [PERMANENTFLAGS ")
	t.w.List(len(permanent), func(i int) { t.w.Flag(permanent[i]) })
	t.w.Raw("] Permanent flags")
	t.w.CRLF()
	return t.w.Err()
}

// flags names the UID too: a client that counts by UIDs needs no second question.
func (t wireTeller) flags(num uint32, m *mboxstore.Message, recent bool) error {
	t.w.Raw("* ")
	t.w.Num(uint64(num))
	t.w.Raw(" FETCH (UID ")
	t.w.Num(uint64(m.UID))
	t.w.Raw(" FLAGS ")
	t.w.Bytes(AppendFlags(nil, m, recent))
	t.w.Raw(")")
	t.w.CRLF()
	return t.w.Err()
}

// serverTeller tells through the writer that a plain imapserver.Server gives to Poll and Idle.
type serverTeller struct{ w *imapserver.UpdateWriter }

func (t serverTeller) expunge(num uint32) error { return t.w.WriteExpunge(num) }
func (t serverTeller) exists(n int) error       { return t.w.WriteNumMessages(uint32(n)) }
func (t serverTeller) recent(n int) error       { return t.w.WriteNumRecent(uint32(n)) }

func (t serverTeller) keywords(list, _ []string) error {
	return t.w.WriteMailboxFlags(imapFlags(list))
}

func (t serverTeller) flags(num uint32, m *mboxstore.Message, recent bool) error {
	return t.w.WriteMessageFlags(num, imap.UID(m.UID), messageFlags(m, recent))
}
