package mboxstore

import "fmt"

// planInPlace plans the usual case without a walk over the whole mailbox: every message with something pending, of the
// first so many, has room for it. It reports whether that is so.
func (w *planner) planInPlace(headers int) (bool, error) {
	w.setLimit(headers)
	w.p.inPlace, w.p.pseudo = true, w.x.pseudo
	if w.x.pseudo != nil && w.baseStale() {
		if fits, err := w.editPseudo(); err != nil || !fits {
			return false, err
		}
	}
	for i := range w.x.records[:w.limit] {
		r := &w.x.records[i]
		carries := i == 0 && w.x.pseudo == nil
		if !r.pending() && !(carries && w.baseStale()) {
			continue
		}
		if fits, err := w.editHeader(i, carries); err != nil || !fits {
			return false, err
		}
	}
	w.p.edits = w.out.edits
	w.out = emitter{}
	return true, nil
}

// editPseudo brings the base line of the pseudo message up to date when its length stays.
func (w *planner) editPseudo() (fits bool, err error) {
	r := *w.x.pseudo
	b, err := w.readHeader(&r)
	if err != nil {
		return false, fmt.Errorf("pseudo message: %w", err)
	}
	with := replaceBaseLine(b, w.base)
	if len(with) != len(b) {
		return false, nil
	}
	w.out.dst = r.header()
	w.out.replace(r.header(), b, with)
	return true, nil
}

// editHeader replaces status headers of message i that have room.
func (w *planner) editHeader(i int, carries bool) (fits bool, err error) {
	r := w.x.records[i]
	if r.intLen == 0 && !r.split {
		return false, nil
	}
	h, err := w.readHeader(&r)
	if err != nil {
		return false, fmt.Errorf("message %d at offset %d: %w", r.UID, r.off, err)
	}
	n := w.replaceStatus(h, &r, carries)
	if int64(len(n.with)) != n.old {
		return false, nil
	}
	w.out.dst = r.header() + n.at
	w.out.replace(w.out.dst, h[n.at:n.at+n.old], n.with)
	r.rewritten(n)
	w.p.relocated(i, &w.x.records[i], &r)
	return true, nil
}
