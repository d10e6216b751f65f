package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"spoold/spool"
)

// Reading takes no lock: the bytes at the offsets of the index are those of the message as long as the file's stamp
// is the one that the index was made from, before and after the read. When it is not, somebody has written; then the
// file is looked at again. Under a stream of deliveries that never pauses the last try reads with the shared lock.

const (
	readTries   = 4
	streamChunk = 1 << 20
)

// errMoved: the file is not in the state that the index describes.
var errMoved = errors.New("mailbox changed while it was read")

// Header appends the message's header as served: CRLF lines, without the internal headers, with its blank line.
// ErrExpunged when the message is gone.
func (m *Mailbox) Header(ctx context.Context, uid UID, dst []byte) ([]byte, error) {
	b := m.borrow()
	defer m.giveBack(b)
	raw := *b
	err := m.stable(ctx, uid, func(r *record) (err error) {
		raw, err = m.read(raw, r.header(), r.body())
		if err == nil && !m.isHeader(raw, r) {
			err = errMoved
		}
		return err
	})
	if err != nil {
		return dst, m.readError(uid, err)
	}
	*b = raw
	return AppendServedHeader(dst, raw), nil
}

// Text appends the whole message as served, exactly Message.Size octets. ErrExpunged when it is gone.
func (m *Mailbox) Text(ctx context.Context, uid UID, dst []byte) ([]byte, error) {
	b := m.borrow()
	defer m.giveBack(b)
	raw := *b
	var rec record
	err := m.stable(ctx, uid, func(r *record) (err error) {
		rec = *r
		raw, err = m.read(raw, r.header(), r.end)
		if err == nil && !m.isHeader(raw[:r.hdrLen], r) {
			err = errMoved
		}
		return err
	})
	if err != nil {
		return dst, m.readError(uid, err)
	}
	*b = raw
	return appendServed(dst, raw, &rec), nil
}

func appendServed(dst, raw []byte, r *record) []byte {
	dst = AppendServedHeader(dst, raw[:r.hdrLen])
	if !r.blank {
		return dst // the header's end is the message's end
	}
	return AppendServedBody(dst, raw[r.hdrLen:])
}

// stable calls read with the record of uid such that the file was in the index's state all the time.
func (m *Mailbox) stable(ctx context.Context, uid UID, read func(*record) error) error {
	m.use()
	for try := range readTries {
		err := m.readOnce(uid, read)
		if !errors.Is(err, errMoved) {
			return err
		}
		if try == readTries-1 {
			break
		}
		if err := m.lookAgain(ctx); err != nil && !errors.Is(err, ErrPending) {
			return err
		}
	}
	return m.readLocked(ctx, uid, read)
}

// lookAgain refreshes the index; when the stamp says that nothing happened but the bytes say otherwise, by reading
// the whole file.
func (m *Mailbox) lookAgain(ctx context.Context) error {
	if m.unchanged() {
		return m.relook(ctx)
	}
	return m.Refresh(ctx)
}

// borrow gives a buffer for stored bytes, usually one that was used before.
func (m *Mailbox) borrow() *[]byte {
	if b, ok := m.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// giveBack keeps a buffer for the next reader, unless one large message has made it large.
func (m *Mailbox) giveBack(b *[]byte) {
	if cap(*b) <= streamChunk {
		m.buffers.Put(b)
	}
}

func (m *Mailbox) readOnce(uid UID, read func(*record) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, ok := m.index.find(uid)
	if !ok || m.file == nil {
		return ErrExpunged
	}
	if m.unfinished.hides(&m.index.records[i]) {
		return ErrPending
	}
	if !m.stampHolds() {
		return errMoved
	}
	if err := read(&m.index.records[i]); err != nil {
		return err
	}
	if !m.stampHolds() {
		return errMoved
	}
	return nil
}

func (m *Mailbox) stampHolds() bool {
	info, err := m.file.Stat()
	return err == nil && info.Stamp() == m.stamp
}

// readLocked looks and reads under the file's locks. When the file says nothing of a change and its bytes do, it is read
// as a whole; what changes even then is written by somebody who does not know our locks.
func (m *Mailbox) readLocked(ctx context.Context, uid UID, read func(*record) error) error {
	m.op.Lock()
	defer m.op.Unlock()
	release, err := m.lockToLook(ctx)
	if err != nil {
		return err
	}
	if m.file == nil {
		return ErrExpunged
	}
	for range 2 {
		if err = m.lookLocked(); err == nil {
			err = m.readOnce(uid, read)
		}
		if !errors.Is(err, errMoved) {
			break
		}
		m.doubt()
	}
	m.release(release)
	if errors.Is(err, errMoved) {
		return errors.Join(spool.ErrLocked, err)
	}
	return err
}

// read fills buf with the file's bytes [from, to).
func (m *Mailbox) read(buf []byte, from, to int64) ([]byte, error) {
	n := int(to - from)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if got, err := m.file.ReadAt(buf, from); got < n {
		if errors.Is(err, io.EOF) {
			return buf, errMoved
		}
		return buf, err
	}
	return buf, nil
}

// isHeader guards against what leaves no trace in the stamp: the internal lines must be those that the index knows,
// and where there are none, the others.
func (m *Mailbox) isHeader(h []byte, r *record) bool {
	if r.intLen == 0 || r.split {
		p := ParseHeader(h)
		return p.Digest == r.digest && sameStatus(&p.Status, r)
	}
	s := ParseHeader(h[r.intOff : r.intOff+r.intLen]).Status
	return sameStatus(&s, r)
}

func (m *Mailbox) readError(uid UID, err error) error {
	if errors.Is(err, ErrExpunged) || errors.Is(err, spool.ErrLocked) {
		return err
	}
	return fmt.Errorf("read message %d of %s: %w", uid, m.sp.Path(), err)
}
