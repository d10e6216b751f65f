package mboxstore

import "bytes"

// Where a rewrite stopped, what stands there reaches from where one message begins in the new file to where another one
// ended in the old file. If the first is whole in another place, and the second is, too, or was to be removed, there is
// nothing in it that would be missed, and it goes to lost/. It is known by its length, wherever another program has
// moved it. What that program has changed, or whose first message it has removed, stays: it may be all there is.

// places tells where messages were and come to be.
type places struct {
	x    *mixer
	l    *layout
	home map[UID]bool // messages that are whole in a place of their own, or in the journal
	kept map[UID]bool // those in the journal
	ends map[int64]*record
	from map[string][]beginning // of those at home, by separator
}

// beginning is what a message at home begins with.
type beginning struct {
	old   *record
	plain []byte
}

func (x *mixer) places(l *layout, heads map[UID][]keptMessage, runs []keptRun) (*places, error) {
	p := &places{x: x, l: l, home: x.atHome(), kept: map[UID]bool{}, ends: map[int64]*record{}, from: map[string][]beginning{}}
	for i := range runs {
		_, whole, _ := runs[i].split()
		for k := range whole {
			uid := claimedUID(&whole[k].status)
			p.home[uid], p.kept[uid] = true, true
		}
	}
	for i := range x.records {
		r := &x.records[i]
		old := x.known.uid[r.onFile.uid]
		if old == nil || x.cuts[r.off] != (cutRange{}) || !x.known.is(r) {
			continue
		}
		from, err := x.separator(r)
		if err != nil {
			return nil, err
		}
		plain, err := x.read(r)
		if err != nil {
			return nil, err
		}
		p.from[string(from)] = append(p.from[string(from)], beginning{old, plain})
	}
	for uid, old := range x.known.uid {
		p.ends[old.end] = old
		for _, h := range heads[uid] {
			if p.home[uid] {
				p.from[string(h.from)] = append(p.from[string(h.from)], beginning{old, h.plain()})
			}
		}
	}
	return p, nil
}

func (x *mixer) separator(r *record) ([]byte, error) {
	from := make([]byte, r.fromLen)
	return from, readFull(x.f, from, r.off)
}

// removed reports whether old was to be removed.
func (p *places) removed(old *record) bool {
	_, stays := p.l.moved(old.off)
	return !stays && !p.kept[old.UID]
}

// settlePlaces leaves out what is nothing but the beginning of one message and the end of another.
func (x *mixer) settlePlaces(l *layout, heads map[UID][]keptMessage, runs []keptRun) error {
	p, err := x.places(l, heads, runs)
	if err != nil {
		return err
	}
	for i := range x.records {
		r := &x.records[i]
		if i == 0 || x.cuts[r.off] != (cutRange{}) {
			continue
		}
		from, err := x.separator(r)
		if err != nil {
			return err
		}
		for _, first := range p.from[string(from)] {
			between, err := p.between(r, first)
			if err != nil {
				return err
			}
			if between {
				x.cuts[r.off] = cutRange{whole: true}
				break
			}
		}
	}
	return nil
}

// between reports whether r begins as first, and ends as one that will not be missed.
func (p *places) between(r *record, first beginning) (bool, error) {
	dst, stays := p.l.moved(first.old.off)
	last := p.ends[dst+r.end-r.off]
	if last == nil { // without a header's end, what closes it belongs to it
		last = p.ends[dst+r.end-r.off-1]
	}
	if !stays || last == nil || last == first.old || !p.home[last.UID] && !p.removed(last) {
		return false, nil
	}
	switch uid := r.onFile.uid; {
	case p.x.known.has(r): // all but the first line is that message
		return uid == last.UID && p.removed(last), nil
	case uid != 0 && uid != first.old.UID && uid != last.UID:
		return false, nil
	}
	got, err := p.x.read(r)
	n := commonPrefix(got, first.plain)
	return n > int(r.fromLen) && bytes.IndexByte(got[r.fromLen:n], '\n') >= 0, err
}
