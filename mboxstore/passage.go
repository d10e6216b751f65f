package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A message that is too large for memory is sent in pieces, while others may deliver to the mailbox, rewrite it, or cut
// it off. Each piece is found by UID and is read from the mailbox in the state that the index knows. Between two pieces
// the message may have moved, and that is all that may have happened to it: its header and its sizes have to be the
// same, and after the file was read anew, because another program had changed it, what was sent already has to be there
// still. So what a client gets is the message to its last octet, or it sees the connection break.

// errChanged: the rest of the message is no longer that of its beginning.
var errChanged = errors.New("message changed while it was sent")

// WriteText writes the octets [off, off+n) of the message as served, in bounded memory. No lock is held while w is
// written to. An error after the first octet means that the message is gone or changed.
func (m *Mailbox) WriteText(ctx context.Context, uid UID, off, n int64, w io.Writer) error {
	p := passage{m: m, uid: uid, sum: crc32.New(castagnoli), out: served{out: &cutout{w: w, skip: off, left: n}}}
	if err := p.header(ctx); err != nil {
		return err
	}
	for last := false; !last && p.out.out.left > 0; {
		raw, end, err := p.next(ctx)
		if err != nil {
			return err
		}
		if err := p.out.write(raw, end); err != nil {
			return err
		}
		last = end
	}
	if p.out.out.left > 0 {
		return m.readError(uid, io.ErrUnexpectedEOF) // more than there is was asked for
	}
	return nil
}

// passage is one message on its way out.
type passage struct {
	m    *Mailbox
	uid  UID
	out  served
	rec  record      // as it was when its header was read
	scan uint64      // the scan of the file that the index came from
	at   int64       // octets of the body that were read
	sum  hash.Hash32 // of them
	buf  []byte
}

// header sends the header and notes which message this is.
func (p *passage) header(ctx context.Context) error {
	var raw []byte
	err := p.m.stable(ctx, p.uid, func(r *record) (err error) {
		raw, err = p.m.read(raw, r.header(), r.body())
		if err == nil && !p.m.isHeader(raw, r) {
			err = errMoved
		}
		p.rec, p.scan = *r, p.m.scans
		return err
	})
	if err != nil {
		return p.m.readError(p.uid, err)
	}
	return p.out.out.write(AppendServedHeader(nil, raw))
}

// next reads the next piece of the body, and says whether it is the last.
func (p *passage) next(ctx context.Context) (raw []byte, last bool, err error) {
	err = p.m.stable(ctx, p.uid, func(r *record) error {
		if err := p.same(r); err != nil {
			return err
		}
		from := r.body() + p.at
		to := min(from+streamChunk, r.end)
		last = to == r.end
		var err error
		p.buf, err = p.m.read(p.buf, from, to)
		return err
	})
	if err != nil {
		return nil, false, p.m.readError(p.uid, err)
	}
	p.at += int64(len(p.buf))
	_, _ = p.sum.Write(p.buf) // never fails
	return p.buf, last, nil
}

// same makes sure that r is the message that was begun.
func (p *passage) same(r *record) error {
	if r.digest != p.rec.digest || r.Size != p.rec.Size || r.HeaderSize != p.rec.HeaderSize || r.end-r.body() != p.rec.end-p.rec.body() {
		return errChanged
	}
	if p.scan == p.m.scans {
		return nil
	}
	sum := crc32.New(castagnoli)
	switch n, err := io.Copy(sum, io.NewSectionReader(p.m.file, r.body(), p.at)); {
	case err != nil:
		return err
	case n < p.at:
		return errMoved
	case sum.Sum32() != p.sum.Sum32():
		return fmt.Errorf("first %d octets: %w", p.at, errChanged)
	}
	p.scan = p.m.scans
	return nil
}

// served turns stored body bytes that come in pieces into their CRLF form.
type served struct {
	out *cutout
	buf []byte
}

// write converts one piece; a piece's missing final newline is only added at the end of the body.
func (s *served) write(raw []byte, last bool) error {
	s.buf = AppendServedBody(s.buf[:0], raw)
	if !last && len(raw) > 0 && raw[len(raw)-1] != '\n' {
		s.buf = s.buf[:len(s.buf)-2]
	}
	return s.out.write(s.buf)
}

// cutout passes on the octets [skip, skip+left) of what is written to it.
type cutout struct {
	w          io.Writer
	skip, left int64
}

func (c *cutout) write(b []byte) error {
	if c.skip >= int64(len(b)) {
		c.skip -= int64(len(b))
		return nil
	}
	b = b[c.skip:]
	c.skip = 0
	b = b[:min(c.left, int64(len(b)))]
	c.left -= int64(len(b))
	_, err := c.w.Write(b)
	return err
}
