package mboxstore

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"spoold/spool"
)

// Adopting what a scan found.
//
// A message that the index knows keeps its UID: found by its X-UID when its header and size are the same, else by the
// digests of its header and its text and its size. A message whose bytes changed under an X-UID is another message
// (promise 1). The rest gets new UIDs in file order. Messages that then stand where their UID does not belong are moved
// there by the next plan (displaced.go). UIDVALIDITY stays as long as it is not certain that the file is another mailbox:
// its base line says another one, and not one known message is in it.
//
// What the headers of an unknown message say is believed at the first look and in folders (UW's rules, with bounds);
// in an inbox that we looked at before, only of messages that another server of UW's kind has numbered in between:
// all others are fresh deliveries, and their senders wrote what stands there (promise 7).

const (
	maxLastUID = 1<<31 - 1<<20 // a base beyond it leaves too few UIDs
	maxWords   = 1000          // keywords of a mailbox
)

// adopt makes s the state of the index; stamp is that of the file when it was scanned. The caller holds op.
func (m *Mailbox) adopt(s *scanned, stamp spool.Stamp) error {
	m.mu.Lock()
	x := &m.index
	written := x.onFile
	a := adoption{m: m, x: x, s: s, now: stamp, first: x.base.UIDValidity == 0, before: x.base}
	if s.tail {
		a.adoptTail()
	} else {
		m.scans++
		a.adoptAll()
	}
	x.setEnd(s)
	m.stamp = stamp
	if a.first && m.marks() {
		m.seen.lose() // it may be of another UIDVALIDITY, and goes with a cache
	}
	m.list(a.fresh...)
	if a.newValidity || x.displaced > 0 || x.forgets(&written) || a.skipped || a.gap {
		a.makeDurable()
	}
	m.setMark()
	m.mu.Unlock()
	if a.news {
		m.news.tell()
	}
	if s.tail {
		m.flush.recheckLater()
	}
	m.flush.later(lazy)
	return nil
}

// makeDurable: a UIDVALIDITY that is not in the file, UIDs that cannot be told from the order of the messages in it (also
// since others have removed one before them that was not numbered yet), and a last UID that another program has taken
// away with the base line, must be durable before they are told (promise 2).
// The caller holds mu.
func (a *adoption) makeDurable() {
	if a.m.o.State == nil {
		return
	}
	if err := a.m.writeCache(a.m.encodeCache(), true); err != nil {
		a.m.log.Warn("uids not durable", "err", err)
	}
}

// forgets reports whether the file knows less of the UIDs that were given than when its base line was written.
func (x *index) forgets(written *Base) bool {
	return written.UIDValidity == x.base.UIDValidity &&
		(x.onFile.UIDValidity != written.UIDValidity || x.onFile.LastUID < written.LastUID)
}

type adoption struct {
	m           *Mailbox
	x           *index
	s           *scanned
	now         spool.Stamp
	first       bool // nothing was known of this mailbox
	before      Base
	newValidity bool
	skipped     bool // the mark, or the journal, tells of UIDs that are nowhere in the file
	raised      bool // the file's base line, with a higher last UID, is believed
	news        bool
	gap         bool // messages went whose UIDs the file's base line does not count
	whole       bool // all are known that got a UID before a crash: the mark need not tell

	fresh, changed []UID
}

// adoptTail appends new messages; known ones are untouched.
func (a *adoption) adoptTail() {
	if len(a.s.records) == 0 {
		return
	}
	x := a.x
	for i := range a.s.records {
		r := &a.s.records[i]
		x.base.LastUID++
		r.UID = x.base.LastUID
		a.believeTail(r)
		a.fresh = append(a.fresh, r.UID)
	}
	a.stamp(a.s.records, a.fresh)
	x.setRecords(append(x.records, a.s.records...))
}

// believeTail decides what of a newly arrived message's headers is believed.
func (a *adoption) believeTail(r *record) {
	if a.m.o.Inbox {
		a.disbelieve(r)
		return
	}
	a.believe(r)
}

func (a *adoption) believe(r *record) {
	if r.onFile.uid == r.UID {
		// Numbered by a server, so its keywords are one's, too: after a crash the base line may not name them yet.
		a.x.addKeywords(r.onFile.keywords)
	}
	r.Flags = r.onFile.flags
	r.Keywords = a.x.known(r.onFile.keywords)
	r.onFile.keywords = r.Keywords // words that the base line does not name are nothing to write about
}

func (a *adoption) disbelieve(r *record) {
	r.Flags, r.Keywords = 0, nil
	r.bogus = r.onFile.flags != 0 || r.onFile.keywords != nil || r.onFile.uid != 0
}

func (a *adoption) stamp(records []record, fresh []UID) {
	x := a.x
	x.bump(cameOrChanged, fresh...)
	for i := range records {
		records[i].since, records[i].ModSeq = x.modseq, x.modseq
	}
	a.news = true
}

// adoptAll replaces the whole list.
func (a *adoption) adoptAll() {
	known := recall(slices.Concat(a.x.records, a.listed()))
	a.adoptBase(known.any(a.s.records))
	records := a.s.records
	for i := range records {
		a.trim(&records[i], known)
	}
	n := len(records)
	if found, ok := a.findAnywhere(known); ok {
		a.enter(found)
	} else {
		a.enterInOrder(known)
	}
	last := a.x.base.LastUID
	a.passMark(math.MaxInt64)
	a.passTold()
	if a.x.base.LastUID > last {
		a.skipped = true // after a crash, what is delivered now would get them: the mark covers it then
	}
	slices.SortFunc(records, func(p, q record) int { return cmp.Compare(p.UID, q.UID) })
	a.tell(records, known)
	a.x.pseudo = a.s.pseudo
	if kept := n - len(a.fresh); kept < known.n || a.x.displaced > 0 {
		a.m.log.Info("mailbox changed by another program", "known", known.n, "kept", kept, "new", len(a.fresh),
			"displaced", a.x.displaced)
	}
}

// enterInOrder goes through the messages in file order, and each gets a UID above those before it.
func (a *adoption) enterInOrder(known *memory) {
	prev, told := UID(0), a.lastTold()
	for i := range a.s.records {
		r := &a.s.records[i]
		a.passMark(r.off)
		if i > told {
			a.passTold()
		}
		a.enterAs(r, a.identify(r, known, prev))
		prev = r.UID
	}
}

// enterAs enters r as the known message old, which has its UID; nil: as a new one.
func (a *adoption) enterAs(r, old *record) {
	switch {
	case old == nil:
		a.fresh = append(a.fresh, r.UID)
	case old.listed:
		a.enterListed(r, old)
	case a.merge(r, old):
		a.changed = append(a.changed, r.UID)
	}
}

// enterListed enters r, which is known as old from the list. Its status headers are ours when they have its UID, unless
// they still say what its sender, who guessed the UID, has written.
func (a *adoption) enterListed(r, old *record) {
	if r.onFile.uid == r.UID && !(old.bogus && old.onFile.saysAs(&r.onFile)) {
		a.believe(r)
	} else {
		a.disbelieve(r)
	}
	a.changed = append(a.changed, r.UID)
}

// trim takes from the text of a known message what came behind it later and is no text: the blank lines and NULs that
// some MDAs write before their separator. The look that saw them arrive left them out, too.
func (a *adoption) trim(r *record, known *memory) {
	old := known.place[r.off]
	if old == nil || old.digest != r.digest || old.text != r.text || old.Size >= r.Size || old.end >= r.end || r.end-old.end > closingRoom {
		return
	}
	if uid := r.onFile.uid; uid != old.onFile.uid && uid != old.UID {
		return // another message with the same header has come to stand there
	}
	b := make([]byte, r.end-old.end)
	if _, err := a.m.file.ReadAt(b, old.end); err == nil && len(bytes.Trim(b, " \t\r\n\x00")) == 0 {
		r.end, r.Size = old.end, old.Size
	}
}

// tell enters what happened into the log of changes.
func (a *adoption) tell(records []record, known *memory) {
	x, fresh, changed := a.x, a.fresh, a.changed
	gone := known.gone(records)
	if len(gone) > 0 {
		x.bump(expunged, gone...)
		a.m.unlist(gone)
		a.news = true
		a.gap = x.onFile.UIDValidity != x.base.UIDValidity || slices.Max(gone) > x.onFile.LastUID
	}
	if len(fresh)+len(changed) > 0 || x.modseq == 0 {
		x.bump(cameOrChanged, append(slices.Clone(fresh), changed...)...)
		a.news = true
	}
	x.setRecords(records)
	for _, u := range fresh {
		i, _ := x.find(u)
		records[i].since, records[i].ModSeq = x.modseq, x.modseq
	}
	for _, u := range changed {
		i, _ := x.find(u)
		records[i].ModSeq = x.modseq
	}
}

// adoptBase decides on UIDVALIDITY, last UID and keywords; recognised: some known message is in the file.
func (a *adoption) adoptBase(recognised bool) {
	x, b := a.x, a.s.base
	x.onFile = Base{}
	if b != nil {
		x.onFile = *b
	}
	usable := b != nil && b.UIDValidity != 0 && b.LastUID <= maxLastUID
	switch k := &a.m.mark; {
	case a.first && a.baseDelivered():
		x.base, a.newValidity = Base{UIDValidity: k.uidValidity, LastUID: k.lastUID}, true
		usable = false
	case a.first && usable:
		x.base = Base{UIDValidity: b.UIDValidity, LastUID: b.LastUID}
	case a.first:
		x.base, a.newValidity = Base{UIDValidity: a.m.newValidity()}, true
	case !usable || b.UIDValidity == x.base.UIDValidity || recognised || a.m.o.Inbox:
		a.raiseLast(b, usable)
	default:
		x.base = Base{UIDValidity: b.UIDValidity, LastUID: b.LastUID}
		x.modseq++
		x.lost, a.news = x.modseq, true
		a.m.log.Warn("another mailbox in place of the known one", "uidvalidity", b.UIDValidity, "was", a.before.UIDValidity)
	}
	if usable && (a.first || a.trustsBase()) {
		x.addKeywords(b.Keywords)
	}
}

// raiseLast believes a higher last UID of the same mailbox: we wrote it before a crash, or another server has numbered
// messages.
func (a *adoption) raiseLast(b *Base, usable bool) {
	x, k := a.x, &a.m.mark
	if !usable || b.UIDValidity != x.base.UIDValidity || b.LastUID <= x.base.LastUID {
		return
	}
	if trusted := a.trustsBase(); trusted || k.uidValidity == b.UIDValidity && b.LastUID <= k.lastUID {
		x.base.LastUID, a.raised = b.LastUID, trusted
	}
}

// passMark is called before the message at off gets a UID. Messages before the mark that are not numbered in the file
// have the UIDs that follow its last one, as when they were told; those behind it get higher ones than were ever told.
func (a *adoption) passMark(off int64) {
	if k := &a.m.mark; !a.whole && k.uidValidity == a.x.base.UIDValidity && off >= k.end {
		a.x.base.LastUID = max(a.x.base.LastUID, k.lastUID)
	}
}

// trustsBase: in an inbox the base line must stand where no sender can put it, in a pseudo message or a message that
// is known already.
func (a *adoption) trustsBase() bool {
	if !a.m.o.Inbox || a.s.pseudo != nil {
		return true
	}
	return len(a.s.records) > 0 && recall(a.x.records).has(&a.s.records[0])
}

// identify sets the UID of r and returns the known message that it is, nil for a new one.
func (a *adoption) identify(r *record, known *memory, prev UID) *record {
	claim := r.onFile.uid
	old := known.uid[claim]
	if old != nil && claim > prev && same(old, r) {
		r.UID = claim // even when the base line is gone with the message that carried it
		return old
	}
	if claim > prev && old == nil && a.numbered(r) {
		a.takeAtItsWord(r)
		return nil
	}
	if old := known.match(r, prev); old != nil && !a.claimsNew(r) {
		r.UID = old.UID
		return old
	}
	a.number(r)
	return nil
}

// numbered reports whether the UID that an unknown message claims is believed.
func (a *adoption) numbered(r *record) bool {
	claim := r.onFile.uid
	return a.x.onFile.UIDValidity == a.x.base.UIDValidity && claim > 0 && (claim <= a.x.base.LastUID || a.told(r)) &&
		(a.first && !a.delivered(r) || !a.first && claim > a.before.LastUID && a.numberedBySomebody(r))
}

// takeAtItsWord gives r the UID that it claims.
func (a *adoption) takeAtItsWord(r *record) {
	r.UID = r.onFile.uid
	a.x.base.LastUID = max(a.x.base.LastUID, r.UID)
	a.believe(r)
}

// claimsNew: its X-UID is above all that were given when the index was made. It may have the bytes of a message that was
// known then and has been expunged since, whose UID is not to come back: a copy that was moved here again. In an inbox a
// sender may have written such an X-UID.
func (a *adoption) claimsNew(r *record) bool {
	return a.numbered(r) || r.onFile.uid > a.before.LastUID && (!a.m.o.Inbox || a.ours(r))
}

// number gives an unknown message the next UID.
func (a *adoption) number(r *record) {
	a.x.base.LastUID++
	r.UID = a.x.base.LastUID
	if a.first && !a.delivered(r) || !a.m.o.Inbox || r.onFile.uid == r.UID && a.ours(r) {
		a.believe(r)
	} else {
		a.disbelieve(r)
	}
}

// numberedBySomebody: by us before a crash, or, in folders and under a base line that no sender can have written, by
// another server.
func (a *adoption) numberedBySomebody(r *record) bool {
	return !a.m.o.Inbox || a.raised || a.ours(r)
}

// newValidity gives a UIDVALIDITY above any given before to this mailbox.
func (m *Mailbox) newValidity() uint32 {
	return max(uint32(m.o.Now().Unix()), m.index.base.UIDValidity+1)
}

// known maps the words of an X-Keywords line to the mailbox's list, as UW does: case is ignored, words that the
// base line does not name are dropped.
func (x *index) known(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	var at []int
	for _, w := range words {
		if i := x.keyword(w); i >= 0 && !slices.Contains(at, i) {
			at = append(at, i)
		}
	}
	slices.Sort(at)
	list := make([]string, len(at))
	for i, slot := range at {
		list[i] = x.base.Keywords[slot]
	}
	return x.words.list(list)
}

// keyword is a word's slot in the mailbox's list, -1 when it is not there.
func (x *index) keyword(w string) int {
	return slices.IndexFunc(x.base.Keywords, func(k string) bool { return strings.EqualFold(k, w) })
}

// addKeywords appends words that are not in the list; slots never move (spec: UW keeps bits by position).
func (x *index) addKeywords(words []string) {
	list := slices.Clip(x.base.Keywords)
	for _, w := range words {
		if x.keyword(w) < 0 && len(list) < maxWords {
			list = append(list, w)
			x.base.Keywords = list
		}
	}
}
