package mboxstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"spoold/spool"
)

// Move is a move that a crash interrupted, or that was refused though its copies are, or may be, in the target.
type Move struct {
	dir     spool.Dir
	rec     *moveRecord
	refused error // what its client was told; nil: nobody was told anything
	settled bool  // guarded by the source's moves lock
}

// PendingMoves lists the moves that wait in a user's state directory. It must be called before the first MoveTo of
// this process: a record that is made later is of a move that goes on. The error is of the records that could not be
// read; the others are returned.
func PendingMoves(state spool.Dir) ([]*Move, error) {
	dir, err := state.Sub("journal")
	if err != nil {
		return nil, err
	}
	records, err := moveRecords(dir)
	moves := make([]*Move, len(records))
	for i, r := range records {
		moves[i] = &Move{dir: dir, rec: r}
	}
	return moves, err
}

// Source is the path of the mailbox that messages were moved out of.
func (v *Move) Source() string { return v.rec.source.path }

// Target is the path of the mailbox that they were moved to.
func (v *Move) Target() string { return v.rec.target.path }

// Finish removes from src, the mailbox at Source, what is safe in dst, the one at Target, and forgets the move; of a
// refused one it removes from dst what is safe in src. After an error it can be tried again.
func (v *Move) Finish(ctx context.Context, src, dst *Mailbox) error {
	defer lockMoves(src, dst)()
	return v.settle(ctx, src, dst)
}

// settle is Finish for a caller that holds the moves locks.
func (v *Move) settle(ctx context.Context, src, dst *Mailbox) error {
	if v.settled {
		return nil
	}
	finish := v.finish
	if v.refused != nil {
		finish = v.takeBack
	}
	err := finish(ctx, src, dst)
	if err == nil {
		err = removeMove(v.dir, v.rec)
	}
	v.settled = err == nil
	if err != nil {
		return fmt.Errorf("move from %s to %s: %w", v.Source(), v.Target(), err)
	}
	return nil
}

func (v *Move) finish(ctx context.Context, src, dst *Mailbox) error {
	uids, err := v.inBoth(ctx, v.to(dst), v.from(src))
	if err != nil || len(uids) == 0 {
		return err
	}
	gone, err := src.Remove(ctx, uids)
	src.log.Info("interrupted move finished", "target", v.Target(), "messages", len(gone))
	return err
}

// moveEnd is one of the two mailboxes of a move.
type moveEnd struct {
	box   *Mailbox
	place movePlace
	uid   func(movedMessage) UID
}

func (v *Move) from(src *Mailbox) moveEnd {
	return moveEnd{src, v.rec.source, func(p movedMessage) UID { return p.from }}
}

func (v *Move) to(dst *Mailbox) moveEnd {
	return moveEnd{dst, v.rec.target, func(p movedMessage) UID { return p.to }}
}

// inBoth returns the UIDs in b of the messages that are in a and, seen after that, in b.
func (v *Move) inBoth(ctx context.Context, a, b moveEnd) (uids []UID, err error) {
	pairs, err := a.box.have(ctx, a.place, v.rec.pairs, a.uid)
	if err != nil || len(pairs) == 0 {
		return nil, err
	}
	pairs, err = b.box.have(ctx, b.place, pairs, b.uid)
	for _, p := range pairs {
		uids = append(uids, b.uid(p))
	}
	return uids, err
}

// have returns those of pairs of which the message named by uid is here, durably and with its bytes.
func (m *Mailbox) have(ctx context.Context, place movePlace, pairs []movedMessage, uid func(movedMessage) UID) ([]movedMessage, error) {
	if err := m.lookAnew(ctx); err != nil {
		return nil, err
	}
	if v := m.Status().UIDValidity; v != place.uidValidity {
		m.log.Warn("another mailbox than the one of an interrupted move", "uidvalidity", v, "was", place.uidValidity)
		return nil, nil
	}
	var here []movedMessage
	for _, p := range pairs {
		sum, err := m.sum(ctx, uid(p))
		switch {
		case errors.Is(err, ErrExpunged):
		case err != nil:
			return nil, err
		case sum == p.sum:
			here = append(here, p)
		}
	}
	return here, nil
}

// sum is the checksum of a message as clients get it.
func (m *Mailbox) sum(ctx context.Context, uid UID) (s messageSum, err error) {
	known := m.Get([]UID{uid}, nil)
	if len(known) == 0 {
		return s, ErrExpunged
	}
	h := sha256.New()
	err = m.WriteText(ctx, uid, 0, known[0].Size, h)
	copy(s[:], h.Sum(nil))
	return s, err
}
