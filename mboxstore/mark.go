package mboxstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
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
	gen         uint32 // of the list behind it (seen.go)
	listedFrom  UID    // the list tells of those above
}

const markMagic = "spoold mark 2\n"

func (k mark) encode() []byte {
	b := make([]byte, 0, 64)
	b = append(b, markMagic...)
	b = binary.LittleEndian.AppendUint32(b, k.uidValidity)
	b = binary.LittleEndian.AppendUint32(b, k.lastUID)
	b = binary.LittleEndian.AppendUint64(b, uint64(k.end))
	b = binary.LittleEndian.AppendUint64(b, k.dev)
	b = binary.LittleEndian.AppendUint64(b, k.ino)
	b = binary.LittleEndian.AppendUint32(b, k.gen)
	b = binary.LittleEndian.AppendUint32(b, k.listedFrom)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeMark(b []byte) (k mark, ok bool) {
	const fields = 40
	n := len(markMagic)
	if len(b) != n+fields+4 || string(b[:n]) != markMagic {
		return k, false
	}
	if crc32.Checksum(b[:n+fields], castagnoli) != binary.LittleEndian.Uint32(b[n+fields:]) {
		return k, false
	}
	b = b[n:]
	k.uidValidity, k.lastUID = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	k.end = int64(binary.LittleEndian.Uint64(b[8:]))
	k.dev, k.ino = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	k.gen, k.listedFrom = binary.LittleEndian.Uint32(b[32:]), binary.LittleEndian.Uint32(b[36:])
	return k, true
}

func (m *Mailbox) markName() string { return strings.TrimSuffix(m.cacheName(), ".index") + ".mark" }

// loadMark reads the mark of an inbox, when there is one.
func (m *Mailbox) loadMark() error {
	if !m.o.Inbox || m.o.State == nil {
		return nil
	}
	m.seen.lose()
	f, err := m.o.State.Open(m.markName(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	m.markFile = f
	b, err := m.readMark()
	if err != nil {
		m.log.Warn("mark not used", "err", err)
		return nil
	}
	k, ok := decodeMark(b)
	if !ok {
		m.log.Warn("mark not used", "err", "torn, or of another version")
		return nil
	}
	m.mark, m.markBytes = k, b
	if err := m.seen.load(f, k); err != nil {
		m.log.Warn("list of seen messages not used", "err", err)
	}
	return nil
}

// marks reports whether the mailbox is one that has a mark.
func (m *Mailbox) marks() bool { return m.o.Inbox && m.o.State != nil && !m.o.ReadOnly }

// setMark says that the index is what was looked at. A power cut may lose it: then the messages since the last one are
// looked at again, and get the same UIDs. The caller holds op.
func (m *Mailbox) setMark() { m.moveMark(m.index.base.LastUID, m.index.end, false) }

// markAhead covers, durably, what is about to be written up to end, with UIDs up to last.
func (m *Mailbox) markAhead(last UID, end int64) { m.moveMark(last, max(end, m.index.end), true) }

func (m *Mailbox) moveMark(last UID, end int64, sync bool) {
	if !m.marks() {
		return
	}
	k := mark{m.index.base.UIDValidity, last, end, m.stamp.Dev, m.stamp.Ino, m.seen.gen, m.seen.start()}
	if k == m.mark && len(m.seen.fresh) == 0 && (!sync || m.markSynced) {
		return
	}
	if err := m.writeMark(k, sync); err != nil {
		m.log.Warn("mark not written", "err", err)
	}
}

// writeMark writes what was added to the list, and the mark.
func (m *Mailbox) writeMark(k mark, sync bool) error {
	if err := m.openMark(); err != nil {
		return err
	}
	if err := m.seen.flush(m.markFile, k); err != nil {
		m.log.Warn("list of seen messages not written", "err", err)
		m.seen.lose()
	}
	k.gen, k.listedFrom = m.seen.gen, m.seen.start()
	b := k.encode()
	if _, err := m.markFile.WriteAt(b, 0); err != nil {
		return err
	}
	m.mark, m.markBytes, m.markSynced = k, b, false
	if !sync {
		return nil
	}
	err := m.markFile.Datasync()
	m.markSynced = err == nil
	return err
}

// openMark makes the mark's file when it is missing. Another process that has written it does not know our list.
func (m *Mailbox) openMark() error {
	if m.markFile != nil {
		b, err := m.readMark()
		if err == nil && !bytes.Equal(b, m.markBytes) {
			m.seen.shared = true
			m.seen.lose()
		}
		return err
	}
	f, err := m.o.State.Open(m.markName(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	m.markFile = f
	return m.o.State.Sync()
}

// readMark reads what the file says; of a new one as much as there is.
func (m *Mailbox) readMark() ([]byte, error) {
	b := make([]byte, len(mark{}.encode()))
	n, err := m.markFile.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// ours reports whether a message that the index does not know was numbered by us before a crash, by where it stands.
func (a *adoption) ours(r *record) bool {
	k := &a.m.mark
	return !a.whole && k.uidValidity == a.x.base.UIDValidity && r.onFile.uid <= k.lastUID && r.off < k.end
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
