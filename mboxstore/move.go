package mboxstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"strings"

	"spoold/spool"
)

// How messages are moved so that a crash at any instant leaves each of them once.
//
//  1. The messages are read and summed up, without any lock.
//  2. Under the locks of the target, when the UIDs of the copies are known, a move record (moverecord.go) is made
//     durable: from where, to where, and of every message both UIDs and the checksum of what clients see of it.
//  3. The copies are appended, all or none, and durable. The target's locks are given back.
//  4. The messages are removed from the source, under its locks, all or none, and durable.
//  5. The record is removed, durably. Then the move is acknowledged.
//
// A record that is found after a crash is of a move that nobody was told of. When the journals of the two mailboxes
// have been replayed, its copies are all in the target or none is, and its messages are all in the source or none is.
// Whatever of the copies is there, with its UID and its bytes, is removed from the source, and then the record
// (Move.Finish). Nothing is ever removed from the source that is not seen in the target at that moment. Other programs
// may have come in between: what they have taken from the target stays in the source, what they have taken from
// the source need not be removed any more.
//
// No file is locked while another one is. What serialises the moves is the mailboxes' moves lock: a mailbox that
// messages are moved out of takes part in no other move meanwhile. So two sessions cannot move the same message to two
// places, and a copy moves on only when it is certain that it is the only one.

// MoveTo moves the messages of uids that still exist to dst, which may be m itself, as CopyTo copies them. A crash
// leaves each in one of the two. It is durable when it returns. Errors: as Append and Remove; then nothing has moved.
// Only when the messages could neither be removed here nor the copies there, they are in both, until the move is settled
// (moveback.go) or the next start finishes it.
func (m *Mailbox) MoveTo(ctx context.Context, dst *Mailbox, uids []UID) (uidValidity uint32, from, to []UID, err error) {
	if err := m.mayMove(); err != nil {
		return 0, nil, nil, err
	}
	defer lockMoves(m, dst)()
	if err := m.settleLeft(ctx, dst, uids); err != nil {
		return 0, nil, nil, err
	}
	r := &moveRecord{source: movePlace{m.sp.Path(), m.Status().UIDValidity}, target: movePlace{path: dst.sp.Path()}}
	b := batch{spill: spill{dir: dst.o.State}}
	defer b.spill.close()
	for _, u := range uids {
		sum := sha256.New()
		switch err := m.copyOut(ctx, &b, u, sum); {
		case errors.Is(err, ErrExpunged):
		case err != nil:
			return 0, nil, nil, err
		default:
			from = append(from, u)
			r.add(u, sum)
		}
	}
	b.intend = func(uidValidity uint32, first UID) error {
		r.target.uidValidity = uidValidity
		r.number(first)
		return m.journal.writeMove(r)
	}
	uidValidity, to, err = dst.add(ctx, &b)
	if err == nil {
		err = m.removeMoved(context.WithoutCancel(ctx), dst, from, to) // whoever goes away leaves no message in both
	}
	if errors.Is(err, errInBoth) || errors.Is(err, ErrPending) {
		m.leave(r, err) // what becomes of the copies is not known yet
		return 0, nil, nil, err
	}
	if rerr := m.journal.removeMove(r); rerr != nil {
		m.log.Warn("record of a move stays", "err", rerr) // harmless: it allows only what has been done
	}
	if err != nil {
		return 0, nil, nil, err
	}
	return uidValidity, from, to, nil
}

// errInBoth: messages are in both mailboxes, or may be. The record of their move has to stay: it is known that they have
// been in the target with those UIDs.
var errInBoth = errors.New("messages may be in both mailboxes")

// writeServed writes to w what clients get of a stored message.
func writeServed(w io.Writer, header, text []byte) error {
	out := &cutout{w: w, left: math.MaxInt64}
	if err := out.write(AppendServedHeader(nil, header)); err != nil {
		return err
	}
	b := served{out: out}
	for ; len(text) > streamChunk; text = text[streamChunk:] {
		if err := b.write(text[:streamChunk], false); err != nil {
			return err
		}
	}
	return b.write(text, true)
}

// lockMoves waits for the moves that must be over before one from src to dst can begin. All take the locks in the
// order of the paths, so no circle can form.
func lockMoves(src, dst *Mailbox) (unlock func()) {
	if src == dst {
		src.moves.Lock()
		return src.moves.Unlock
	}
	if strings.Compare(src.sp.Path(), dst.sp.Path()) < 0 {
		src.moves.Lock()
		dst.moves.RLock()
	} else {
		dst.moves.RLock()
		src.moves.Lock()
	}
	return func() {
		src.moves.Unlock()
		dst.moves.RUnlock()
	}
}

// removeMoved is the second half of a move. When it fails, the copies are taken back (RFC 6851 §3.3: no message should
// be left in both mailboxes).
func (m *Mailbox) removeMoved(ctx context.Context, dst *Mailbox, from, to []UID) error {
	_, err := m.Remove(ctx, from)
	if err == nil {
		return nil
	}
	left, lookErr := m.leftAfter(ctx, err, from)
	if lookErr != nil {
		m.log.Error("moved messages stay in the target", "target", dst.sp.Path(), "err", lookErr)
		return errors.Join(err, lookErr, errInBoth)
	}
	var back []UID
	for i, u := range from {
		if left[u] {
			back = append(back, to[i])
		}
	}
	if len(back) == 0 {
		return nil // the removal had been done when the error came
	}
	if uerr := dst.takeBack(ctx, back); uerr != nil {
		m.log.Error("messages are in both mailboxes after a move", "target", dst.sp.Path(), "err", uerr)
		return errors.Join(err, errInBoth)
	}
	return err
}

// leftAfter returns those of uids that are here for certain after a removal failed with err.
func (m *Mailbox) leftAfter(ctx context.Context, err error, uids []UID) (map[UID]bool, error) {
	if !errors.Is(err, spool.ErrLocked) && !errors.Is(err, ErrInUse) { // with these the file was not touched
		if err := m.lookAnew(ctx); err != nil {
			return nil, err
		}
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index.pick(uids, func(*record) bool { return true }), nil
}

// lookAnew replays what waits in the journal and reads the file, whatever its stamp says; what it finds is durable.
// An error means that nothing is certain.
func (m *Mailbox) lookAnew(ctx context.Context) error {
	m.op.Lock()
	defer m.op.Unlock()
	release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	if m.file == nil {
		return m.adoptEmpty()
	}
	m.mu.Lock()
	m.stamp = spool.Stamp{}
	m.mu.Unlock()
	err = m.lookLocked()
	if err == nil {
		err = m.Damaged()
	}
	if err == nil {
		err = m.synced(m.file.Sync())
	}
	m.release(release)
	return err
}
