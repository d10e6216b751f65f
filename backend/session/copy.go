package session

import (
	"context"
	"errors"
	"slices"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// Target is a mailbox that messages are to be put into.
type Target struct {
	box     *mboxstore.Mailbox
	release func()
}

// OpenTarget opens the mailbox of APPEND, COPY and MOVE. When there is none the answer tells the client that it may
// make it (RFC 3501 §6.3.11).
func (s *Session) OpenTarget(ctx context.Context, name string) (*Target, error) {
	if s.cfg.ReadOnly {
		return nil, errServerReadOnly
	}
	m, release, err := s.cfg.Store.Open(ctx, name, name == inbox)
	if err = explainMissing(name, err); errors.Is(err, ErrNoMailbox) {
		return nil, &Refusal{Code: "TRYCREATE", Text: "No such mailbox"}
	}
	if err != nil {
		return nil, err
	}
	if m.ReadOnly() {
		release()
		return nil, mboxstore.ErrReadOnly
	}
	return &Target{m, release}, nil
}

// Close lets go of the mailbox.
func (t *Target) Close() { t.release() }

// Receive begins to take messages that come one by one.
func (t *Target) Receive() *mboxstore.Incoming { return t.box.Receive() }

// Append puts one message in, durably.
func (t *Target) Append(ctx context.Context, msg mboxstore.NewMessage) (uidValidity uint32, uid mboxstore.UID, err error) {
	validity, uids, err := t.box.Append(ctx, []mboxstore.NewMessage{msg})
	if err != nil {
		return 0, 0, err
	}
	return validity, uids[0], nil
}

// Copied says under which UIDs the copies are. From is empty when there was nothing to copy.
type Copied struct {
	UIDValidity uint32
	From, To    []mboxstore.UID
}

// CopyTo copies the messages of nums (from Resolve), all or none: when one of them is no longer there nothing is
// copied (RFC 2180 §4.4.1). Flags, keywords and dates are kept.
func (s *Session) CopyTo(ctx context.Context, nums wire.Set, name string) (Copied, error) {
	return s.transfer(ctx, nums, name, s.copyWithin)
}

// copyWithin copies if the quota has room. A move takes none in the end, and is what frees some.
func (s *Session) copyWithin(ctx context.Context, dst *mboxstore.Mailbox, uids []mboxstore.UID) (uidValidity uint32, from, to []mboxstore.UID, err error) {
	var octets int64
	for _, m := range s.view.box.Get(uids, nil) {
		octets += m.Size
	}
	if err := s.Reserve(ctx, octets); err != nil {
		return 0, nil, nil, err
	}
	return s.view.box.CopyTo(ctx, dst, uids)
}

// transferFunc is the method of the selected mailbox that does the work of COPY or MOVE.
type transferFunc func(ctx context.Context, dst *mboxstore.Mailbox, uids []mboxstore.UID) (uidValidity uint32, from, to []mboxstore.UID, err error)

func (s *Session) transfer(ctx context.Context, nums wire.Set, name string, do transferFunc) (Copied, error) {
	t, err := s.OpenTarget(ctx, name)
	if err != nil {
		return Copied{}, err
	}
	defer t.Close()
	uids := s.view.num.list(nums)
	if len(uids) == 0 {
		return Copied{}, nil
	}
	if !present(s.view.box.UIDs(), uids) {
		return Copied{}, ErrMissing
	}
	validity, from, to, err := do(ctx, t.box, uids)
	return Copied{validity, from, to}, err
}

func present(all, uids []mboxstore.UID) bool {
	for _, uid := range uids {
		i, ok := slices.BinarySearch(all, uid)
		if !ok {
			return false
		}
		all = all[i+1:]
	}
	return true
}

// MoveTo moves messages: each is in one of the two mailboxes, whatever happens. copied is called when the client may be
// told where they are; the EXPUNGEs follow (RFC 6851 §4.3).
func (s *Session) MoveTo(ctx context.Context, nums wire.Set, name string, copied func(Copied) error, expunged func(num uint32) error) error {
	v := s.view
	if v.readOnly {
		return errReadOnly
	}
	c, err := s.transfer(ctx, nums, name, v.box.MoveTo)
	if err != nil || len(c.From) == 0 {
		return err
	}
	if err := copied(c); err != nil {
		return err
	}
	return v.tellGone(expunged)
}

// remove expunges those of the messages in only that are \Deleted, or all that are. The numbers are not told yet.
func (s *Session) remove(ctx context.Context, only []mboxstore.UID, all bool) error {
	if s.view.readOnly {
		return errReadOnly
	}
	_, err := s.view.box.Expunge(ctx, only, all)
	return err
}

// ExpungeUIDs is UID EXPUNGE (RFC 4315 §2.1): it removes those of nums that are \Deleted.
func (s *Session) ExpungeUIDs(ctx context.Context, nums wire.Set, expunged func(num uint32) error) error {
	if err := s.remove(ctx, s.view.num.list(nums), false); err != nil {
		return err
	}
	return s.view.tellGone(expunged)
}
