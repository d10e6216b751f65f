package mboxstore

import (
	"context"
	"io"
)

// Incoming is what one command adds to a mailbox. Its messages come one after the other, at the pace of a client, into a
// file that has no name; no lock is held. Nothing is in the mailbox before Commit or Replace.
type Incoming struct {
	m *Mailbox
	b batch
}

// Receive begins to take messages for this mailbox. Close has to follow.
func (m *Mailbox) Receive() *Incoming {
	return &Incoming{m: m, b: batch{spill: spill{dir: m.o.State}}}
}

// Close drops what is not committed.
func (in *Incoming) Close() { in.b.spill.close() }

// Add takes one message more, whose text is what write writes; that of n is not looked at. After an error nothing may be
// committed. Errors: ErrKeyword, ErrTooLarge, those of write and of the file system.
func (in *Incoming) Add(n *NewMessage, write func(io.Writer) error) error {
	return in.m.take1(&in.b, n, write)
}

// Len is the number of messages.
func (in *Incoming) Len() int { return len(in.b.items) }

// Commit appends the messages, all or none, as Append does.
func (in *Incoming) Commit(ctx context.Context) (uidValidity uint32, uids []UID, err error) {
	return in.m.add(ctx, &in.b)
}

// Replace appends the one message and removes message old of src, which may be the same mailbox. First the new one is
// durable, then the old one goes: a crash in between leaves both, never none. It is durable when it returns.
// Errors: ErrExpunged when old is gone, and those of Append and Remove. Then nothing has changed; only when neither
// the old message could be removed nor the new one taken back, both are there.
func (in *Incoming) Replace(ctx context.Context, src *Mailbox, old UID) (uidValidity uint32, uid UID, err error) {
	if err := src.mayMove(); err != nil {
		return 0, 0, err
	}
	defer lockMoves(src, in.m)()
	if err := src.settleLeft(ctx, in.m, []UID{old}); err != nil {
		return 0, 0, err
	}
	if len(src.Get([]UID{old}, nil)) == 0 {
		return 0, 0, ErrExpunged
	}
	uidValidity, uids, err := in.Commit(ctx)
	if err == nil {
		err = src.removeMoved(context.WithoutCancel(ctx), in.m, []UID{old}, uids)
	}
	if err != nil {
		return 0, 0, err
	}
	return uidValidity, uids[0], nil
}
