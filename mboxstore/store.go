package mboxstore

import (
	"context"
	"fmt"
	"slices"
)

// StoreMode says what STORE does with the flags it names (RFC 9051 §6.4.6).
type StoreMode int

const (
	StoreSet    StoreMode = iota // FLAGS
	StoreAdd                     // +FLAGS
	StoreRemove                  // -FLAGS
)

// StoreOp is one change of flags and keywords. FlagOld is not touched by it.
type StoreOp struct {
	Mode     StoreMode
	Flags    Flags
	Keywords []string
}

// Store changes the flags of the messages of uids that still exist. The change is in the index when it returns and
// reaches the file within Options.FlushDelay, at once by Flush. While another program holds UW's session lock on the
// mailbox, it is durable in the state directory until it can be written. New keywords join the mailbox's list.
// Errors: ErrReadOnly, ErrKeyword.
func (m *Mailbox) Store(ctx context.Context, uids []UID, op StoreOp) error {
	if err := checkKeywords(op.Keywords); err != nil {
		return err
	}
	m.mu.Lock()
	if m.readOnly() {
		m.mu.Unlock()
		return ErrReadOnly
	}
	if err := m.broken; err != nil {
		m.mu.Unlock()
		return err
	}
	changed := m.index.store(uids, op)
	m.mu.Unlock()
	if len(changed) == 0 {
		return nil
	}
	m.waiting.Store(true)
	m.news.tell()
	m.flush.later(soon)
	if held, err := m.sp.SessionHeld(); err != nil || held {
		return m.keepPending()
	}
	return nil
}

// keepPending makes flags that cannot be written to the file now durable in the state directory.
func (m *Mailbox) keepPending() error {
	m.op.Lock()
	defer m.op.Unlock()
	if m.o.State == nil {
		return fmt.Errorf("no state directory to keep flags in: %w", ErrInUse)
	}
	m.keeps = true
	return m.saveCache(true)
}

func (x *index) store(uids []UID, op StoreOp) (changed []UID) {
	if op.Mode != StoreRemove {
		x.growKeywords(op.Keywords)
	}
	words := x.known(op.Keywords)
	for _, u := range uids {
		if i, ok := x.find(u); ok && x.records[i].apply(op, words, x) {
			changed = append(changed, u)
		}
	}
	if len(changed) > 0 {
		x.bump(cameOrChanged, changed...)
		for _, u := range changed {
			i, _ := x.find(u)
			x.records[i].ModSeq = x.modseq
		}
	}
	return changed
}

// growKeywords appends new words to the list and lets sessions know.
func (x *index) growKeywords(words []string) {
	n := len(x.base.Keywords)
	x.addKeywords(words)
	if len(x.base.Keywords) > n {
		x.modseq++
		x.grew = x.modseq
	}
}

func (r *record) apply(op StoreOp, words []string, x *index) bool {
	const mine = ^FlagOld
	flags, keywords := r.Flags, r.Keywords
	switch op.Mode {
	case StoreSet:
		flags, keywords = flags&FlagOld|op.Flags&mine, words
	case StoreAdd:
		flags, keywords = flags|op.Flags&mine, x.union(keywords, words)
	case StoreRemove:
		flags, keywords = flags&^(op.Flags&mine), x.without(keywords, words)
	}
	if flags == r.Flags && slices.Equal(keywords, r.Keywords) {
		return false
	}
	r.Flags, r.Keywords = flags, keywords
	return true
}

func (x *index) union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	return x.known(append(slices.Clone(a), b...))
}

func (x *index) without(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	return x.words.list(slices.DeleteFunc(slices.Clone(a), func(w string) bool { return slices.Contains(b, w) }))
}

// checkKeywords refuses what the X-Keywords line cannot hold.
func checkKeywords(words []string) error {
	for _, w := range words {
		if !isKeyword([]byte(w)) {
			return fmt.Errorf("keyword %.60q: %w", w, ErrKeyword)
		}
	}
	return nil
}
