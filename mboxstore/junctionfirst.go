package mboxstore

import (
	"bytes"
	"slices"
)

// A sector that a power cut has kept from the disk may hold a separator and not much more: then the message has the
// first line of the one that stood there before, and no digest tells. With header lines lost, too, it is not known at
// all. The journal has what was to be written there, as far as the X-UID. So the first line comes from there when the
// message has that X-UID and header, and the header when it makes the message the one that was known.

// headsOf lists what the runs have of messages with an X-UID: all of them, or the beginnings.
func headsOf(runs []keptRun) map[UID][]keptMessage {
	heads := map[UID][]keptMessage{}
	for i := range runs {
		_, list, head := runs[i].split()
		if head != nil {
			list = append(list, *head)
		}
		for _, k := range list {
			if uid := claimedUID(&k.status); uid != 0 && len(k.from) > 0 {
				heads[uid] = append(heads[uid], k)
			}
		}
	}
	return heads
}

// settleHeaders gives records their header where nothing but that keeps them from being what was known.
func (x *mixer) settleHeaders(heads map[UID][]keptMessage) error {
	for i := range x.records {
		r := &x.records[i]
		old := x.known.uid[r.onFile.uid]
		if old == nil || x.known.has(r) || r.text != old.text || !r.blank {
			continue
		}
		k, err := readKept(x.f, r)
		if err != nil {
			return err
		}
		rest := k.header[min(len(k.header), int(r.intOff)+int(r.intLen)):]
		for _, h := range heads[old.UID] {
			header := h.header
			if h.open { // it goes on in the file
				header = slices.Concat(header, rest)
			}
			whole, found := onlyMessage(slices.Concat(h.from, header, []byte{'\n'}, k.text))
			if whole != nil && found.digest == old.digest && found.text == old.text {
				whole.status = r.said()
				x.cuts[r.off] = cutRange{with: whole}
				break
			}
		}
	}
	return nil
}

// settleFirstLines comes last, and gives what stays its own separator.
func (x *mixer) settleFirstLines(heads map[UID][]keptMessage) error {
	for i := range x.records {
		r := &x.records[i]
		c := x.cuts[r.off]
		if c.whole || !r.blank {
			continue
		}
		uid := r.onFile.uid
		if c.with != nil {
			uid = claimedUID(&c.with.status)
		}
		if len(heads[uid]) == 0 {
			continue
		}
		k, err := x.becomes(r)
		if err != nil {
			return err
		}
		own := ownFirstLine(k, heads[uid])
		if own == nil {
			continue
		}
		k.from = own
		again, err := x.again(i, k)
		switch {
		case err != nil:
			return err
		case again != nil && i > 0:
			x.cuts[r.off] = cutRange{whole: true}
			continue
		case again != nil:
			x.cuts[again.off] = cutRange{whole: true}
		}
		x.cuts[r.off] = cutRange{with: k, first: c == cutRange{}}
	}
	return nil
}

// again finds the record that k, which record i becomes, is, too: where a window of a rewrite ended right behind a
// separator, what stood there before went on.
func (x *mixer) again(i int, k *keptMessage) (*record, error) {
	want := bytes.TrimRight(k.plain(), "\n")
	for n := range x.records {
		o := &x.records[n]
		if n == i || x.cuts[o.off].whole || !sameUID(&x.records[i], o) {
			continue
		}
		b, err := x.settled(o)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(b, want) {
			return o, nil
		}
	}
	return nil, nil
}

// ownFirstLine is the separator that k had, nil when it has it or there is none for it.
func ownFirstLine(k *keptMessage, heads []keptMessage) (own []byte) {
	header := appendPlainHeader(nil, k.header)
	for _, h := range heads {
		begins := appendPlainHeader(nil, h.header)
		switch {
		case len(begins) == 0 || !bytes.HasPrefix(header, begins) || !h.open && len(header) > len(begins):
		case bytes.Equal(h.from, k.from):
			return nil
		default:
			own = h.from
		}
	}
	return own
}
