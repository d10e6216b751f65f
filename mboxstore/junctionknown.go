package mboxstore

import (
	"bytes"
	"slices"
)

// What was known of a message before the crash tells what of it is its own. Its header is the same and its text is not:
// nobody edits texts while a rewrite is unfinished, so bytes of the rewrite are in it. It is whole before them, or on
// both sides of them. Else it is a fragment, as is a header before the text of another message: its end has been overwritten, or another program took the end for another
// message; what is left goes to journal/lost, for nobody may take it for the message with that UID.

// maxJunctions bounds how often a text is read to find what is its own.
const maxJunctions = 64

// settleKnown settles what is not what was known. It comes last, for what the journal has is better.
func (x *mixer) settleKnown() error {
	heads := map[uint64]bool{}
	for _, old := range x.known.uid {
		heads[old.digest] = true
	}
	home := x.atHome()
	for i := range x.records {
		r := &x.records[i]
		old := x.known.uid[r.onFile.uid]
		if _, cut := x.cuts[r.off]; cut || old == nil {
			continue
		}
		if x.known.has(r) {
			is := func(v *record) bool { return home[v.UID] }
			if !same(r, old) && home[old.UID] && slices.ContainsFunc(x.known.digest[key(r)], is) {
				x.cuts[r.off] = cutRange{whole: true} // one's X-UID, and the bytes of another
			}
			continue
		}
		if old.digest != r.digest {
			if heads[r.digest] { // of another message
				x.cuts[r.off] = cutRange{whole: true, fragment: true}
			}
			continue
		}
		k, err := readKept(x.f, r)
		if err != nil {
			return err
		}
		x.cuts[r.off] = stale(k.text, old).in(r)
	}
	return nil
}

// atHome are the known messages that are whole in a place of their own, or will be.
func (x *mixer) atHome() map[UID]bool {
	home := map[UID]bool{}
	for i := range x.records {
		r := &x.records[i]
		c, cut := x.cuts[r.off]
		old := x.known.uid[r.onFile.uid]
		switch {
		case c.with != nil:
			home[claimedUID(&c.with.status)] = true
		case !cut && old != nil && same(r, old) && !x.marked[r.off]:
			home[old.UID] = true
		}
	}
	return home
}

// in makes offsets in the text of r those in the file.
func (c cutRange) in(r *record) cutRange {
	if !c.whole {
		c.from, c.to = c.from+r.body(), c.to+r.body()
	}
	return c
}

// stale finds the bytes of text without which it is what was known.
func stale(text []byte, old *record) cutRange {
	was, n := old.end-old.body(), int64(len(text))
	d := n - was
	if d <= 0 {
		return cutRange{whole: true, fragment: true}
	}
	if digestOf(text[:was]) == old.text {
		return cutRange{from: was, to: n}
	}
	tries := 1
	if digestOf(text[d:]) == old.text {
		return cutRange{from: 0, to: d}
	}
	if at := int64(bytes.Index(text, make([]byte, d))); at >= 0 { // blocks that the file system had taken out
		if digestOf(text[:at], text[at+d:]) == old.text {
			return cutRange{from: at, to: at + d}
		}
	}
	run := int64(0) // so many bytes before i stand d bytes later once more
	for i := int64(0); i+d < n && tries < maxJunctions; i++ {
		if text[i] != text[i+d] {
			run = 0
			continue
		}
		if run++; run != d {
			continue
		}
		tries++
		if p := i + 1; digestOf(text[:p], text[p+d:]) == old.text {
			return cutRange{from: p, to: p + d}
		}
	}
	return cutRange{whole: true, fragment: true}
}

func digestOf(parts ...[]byte) uint32 {
	var d textDigest
	for _, b := range parts {
		d.add(b)
	}
	return d.solid
}
