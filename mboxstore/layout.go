package mboxstore

import (
	"cmp"
	"errors"
	"slices"
)

// segment is a piece of the new file: n bytes of the old file from src on, or literal bytes. Or it is dead: n bytes
// that are of no use, and are taken out of the file at the end.
type segment struct {
	src, n int64
	lit    []byte // not nil: a literal, and n is its length
	dead   bool
}

func (s segment) size() int64 {
	if s.lit != nil {
		return int64(len(s.lit))
	}
	return s.n
}

// cut splits s after k bytes.
func (s segment) cut(k int64) (head, tail segment) {
	if s.lit != nil {
		return literal(s.lit[:k]), literal(s.lit[k:])
	}
	return segment{src: s.src, n: k}, segment{src: s.src + k, n: s.n - k}
}

func literal(b []byte) segment { return segment{n: int64(len(b)), lit: b} }

// edit replaces bytes of the file by as many others.
type edit struct {
	off      int64
	old, new []byte
}

// layout is the plan of a rewrite: from start on, the new file is segs one after the other. Copies keep their order
// and come from start or later. What others append at oldSize or behind stays behind.
//
// All places are those before dead segments are taken out; so what follows one may be a copy that does not move.
type layout struct {
	oldSize, start int64
	segs           []segment
}

// dead lists the dead ranges, upwards.
func (l *layout) dead() []extent {
	var es []extent
	at := l.start
	for _, s := range l.segs {
		if s.dead {
			es = append(es, extent{at, s.n})
		}
		at += s.size()
	}
	return es
}

// withoutDead is a layout that moves what follows a dead range instead of taking the range out.
func (l layout) withoutDead() layout {
	l.segs = slices.DeleteFunc(slices.Clone(l.segs), func(s segment) bool { return s.dead })
	return l
}

func (l *layout) newSize() int64 {
	size := l.start
	for _, s := range l.segs {
		size += s.size()
	}
	return size
}

var errLayout = errors.New("copies out of order or outside the file")

// check is the guard against a planner's mistake: what it lets pass can be carried out without losing a source.
func (l *layout) check() error {
	at := l.start
	if at < 0 || at > l.oldSize {
		return errLayout
	}
	for _, s := range l.segs {
		if s.dead && s.n < minDead {
			return errLayout
		}
		if s.dead || s.lit != nil {
			continue
		}
		if s.src < at || s.n < 0 || s.n > l.oldSize-s.src {
			return errLayout
		}
		at = s.src + s.n
	}
	return nil
}

// simplify merges neighbours and leaves out, at the front, what does not move.
func (l *layout) simplify() {
	var segs []segment
	for _, s := range l.segs {
		switch {
		case s.size() == 0:
		case s.lit == nil && !s.dead && len(segs) == 0 && s.src == l.start:
			l.start += s.n
		case len(segs) == 0 || !segs[len(segs)-1].join(s):
			segs = append(segs, s)
		}
	}
	l.segs = segs
}

// join adds next to s when they are one piece together.
func (s *segment) join(next segment) bool {
	switch {
	case s.lit != nil && next.lit != nil:
		*s = literal(slices.Concat(s.lit, next.lit))
		return true
	case next.lit == nil && !next.dead && s.precedes(next.src):
		s.n += next.n
		return true
	}
	return false
}

// precedes reports whether s is a copy that ends where the old byte at src begins.
func (s *segment) precedes(src int64) bool { return s.lit == nil && !s.dead && s.src+s.n == src }

// chunk is a segment that has to be written, and where.
type chunk struct {
	dst int64
	segment
}

// chunks returns what has to be written, in an order in which no byte is overwritten before it was read: first what
// moves left, from the front on; then what moves right, from the end on. The proof, for single bytes: one that moves
// left lands on sources before its own only, and those of bytes that move right or stay lie behind the place where
// they land, so behind it; one that moves right lands on sources after its own only, of which those that moved left
// are done and those that stay are not reached. A literal has no source; it may come once all sources under it are
// read. Between bytes that move left that is so at its place in the order, since what follows it lies further right.
// Before a copy that moves right it comes after that copy.
func (l *layout) chunks() (left, right []chunk) {
	dst, rightward := l.newSize(), false
	for _, s := range slices.Backward(l.segs) {
		dst -= s.size()
		if s.lit == nil && !s.dead {
			rightward = dst > s.src
		}
		switch c := (chunk{dst, s}); {
		case s.size() == 0, s.dead, s.lit == nil && s.src == dst:
		case rightward:
			right = append(right, c)
		default:
			left = append(left, c)
		}
	}
	slices.Reverse(left)
	return left, right
}

// redoWindow is what is written between two syncs: chunks by ascending target, which do not overlap.
type redoWindow struct {
	chunks []chunk
	n      int64
}

// extent is a range of the file.
type extent struct{ off, n int64 }

// extents are the ranges that w writes.
func (w *redoWindow) extents() []extent {
	var es []extent
	for _, c := range w.chunks {
		if n := len(es); n > 0 && es[n-1].off+es[n-1].n == c.dst {
			es[n-1].n += c.size()
		} else {
			es = append(es, extent{c.dst, c.size()})
		}
	}
	return es
}

// maxChunks bounds the memory that one window's description takes.
const maxChunks = 1 << 16

// windows cuts the work into windows of at most limit bytes. No window overwrites a source of a later one.
func (l *layout) windows(limit int64) []redoWindow {
	left, right := l.chunks()
	c := windowCutter{limit: limit}
	for _, ch := range left {
		for ch.size() > 0 {
			head, rest := ch.cut(min(c.room(), ch.size()))
			c.add(chunk{ch.dst, head})
			ch = chunk{ch.dst + head.size(), rest}
		}
	}
	for _, ch := range right {
		for ch.size() > 0 {
			rest, tail := ch.cut(max(0, ch.size()-c.room()))
			c.add(chunk{ch.dst + rest.size(), tail})
			ch = chunk{ch.dst, rest}
		}
	}
	c.flush()
	return c.done
}

type windowCutter struct {
	limit int64
	cur   redoWindow
	done  []redoWindow
}

// room is what the current window can take, never nothing.
func (c *windowCutter) room() int64 {
	if c.cur.n == c.limit || len(c.cur.chunks) == maxChunks {
		c.flush()
	}
	return c.limit - c.cur.n
}

func (c *windowCutter) add(ch chunk) {
	c.cur.chunks = append(c.cur.chunks, ch)
	c.cur.n += ch.size()
}

func (c *windowCutter) flush() {
	if c.cur.n == 0 {
		return
	}
	slices.SortFunc(c.cur.chunks, func(a, b chunk) int { return cmp.Compare(a.dst, b.dst) })
	c.done = append(c.done, c.cur)
	c.cur = redoWindow{}
}
