package mboxstore

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"

	"spoold/spool"
)

const spillMemory = 4 << 20 // octets kept in memory; the rest goes to an unnamed file of the state directory

// spill holds the texts of messages on their way into a mailbox, so that no lock is held while a client sends them.
type spill struct {
	dir  spool.Dir // nil: memory only
	mem  bytes.Buffer
	file spool.File
	size int64
}

func (s *spill) Write(p []byte) (int, error) {
	if s.file == nil && s.dir != nil && s.mem.Len()+len(p) > spillMemory {
		if err := s.toFile(); err != nil {
			return 0, err
		}
	}
	if s.file == nil {
		s.mem.Write(p)
	} else if _, err := s.file.WriteAt(p, s.size); err != nil {
		return 0, err
	}
	s.size += int64(len(p))
	return len(p), nil
}

// toFile moves what is there to a file that has no name any more.
func (s *spill) toFile() error {
	name := "spill." + rand.Text()
	f, err := s.dir.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	if err := s.dir.Remove(name); err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	if _, err := f.WriteAt(s.mem.Bytes(), 0); err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	s.file, s.mem = f, bytes.Buffer{}
	return nil
}

// reader gives n octets from off.
func (s *spill) reader(off, n int64) io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, off, n)
	}
	return bytes.NewReader(s.mem.Bytes()[off : off+n])
}

func (s *spill) close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name and is read no more
	}
}
