package worker

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"spoold/spool"
)

// validity gives UIDVALIDITY values to new folders. RFC 9051 section 2.3.1.1 wants a name that
// comes back to have a higher one than before; a clock can go back, and two folders can be made
// in a second, so the last one is kept.
type validity struct {
	state spool.Dir // nil: what was given is forgotten at the end
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	last uint32
	read bool
}

const (
	validityName = "uidvalidity"
	// maxValidity leaves the values above it to nobody: see architecture, promise 7.
	maxValidity = 1<<31 - 1<<20
)

// next returns a value above all before. It is durable when next returns.
func (v *validity) next() (uint32, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.load(); err != nil {
		return 0, fmt.Errorf("last UIDVALIDITY: %w", err)
	}
	n := max(v.last+1, uint32(min(max(v.now().Unix(), 1), maxValidity)))
	if n > maxValidity {
		return 0, fmt.Errorf("UIDVALIDITY %d: %w", n, errors.ErrUnsupported)
	}
	if err := v.save(n); err != nil {
		return 0, fmt.Errorf("last UIDVALIDITY: %w", err)
	}
	v.last = n
	return n, nil
}

func (v *validity) load() error {
	if v.read || v.state == nil {
		return nil
	}
	f, err := v.state.Open(validityName, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		v.read = true
		return nil
	}
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 31)
	if err != nil {
		// Only a clock that was set back can now make a value come twice; never to give one again
		// would be certain harm.
		v.log.Warn("Last UIDVALIDITY unreadable, beginning anew with the clock", "file", validityName, "err", err)
		n = 0
	}
	v.last, v.read = uint32(n), true
	return nil
}

func (v *validity) save(n uint32) error {
	if v.state == nil {
		return nil
	}
	f, err := v.state.Open(validityName+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(strconv.AppendUint(nil, uint64(n), 10), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := v.state.Rename(validityName+".new", validityName); err != nil {
		return err
	}
	return v.state.Sync()
}
