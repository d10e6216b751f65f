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
	first := int64(-1)
	for c := range w.chunks() {
		if c.lit == nil {
			return c.src
		}
		if first < 0 {
			first = c.dst
		}
	}
	return first
}
