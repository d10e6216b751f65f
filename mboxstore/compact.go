package mboxstore

import (
	"context"
	"errors"
	"time"
)

// Compacting squeezes out the blanks that expunges without moving leave behind (plancollapse.go): what is more than
// UW's padding. It writes all that follows the first of them, so it is done by itself only when a mailbox is quiet and
// they are a large part of the file.

const (
	compactPause = time.Minute // quiet time before it
	compactAt    = 10          // percent of the file; with fewer, reading gains too little to pay for it
	wasteful     = 1 << 20     // bytes
)

// Compact writes what is pending and squeezes the blanks out. It returns by how many bytes the file shrank.
// Errors as Expunge.
func (m *Mailbox) Compact(ctx context.Context) (saved int64, err error) {
	m.op.Lock()
	defer m.op.Unlock()
	if err := m.mayMove(); err != nil {
		return 0, err
	}
	if err := m.writeAll(ctx, true); err != nil || m.file == nil {
		return 0, err
	}
	for more := true; more && err == nil; {
		err = m.locked(ctx, func() error {
			before, err := m.file.Stat()
			if err != nil {
				return err
			}
			p, err := m.squeeze()
			if err != nil {
				return err
			}
			more = p.partial
			if err := m.carryOut(p, true); err != nil {
				return err
			}
			after, err := m.file.Stat()
			saved += before.Size - after.Size
			return err
		})
	}
	return saved, err
}

// squeeze plans to squeeze the blanks out of as many headers as one plan may change.
func (m *Mailbox) squeeze() (*plan, error) {
	w, err := m.planner(nil)
	if err != nil {
		return nil, err
	}
	w.squeeze = true
	return m.makePlan(w)
}

// Blanks is how many bytes Compact would save, about.
func (m *Mailbox) Blanks() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index.blanks()
}

func (x *index) blanks() (sum int64) {
	for i := range x.records {
		sum += x.excess(i, x.base)
	}
	return sum
}

// excess is by how many blanks the status lines of message i are longer than they need be.
func (x *index) excess(i int, b Base) int64 {
	r := &x.records[i]
	if int(r.intLen) <= blockRoom+len("X-UID: 4294967295\n")+1 || r.split {
		return 0
	}
	st := StatusBlock{Flags: r.Flags, Keywords: r.Keywords, UID: r.UID}
	if i == 0 && x.pseudo == nil {
		st.Base = &b
	}
	return max(0, int64(r.intLen)-int64(len(statusLines(st, 0))))
}

// compactIfQuiet compacts when nobody is at work and it is worth it; false: later again.
func (m *Mailbox) compactIfQuiet(ctx context.Context) (done bool, err error) {
	if m.mayMove() != nil || m.o.CompactAt < 0 {
		return true, nil
	}
	if time.Since(m.lastUse()) < compactPause {
		return false, nil
	}
	m.mu.RLock()
	blanks, size := m.index.blanks(), m.index.end
	m.mu.RUnlock()
	if blanks < m.wasteful || blanks < size/100*int64(m.o.CompactAt) {
		return true, nil
	}
	saved, err := m.Compact(ctx)
	if errors.Is(err, ErrReadOnly) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	m.log.Info("mailbox compacted", "bytes", saved)
	return true, nil
}
