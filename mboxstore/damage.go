package mboxstore

import "fmt"

// damage is where a file is not what its journal says. It is an ErrDamaged.
type damage struct {
	off  int64
	what string
}

func (e *damage) Error() string { return fmt.Sprintf("%s at offset %d: %v", e.what, e.off, ErrDamaged) }

// Is makes errors.Is(err, ErrDamaged) true.
func (e *damage) Is(target error) bool { return target == ErrDamaged }

// firstSource is the first offset that w copies from; where it goes, when it copies nothing.
func (w *redoWindow) firstSource() int64 {
	for _, c := range w.chunks {
		if c.lit == nil {
			return c.src
		}
	}
	return w.chunks[0].dst
}
