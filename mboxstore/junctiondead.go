package mboxstore

import "bytes"

// Once all windows are written, a dead range is between two marks, and what stands before the first goes on behind the
// second, wherever another program has moved them: in one record, or in two. A mark
// that another program has written over leaves what stood around it apart.

// markedAt is a mark in a record.
type markedAt struct {
	record int
	at     int64 // in its bytes
}

// settleDead joins what stands on both sides of the dead ranges that are still there.
func (x *mixer) settleDead(p *planFile) error {
	most := len(p.layout.dead())
	if most == 0 {
		return nil
	}
	marks, err := x.marks(p.id)
	if err != nil || len(marks)%2 != 0 { // another program has removed one: which are a pair is not known
		return err
	}
	for i := 0; i < min(most, len(marks)/2); i++ {
		if err := x.settleDeadRange(marks[2*i], marks[2*i+1], int64(len(p.id))); err != nil {
			return err
		}
	}
	return nil
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
func (x *mixer) settleDeadRange(a, b markedAt, mark int64) error {
	first, err := x.raw(a.record)
	if err != nil {
		return err
	}
	last, err := x.raw(b.record)
	if err != nil {
		return err
	}
	run := keptRun{b: append(bytes.Clone(first[:a.at]), last[b.at+mark:]...), last: true}
	_, whole, _ := run.split()
	if len(whole) == 0 || x.cuts[x.records[a.record].off] != (cutRange{}) {
		return nil
	}
	for i := a.record; i <= b.record; i++ {
		x.cuts[x.records[i].off] = cutRange{whole: true}
	}
	x.cuts[x.records[a.record].off] = cutRange{with: &whole[0]}
	return nil
}
