package mboxstore

import "slices"

// What a plan says of the index. It holds no copy of the records: a mailbox may have millions of them, of which a plan
// changes few, and of the others no more than the place.

// shift says that messages stand so many octets further on, from number at of the index before the change.
type shift struct {
	at int
	by int64
}

// headerChange is what changes of a record when its header is written anew.
type headerChange struct {
	at      int32
	fromLen int32
	hdrLen  int32
	intOff  int32
	intLen  int32
	split   bool
	blank   bool
	bogus   bool
	stray   bool
	onFile  fileState
}

// relocated notes that message i, which was old, becomes r.
func (p *plan) relocated(i int, old, r *record) {
	last := int64(0)
	if n := len(p.shifts); n > 0 {
		last = p.shifts[n-1].by
	}
	if by := r.off - old.off; by != last {
		p.shifts = append(p.shifts, shift{i, by})
	}
	if c := changeOf(i, r); !c.same(changeOf(i, old)) {
		p.changes = append(p.changes, c)
	}
}

func changeOf(i int, r *record) headerChange {
	return headerChange{
		at: int32(i), fromLen: r.fromLen, hdrLen: r.hdrLen, intOff: r.intOff, intLen: r.intLen,
		split: r.split, blank: r.blank, bogus: r.bogus, stray: r.stray, onFile: r.onFile,
	}
}

func (c headerChange) same(d headerChange) bool {
	words := slices.Equal(c.onFile.keywords, d.onFile.keywords)
	c.onFile.keywords, d.onFile.keywords = nil, nil
	return words && c.fromLen == d.fromLen && c.hdrLen == d.hdrLen && c.intOff == d.intOff && c.intLen == d.intLen &&
		c.split == d.split && c.blank == d.blank && c.bogus == d.bogus && c.stray == d.stray &&
		c.onFile.flags == d.onFile.flags && c.onFile.uid == d.onFile.uid
}

// change takes c over. The text keeps its length.
func (r *record) change(c *headerChange) {
	text := r.end - r.body()
	r.fromLen, r.hdrLen, r.intOff, r.intLen = c.fromLen, c.hdrLen, c.intOff, c.intLen
	r.split, r.blank, r.bogus, r.stray, r.onFile = c.split, c.blank, c.bogus, c.stray, c.onFile
	r.end = r.body() + text
}

// relocate takes over where the messages are now and what the file says of them. What clients were told of them in the
// meantime stays: sessions may store flags while a plan is made.
func (x *index) relocate(p *plan) {
	for i := range p.changes {
		x.records[p.changes[i].at].change(&p.changes[i])
	}
	if p.inPlace {
		return
	}
	gone, shifts, by := p.gone, p.shifts, int64(0)
	stay := x.records[:0]
	for i := range x.records {
		r := &x.records[i]
		if len(gone) > 0 && gone[0] == r.UID {
			gone = gone[1:]
			continue
		}
		if len(shifts) > 0 && shifts[0].at == i {
			by, shifts = shifts[0].by, shifts[1:]
		}
		r.off, r.end, r.displaced = r.off+by, r.end+by, false
		if len(stay) < i {
			x.records[len(stay)] = *r
		}
		stay = stay[:len(stay)+1]
	}
	clear(x.records[len(stay):])
	x.displaced = 0
	if len(stay) == len(x.records) {
		return
	}
	if len(stay) < cap(stay)/8 {
		stay = slices.Clone(stay)
	}
	x.setRecords(stay)
}
