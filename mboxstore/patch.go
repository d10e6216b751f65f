package mboxstore

import (
	"bytes"
	"fmt"

	"spoold/spool"
)

// patchBatch bounds how many bytes of edits are put into one intent.
const patchBatch = 1 << 20

// patch replaces bytes in place. A disk tears writes only between sectors, so an edit within one needs no protection,
// and is durable when the caller syncs the file. Those across a boundary are recorded first, and then all are durable
// on return. Each edit is there wholly or not at all, whatever happens. ErrForeign: the file does not hold the old
// bytes, and nothing was written.
func (j *journal) patch(f spool.File, edits []edit) error {
	info, err := j.ready(f)
	if err != nil {
		return err
	}
	var within, crossing []edit
	for _, e := range edits {
		if err := holds(f, e.off, e.old); err != nil {
			return fmt.Errorf("edit %s: %w", j.path, err)
		}
		switch e = e.trim(); countSectors(e.off, int64(len(e.new))) {
		case 0:
		case 1:
			within = append(within, e)
		default:
			crossing = append(crossing, e)
		}
	}
	for _, e := range edits {
		if err := spool.WithinLimit(e.off + int64(len(e.new))); err != nil {
			return fmt.Errorf("edit %s: %w", j.path, err)
		}
	}
	if len(crossing) == 0 {
		err = makeEdits(f, within)
	} else {
		err = j.patchCrossing(f, identityOf(info), within, crossing)
	}
	if err != nil {
		return fmt.Errorf("edit %s: %w", j.path, err)
	}
	return nil
}

func makeEdits(f spool.File, edits []edit) error {
	for _, e := range edits {
		if err := writeSectors(f, e.new, e.off); err != nil {
			return err
		}
	}
	return nil
}

// trim leaves out the bytes at both ends that stay.
func (e edit) trim() edit {
	n := min(len(e.old), len(e.new))
	i := 0
	for i < n && e.old[i] == e.new[i] {
		i++
	}
	for n > i && e.old[n-1] == e.new[n-1] {
		n--
	}
	return edit{off: e.off + int64(i), old: e.old[i:n], new: e.new[i:n]}
}

func holds(f spool.File, off int64, want []byte) error {
	got := make([]byte, len(want))
	if err := readFull(f, got, off); err != nil {
		return fmt.Errorf("offset %d: %w: %w", off, ErrForeign, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("offset %d: %w", off, ErrForeign)
	}
	return nil
}

// patchCrossing records the edits that cross a sector boundary, in batches, and makes them; within are made with the
// first batch, so that a full disk refuses all.
func (j *journal) patchCrossing(f spool.File, box identity, within, crossing []edit) error {
	if j.dir == nil {
		return ErrNoJournal
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for len(crossing) > 0 {
		n := 0
		for size := 0; n < len(crossing) && size < patchBatch; n++ {
			e := &crossing[n]
			if e.after, err = following(f, *e, info.Size); err != nil {
				return err
			}
			size += 2*len(e.new) + len(e.after)
		}
		i := &intent{kind: recEdits, box: box, path: j.path, edits: crossing[:n]}
		if err := j.writeIntent(i); err != nil {
			return err
		}
		err := makeEdits(f, within)
		if err == nil {
			err = j.carryOutEdits(f, i)
		}
		if err != nil {
			j.clean = identity{}
			return fmt.Errorf("%w: %w", ErrPending, err)
		}
		within, crossing = nil, crossing[n:]
	}
	return nil
}

func (j *journal) carryOutEdits(f spool.File, i *intent) error {
	first, then, err := inOrder(f, i.edits)
	if err != nil {
		return err
	}
	for _, edits := range [][]edit{first, then} {
		if len(edits) == 0 {
			continue
		}
		if err := makeEdits(f, edits); err != nil {
			return err
		}
		if err := f.Datasync(); err != nil {
			return fmt.Errorf("%w: %w", errSync, err)
		}
	}
	return j.clearIntent(i.box)
}

// replayEdits makes those edits again that are still to be made.
func (j *journal) replayEdits(f spool.File, i *intent) (replayed bool, err error) {
	todo := *i
	var moved bool
	if todo.edits, moved, err = j.editsToMake(f, i); err != nil {
		return false, err
	}
	if moved {
		if err := j.writeIntent(&todo); err != nil {
			return false, err
		}
	}
	return len(todo.edits) > 0, j.carryOutEdits(f, &todo)
}

// editsToMake lists the edits of i whose every sector is the old or the new one, and those that were moved in a torn
// state. Others have been at the rest.
func (j *journal) editsToMake(f spool.File, i *intent) (todo []edit, moved bool, err error) {
	for _, e := range i.edits {
		fits, err := e.fits(f)
		if err != nil {
			return nil, false, err
		}
		if fits {
			todo = append(todo, e)
			continue
		}
		now, torn, err := e.moved(f)
		if err != nil {
			return nil, false, err
		}
		if torn {
			todo, moved = append(todo, now), true
		} else {
			j.log.Warn("interrupted edit is left as another program made it", "path", j.path, "offset", e.off)
		}
	}
	return todo, moved, nil
}

func (e edit) fits(f spool.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size < e.off+int64(len(e.new)) {
		return false, err
	}
	now := make([]byte, len(e.new))
	if err := readFull(f, now, e.off); err != nil {
		return false, err
	}
	for at := 0; at < len(now); {
		end := at + int(min(int64(len(now)-at), sectorSize-(e.off+int64(at))%sectorSize))
		if !bytes.Equal(now[at:end], e.old[at:end]) && !bytes.Equal(now[at:end], e.new[at:end]) {
			return false, nil
		}
		at = end
	}
	return true, nil
}
