package session

import (
	"context"
	"errors"
	"slices"

	"spoold/backend/search"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// Searches whose results are kept up to date for the client (RFC 5267 §4.3).
//
// What a client is told is what View.tell sorts out anyway: the messages whose flags changed and the new ones are
// looked at again, after the FETCH and EXISTS responses; what is expunged leaves the results before its EXPUNGE, as
// long as its number is right.

// liveSearch is one of them.
type liveSearch struct {
	tag   string
	uid   bool // told by UIDs
	prog  *search.Program
	found []mboxstore.UID // as the client knows it, ascending
	w     *wire.Writer
}

// maxLive bounds what each news costs.
const maxLive = 20

// Watches reports whether a search of this tag is kept up to date.
func (s *Session) Watches(tag string) bool {
	return s.view != nil && slices.ContainsFunc(s.view.live, func(l *liveSearch) bool { return l.tag == tag })
}

// Watch keeps a search up to date of which these are the numbers that it has found, unless there are too many, or its
// result changes with the clock, of which nobody tells us.
func (s *Session) Watch(tag string, uid bool, n search.Node, found []uint32) {
	if len(s.view.live) >= maxLive || n.IsRelative() {
		return
	}
	l := &liveSearch{tag: tag, uid: uid, prog: search.Compile(n, s.Now()), found: make([]mboxstore.UID, len(found)), w: s.out}
	for i, num := range found {
		l.found[i] = s.view.UID(num)
	}
	s.view.live = append(s.view.live, l)
}

// Unwatch ends what Watch has begun.
func (s *Session) Unwatch(tag string) {
	s.view.live = slices.DeleteFunc(s.view.live, func(l *liveSearch) bool { return l.tag == tag })
}

// tellLeft tells, before the EXPUNGEs, which results go with them.
func (v *View) tellLeft(gone []mboxstore.UID) error {
	for _, l := range v.live {
		var left []mboxstore.UID
		for _, uid := range gone {
			if _, ok := slices.BinarySearch(l.found, uid); ok {
				left = append(left, uid)
			}
		}
		if err := l.tell(v, left, nil); err != nil {
			return err
		}
	}
	return nil
}

// tellResults looks at messages that are new or have changed, and tells which results they join or leave.
func (v *View) tellResults(ctx context.Context, changed, added []mboxstore.UID) error {
	if len(v.live) == 0 || len(changed)+len(added) == 0 {
		return nil
	}
	uids := slices.Concat(changed, added)
	slices.Sort(uids)
	uids = slices.Compact(uids)
	joins, leaves := make([][]mboxstore.UID, len(v.live)), make([][]mboxstore.UID, len(v.live))
	defer v.shrink()
	for part := range slices.Chunk(uids, batch) {
		v.rows = v.box.Get(part, v.rows[:0])
		row := Row{ctx: ctx, v: v}
		for i := range v.rows {
			num := v.num.find(v.rows[i].UID)
			if num == 0 {
				continue
			}
			row.next(num, &v.rows[i])
			for k, l := range v.live {
				joined, left, err := l.look(&row)
				switch {
				case err != nil && !errors.Is(err, mboxstore.ErrExpunged):
					return err
				case joined:
					joins[k] = append(joins[k], row.msg.UID)
				case left:
					leaves[k] = append(leaves[k], row.msg.UID)
				}
			}
		}
	}
	for k, l := range v.live {
		if err := l.tell(v, leaves[k], joins[k]); err != nil {
			return err
		}
	}
	return nil
}

// look says whether a message joins or leaves the result.
func (l *liveSearch) look(r *Row) (joined, left bool, err error) {
	now, err := l.prog.Match(r)
	_, before := slices.BinarySearch(l.found, r.msg.UID)
	return err == nil && now && !before, err == nil && !now && before, err
}

// tell notes and tells what leaves and what joins the result; both ascend, and have numbers.
func (l *liveSearch) tell(v *View, leave, join []mboxstore.UID) error {
	if len(leave)+len(join) == 0 {
		return nil
	}
	l.w.Raw("* ESEARCH (TAG ")
	l.w.String([]byte(l.tag))
	l.w.Raw(")")
	if l.uid {
		l.w.Raw(" UID")
	}
	l.set(v, "REMOVEFROM", leave)
	l.set(v, "ADDTO", join)
	l.w.CRLF()
	if len(leave) > 0 {
		l.found = slices.DeleteFunc(l.found, func(uid mboxstore.UID) bool {
			_, ok := slices.BinarySearch(leave, uid)
			return ok
		})
	}
	if len(join) > 0 {
		l.found = append(l.found, join...)
		slices.Sort(l.found)
	}
	return l.w.Err()
}

// set writes one data item. The client keeps results in the order of the mailbox, which position 0 means (RFC 5267
// §4.3.3).
func (l *liveSearch) set(v *View, item string, uids []mboxstore.UID) {
	if len(uids) == 0 {
		return
	}
	nums := uids
	if !l.uid {
		nums = make([]uint32, len(uids))
		for i, uid := range uids {
			nums[i] = v.num.find(uid)
		}
	}
	l.w.Raw(" " + item + " (0 ")
	l.w.Bytes([]byte(wire.SetOf(nums).String()))
	l.w.Raw(")")
}
