package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"spoold/spool"
)

// Refresh looks at the file and adopts what other programs did to it. It costs one stat when nothing changed. When
// others keep the locks longer than Options.LookWait, it goes on with what is known, without an error.
func (m *Mailbox) Refresh(ctx context.Context) error {
	m.use()
	if m.unchanged() {
		return nil
	}
	m.op.Lock()
	defer m.op.Unlock()
	if m.closed || m.unchanged() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.LookWait)
	defer cancel()
	err := m.look(ctx)
	m.noteBroken(err)
	if errors.Is(err, spool.ErrLocked) {
		m.log.Info("mailbox busy, not looked at", "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", m.sp.Path(), err)
	}
	return nil
}

// noteBroken remembers that the file is no mailbox any more, so that no flag is taken that could never be written.
func (m *Mailbox) noteBroken(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil || errors.Is(err, ErrNotMbox) {
		m.broken = err
	}
}

// unchanged asks by name, so that a file put in place of ours is noticed.
func (m *Mailbox) unchanged() bool {
	info, err := m.sp.Stat()
	m.mu.RLock()
	defer m.mu.RUnlock()
	if errors.Is(err, fs.ErrNotExist) {
		return m.file == nil
	}
	return err == nil && m.file != nil && info.Stamp() == m.stamp
}

// look brings the index up to date with the file. The caller holds op.
func (m *Mailbox) look(ctx context.Context) error {
	if err := m.settle(ctx); err != nil {
		return err
	}
	release, err := m.lockToLook(ctx)
	if err != nil {
		return err
	}
	if m.file == nil {
		return m.adoptEmpty()
	}
	err = m.lookLocked()
	m.release(release)
	return err
}

// lockToLook is lock. On a disk so full that no lock file can be made (XFS, btrfs), mail can still be read: with the
// shared locks, when nothing waits for its replay, and nobody has the lock file before and after the file was read. Others
// may be able to make one: root has blocks in reserve, and a quota is one user's.
func (m *Mailbox) lockToLook(ctx context.Context) (release func() error, err error) {
	release, err = m.lock(ctx)
	if !refused(err) || m.file == nil {
		return release, err
	}
	release, lerr := m.sp.Lock(ctx, m.file, spool.Shared)
	if lerr != nil {
		return nil, errors.Join(err, lerr)
	}
	m.unguarded = true
	pending, perr := m.journal.pending(m.file)
	lock, lerr := m.sp.LockFile()
	if pending || lock.There || perr != nil || lerr != nil {
		m.release(release)
		return nil, errors.Join(err, perr, lerr)
	}
	return release, nil
}

// stillAlone makes sure, of a look without the lock file, that nobody else has it.
func (m *Mailbox) stillAlone() error {
	if !m.unguarded {
		return nil
	}
	lock, err := m.sp.LockFile()
	if err == nil && lock.There {
		err = fmt.Errorf("%s: lock file: %w", m.sp.Path(), spool.ErrLocked)
	}
	return err
}

// settle waits, without any lock, until the file's last change is older than the grain of its clock: what is read then
// cannot be changed under the same stamp (promise 6).
func (m *Mailbox) settle(ctx context.Context) error {
	if m.file == nil {
		return nil
	}
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	grain := m.sp.Grain(m.file)
	wait := min(grain, grain-time.Since(time.Unix(0, info.Ctime)))
	if wait <= 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return errors.Join(spool.ErrLocked, ctx.Err()) // for the caller it is the same: not now
	}
}

// lock takes the file's locks: exclusive ones where we may write, since only they keep out a delivery that uses a
// single method (store.md §5.5). It opens the file anew when it was replaced. A missing file needs no lock; then
// m.file is nil. The caller holds op.
func (m *Mailbox) lock(ctx context.Context) (release func() error, err error) {
	nothing := func() error { return nil }
	m.unguarded = false
	for range 5 {
		if m.file == nil {
			if err := m.reopen(); err != nil || m.file == nil {
				return nothing, err
			}
		}
		mode := spool.Shared
		if m.write {
			mode = spool.Exclusive
		}
		release, err := m.sp.Lock(ctx, m.file, mode)
		switch {
		case err == nil:
			return release, nil
		case errors.Is(err, spool.ErrReplaced), errors.Is(err, fs.ErrNotExist):
			m.forgetFile()
		default:
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s keeps being replaced: %w", m.sp.Path(), spool.ErrReplaced)
}

// release gives the locks back. When that fails there is nothing to undo, and the change under them is done.
func (m *Mailbox) release(release func() error) {
	if err := release(); err != nil {
		m.log.Warn("mailbox locks", "err", err)
	}
}

func (m *Mailbox) reopen() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.openFile()
}

func (m *Mailbox) forgetFile() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closeFile()
	m.stamp, m.layout = spool.Stamp{}, layoutSeen{}
}

// lookLocked is look with the file open and the locks held.
func (m *Mailbox) lookLocked() error {
	if err := m.replay(); err != nil {
		return err
	}
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	if info.Stamp() == m.stamp && m.index.base.UIDValidity != 0 {
		m.seeLayout()
		return nil
	}
	s, err := m.scanNews(info)
	if err == nil {
		err = m.stillAlone()
	}
	if err != nil {
		return err
	}
	if err := m.adopt(s, info.Stamp()); err != nil {
		return err
	}
	m.seeLayout()
	return nil
}

// scanNews reads what is not known of the file: only its tail when what was known still stands. Who delivers adds a
// message; what has grown by less, or not at all, was edited.
func (m *Mailbox) scanNews(info spool.Info) (*scanned, error) {
	x := &m.index
	grown := info.Dev == m.stamp.Dev && info.Ino == m.stamp.Ino && info.Size > x.end && info.Size > m.stamp.Size
	if grown && x.displaced == 0 && x.base.UIDValidity != 0 && x.end > 0 && x.resume == x.end && m.sameLayout() && m.endsStand() {
		s, err := m.scan(x.end, info.Size)
		if err == nil && len(s.records) > 0 {
			s.tail = true
			return s, nil
		}
		if err != nil && !errors.As(err, new(*FormatError)) {
			return nil, err
		}
	}
	return m.scan(0, info.Size)
}

// manyUnnumbered bounds how many messages without UID in the file are looked for at a delivery.
const manyUnnumbered = 64

// endsStand reports whether the first and the last known message, and the pseudo message, are where they were, and the
// last ones that have no UID in the file: their own lines do not tell who they are.
func (m *Mailbox) endsStand() bool {
	x := &m.index
	check := []*record{}
	if x.pseudo != nil {
		check = append(check, x.pseudo)
	}
	if n := len(x.records); n > 0 {
		check = append(check, &x.records[0], &x.records[n-1])
	}
	for i := len(x.records) - 1; i >= 0 && len(check) < manyUnnumbered; i-- {
		if r := &x.records[i]; r.intLen == 0 {
			check = append(check, r)
		}
	}
	for _, r := range check {
		if !m.stands(r) {
			return false
		}
	}
	return len(check) > 0
}

// stands reports whether a message's separator and header are still where the index says.
func (m *Mailbox) stands(r *record) bool {
	b := make([]byte, int(r.fromLen)+int(r.hdrLen))
	if _, err := m.file.ReadAt(b, r.off); err != nil {
		return false
	}
	if _, ok := parseFrom(b[:r.fromLen], m.index.wide); !ok {
		return false
	}
	h := ParseHeader(b[r.fromLen:])
	return h.Digest == r.digest && sameStatus(&h.Status, r) && m.baseStands(h.Status.Base, r)
}

// baseStands: another server that numbers a delivery changes the base line in place.
func (m *Mailbox) baseStands(b *Base, r *record) bool {
	x := &m.index
	carries := r == x.pseudo || x.pseudo == nil && len(x.records) > 0 && r == &x.records[0]
	if !carries || x.onFile.UIDValidity == 0 {
		return true
	}
	return b != nil && b.UIDValidity == x.onFile.UIDValidity && b.LastUID == x.onFile.LastUID
}

func sameStatus(s *StatusBlock, r *record) bool {
	return s.Flags == r.onFile.flags && claimedUID(s) == r.onFile.uid
}

// claimedUID is what X-UID says; two of them say nothing (spec: UW §2.5).
func claimedUID(s *StatusBlock) UID {
	if s.UIDDup {
		return 0
	}
	return s.UID
}

// scanned is what one pass over the file, or its tail, found.
type scanned struct {
	records []record // UID is not set; onFile says what the headers claim
	base    *Base    // of the pseudo message or the first message
	pseudo  *record
	end     int64
	resume  int64
	glue    string
	wide    bool // read by the wide grammar
	tail    bool // only bytes behind the known end were read
}

// scan reads the messages from off to size.
func (m *Mailbox) scan(off, size int64) (*scanned, error) {
	s := &scanned{end: size, resume: size}
	if size == off {
		s.glue, s.wide = m.index.glue, m.index.wide && size > 0
		return s, nil
	}
	end, err := scanAs(m.file, off, size, m.index.wide, func(sp Span) error {
		m.take(s, &sp, off == 0)
		return nil
	})
	if fe := (*FormatError)(nil); errors.As(err, &fe) {
		fe.Path = m.sp.Path()
	}
	if err != nil {
		return nil, err
	}
	s.end, s.resume, s.glue, s.wide = end.Off, end.Resume, end.Glue, end.Wide
	return s, nil
}

// take adds one span. Only the first message of the file may be a pseudo message or carry the base.
func (m *Mailbox) take(s *scanned, sp *Span, fromStart bool) {
	first := fromStart && len(s.records) == 0 && s.pseudo == nil
	r := newRecord(sp, m.index.words)
	if first && sp.Header.Status.Base != nil && (!sp.Header.Status.Pseudo || sp.Pseudo) {
		b := *sp.Header.Status.Base
		s.base = &b
	}
	if first && sp.Pseudo {
		s.pseudo = &r
		return
	}
	r.stray = !first && sp.Header.Status.Base != nil
	s.records = append(s.records, r)
}

func newRecord(sp *Span, words *interner) record {
	h := &sp.Header
	r := record{
		off: sp.Off, end: sp.End, fromLen: sp.FromLen, hdrLen: sp.HeaderLen,
		digest: h.Digest, text: sp.TextDigest, blank: h.HasBlank,
		intOff: int32(h.InternalStart), intLen: int32(h.InternalEnd - h.InternalStart), split: !h.Contiguous,
	}
	r.Size, r.HeaderSize = sp.ServedSize, h.ServedSize
	t, _ := sp.From.Time(nil)
	_, zone := t.Zone()
	r.date, r.zone = t.Unix(), int16(zone/60)
	r.onFile = fileState{flags: h.Status.Flags, keywords: words.list(h.Status.Keywords), uid: claimedUID(&h.Status)}
	return r
}

// adoptEmpty takes a missing file as an empty mailbox that keeps its UIDVALIDITY.
func (m *Mailbox) adoptEmpty() error {
	return m.adopt(&scanned{}, spool.Stamp{})
}
