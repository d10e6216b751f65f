package mboxstore

import (
	"cmp"
	"io"
	"math"
	"slices"
)

// Messages out of their order.
//
// UIDs ascend in the file, for others read them so. But an editor puts a message between known ones, or changes one
// there, and that gets a new UID above all others; a restored backup, or a program that sorts, has the known ones in
// another order. To give new UIDs to all that follow would make every client fetch them again. So the index, which is
// in the order of the UIDs, may for a while differ from the file: a message that stands where its UID does not belong
// is displaced, and the next plan brings the file into the order of the index. Of the messages, those stay that are
// most octets in ascending order. The displaced ones are lifted: the plan leaves them out where they stand and writes
// them as literals where they belong, so one commit moves them, whole or not at all.
//
// Until then nothing is written in place, since UIDs in the wrong order would be read as damage; and the UIDs are in
// the state directory. When the literals would be too many, or nothing can be rewritten, the messages get new UIDs in
// file order, as at the first look.

const maxDisplaced = 16 << 20 // octets of literals in a plan; with the status headers below maxRecord

// findAnywhere finds the known messages wherever they stand now, nil for the others, and says which are displaced.
// Not ok: they must be taken in file order.
func (a *adoption) findAnywhere(known *memory) (found []*record, ok bool) {
	if a.first || a.m.o.State == nil || a.m.readOnly() {
		return nil, false
	}
	records := a.s.records
	found = known.recognise(records, a.claimsNew)
	stays := heaviestRun(records, found)
	moving := int64(0)
	for i := range records {
		if stays != nil && !stays[i] {
			moving += records[i].end - records[i].off
		}
	}
	if moving > a.m.displace {
		a.m.log.Warn("too much is out of order, messages get new UIDs", "bytes", moving)
		return nil, false
	}
	for i := range records {
		records[i].displaced = stays != nil && !stays[i]
	}
	return found, true
}

// enter enters all messages, in file order, given the known ones among them.
func (a *adoption) enter(found []*record) {
	prev, told := UID(0), a.lastTold()
	if slices.ContainsFunc(a.s.records, func(r record) bool { return r.displaced }) {
		a.passMark(math.MaxInt64) // the file is not as it was marked: what was told cannot be told from it
	}
	for i := range a.s.records {
		r, old := &a.s.records[i], found[i]
		a.passMark(r.off)
		if i > told {
			a.passTold()
		}
		switch {
		case old != nil:
			r.UID = old.UID
		case r.onFile.uid > prev && a.numbered(r):
			a.takeAtItsWord(r)
			prev = r.UID
		default:
			a.number(r)
			prev = r.UID
		}
		a.enterAs(r, old)
	}
}

// recognise finds which known message each record is: first those that say it by their X-UID, then by bytes alone.
// Of several with the same bytes, one that keeps the order is preferred. Records that claim to be new are.
func (k *memory) recognise(records []record, claimsNew func(*record) bool) []*record {
	found := make([]*record, len(records))
	taken := make(map[UID]bool, k.n)
	for i := range records {
		r := &records[i]
		if old := k.uid[r.onFile.uid]; old != nil && !taken[old.UID] && same(old, r) {
			found[i], taken[old.UID] = old, true
		}
	}
	left := map[digestKey][]*record{}
	for d, list := range k.digest {
		rest := slices.DeleteFunc(slices.Clone(list), func(r *record) bool { return taken[r.UID] })
		if len(rest) > 0 {
			left[d] = rest
		}
	}
	prev := UID(0)
	for i := range records {
		if r := &records[i]; found[i] == nil && len(left[key(r)]) > 0 && (k.uid[r.onFile.uid] != nil || !claimsNew(r)) {
			found[i], left[key(r)] = takeAbove(left[key(r)], prev)
		}
		if found[i] != nil {
			prev = found[i].UID
		}
	}
	return found
}

// takeAbove takes the first record above prev, or else the first, from a list with ascending UIDs.
func takeAbove(list []*record, prev UID) (*record, []*record) {
	i, _ := slices.BinarySearchFunc(list, prev+1, func(r *record, u UID) int { return cmp.Compare(r.UID, u) })
	if i == 0 || i == len(list) {
		return list[0], list[1:]
	}
	r := list[i]
	return r, slices.Delete(list, i, i+1)
}

// heaviestRun says which records stay: those that are most octets of all whose UIDs ascend in file order. A new
// message has a UID above all known ones. nil: all stay.
func heaviestRun(records []record, found []*record) (stays []bool) {
	rank := ranks(found)
	if slices.IsSorted(rank) {
		return nil
	}
	// best[j] is the end of the heaviest run so far among the ranks that j stands for in a Fenwick tree.
	best, before := make([]int, len(rank)+1), make([]int, len(rank))
	weight := make([]int64, len(rank)+1) // by index+1, of the run that ends there; 0 is the empty run
	for i, k := range rank {
		last := 0
		for j := k; j > 0; j -= j & -j {
			if weight[best[j]] > weight[last] {
				last = best[j]
			}
		}
		before[i], weight[i+1] = last, weight[last]+records[i].end-records[i].off
		for j := k + 1; j <= len(rank); j += j & -j {
			if weight[i+1] > weight[best[j]] {
				best[j] = i + 1
			}
		}
	}
	stays = make([]bool, len(rank))
	last := 0
	for i := range weight {
		if weight[i] > weight[last] {
			last = i
		}
	}
	for ; last > 0; last = before[last-1] {
		stays[last-1] = true
	}
	return stays
}

// ranks gives each message its place in the order of the UIDs, new ones behind.
func ranks(found []*record) []int {
	order := make([]int, len(found))
	for i := range order {
		order[i] = i
	}
	uid := func(i int) UID {
		if found[i] == nil {
			return math.MaxUint32
		}
		return found[i].UID
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(uid(i), uid(j)) })
	rank := make([]int, len(found))
	for k, i := range order {
		rank[i] = k
	}
	return rank
}

// ordered is how far the file is in the order of the index.
func (x *index) ordered() int64 {
	from, low := x.end, x.end
	for i := range slices.Backward(x.records) {
		off := x.records[i].off
		if low < off {
			from = min(from, low)
		}
		low = min(low, off)
	}
	return from
}

// lastEnd is the end of the text that is last in the file.
func (x *index) lastEnd() (end int64) {
	if n := len(x.records); x.displaced == 0 && n > 0 {
		return x.records[n-1].end
	}
	for i := range x.records {
		end = max(end, x.records[i].end)
	}
	return end
}

// lift takes displaced messages out of their place, all in one buffer as long as they come one after the other.
type lift struct {
	file io.ReaderAt
	seg  int // 1 + the segment that grows
	err  error
}

func (e *emitter) copyLifted(from, to int64) {
	b := make([]byte, to-from)
	if _, err := e.lift.file.ReadAt(b, from); err != nil && e.lift.err == nil {
		e.lift.err = err
	}
	e.literal(b)
}

func (e *emitter) addLifted(b []byte) {
	if n := len(e.segs); n == 0 || e.lift.seg != n {
		e.segs = append(e.segs, segment{lit: []byte{}})
		e.lift.seg = n + 1
	}
	s := &e.segs[e.lift.seg-1]
	s.lit = append(s.lit, b...)
	s.n = int64(len(s.lit))
}

// sortPlaces readies what the walk over the index needs when that is not in file order.
func (w *planner) sortPlaces() {
	w.lifted.file = w.file
	if w.x.displaced == 0 {
		return
	}
	w.unit = 0
	w.places = make([]int64, len(w.x.records))
	for i := range w.x.records {
		w.places[i] = w.x.records[i].off
	}
	slices.Sort(w.places)
}

// nextPlace is nextOff when messages are displaced: what follows in the file on message i-1, or the pseudo message.
func (w *planner) nextPlace(i int) int64 {
	if i == 0 {
		return w.places[0]
	}
	if next, _ := slices.BinarySearch(w.places, w.x.records[i-1].off+1); next < len(w.places) {
		return w.places[next]
	}
	return w.x.end
}

// changesPlace reports whether the header of r must be written because another message is the first, or the last, in
// the new order: the base line goes to the first one, and the last one may lack its blank line.
func (w *planner) changesPlace(r *record, carries bool) bool {
	return w.places != nil && (carries || r.off == w.places[0] || !r.blank)
}

// lift makes the emitter take out r when it is displaced.
func (w *planner) lift(r *record) {
	if r.displaced {
		w.out.lift = &w.lifted
	}
	r.displaced = false
}

// endLift ends what lift began, and closes the message that was the last of the file.
func (w *planner) endLift(old *record) error {
	if n := len(w.places); n > 0 && old.off == w.places[n-1] {
		glue := w.x.glue
		if !old.blank {
			glue = "\n" // its header is closed now, and it has no text
		}
		w.out.literal([]byte(glue))
	}
	w.out.lift = nil
	return w.lifted.err
}
