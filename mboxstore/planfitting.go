package mboxstore

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
)

// What can be written when moving bytes is not possible, for want of space or of a journal, or not yet wanted: the flags
// and keywords of numbered messages that have room for them. The base line stays as the file has it; so a word that it
// does not name has to wait.

// planFitting plans only that. Without crossing, edits that a disk could tear are left out; the others need no journal.
func planFitting(x *index, file io.ReaderAt, crossing bool) (*plan, error) {
	w := planner{x: x, file: file, base: x.onFile}
	w.p = plan{inPlace: true, pseudo: x.pseudo, base: x.onFile}
	for i := range x.records {
		r := &x.records[i]
		if !r.flagsPending() || r.onFile.uid != r.UID || !x.named(r.Keywords) {
			continue
		}
		edits, changes := len(w.out.edits), len(w.p.changes)
		carries := i == 0 && x.pseudo == nil && x.onFile.UIDValidity != 0 // others may have taken the base line away
		if _, err := w.editHeader(i, carries); err != nil {
			return nil, err
		}
		if !crossing && slices.ContainsFunc(w.out.edits[edits:], edit.crosses) {
			w.out.edits, w.p.changes = w.out.edits[:edits], w.p.changes[:changes]
		}
	}
	w.p.edits = w.out.edits
	return &w.p, nil
}

// named reports whether the base line in the file names all these words.
func (x *index) named(words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(x.onFile.Keywords, w) })
}

func (e edit) crosses() bool { return countSectors(e.off, int64(len(e.new))) > 1 }

// refused reports whether a change was not begun because there is no space or no journal for it.
func refused(err error) bool {
	if errors.Is(err, ErrPending) {
		return false
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, ErrNoJournal)
}

// writeFitting writes what planFitting finds. The caller holds op and the locks.
func (m *Mailbox) writeFitting(sync, crossing bool) error {
	m.mu.RLock()
	p, err := planFitting(&m.index, m.file, crossing)
	m.mu.RUnlock()
	if err != nil {
		return err
	}
	return m.carryOut(p, sync)
}

// writeEarly is for flags that wait for many bytes to be moved: those that have room are written now, and the others are
// kept in the state directory, durably, so that a crash takes no more of them than if nothing had to move.
func (m *Mailbox) writeEarly(ctx context.Context) error {
	if !m.waiting.Load() {
		return nil
	}
	m.op.Lock()
	defer m.op.Unlock()
	if m.closed || m.readOnly() || m.file == nil {
		return nil
	}
	err := m.locked(ctx, func() error { return m.writeFitting(false, true) })
	m.mu.RLock()
	modseq, wait := m.index.modseq, m.index.flagsWait()
	m.mu.RUnlock()
	if wait && m.kept != modseq {
		m.keeps = true
		if err := m.saveCache(true); err != nil {
			return err
		}
		m.kept = modseq
	}
	return err
}

func (x *index) flagsWait() bool {
	return slices.ContainsFunc(x.records, func(r record) bool { return r.flagsPending() })
}
