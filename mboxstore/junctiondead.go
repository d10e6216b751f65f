package mboxstore

import (
	"bytes"
	"cmp"
	"slices"
)

// Once all windows are written, a dead range is between two marks, and what stands before the first goes on behind the
// second, wherever another program has moved them: in one record, or in two. Each mark may be missing: it was not
// written yet, or the other program has written over it or left its message out. So a pair counts when what it joins is
// the message that was known; and where there is no such pair, the plan tells how much of the message stands before the
// range and how much behind it, and the two are looked for where they may be.

// markedAt is a mark in a record.
type markedAt struct {
	record int
	at     int64 // in its bytes
}

// settleDead joins what stands on both sides of the dead ranges that are still there. It returns the messages of which
// the file has no record of their own.
func (x *mixer) settleDead(p *planFile, marks []markedAt, runs []keptRun) (more []keptMessage, err error) {
	most := len(p.layout.dead())
	if most == 0 {
		return nil, nil
	}
	if x.known.n > 0 || len(marks)%2 == 0 { // else which are a pair is not known
		for i := 0; i+1 < len(marks) && most > 0; i++ {
			joined, err := x.settleDeadRange(marks[i], marks[i+1], int64(len(p.id)))
			if err != nil {
				return nil, err
			}
			if joined || x.known.n == 0 {
				i++
				most--
			}
		}
	}
	for _, s := range x.known.splits(&p.layout) {
		k, err := x.joinSplit(&s, marks, int64(len(p.id)), runs)
		if err != nil {
			return nil, err
		}
		if k != nil {
			more = append(more, *k)
		}
	}
	slices.SortFunc(more, func(a, b keptMessage) int { return cmp.Compare(a.status.UID, b.status.UID) })
	return more, nil
}

// marks finds all marks, by offset.
func (x *mixer) marks(id planID) (list []markedAt, err error) {
	for i := range x.records {
		raw, err := x.raw(i)
		if err != nil {
			return nil, err
		}
		for at := 0; ; at += len(id) {
			n := bytes.Index(raw[at:], id[:])
			if n < 0 {
				break
			}
			at += n
			x.marked[x.records[i].off] = true
			list = append(list, markedAt{i, int64(at)})
		}
	}
	return list, nil
}

func (x *mixer) raw(i int) ([]byte, error) {
	r := &x.records[i]
	b := make([]byte, r.end-r.off)
	return b, readFull(x.f, b, r.off)
}

// settleDeadRange makes one message of what is before the mark a and behind the mark b. Records between them are stale.
func (x *mixer) settleDeadRange(a, b markedAt, mark int64) (joined bool, err error) {
	first, err := x.raw(a.record)
	if err != nil {
		return false, err
	}
	last, err := x.raw(b.record)
	if err != nil {
		return false, err
	}
	if x.cuts[x.records[a.record].off] != (cutRange{}) {
		return false, nil
	}
	k, r := onlyMessage(slices.Concat(first[:a.at], last[b.at+mark:]))
	if k == nil || x.known.n > 0 && !x.known.is(r) {
		return false, nil
	}
	for i := a.record; i <= b.record; i++ {
		x.cuts[x.records[i].off] = cutRange{whole: true}
	}
	x.cuts[x.records[a.record].off] = cutRange{with: k}
	return true, nil
}

// onlyMessage is the message that b begins with.
func onlyMessage(b []byte) (k *keptMessage, r *record) {
	run := keptRun{b: b, last: true}
	tail, whole, _ := run.split()
	if len(tail) > 0 || len(whole) == 0 {
		return nil, nil
	}
	// No error is possible: the bytes are in memory and begin with a separator.
	_, _ = Scan(padded(b), firstLine+1, firstLine+1+int64(len(b)), func(sp Span) error {
		if r == nil {
			found := newRecord(&sp, &interner{})
			r = &found
		}
		return nil
	})
	return &whole[0], r
}

// is reports whether r is the message with its UID, or, without one, any that was known.
func (k *memory) is(r *record) bool {
	if old := k.uid[r.onFile.uid]; old != nil {
		return old.digest == r.digest && old.text == r.text
	}
	return r.onFile.uid == 0 && k.has(r)
}

// parting is a known message of which a part comes to stand before a dead range and the rest behind it.
type parting struct {
	old  *record
	dst  int64 // where it begins in the new file
	head int64 // so many bytes of it, with its new header, are before the range
	at   int64 // in the old file, where the rest begins
}

// splits finds them.
func (k *memory) splits(l *layout) (list []parting) {
	dst := l.start
	for i, s := range l.segs {
		if s.dead && i+1 < len(l.segs) && l.segs[i+1].lit == nil && !l.segs[i+1].dead {
			at := l.segs[i+1].src
			for _, old := range k.uid {
				if begin, stays := l.moved(old.off); stays && old.off < at && at < old.end {
					list = append(list, parting{old, begin, dst - begin, at})
				}
			}
		}
		dst += s.size()
	}
	return list
}

// joinSplit puts the two parts of a message together, unless it is whole somewhere. It takes the place of the record
// that its beginning is in, or that has its UID; else it is returned.
func (x *mixer) joinSplit(s *parting, marks []markedAt, mark int64, runs []keptRun) (more *keptMessage, err error) {
	there, err := x.hasWhole(s.old, runs)
	if there || err != nil {
		return nil, err
	}
	tries := maxJunctions
	for i := -1; i < len(x.records); i++ {
		heads, err := x.splitHeads(s, i, marks, runs)
		if err != nil {
			return nil, err
		}
		for _, head := range heads {
			k, err := x.splitTail(s, head, max(i, 0), marks, mark, &tries)
			if err != nil {
				return nil, err
			}
			if k == nil {
				continue
			}
			if i < 0 {
				i = slices.IndexFunc(x.records, func(r record) bool { return r.onFile.uid == s.old.UID && x.open(&r) })
			}
			if i < 0 {
				return k, nil
			}
			x.cuts[x.records[i].off] = cutRange{with: k}
			return nil, nil
		}
	}
	return nil, nil
}

// open reports whether nothing is known of r yet.
func (x *mixer) open(r *record) bool { return x.cuts[r.off] == (cutRange{}) && !x.known.is(r) }

// hasWhole reports whether old is whole in the file or in a run, or was put together.
func (x *mixer) hasWhole(old *record, runs []keptRun) (bool, error) {
	for i := range x.records {
		r := &x.records[i]
		c, cut := x.cuts[r.off]
		if c.with != nil && claimedUID(&c.with.status) == old.UID || !cut && same(r, old) && !x.marked[r.off] {
			return true, nil
		}
	}
	for i := range runs {
		_, whole, _ := runs[i].split()
		if slices.ContainsFunc(whole, func(k keptMessage) bool { return claimedUID(&k.status) == old.UID }) {
			return true, nil
		}
	}
	return false, nil
}

// splitHeads are what may be the beginning of s in record i: as far as a mark, as the plan says, or, when another
// program has changed the length of the header, as many bytes of its text. In the runs, for no record.
func (x *mixer) splitHeads(s *parting, i int, marks []markedAt, runs []keptRun) (heads [][]byte, err error) {
	if i < 0 {
		for _, r := range runs {
			if from := s.dst - r.off; from >= 0 && from+s.head <= int64(len(r.b)) {
				heads = append(heads, r.b[from:from+s.head])
			}
		}
		return heads, nil
	}
	r := &x.records[i]
	if r.fromLen != s.old.fromLen || r.onFile.uid != s.old.UID && r.onFile.uid != 0 || !x.open(r) {
		return nil, nil
	}
	raw, err := x.raw(i)
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		if m.record == i {
			heads = append(heads, raw[:m.at])
		}
	}
	text := r.body() - r.off + s.at - s.old.body()
	for _, n := range []int64{s.head, text} {
		if n > int64(r.fromLen) && n <= int64(len(raw)) {
			heads = append(heads, raw[:n])
		}
	}
	return heads, nil
}

// splitTail looks for what goes on behind head: behind a mark, or at the end of a record, from near on.
func (x *mixer) splitTail(s *parting, head []byte, near int, marks []markedAt, mark int64, tries *int) (*keptMessage, error) {
	for n := range x.records {
		i := (near + n) % len(x.records)
		raw, err := x.raw(i)
		if err != nil {
			return nil, err
		}
		tails := []int64{int64(len(raw)) - (s.old.end - s.at)}
		for _, m := range marks {
			if m.record == i {
				tails = append(tails, m.at+mark)
			}
		}
		for _, at := range tails {
			if at < 0 || *tries == 0 {
				continue
			}
			*tries--
			k, r := onlyMessage(slices.Concat(head, raw[at:]))
			if k != nil && r.digest == s.old.digest && r.text == s.old.text {
				return k, nil
			}
		}
	}
	return nil, nil
}
