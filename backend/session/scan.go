package session

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// scanBuffer is how much of a file is read at a time.
const scanBuffer = 64 << 10

// Holds reports whether the file of a mailbox holds a text, as UW's SCAN looks for it: in the octets as they are, headers
// and what is hidden from clients included, undecoded, and with no difference between letters of either case. The file is
// not locked, so what is written meanwhile may be seen or not. step is called all along; its error ends the look.
func (s *Session) Holds(ctx context.Context, name string, text []byte, step func() error) (bool, error) {
	if len(text) == 0 {
		return true, nil
	}
	f, err := s.cfg.Store.Raw(name)
	if err != nil {
		s.log.Info("mailbox not scanned", "mailbox", name, "err", err)
		return false, nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	wanted := foldASCII(bytes.Clone(text))
	buf := make([]byte, 0, scanBuffer+len(wanted))
	for {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return false, err
		}
		n, err := f.Read(buf[len(buf) : len(buf)+scanBuffer])
		foldASCII(buf[len(buf) : len(buf)+n])
		buf = buf[:len(buf)+n]
		switch {
		case bytes.Contains(buf, wanted):
			return true, nil
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			s.log.Info("mailbox not scanned", "mailbox", name, "err", err)
			return false, nil
		}
		keep := min(len(buf), len(wanted)-1) // where the text may have begun
		buf = buf[:copy(buf, buf[len(buf)-keep:])]
	}
}

// foldASCII makes the letters of b lower case, in place.
func foldASCII(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}
