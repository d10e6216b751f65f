package mboxstore

import (
	"context"
	"slices"
	"time"

	"spoold/spool"
)

// When a file has grown, only the new bytes are read; that is what makes a delivery cheap. But mutt may have changed
// flags in place between our last look and that delivery, and then neither the size nor the stamp tells. So, once the
// mailbox is quiet, the status headers of the known messages are read again, a few hundred octets each.

const (
	recheckPause = 2 * time.Second // quiet time before it
	recheckSlice = 1024            // messages read without a pause for others
)

// recheck compares the status headers in the file with the index; when they differ, the whole file is read again.
// It reports false when the mailbox changed meanwhile, so that it has to be done once more.
func (m *Mailbox) recheck(ctx context.Context) (done bool, err error) {
	for from := 0; ; from += recheckSlice {
		more, holds, same := m.recheckSome(from)
		switch {
		case !holds:
			return false, m.Refresh(ctx)
		case !same:
			m.log.Info("flags changed in place by another program")
			return true, m.relook(ctx)
		case !more:
			return true, nil
		}
	}
}

// recheckSome looks at the messages from index from on.
func (m *Mailbox) recheckSome(from int) (more, holds, same bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.file == nil || m.unfinished.is || !m.stampHolds() {
		return false, false, false
	}
	records := m.index.records[min(from, len(m.index.records)):]
	more = len(records) > recheckSlice
	if more {
		records = records[:recheckSlice]
	}
	var buf []byte
	for i := range records {
		r := &records[i]
		if r.intLen == 0 || r.split {
			continue
		}
		at := r.header() + int64(r.intOff)
		var err error
		if buf, err = m.read(buf, at, at+int64(r.intLen)); err != nil || !m.sameInternal(buf, r) {
			return false, m.stampHolds(), false
		}
	}
	return more, m.stampHolds(), true
}

func (m *Mailbox) sameInternal(lines []byte, r *record) bool {
	s := ParseHeader(lines).Status
	return sameStatus(&s, r) && slices.Equal(m.index.known(s.Keywords), m.index.known(r.onFile.keywords))
}

// relook reads the whole file anew.
func (m *Mailbox) relook(ctx context.Context) error {
	m.op.Lock()
	defer m.op.Unlock()
	if m.closed {
		return nil
	}
	m.doubt()
	return m.look(ctx)
}

// doubt makes the next look read the whole file.
func (m *Mailbox) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamp = spool.Stamp{}
}
