package mboxstore

import "slices"

// merge carries what is known of a message over to its newly scanned record, flag by flag and keyword by keyword: what
// another program changed in the file is adopted, what we have not written yet stays. It reports whether clients see a
// change.
func (a *adoption) merge(r, old *record) bool {
	r.since, r.ModSeq = old.since, old.ModSeq
	r.bogus = r.bogus || old.bogus && r.onFile.flags == old.onFile.flags && r.onFile.uid == old.onFile.uid
	was := old.onFile
	if old.bogus && !r.bogus {
		was = fileState{} // what was not believed has been overwritten, perhaps by us before a crash
	}
	ours := old.Flags ^ was.flags
	theirs := r.onFile.flags ^ was.flags
	if old.bogus && r.bogus {
		theirs = 0
	}
	r.Flags = old.Flags ^ theirs&^ours
	r.Keywords = old.Keywords
	if !slices.Equal(r.onFile.keywords, was.keywords) && !(old.bogus && r.bogus) {
		a.x.addKeywords(r.onFile.keywords)
		r.Keywords = a.x.mergeKeywords(old.Keywords, was.keywords, r.onFile.keywords)
	}
	return (r.Flags^old.Flags)&^FlagOld != 0 || !slices.Equal(r.Keywords, old.Keywords)
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
