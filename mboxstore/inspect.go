package mboxstore

import (
	"errors"
	"slices"

	"spoold/spool"
)

// waiting is what the journal holds for a mailbox. Looking at it changes nothing.
type waiting struct {
	plan     *planFile // nil: none that can be read
	name     string    // of the plan's file; "": there is none
	fits     error     // why the plan cannot be finished; nil: replay will do it
	intent   *intent
	bad      error      // why the intent cannot be read
	replaced []planName // plans for other files that had our name
}

func (w *waiting) close() error {
	if w == nil || w.plan == nil {
		return nil
	}
	return w.plan.f.Close()
}

// inspect looks at what waits for f. The caller closes it.
func (j *journal) inspect(f spool.File) (*waiting, error) {
	w := &waiting{}
	if j.dir == nil {
		return w, nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	id := identityOf(info)
	names, err := j.plans()
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(names) {
		switch {
		case n.tmp:
		case n.id == id.name() && w.name == "":
			if err := w.inspectPlan(j, f, n); err != nil {
				return nil, err
			}
			back, err := w.takenBack()
			if back && hasOlder(names, n) {
				err = errors.Join(err, w.close())
				w.plan, w.name = nil, ""
			}
			if err != nil {
				return nil, errors.Join(err, w.close())
			}
		case n.id != id.name():
			if p, err := openPlan(j.dir, n); err == nil {
				if p.path == j.path {
					w.replaced = append(w.replaced, n)
				}
				if err := p.f.Close(); err != nil {
					return nil, errors.Join(err, w.close())
				}
			}
		}
	}
	w.intent, w.bad = readIntent(j.dir, id.name())
	return w, nil
}

// takenBack reports whether replay will do nothing with the plan but take it back.
func (w *waiting) takenBack() (bool, error) {
	if w.plan == nil || w.fits != nil {
		return false, nil
	}
	written, extended, err := w.plan.progress()
	return !written && !extended, err
}

// hasOlder reports whether another plan for the same mailbox is in force before n, and so again when n is taken back.
func hasOlder(names []planName, n planName) bool {
	return slices.ContainsFunc(names, func(o planName) bool { return o.id == n.id && !o.tmp && o.gen < n.gen })
}

func (w *waiting) inspectPlan(j *journal, f spool.File, n planName) (err error) {
	w.name = n.String()
	w.plan, err = openPlan(j.dir, n)
	if errors.Is(err, ErrJournal) {
		w.plan, w.fits = nil, err
		return nil
	}
	if err != nil {
		return err
	}
	w.fits = w.plan.replayable(f)
	if w.fits != nil && !errors.Is(w.fits, ErrDamaged) && !errors.Is(w.fits, ErrJournal) {
		return errors.Join(w.fits, w.plan.f.Close())
	}
	return nil
}

// replayable is nil when replay can finish p on f.
func (p *planFile) replayable(f spool.File) error {
	written, extended, err := p.progress()
	switch {
	case err != nil || !written && !extended:
		return err // the last: it will be taken back
	case written:
		return p.cuttable(f)
	}
	redo, err := p.inDoubt()
	if err != nil {
		return err
	}
	from := 0
	if len(redo) > 0 {
		from = redo[len(redo)-1] + 1
	}
	return p.verify(f, redo, from)
}

// cuttable is nil when nothing is known to keep replay from taking out the gap and the dead ranges of p.
func (p *planFile) cuttable(f spool.File) error {
	if len(p.allStale()) == 0 {
		return nil
	}
	if there, err := p.gapThere(f); err != nil || there {
		return err
	}
	stale, err := p.staleRanges(f)
	if err != nil {
		return err
	}
	return p.markNowhere(f, stale)
}

// existingJournal is the journal in a state directory without making one; nil when there is none.
func existingJournal(state spool.Dir) (spool.Dir, error) {
	names, err := state.Names()
	if err != nil || !slices.Contains(names, "journal") {
		return nil, err
	}
	return state.Sub("journal")
}
