package mboxstore

import "bytes"

// emitter collects the new file from left to right. As long as nothing has moved, replacements are edits in place.
type emitter struct {
	edits []edit
	segs  []segment
	dst   int64
	from  int64 // where moving began
	moved bool
	unit  int64 // not 0: whole units that became free are left to the file system, see plancollapse.go
	dead  int64 // bytes that are left to it so far
	holes int   // in so many ranges
	lift  *lift // not nil: bytes are taken out of their place (displaced.go)
	kept  []byte
}

const keepBlock = 64 << 10

// keep returns a copy of b that takes no more memory than b is long: there may be very many.
func (e *emitter) keep(b []byte) []byte {
	if cap(e.kept)-len(e.kept) < len(b) {
		e.kept = make([]byte, 0, max(keepBlock, len(b)))
	}
	at := len(e.kept)
	e.kept = append(e.kept, b...)
	return e.kept[at:len(e.kept):len(e.kept)]
}

func (e *emitter) at() int64 { return e.dst }

func (e *emitter) start() int64 {
	if e.moved {
		return e.from
	}
	return e.dst
}

func (e *emitter) move() {
	if !e.moved {
		e.moved, e.from = true, e.dst
	}
}

// copy takes the old bytes [from, to).
func (e *emitter) copy(from, to int64) {
	if to <= from {
		return
	}
	if e.lift != nil {
		e.copyLifted(from, to)
		return
	}
	if !e.still(from) {
		e.move()
	}
	if n := e.untilDead(from); n < to-from {
		e.take(from, from+n)
		from += n
		e.leave(e.freed(from))
	}
	e.take(from, to)
}

// take copies without a look at what is free.
func (e *emitter) take(from, to int64) {
	if e.moved && to > from {
		if n := len(e.segs); n > 0 && e.segs[n-1].precedes(from) {
			e.segs[n-1].n += to - from
		} else {
			e.segs = append(e.segs, segment{src: from, n: to - from})
		}
	}
	e.dst += to - from
}

// literal adds new bytes.
func (e *emitter) literal(b []byte) {
	if len(b) == 0 {
		return
	}
	e.move()
	e.dst += int64(len(b))
	if e.lift != nil {
		e.addLifted(b)
		return
	}
	e.segs = append(e.segs, literal(e.keep(b)))
}

// replace puts b in the place of old, which stands at from; the bytes before it must have been copied.
func (e *emitter) replace(from int64, old, b []byte) {
	if e.lift == nil && len(old) == len(b) && (e.still(from) && (!e.moved || e.dead > 0) || bytes.Equal(old, b)) {
		e.edit(from, old, b)
		return
	}
	e.literal(b)
}

func (e *emitter) edit(from int64, old, b []byte) {
	i, j := 0, len(b)
	for i < j && old[i] == b[i] {
		i++
	}
	for j > i && old[j-1] == b[j-1] {
		j--
	}
	if i < j {
		e.edits = append(e.edits, edit{off: e.dst + int64(i), old: e.keep(old[i:j]), new: e.keep(b[i:j])})
	}
	e.copy(from, from+int64(len(b)))
}
