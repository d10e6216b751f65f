package mboxstore

import "iter"

// The order in which the bytes of a layout are written, so that none is overwritten before it was read: first what moves
// left, from the front on; then what moves right, from the end on. The proof, for single bytes: one that moves left lands
// on sources before its own only, and those of bytes that move right or stay lie behind the place where they land, so
// behind it; one that moves right lands on sources after its own only, of which those that moved left are done and those
// that stay are not reached. A literal has no source; it may come once all sources under it are read. Between bytes that
// move left that is so at its place in the order, since what follows it lies further right. Before a copy that moves
// right it comes after that copy.
//
// A layout has a segment or two for every header that changes. So nothing is kept for each of them: a window knows where
// it begins and ends, and finds its chunks in the layout whenever they are asked for.

// direction is how a segment moves.
type direction uint8

const (
	stays direction = iota // or is not written at all
	leftward
	rightward
)

// moves is the direction of segment i, which comes to stand at dst.
func (l *layout) moves(i int, dst int64) direction {
	switch s := l.segs[i]; {
	case s.size() == 0, s.dead:
		return stays
	case s.lit == nil:
		return moved(s.src, dst)
	}
	for _, s := range l.segs[i:] {
		if s.lit == nil && !s.dead {
			if moved(s.src, dst) == rightward {
				return rightward
			}
			break
		}
		dst += s.size()
	}
	return leftward
}

func moved(src, dst int64) direction {
	switch {
	case dst < src:
		return leftward
	case dst > src:
		return rightward
	}
	return stays
}

// written is how many bytes have to be written.
func (l *layout) written() (sum int64) {
	at := l.start
	for i, s := range l.segs {
		if l.moves(i, at) != stays {
			sum += s.size()
		}
		at += s.size()
	}
	return sum
}

// chunk is a segment that has to be written, or a part of it, and where.
type chunk struct {
	dst int64
	segment
}

// redoWindow is what is written between two syncs.
type redoWindow struct {
	l     *layout
	first int     // the segment in which it begins
	at    int64   // where that comes to stand
	spans [3]span // by direction: the targets of the chunks
	n     int64   // bytes
}

// span is a range of the new file.
type span struct{ off, end int64 }

// chunks gives the chunks by ascending target. They do not overlap.
func (w *redoWindow) chunks() iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		end := max(w.spans[leftward].end, w.spans[rightward].end)
		for i, at := w.first, w.at; at < end; i++ {
			s := w.l.segs[i]
			in := w.spans[w.l.moves(i, at)]
			from, to := max(at, in.off), min(at+s.size(), in.end)
			if from < to && !yield(chunk{from, s.part(from-at, to-at)}) {
				return
			}
			at += s.size()
		}
	}
}

// part is the bytes [from, to) of s.
func (s segment) part(from, to int64) segment {
	_, s = s.cut(from)
	s, _ = s.cut(to - from)
	return s
}

// extent is a range of the file.
type extent struct{ off, n int64 }

// extents are the ranges that w writes.
func (w *redoWindow) extents() []extent {
	var es []extent
	for c := range w.chunks() {
		if n := len(es); n > 0 && es[n-1].off+es[n-1].n == c.dst {
			es[n-1].n += c.size()
		} else {
			es = append(es, extent{c.dst, c.size()})
		}
	}
	return es
}

// maxChunks bounds into how many pieces the writes of one window can fall.
const maxChunks = 1 << 16

// windows cuts the work into windows of at most limit bytes. No window overwrites a source of a later one. The plan's
// file does not say where they are cut: to cut otherwise makes another version of it.
func (l *layout) windows(limit int64) []redoWindow {
	c := windowCutter{limit: limit, cur: redoWindow{l: l}}
	at := l.start
	for i, s := range l.segs {
		if l.moves(i, at) == leftward {
			for from, end := at, at+s.size(); from < end; {
				to := min(end, from+c.room())
				c.add(leftward, i, at, span{from, to})
				from = to
			}
		}
		at += s.size()
	}
	for i := len(l.segs) - 1; i >= 0; i-- {
		at -= l.segs[i].size()
		if l.moves(i, at) == rightward {
			for to := at + l.segs[i].size(); to > at; {
				from := max(at, to-c.room())
				c.add(rightward, i, at, span{from, to})
				to = from
			}
		}
	}
	c.flush()
	return c.done
}

type windowCutter struct {
	limit int64
	cur   redoWindow
	count int // chunks of cur
	done  []redoWindow
}

// room is what the current window can take, never nothing.
func (c *windowCutter) room() int64 {
	if c.cur.n == c.limit || c.count == maxChunks {
		c.flush()
	}
	return c.limit - c.cur.n
}

// add takes a part of segment i, which comes to stand at at.
func (c *windowCutter) add(d direction, i int, at int64, part span) {
	w := &c.cur
	if w.n == 0 || at < w.at {
		w.first, w.at = i, at
	}
	if s := &w.spans[d]; s.end == 0 {
		*s = part
	} else {
		s.off, s.end = min(s.off, part.off), max(s.end, part.end)
	}
	w.n += part.end - part.off
	c.count++
}

func (c *windowCutter) flush() {
	if c.cur.n == 0 {
		return
	}
	c.done = append(c.done, c.cur)
	c.cur, c.count = redoWindow{l: c.cur.l}, 0
}
