package mboxstore

import "slices"

// same reports whether two records have the same bytes, as far as that can be told without reading them again.
func same(a, b *record) bool {
	return a.digest == b.digest && a.text == b.text && (a.Size == b.Size || a.Size == sizeUnknown)
}

// memory finds the messages that were known before a scan.
type memory struct {
	n      int
	uid    map[UID]*record
	digest map[digestKey][]*record // ascending UIDs
	place  map[int64]*record       // by offset
}

type digestKey struct {
	header uint64
	text   uint32
	size   int64
}

func key(r *record) digestKey { return digestKey{r.digest, r.text, r.Size} }

func recall(records []record) *memory {
	k := &memory{
		n: len(records), uid: make(map[UID]*record, len(records)),
		digest: make(map[digestKey][]*record, len(records)), place: make(map[int64]*record, len(records)),
	}
	for i := range records {
		r := &records[i]
		k.uid[r.UID] = r
		k.digest[key(r)] = append(k.digest[key(r)], r)
		k.place[r.off] = r
	}
	return k
}

func (k *memory) has(r *record) bool { return len(k.digest[key(r)]) > 0 }

func (k *memory) any(records []record) bool {
	return slices.ContainsFunc(records, func(r record) bool { return k.has(&r) })
}

// match takes the first known message above prev with the bytes of r.
func (k *memory) match(r *record, prev UID) *record {
	list := k.digest[key(r)]
	for len(list) > 0 && list[0].UID <= prev {
		list = list[1:]
	}
	k.digest[key(r)] = list
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// gone lists the known messages that are not in records.
func (k *memory) gone(records []record) []UID {
	still := make(map[UID]bool, len(records))
	for i := range records {
		still[records[i].UID] = true
	}
	var gone []UID
	for u := range k.uid {
		if !still[u] {
			gone = append(gone, u)
		}
	}
	slices.Sort(gone)
	return gone
}
