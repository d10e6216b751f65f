package mboxstore

import (
	"cmp"
	"slices"
)

// Numbering a mailbox that was damaged.
//
// What was known of such a mailbox may have been read from mixed bytes, so the file counts first. A message keeps the
// UID that the file says when it is known by it with these very bytes, or when it is one of those that are, most octets
// of all, in ascending order. It keeps it wherever it stands: the repair moves it to where the UID belongs
// (displaced.go), so that no other message has to change its own. The rest is recognised by its bytes, or comes to the
// end with new UIDs.

// numbering gives UIDs to the records of a scan.
type numbering struct {
	records []record
	known   *memory
	most    UID // no higher UID is believed
	inbox   bool
	taken   map[UID]bool
}

// number makes s the index by what the file says.
func (r *repairer) number(s *scanned) {
	m, x := r.m, &r.m.index
	known := recall(r.cached.records)
	a := adoption{m: m, x: x, s: s, first: true}
	r.numberBase(s)
	n := numbering{records: s.records, known: known, most: x.base.LastUID, inbox: m.o.Inbox, taken: map[UID]bool{}}
	n.keepKnown()
	n.keepOrdered()
	for i := range s.records {
		rec := &s.records[i]
		if rec.UID == 0 {
			n.byBytes(rec)
		}
		if rec.UID == 0 {
			x.base.LastUID++
			rec.UID = x.base.LastUID
		}
	}
	n.displace(&x.base, m.displace)
	for i := range s.records {
		rec := &s.records[i]
		old := known.uid[rec.UID]
		if rec.UID != rec.onFile.uid && old == nil && m.o.Inbox && known.n > 0 {
			a.disbelieve(rec)
			continue
		}
		a.believe(rec)
		if old != nil && same(old, rec) && old.flagsPending() {
			rec.Flags, rec.Keywords = old.Flags, x.known(old.Keywords)
		}
	}
	slices.SortFunc(s.records, func(p, q record) int { return cmp.Compare(p.UID, q.UID) })
	a.stamp(s.records, nil)
	x.setRecords(s.records)
	x.pseudo = s.pseudo
	x.setEnd(s)
}

// numberBase decides on UIDVALIDITY, the last UID and the keywords.
func (r *repairer) numberBase(s *scanned) {
	m, x := r.m, &r.m.index
	x.base = Base{UIDValidity: r.cached.base.UIDValidity, Keywords: r.cached.base.Keywords}
	if b := s.base; b != nil {
		x.onFile = *b
		if b.UIDValidity != 0 && b.LastUID <= maxLastUID {
			x.base = Base{UIDValidity: b.UIDValidity, LastUID: b.LastUID}
			x.addKeywords(b.Keywords)
		}
	}
	if x.base.UIDValidity == 0 {
		x.base.UIDValidity = m.newValidity()
	}
	x.base.LastUID = max(x.base.LastUID, r.cached.base.LastUID)
	if m.mark.uidValidity == x.base.UIDValidity {
		x.base.LastUID = max(x.base.LastUID, m.mark.lastUID)
	}
}

func (n *numbering) give(rec *record, uid UID) {
	rec.UID = uid
	n.taken[uid] = true
}

// believable: a UID that somebody may have given, and that no message has yet.
func (n *numbering) believable(uid UID) bool { return uid > 0 && uid <= n.most && !n.taken[uid] }

// keepKnown lets those keep their UID that are known by it.
func (n *numbering) keepKnown() {
	for i := range n.records {
		rec := &n.records[i]
		if old := n.known.uid[rec.onFile.uid]; old != nil && n.believable(old.UID) && same(old, rec) {
			n.give(rec, old.UID)
		}
	}
}

// keepOrdered lets those keep their UID that are in order with most others: in an inbox a sender may have written what
// is not. In a folder all keep theirs.
func (n *numbering) keepOrdered() {
	var claims []record
	var at []int
	var found []*record
	for i, rec := range n.records {
		if rec.UID == 0 && n.believable(rec.onFile.uid) {
			rec.UID = rec.onFile.uid
		}
		if rec.UID != 0 {
			claims, at = append(claims, rec), append(at, i)
			found = append(found, &record{Message: Message{UID: rec.UID}})
		}
	}
	var stays []bool // nil: all
	if n.inbox {
		stays = heaviestRun(claims, found)
	}
	for k, i := range at {
		if n.records[i].UID == 0 && (stays == nil || stays[k]) && !n.taken[claims[k].UID] {
			n.give(&n.records[i], claims[k].UID)
		}
	}
}

// byBytes gives rec the UID of a known message with its bytes that no other one is.
func (n *numbering) byBytes(rec *record) {
	for _, old := range n.known.digest[key(rec)] {
		if !n.taken[old.UID] {
			n.give(rec, old.UID)
			return
		}
	}
}

// displace decides which messages have to be moved to where their UID belongs. When they are too many octets, those get
// new UIDs that are not in order.
func (n *numbering) displace(b *Base, most int64) {
	found := make([]*record, len(n.records))
	for i := range n.records {
		found[i] = &record{Message: Message{UID: n.records[i].UID}}
	}
	stays, moving := heaviestRun(n.records, found), int64(0)
	for i := range n.records {
		n.records[i].displaced = stays != nil && !stays[i]
		if n.records[i].displaced {
			moving += n.records[i].end - n.records[i].off
		}
	}
	if moving <= most {
		return
	}
	prev := UID(0)
	for i := range n.records {
		rec := &n.records[i]
		rec.displaced = false
		if rec.UID <= prev {
			b.LastUID++
			rec.UID = b.LastUID
		}
		prev = rec.UID
	}
}
