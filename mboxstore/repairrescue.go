package mboxstore

import "slices"

// compare finds what the journal has and the file has not.
func (r *repairer) compare() error {
	p := r.wait.plan
	if !r.damaged || p == nil {
		return nil
	}
	runs, err := p.kept()
	if err != nil {
		return err
	}
	there, err := r.keysOf(r.m.index.records)
	if err != nil {
		return err
	}
	for i := range runs {
		_, whole, head := runs[i].split()
		for k := range whole {
			r.rescue(&whole[k], there)
		}
		if head != nil && !head.open && len(head.from) > 0 {
			r.fragment(head)
		}
	}
	for k := range r.joined {
		r.rescue(&r.joined[k], there)
	}
	return nil
}

// keysOf tells which messages the file has, as it will be, and with which X-UIDs.
func (r *repairer) keysOf(records []record) (map[mailKey][]UID, error) {
	there := make(map[mailKey][]UID, len(records))
	for i := range records {
		rec := &records[i]
		k, err := readKept(r.m.file, rec)
		if err != nil {
			return nil, err
		}
		c, cut := r.cuts[rec.off]
		switch {
		case c.with != nil:
			k = c.with
		case cut:
			k.text = slices.Concat(k.text[:c.from-rec.body()], k.text[c.to-rec.body():])
		}
		there[k.key()] = append(there[k.key()], rec.onFile.uid)
	}
	return there, nil
}

// rescue adds a message of the journal unless the file has it: with the same UID, or where one of the two has none.
func (r *repairer) rescue(k *keptMessage, there map[mailKey][]UID) {
	if IsPseudo(FromLine{Sender: senderOf(k.from)}, k.header) {
		return
	}
	key, uid := k.key(), claimedUID(&k.status)
	if slices.ContainsFunc(there[key], func(u UID) bool { return u == uid || u == 0 || uid == 0 }) {
		return
	}
	there[key] = append(there[key], uid)
	x := &r.m.index
	x.base.LastUID++
	x.addKeywords(k.status.Keywords)
	r.more = append(r.more, k.stored(x.base.LastUID, nil)...)
	r.added++
	r.act(x.end, "rescued", "", "the message with UID %d, of which the file has not all, is added with UID %d", uid, x.base.LastUID)
}

func senderOf(from []byte) []byte {
	f, _ := ParseFromLine(from)
	return f.Sender
}

// fragment tells of a message of which the journal has the beginning and the file nothing.
func (r *repairer) fragment(head *keptMessage) {
	for i := range r.m.index.records {
		rec := &r.m.index.records[i]
		if int(rec.fromLen) == len(head.from) && holds(r.m.file, rec.off, head.from) == nil {
			return
		}
	}
	r.act(r.m.index.end, "fragment", r.wait.name+damagedSuffix,
		"of the message with UID %d there is only the beginning, in the journal", claimedUID(&head.status))
}

const damagedSuffix = ".damaged"
