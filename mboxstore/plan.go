package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Planning a write.
//
// A plan says how the file has to change so that it holds what the index holds: status headers that say what clients
// were told, and none of the messages that are to go. It is made in one walk over the index, in file order:
//
//   - The internal lines of a message are replaced where they stand, padded with blanks to the octet, when they are in
//     one run and the new ones fit. This is the usual case, and moves nothing: an edit.
//   - Else the retained lines move up within the header and UW's block goes to its end; an edit too, when it fits.
//   - Else the header grows with UW's padding, and all that follows moves: from here on the plan is a layout.
//   - Of the text nothing is ever changed. One blank line after it is kept; what else stands before the next separator
//     (NULs, blank lines that came with a delivery) belongs to no message, and is dropped where the plan moves bytes.
//
// The base line (UIDVALIDITY, last UID, keywords) is in the pseudo message when there is one, else in the first
// message that stays; when none stays, a pseudo message is written.

// spareFirst is how many blanks the block that carries the base line gets beyond its words, so that a new keyword
// does not move the whole file.
const spareFirst = 240

// plan is a change of the file and the index that is true after it.
type plan struct {
	edits   []edit  // in place, at offsets of the new file
	layout  *layout // nil: nothing moves
	shifts  []shift // where the messages that stay come to stand (relocate.go)
	changes []headerChange
	inPlace bool  // no message moves
	partial bool  // messages behind limit still have something pending
	gone    []UID // ascending
	pseudo  *record
	base    Base
	end     int64
}

func (p *plan) empty() bool { return len(p.edits) == 0 && p.layout == nil }

// moved is how many octets of the file a plan has to write anew.
func (p *plan) moved() int64 {
	if p.layout == nil {
		return 0
	}
	return p.layout.newSize() - p.layout.start
}

// collapsed is how many bytes are left to the file system to take out.
func (p *plan) collapsed() (n int64) {
	if p.layout != nil {
		for _, e := range p.layout.dead() {
			n += e.n
		}
	}
	return n
}

// from is where in the file a plan begins to write.
func (p *plan) from() int64 {
	from := int64(math.MaxInt64)
	if p.layout != nil {
		from = p.layout.start
	}
	for _, e := range p.edits {
		from = min(from, e.off)
	}
	return from
}

// planner makes one plan.
type planner struct {
	x       *index
	file    io.ReaderAt
	size    int64 // of the file
	pseudo  func(Base) []byte
	base    Base // to be told by the base line
	limit   int  // of the messages whose headers may change
	gone    map[UID]bool
	unit    int64   // in which the file system can take bytes out of the file; 0: it cannot
	spare   int64   // take bytes out when so many need not be moved for it
	squeeze bool    // blanks that nobody needs go
	ahead   int     // no message from the present one up to here goes
	places  []int64 // of all messages, ascending, when some are displaced
	lifted  lift
	placed  bool // a message that stays
	out     emitter
	p       plan
	buf     []byte
}

// makePlan plans to write what is pending in the first so many headers, without the messages that are to go.
func (w *planner) makePlan(headers int) (*plan, error) {
	x, gone := w.x, w.gone
	if len(gone) == 0 && x.displaced == 0 && !x.wide && !w.squeeze {
		if fits, err := w.planInPlace(min(headers, maxInPlace)); err != nil || fits {
			return &w.p, err
		}
		w.p, w.out = plan{}, emitter{}
	}
	w.setLimit(headers)
	if w.p.partial && len(gone) > 0 {
		return nil, errPartial
	}
	if x.wide {
		w.unit = 0
	}
	w.sortPlaces()
	if err := w.planPseudo(needsPseudo(x.records, gone)); err != nil {
		return nil, err
	}
	for i := range x.records {
		r := &x.records[i]
		w.out.unit = w.collapseAt(i)
		if err := w.verify(i, gone); err != nil {
			return nil, fmt.Errorf("message %d at offset %d: %w", r.UID, r.off, err)
		}
		if gone[r.UID] {
			w.p.gone = append(w.p.gone, r.UID)
			continue
		}
		if err := w.planMessage(i, *r); err != nil {
			return nil, fmt.Errorf("message %d at offset %d: %w", r.UID, r.off, err)
		}
	}
	w.finish()
	return &w.p, nil
}

// maxHeaders bounds, for one plan, its memory and its record in the journal: a large mailbox that was never opened gets
// its status headers in several plans.
const (
	maxHeaders = 135_000 // some 450 octets of memory each, so 60 MiB
	maxInPlace = 50_000  // when nothing moves, more plans cost nothing
)

// errPartial: so much is pending that it has to be written before anything can be removed.
var errPartial = errors.New("too much is pending for one plan")

// setLimit finds how far this plan goes. The base line must not run ahead of the messages that have their UID in the
// file: those that follow get theirs by their order, also after a crash.
func (w *planner) setLimit(headers int) {
	w.limit, w.base = len(w.x.records), w.x.base
	n := 0
	for i := range w.x.records {
		if !w.x.records[i].pending() && !w.squeezes(i) {
			continue
		}
		if n++; n > headers {
			w.limit, w.p.partial = i, true
			w.base.LastUID = max(w.x.records[i-1].UID, w.x.onFile.LastUID)
			break
		}
	}
	w.p.base = w.base
}

// squeezes reports whether message i has blanks that are to go.
func (w *planner) squeezes(i int) bool { return w.squeeze && w.x.excess(i, w.base) > 0 }

func (w *planner) baseStale() bool { return !sameBase(w.x.onFile, w.base) }

// planPseudo keeps the pseudo message with the base line brought up to date, or makes one for an emptied mailbox.
func (w *planner) planPseudo(emptied bool) error {
	switch old := w.x.pseudo; {
	case old != nil:
		r := *old
		b, err := w.readHeader(&r)
		if err != nil {
			return err
		}
		w.place(&r, func() {
			w.out.replace(r.header(), b, replaceBaseLine(b, w.base))
		})
		r.hdrLen = int32(w.out.at() - r.off - int64(r.fromLen))
		w.placeText(old, &r, 0)
		w.p.pseudo = &r
	case emptied:
		r, b, err := newPseudo(w.base, w.pseudo)
		if err != nil {
			return err
		}
		w.out.literal(b)
		w.p.pseudo = r
	}
	return w.lifted.err
}

// needsPseudo: no message stays, or one whose separator is too long to be the first line of a file.
func needsPseudo(records []record, gone map[UID]bool) bool {
	for i := range records {
		if r := &records[i]; !gone[r.UID] {
			return int(r.fromLen) > firstLine
		}
	}
	return len(gone) > 0
}

// newPseudo makes a pseudo message for the beginning of the file.
func newPseudo(b Base, text func(Base) []byte) (*record, []byte, error) {
	raw := text(b)
	var r record
	_, err := Scan(bytes.NewReader(raw), 0, int64(len(raw)), func(sp Span) error {
		r = newRecord(&sp, &interner{})
		return nil
	})
	return &r, raw, err
}

// nextOff is where message i, or the end of the mail, is in the old file.
func (w *planner) nextOff(i int) int64 {
	if w.places != nil {
		return w.nextPlace(i)
	}
	if i < len(w.x.records) {
		return w.x.records[i].off
	}
	return w.x.end
}

// replaceBaseLine gives a pseudo message's header with the numbers and keywords of b.
func replaceBaseLine(header []byte, b Base) []byte {
	const name = "X-IMAP:"
	at := 0
	if !bytes.HasPrefix(header, []byte(name)) {
		if at = bytes.Index(header, []byte("\n"+name)) + 1; at == 0 {
			return header
		}
	}
	end := at + bytes.IndexByte(header[at:], '\n')
	line := fmt.Appendf(nil, "%s %010d %010d", name, b.UIDValidity, b.LastUID)
	line = appendKeywords(line, b.Keywords)
	if end > at && header[end-1] == '\r' {
		end--
	}
	return slices.Concat(header[:at], line, header[end:])
}

// planMessage writes one message that stays.
func (w *planner) planMessage(i int, r record) error {
	old := r
	carries := w.carries()
	stale := carries && (i > 0 || w.baseStale()) || w.changesPlace(&old, carries)
	var err error
	w.lift(&r)
	w.place(&r, func() {
		if stale || i < w.limit && (r.pending() || w.squeezes(i)) || w.out.odd(r.header()) {
			err = w.planHeader(&r, carries)
			return
		}
		w.out.copy(r.header(), r.body())
	})
	if err != nil {
		return err
	}
	w.placeText(&old, &r, i+1)
	w.placed = true
	w.p.relocated(i, &old, &r)
	return w.endLift(&old)
}

// carries reports whether the next message that is planned carries the base line.
func (w *planner) carries() bool { return w.p.pseudo == nil && !w.placed }

// place writes the separator and, by header, the header of r, and moves r to where it comes to stand. The offsets
// that header sees are the old ones.
func (w *planner) place(r *record, header func()) {
	to, n := w.out.at(), w.planSeparator(r)
	header()
	r.off, r.fromLen = to, n
}

// placeText copies the text, and what closes it before the separator of message i.
func (w *planner) placeText(old, r *record, i int) {
	w.out.copy(old.body(), old.end)
	r.end = w.out.at()
	next := w.nextOff(i)
	if w.places == nil && !w.x.wide && w.out.still(old.end) && !w.goes(i) {
		w.out.copy(old.end, next) // dropping a few bytes is not worth moving all that follows
		return
	}
	w.out.copy(old.end, old.end+w.closing(old, next))
}

// verify makes sure that message i is where the index says, when it is cut, moves, or stands next to what is cut.
func (w *planner) verify(i int, gone map[UID]bool) error {
	r := &w.x.records[i]
	before := i > 0 && gone[w.x.records[i-1].UID]
	after := i+1 < len(w.x.records) && gone[w.x.records[i+1].UID]
	if w.places == nil && !w.x.wide && w.out.still(r.off) && !gone[r.UID] && !before && !after {
		return nil
	}
	_, err := w.readHeader(r)
	return err
}

// readHeader reads the header of r and verifies that it is the one that the index knows (promise 6).
func (w *planner) readHeader(r *record) ([]byte, error) {
	n := int(r.fromLen) + int(r.hdrLen)
	if cap(w.buf) < n {
		w.buf = make([]byte, n+n/2)
	}
	b := w.buf[:n]
	if _, err := w.file.ReadAt(b, r.off); err != nil {
		return nil, err
	}
	if _, ok := parseFrom(b[:r.fromLen], w.x.wide); !ok {
		return nil, errMoved
	}
	h := ParseHeader(b[r.fromLen:])
	if h.Digest != r.digest || !sameStatus(&h.Status, r) {
		return nil, errMoved
	}
	return b[r.fromLen:], nil
}

// finish closes the layout when anything moved or is cut off.
func (w *planner) finish() {
	w.p.edits = w.out.edits
	w.p.end = w.out.at()
	if !w.out.moved && w.out.at() >= w.size {
		return
	}
	if !w.out.moved && !w.cutsMail() {
		return // NULs or blank lines at the end: not worth a rewrite of their own
	}
	w.p.layout = &layout{oldSize: w.size, start: w.out.start(), segs: w.out.segs}
}

// cutsMail reports whether the plan ends before the last message of the file does.
func (w *planner) cutsMail() bool {
	return w.x.lastEnd() > w.out.at()
}

func sameBase(a, b Base) bool {
	return a.UIDValidity == b.UIDValidity && a.LastUID == b.LastUID && slices.Equal(a.Keywords, b.Keywords)
}
