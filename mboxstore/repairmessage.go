package mboxstore

import (
	"errors"
	"fmt"
)

// planRepaired is planMessage for a message of which something may go.
func (w *planner) planRepaired(i int, cuts map[int64]cutRange) error {
	r := w.x.records[i]
	c, cut := cuts[r.off]
	if !cut {
		return w.planMessage(i, r)
	}
	old, carries := r, w.carries()
	w.placed = true
	if c.with != nil {
		var base *Base
		if carries {
			base = &w.base
		}
		w.out.literal(c.with.stored(r.UID, base))
		return nil
	}
	var err error
	w.lift(&r)
	w.place(&r, func() { err = w.planHeader(&r, carries) })
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	w.out.copy(old.body(), c.from)
	if c.to >= old.end {
		w.out.literal([]byte{'\n'})
		w.out.lift = nil
	} else {
		w.out.copy(c.to, old.end)
		w.out.copy(old.end, old.end+w.closing(&old, w.nextOff(i+1)))
		err = w.endLift(&old)
	}
	return errors.Join(err, w.lifted.err)
}
