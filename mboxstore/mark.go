package mboxstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
)

// The mark of an inbox says how far we have looked: what stands before it was numbered by us, and its status headers
// are ours; what stands behind it was delivered since, and its senders wrote them (promise 7). The index cache says so
// too, but only as it was when the mailbox was closed. The mark is one sector, written in place after every look, and
// durably before every write that adds or moves messages, so that it covers them after a crash as well.
type mark struct {
	uidValidity uint32
	lastUID     UID
	end         int64 // of the mail that was looked at
	dev, ino    uint64
}

const markMagic = "spoold mark 1\n"

func (k mark) encode() []byte {
	b := make([]byte, 0, 64)
	b = append(b, markMagic...)
	b = binary.LittleEndian.AppendUint32(b, k.uidValidity)
	b = binary.LittleEndian.AppendUint32(b, k.lastUID)
	b = binary.LittleEndian.AppendUint64(b, uint64(k.end))
	b = binary.LittleEndian.AppendUint64(b, k.dev)
	b = binary.LittleEndian.AppendUint64(b, k.ino)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeMark(b []byte) (k mark, ok bool) {
	n := len(markMagic)
	if len(b) != n+36 || string(b[:n]) != markMagic {
		return k, false
	}
	if crc32.Checksum(b[:n+32], castagnoli) != binary.LittleEndian.Uint32(b[n+32:]) {
		return k, false
	}
	b = b[n:]
	k.uidValidity, k.lastUID = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	k.end = int64(binary.LittleEndian.Uint64(b[8:]))
	k.dev, k.ino = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	return k, true
}

func (m *Mailbox) markName() string { return strings.TrimSuffix(m.cacheName(), ".index") + ".mark" }

// loadMark reads the mark of an inbox, when there is one.
func (m *Mailbox) loadMark() error {
	if !m.o.Inbox || m.o.State == nil {
		return nil
	}
	f, err := m.o.State.Open(m.markName(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	m.markFile = f
	b := make([]byte, len(mark{}.encode()))
	if _, err := f.ReadAt(b, 0); err != nil {
		m.log.Warn("mark not used", "err", err)
		return nil
	}
	k, ok := decodeMark(b)
	if !ok {
		m.log.Warn("mark not used", "err", "torn, or of another version")
		return nil
	}
	m.mark = k
	return nil
}

// setMark says that the index is what was looked at. A power cut may lose it: then the messages since the last one are
// looked at again, and get the same UIDs. The caller holds op.
func (m *Mailbox) setMark() { m.moveMark(m.index.base.LastUID, m.index.end, false) }

// markAhead covers, durably, what is about to be written up to end, with UIDs up to last.
func (m *Mailbox) markAhead(last UID, end int64) { m.moveMark(last, max(end, m.index.end), true) }

func (m *Mailbox) moveMark(last UID, end int64, sync bool) {
	if !m.o.Inbox || m.o.State == nil || m.o.ReadOnly {
		return
	}
	k := mark{m.index.base.UIDValidity, last, end, m.stamp.Dev, m.stamp.Ino}
	if k == m.mark && (!sync || m.markSynced) {
		return
	}
	if err := m.writeMark(k, sync); err != nil {
		m.log.Warn("mark not written", "err", err)
		return
	}
	m.mark, m.markSynced = k, sync
}

func (m *Mailbox) writeMark(k mark, sync bool) error {
	if m.markFile == nil {
		f, err := m.o.State.Open(m.markName(), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		m.markFile = f
		if err := m.o.State.Sync(); err != nil {
			return err
		}
	}
	if _, err := m.markFile.WriteAt(k.encode(), 0); err != nil {
		return err
	}
	if sync {
		return m.markFile.Datasync()
	}
	return nil
}

// ours reports whether a message that the index does not know was numbered by us before a crash.
func (k *mark) ours(r *record, uidValidity uint32) bool {
	return k.uidValidity == uidValidity && r.onFile.uid <= k.lastUID && r.off < k.end
}

// delivered reports whether r is mail that came into an inbox behind the mark, though the index is lost: unless a
// server has numbered it under a base line that stands before the mark.
func (a *adoption) delivered(r *record) bool {
	k := &a.m.mark
	if !a.marked() || k.uidValidity != a.x.base.UIDValidity || r.off < k.end {
		return false
	}
	claim := r.onFile.uid
	return a.baseDelivered() || claim <= k.lastUID || claim > a.x.onFile.LastUID
}

// baseDelivered reports whether all there is in an inbox came in behind the mark, though the index is lost.
func (a *adoption) baseDelivered() bool {
	start := a.s.end
	switch {
	case a.s.pseudo != nil:
		start = a.s.pseudo.off
	case len(a.s.records) > 0:
		start = a.s.records[0].off
	}
	return a.marked() && start >= a.m.mark.end
}

// marked reports whether the mark is one of this very inbox.
func (a *adoption) marked() bool {
	k := &a.m.mark
	return a.m.o.Inbox && k.uidValidity != 0 && k.dev == a.now.Dev && k.ino == a.now.Ino
}
