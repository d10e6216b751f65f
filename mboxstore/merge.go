package mboxstore

import "slices"

// merge carries what is known of a message over to its newly scanned record, flag by flag and keyword by keyword: what
// another program changed in the file is adopted, what we have not written yet stays. It reports whether clients see a
// change.
func (a *adoption) merge(r, old *record) bool {
	r.since, r.ModSeq = old.since, old.ModSeq
	r.bogus = old.bogus && old.onFile.saysAs(&r.onFile) // else it has been overwritten, perhaps by us before a crash
	was, is := old.believed(), r.believed()
	ours, theirs := old.Flags^was.flags, is.flags^was.flags
	r.Flags = old.Flags ^ theirs&^ours
	r.Keywords = old.Keywords
	if !slices.Equal(is.keywords, was.keywords) {
		a.x.addKeywords(is.keywords)
		r.Keywords = a.x.mergeKeywords(old.Keywords, was.keywords, is.keywords)
	}
	return (r.Flags^old.Flags)&^FlagOld != 0 || !slices.Equal(r.Keywords, old.Keywords)
}

// saysAs reports whether two headers say the same.
func (s *fileState) saysAs(o *fileState) bool { return s.flags == o.flags && s.uid == o.uid }

// lookalike reports whether p makes the file say of a message, in our name, what its sender made it say before. Only the
// cache can tell then that it is believed now.
func (x *index) lookalike(p *plan) bool {
	return slices.ContainsFunc(p.changes, func(c headerChange) bool {
		old := &x.records[c.at]
		return old.bogus && !c.bogus && old.onFile.saysAs(&c.onFile)
	})
}

// mergeKeywords is theirs with what we have added to before or taken from it to get ours.
func (x *index) mergeKeywords(ours, before, theirs []string) []string {
	ours, before = x.known(ours), x.known(before)
	merged := slices.DeleteFunc(slices.Clone(x.known(theirs)), func(w string) bool {
		return slices.Contains(before, w) && !slices.Contains(ours, w)
	})
	for _, w := range ours {
		if !slices.Contains(before, w) {
			merged = append(merged, w)
		}
	}
	return x.known(merged)
}
