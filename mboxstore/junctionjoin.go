package mboxstore

import (
	"cmp"
	"slices"
)

// A message that is longer than what the journal has of it, or that stands at the end of that, is whole nowhere: its
// beginning is in the file, for what was written before is durable there; then comes what the journal has, whatever a
// power cut made of the file at that place; and its end is in the file again, as it was before the rewrite, be it at
// the end of the same mixed message or of another one. The three are put together, and it is the message when its text
// has the checksum that was known before the crash.

// part is what a run has of the text of a message.
type part struct {
	b    []byte
	at   int64        // in the text
	head *keptMessage // when the run has its header, too
}

// joiner puts messages together.
type joiner struct {
	x    *mixer
	l    *layout
	runs []keptRun
}

// join returns the known message old, when its parts are there. near is the index of a record that may be one of them.
func (j *joiner) join(old *record, near int) (*keptMessage, error) {
	tries := maxJunctions
	for _, p := range j.parts(old) {
		k, err := j.complete(old, p, near, &tries)
		if k != nil || err != nil {
			return k, err
		}
	}
	return nil, nil
}

// parts are the runs, or what of them may be of the text of old.
func (j *joiner) parts(old *record) (parts []part) {
	was := old.end - old.body()
	dst, stays := j.l.moved(old.body())
	for i := range j.runs {
		r := &j.runs[i]
		tail, _, head := r.split()
		if head != nil && !head.open && claimedUID(&head.status) == old.UID {
			parts = append(parts, part{b: head.text[:min(int64(len(head.text)), was)], head: head})
		}
		if len(tail) == 0 {
			continue
		}
		var places []int64
		if stays {
			places = append(places, r.off-dst)
		}
		if len(tail) < len(r.b) { // a separator ends it, after what closes a message
			for closing := range int64(3) {
				places = append(places, was-int64(len(tail))+closing)
			}
		}
		for _, at := range places {
			skip := max(0, -at)
			if skip < int64(len(tail)) && at < was {
				parts = append(parts, part{b: tail[skip:min(int64(len(tail)), was-at)], at: at + skip})
			}
		}
	}
	return parts
}

// complete puts the beginning and the end that the file may have to p.
func (j *joiner) complete(old *record, p part, near int, tries *int) (*keptMessage, error) {
	rest := max(0, old.end-old.body()-p.at-int64(len(p.b)))
	if p.head != nil { // the file's header may be mixed, too
		text, err := j.end(old, nil, p.b, rest, near, tries)
		if text == nil {
			return nil, err
		}
		k := *p.head
		k.text = text
		if r := &j.x.records[near]; r.onFile.uid == old.UID && r.digest == old.digest {
			k.status = r.said()
		}
		return &k, nil
	}
	for i := range j.x.records {
		r := &j.x.records[i]
		if r.digest != old.digest || r.fromLen != old.fromLen || r.end-r.body() < p.at {
			continue
		}
		k, err := readKept(j.x.f, r)
		if err != nil {
			return nil, err
		}
		k.status = r.said()
		if k.text, err = j.end(old, k.text[:p.at], p.b, rest, i, tries); k.text != nil || err != nil {
			return k, err
		}
	}
	return nil, nil
}

// said is what the file says of r.
func (r *record) said() StatusBlock {
	return StatusBlock{Flags: r.onFile.flags, Keywords: r.onFile.keywords, UID: r.onFile.uid}
}

// end looks for the last n bytes of the text of old, of which the other two are the beginning, at the ends of the
// records from near on, and before it.
func (j *joiner) end(old *record, first, middle []byte, n int64, near int, tries *int) ([]byte, error) {
	if n == 0 {
		return j.known(old, slices.Concat(first, middle), tries), nil
	}
	records := j.x.records
	for k := range records {
		r := &records[(near+k)%len(records)]
		if r.end-r.off < n || *tries == 0 { // its header may have lost its end
			continue
		}
		last := make([]byte, n)
		if err := readFull(j.x.f, last, r.end-n); err != nil {
			return nil, err
		}
		if text := j.known(old, slices.Concat(first, middle, last), tries); text != nil {
			return text, nil
		}
	}
	return nil, nil
}

// known is text if it is that of old.
func (j *joiner) known(old *record, text []byte, tries *int) []byte {
	if *tries == 0 {
		return nil
	}
	*tries--
	if digestOf(text) != old.text {
		return nil
	}
	return text
}

// settleJoined puts known messages together that are whole neither in the file nor in a run. They take the place of
// what the file has with their UID. Those of which it has nothing are returned.
func (x *mixer) settleJoined(l *layout, runs []keptRun) (more []keptMessage, err error) {
	j := joiner{x, l, runs}
	there, at := map[digestKey]bool{}, map[UID]int{}
	for i := range x.records {
		r := &x.records[i]
		if _, cut := x.cuts[r.off]; cut || x.known.has(r) && !x.marked[r.off] {
			there[key(r)] = true
		} else if _, second := at[r.onFile.uid]; !second {
			at[r.onFile.uid] = i
		}
	}
	for i := range runs {
		_, whole, _ := runs[i].split()
		for k := range whole {
			at[claimedUID(&whole[k].status)] = -1
		}
	}
	for _, r := range x.records {
		if _, cut := x.cuts[r.off]; cut {
			at[r.onFile.uid] = -1 // settled
		}
	}
	for uid, old := range x.known.uid {
		i, found := at[uid]
		if i < 0 || there[key(old)] {
			continue
		}
		k, err := j.join(old, i)
		switch {
		case err != nil:
			return nil, err
		case k != nil && found:
			x.cuts[x.records[i].off] = cutRange{with: k}
		case k != nil:
			more = append(more, *k)
		}
	}
	slices.SortFunc(more, func(a, b keptMessage) int { return cmp.Compare(a.status.UID, b.status.UID) })
	return more, nil
}

// moved is where the old byte at off is in the new file, before dead ranges are taken out; false when it goes.
func (l *layout) moved(off int64) (int64, bool) {
	if off < l.start {
		return off, true
	}
	dst := l.start
	for _, s := range l.segs {
		if s.lit == nil && !s.dead && off >= s.src && off < s.src+s.n {
			return dst + off - s.src, true
		}
		dst += s.size()
	}
	return 0, false
}
