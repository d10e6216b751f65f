package mboxstore

import (
	"fmt"
	"io"
)

// window gives the bytes from off on: at least n, or all up to the end.
func (s *scanner) window(off int64, n int) ([]byte, error) {
	if have := s.base + int64(len(s.buf)); have < s.end && off+int64(n) > have {
		if err := s.fill(off, n); err != nil {
			return nil, err
		}
	}
	return s.buf[off-s.base:], nil
}

// fill moves the buffer on, such that it begins shortly before off and holds n more bytes where there are any.
func (s *scanner) fill(off int64, n int) error {
	keep := s.buf
	if from := off - scanHistory; from > s.base {
		keep = s.buf[min(from-s.base, int64(len(s.buf))):]
	}
	s.base += int64(len(s.buf) - len(keep))
	room := int(min(max(int64(s.piece), off-s.base+int64(n)), s.end-s.base))
	if cap(s.buf) < room {
		keep = append(make([]byte, 0, room), keep...)
		s.buf = keep[:cap(keep)]
	} else {
		s.buf = s.buf[:cap(s.buf)]
		copy(s.buf, keep)
	}
	want := min(int64(len(s.buf)), s.end-s.base)
	s.buf = s.buf[:want]
	return s.readAt(s.buf[len(keep):], s.base+int64(len(keep)))
}

// readAt reads all of b. A file that is shorter than it was said to be is an error.
func (s *scanner) readAt(b []byte, off int64) error {
	n, err := s.r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read at offset %d: %w", off+int64(n), err)
}

// before gives some of the bytes that end at off, none from before low.
func (s *scanner) before(low, off int64) ([]byte, error) {
	if off > s.base && off <= s.base+int64(len(s.buf)) {
		return s.buf[max(low-s.base, 0) : off-s.base], nil
	}
	b := s.few[:min(int64(len(s.few)), off-low)]
	return b, s.readAt(b, off-int64(len(b)))
}
