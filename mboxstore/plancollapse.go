package mboxstore

import "math"

// Leaving dead bytes to the file system.
//
// Where a message goes, all that follows would have to move. A file system that can take whole blocks out of a file
// spares that, if the number of bytes that go is a multiple of its block size. So the messages that follow get blanks
// in the padding of their status headers until it is, and only they are written anew.

const (
	maxBlanks = 900     // on one line: more were not tried with mutt, c-client and Dovecot
	maxDead   = 32      // ranges of one plan
	minSpare  = 1 << 20 // bytes; moving fewer costs less than what the file system forgets of its cache
)

// collapseAt is the unit for what is emitted from message i on; 0 when the bytes up to the next message that goes, or
// to the end, may as well be moved.
func (w *planner) collapseAt(i int) int64 {
	if w.unit == 0 || w.out.holes >= maxDead {
		return 0
	}
	for w.ahead = max(w.ahead, i); w.ahead < len(w.x.records) && !w.goes(w.ahead); {
		w.ahead++
	}
	if w.nextOff(w.ahead)-w.x.records[i].off < w.spare {
		return 0
	}
	return w.unit
}

// goes reports whether there is a message i that goes.
func (w *planner) goes(i int) bool { return i < len(w.x.records) && w.gone[w.x.records[i].UID] }

// fill adds blanks to the status lines of r, which replace so many octets, until what is free is a multiple of the
// unit, or as many as they may have.
func (w *planner) fill(r *record, st StatusBlock, lines []byte, old int) []byte {
	if w.out.unit == 0 {
		return lines
	}
	short := (w.out.freed(r.header()) - int64(len(lines)-old)) % w.out.unit
	blanks := len(lines) - len(trimBlank(AppendStatusBlock(nil, st, 0)))
	// Flags and keywords that are taken away later become blanks, too.
	most := len(lines) - len(trimBlank(AppendStatusBlock(nil, StatusBlock{UID: st.UID, Base: st.Base}, 0)))
	short = min(short, int64(maxBlanks-most))
	if short <= 0 {
		return lines
	}
	return trimBlank(AppendStatusBlock(nil, st, blanks+int(short)))
}

// place is where the next byte goes, with the dead ones that are still there.
func (e *emitter) place() int64 { return e.dst + e.dead }

// freed is how many bytes are free before the old byte at from.
func (e *emitter) freed(from int64) int64 { return from - e.place() }

// still reports whether the old byte at from stays where it is.
func (e *emitter) still(from int64) bool { return e.freed(from) == 0 }

// odd reports whether the number of free bytes lacks something to a multiple of the unit.
func (e *emitter) odd(from int64) bool {
	free := e.freed(from)
	return e.unit > 0 && free > 0 && free%e.unit != 0
}

// untilDead is how many bytes go before the place, the beginning of a unit, where the free ones can be left.
func (e *emitter) untilDead(from int64) int64 {
	if e.unit == 0 || e.freed(from) <= 0 || e.odd(from) {
		return math.MaxInt64
	}
	return (e.unit - e.place()%e.unit) % e.unit
}

// leave leaves n bytes to the file system.
func (e *emitter) leave(n int64) {
	e.segs = append(e.segs, segment{n: n, dead: true})
	e.dead += n
	e.holes++
}
