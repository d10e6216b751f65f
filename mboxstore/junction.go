package mboxstore

import (
	"bytes"
	"slices"

	"spoold/spool"
)

// Where an interrupted rewrite stood, the file has halves of two messages side by side: bytes as they were written, and
// behind them old ones, which are the end of the same message or of another one (store.md §3.4). Other programs take
// that for one message, and so it comes back from them. It is known by what it begins as:
//
//   - A message that the journal has whole, with the same X-UID: a message never changes, so the other is no message.
//     It is left out when the file has the whole one too, and else replaced by it.
//   - A message of which the journal has the beginning: as many bytes as it moves by stand there twice in a row. They
//     are left out; or all of it, when the message is whole behind it.
//   - A message that is whole behind it, while what follows is the end of another: it holds nothing of its own.
//   - A message of which is known what it was before the crash (junctionknown.go).
//   - Else it stays.

// cutRange is what becomes of a message that is not as it was.
type cutRange struct {
	from, to int64        // goes, when with is nil
	whole    bool         // all of it goes
	with     *keptMessage // takes its place
	fragment bool         // of a message that nobody has whole
	first    bool         // with differs in the first line only
}

// mixer settles the mixed messages of a file.
type mixer struct {
	f       spool.File
	records []record
	plain   map[int64][]byte // of messages that were looked at
	cuts    map[int64]cutRange
	known   *memory
	marked  map[int64]bool // bears a mark, be it in the separator, which no digest covers
}

func (x *mixer) settle(l *layout, runs []keptRun) error {
	byFrom := map[string][]*record{}
	for i := range x.records {
		r := &x.records[i]
		from := make([]byte, r.fromLen)
		if err := readFull(x.f, from, r.off); err != nil {
			return err
		}
		byFrom[string(from)] = append(byFrom[string(from)], r)
	}
	for i := range runs {
		_, whole, head := runs[i].split()
		for k := range whole {
			if err := x.settleWhole(&whole[k], byFrom[string(whole[k].from)]); err != nil {
				return err
			}
		}
		if d := l.shift(runs[i].off + int64(len(runs[i].b))); head != nil && d > 0 {
			if err := x.settleHead(head, d, byFrom[string(head.from)]); err != nil {
				return err
			}
		}
	}
	for _, list := range byFrom {
		if err := x.settlePairs(list); err != nil {
			return err
		}
	}
	return nil
}

// settleMarks looks for the marks at both ends of the gap: what is between them is stale. The message that the first one
// stands behind is whole before it; the one that the last one ends has lost its end.
func (x *mixer) settleMarks(id planID) error {
	first := true
	for i := range x.records {
		r := &x.records[i]
		raw := make([]byte, r.end-r.off)
		if err := readFull(x.f, raw, r.off); err != nil {
			return err
		}
		at := int64(bytes.Index(raw, id[:]))
		switch {
		case at < 0:
			continue
		case x.cuts[r.off] != cutRange{}:
		case first && int(at)+len(id) < len(raw) && r.off+at-2 >= r.body():
			x.cuts[r.off] = x.before(r, raw, at)
		case i > 0:
			x.cuts[r.off] = cutRange{whole: true}
		}
		first = false
	}
	return nil
}

// before is r without what is behind the mark at at. A part of a known message is none: its end was behind another mark.
func (x *mixer) before(r *record, raw []byte, at int64) cutRange {
	old := x.known.uid[r.onFile.uid]
	if old != nil && digestOf(raw[r.body()-r.off:at]) != old.text {
		return cutRange{whole: true, fragment: true}
	}
	return cutRange{from: r.off + at - 1, to: r.end}
}

func (x *mixer) read(r *record) ([]byte, error) {
	if b, ok := x.plain[r.off]; ok {
		return b, nil
	}
	m, err := readKept(x.f, r)
	if err != nil {
		return nil, err
	}
	b := bytes.TrimRight(m.plain(), "\n")
	x.plain[r.off] = b
	return b, nil
}

// settleWhole looks for what is not k but has its X-UID and its separator.
func (x *mixer) settleWhole(k *keptMessage, near []*record) error {
	uid, want := claimedUID(&k.status), bytes.TrimRight(k.plain(), "\n")
	if uid == 0 {
		return nil
	}
	there := false
	var mixed []*record
	for _, r := range near {
		b, err := x.read(r)
		if err != nil {
			return err
		}
		if _, done := x.cuts[r.off]; done {
			continue
		}
		same := bytes.Equal(b, want)
		there = there || same && (r.onFile.uid == uid || r.onFile.uid == 0)
		if !same && !there && mayBe(r, b, uid, want) && r.off != x.records[0].off {
			mixed = append(mixed, r)
		}
	}
	for _, r := range mixed {
		if r.onFile.uid == 0 && !there {
			continue
		}
		if there {
			x.cuts[r.off] = cutRange{whole: true}
			continue
		}
		x.cuts[r.off] = cutRange{with: k}
		there = true
	}
	return nil
}

// settleHead looks for the message that begins as head, which moves left by d.
func (x *mixer) settleHead(head *keptMessage, d int64, near []*record) error {
	want := bytes.TrimRight(head.plain(), "\n")
	for i, r := range near {
		b, err := x.read(r)
		if err != nil {
			return err
		}
		if _, done := x.cuts[r.off]; done || !mayBe(r, b, claimedUID(&head.status), want) {
			continue
		}
		behind := false
		for _, o := range near[i+1:] {
			other, err := x.read(o)
			if err != nil {
				return err
			}
			behind = behind || sameUID(r, o) && bytes.HasPrefix(other, want) && !bytes.Equal(b, other)
		}
		switch c, ok, err := x.repeated(head, d, r); {
		case err != nil:
			return err
		case behind && r.off != x.records[0].off:
			x.cuts[r.off] = cutRange{whole: true}
		case ok:
			x.cuts[r.off] = c
		}
	}
	return nil
}

// mayBe reports whether r, which is b, was to be the message want with that UID. Without X-UID, because its header was
// cut, it has to begin with a header line of that message at the least.
func mayBe(r *record, b []byte, uid UID, want []byte) bool {
	if r.onFile.uid != 0 {
		return r.onFile.uid == uid
	}
	n := commonPrefix(b, want)
	return n > int(r.fromLen) && bytes.IndexByte(b[r.fromLen:n], '\n') >= 0
}

func sameUID(a, b *record) bool {
	return a.onFile.uid == b.onFile.uid || a.onFile.uid == 0 || b.onFile.uid == 0
}

// repeated finds the d bytes that stand twice in a row, where r stops being as head.
func (x *mixer) repeated(head *keptMessage, d int64, r *record) (c cutRange, ok bool, err error) {
	m, err := readKept(x.f, r)
	if err != nil || head.open || !bytes.Equal(appendPlainHeader(nil, m.header), appendPlainHeader(nil, head.header)) {
		return c, false, err
	}
	at, n := int64(commonPrefix(m.text, head.text)), int64(len(m.text))
	switch {
	case at == 0 || at+d > n:
	case at >= d && bytes.Equal(m.text[at-d:at], m.text[at:at+d]):
		return cutRange{from: r.body() + at, to: r.body() + at + d}, true, nil
	case at < d && bytes.HasPrefix(m.text[d:], m.text[:at]):
		return cutRange{from: r.body(), to: r.body() + d}, true, nil
	}
	return c, false, nil
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// settlePairs leaves out what begins as a message behind it, and goes on as the end of another one.
func (x *mixer) settlePairs(near []*record) error {
	for i, r := range near {
		for _, whole := range near[i+1:] {
			if _, done := x.cuts[r.off]; done || !sameUID(r, whole) || r.off == x.records[0].off {
				continue
			}
			a, err := x.read(r)
			if err != nil {
				return err
			}
			b, err := x.read(whole)
			if err != nil {
				return err
			}
			n := commonPrefix(a, b)
			if n <= int(r.fromLen) || n == len(b) {
				continue
			}
			ends, err := x.endsOther(r, a[n:])
			if err != nil {
				return err
			}
			if ends {
				x.cuts[r.off] = cutRange{whole: true}
			}
		}
	}
	return nil
}

// endsOther reports whether the text of another message than r ends in b.
func (x *mixer) endsOther(r *record, b []byte) (bool, error) {
	for i := range x.records {
		o := &x.records[i]
		if o.off == r.off || o.end-o.body() < int64(len(b)) {
			continue
		}
		got := make([]byte, min(o.end-o.body(), int64(len(b))+closingRoom))
		if err := readFull(x.f, got, o.end-int64(len(got))); err != nil {
			return false, err
		}
		if bytes.HasSuffix(bytes.TrimRight(got, "\n"), b) {
			return true, nil
		}
	}
	return false, nil
}

// settleTwice leaves out the messages that a mixed one has become.
func (x *mixer) settleTwice() error {
	for i := range x.records {
		r := &x.records[i]
		if c, cut := x.cuts[r.off]; !cut || c.whole {
			continue
		}
		want, err := x.settled(r)
		if err != nil {
			return err
		}
		for n := range x.records {
			o := &x.records[n]
			if n == i || !sameUID(r, o) || o.fromLen != r.fromLen || x.cuts[o.off].whole {
				continue
			}
			b, err := x.settled(o)
			if err != nil {
				return err
			}
			if bytes.Equal(b, want) {
				x.cuts[o.off] = cutRange{whole: true}
			}
		}
	}
	return nil
}

// settled is what r becomes, without what other programs change.
func (x *mixer) settled(r *record) ([]byte, error) {
	if _, cut := x.cuts[r.off]; !cut {
		return x.read(r)
	}
	k, err := x.becomes(r)
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(k.plain(), "\n"), nil
}

// becomes is the message that r becomes, when not all of it goes.
func (x *mixer) becomes(r *record) (*keptMessage, error) {
	c, cut := x.cuts[r.off]
	if c.with != nil {
		k := *c.with
		return &k, nil
	}
	k, err := readKept(x.f, r)
	if err != nil {
		return nil, err
	}
	k.status = r.said()
	if cut {
		k.text = slices.Concat(k.text[:c.from-r.body()], k.text[c.to-r.body():])
	}
	return k, nil
}

// unmix settles the mixed messages that the interrupted rewrite left.
func (r *repairer) unmix(s *scanned) error {
	p := r.wait.plan
	if p == nil {
		return nil
	}
	runs, err := p.kept()
	if err != nil {
		return err
	}
	x := mixer{f: r.m.file, records: s.records, plain: map[int64][]byte{}, cuts: r.cuts, known: recall(r.m.index.records), marked: map[int64]bool{}}
	written, _, err := p.progress()
	var marks []markedAt
	if err == nil {
		marks, err = x.marks(p.id)
	}
	heads := headsOf(runs)
	if err == nil {
		err = x.settleHeaders(heads)
	}
	if err == nil {
		r.joined, err = x.settleJoined(&p.layout, runs)
	}
	if err == nil {
		var more []keptMessage
		more, err = x.settleDead(p, marks, runs)
		r.joined = append(r.joined, more...)
	}
	if err == nil && written { // what stands before a mark is whole
		err = x.settleMarks(p.id)
	}
	if err == nil {
		err = x.settle(&p.layout, runs)
	}
	if err == nil && !written {
		err = x.settleMarks(p.id)
	}
	if err == nil {
		err = x.settlePlaces(&p.layout, heads, runs)
	}
	if err == nil {
		err = x.settleKnown()
	}
	if err == nil {
		err = x.settleTwice()
	}
	if err == nil {
		err = x.settleFirstLines(heads)
	}
	if err == nil {
		r.takeOut(s)
	}
	return err
}

// takeOut leaves out of s what was settled to go, and says so.
func (r *repairer) takeOut(s *scanned) {
	var stay []record
	for _, rec := range s.records {
		c, cut := r.cuts[rec.off]
		switch {
		case c.fragment:
			r.act(rec.off, "fragment", "", "of the message with UID %d there is only a part, with bytes of others in it; it is left out", rec.onFile.uid)
			continue
		case c.whole:
			r.act(rec.off, "mixed", "", "halves of messages that are whole in other places, or that went before, are left out")
			continue
		case c.first:
			r.act(rec.off, "separator", "", "the first line of another message gives way to that of the message with UID %d, from the journal", rec.onFile.uid)
		case c.with != nil:
			r.act(rec.off, "restored", "", "halves of two messages give way to the first, with UID %d, from the journal", rec.onFile.uid)
		case cut:
			r.act(c.from, "repeated", "", "%d stale bytes of the interrupted rewrite are left out", c.to-c.from)
		}
		stay = append(stay, rec)
	}
	s.records = stay
}
