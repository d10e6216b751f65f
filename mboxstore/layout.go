package mboxstore

import (
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
	after    []byte // of an intent: what stands behind, to find the edit again by; may be nil
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
	if !slices.ContainsFunc(l.segs, func(s segment) bool { return s.dead }) {
		return l
	}
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
	if l.simple() {
		return
	}
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

// simple reports whether there is nothing to simplify, as in nearly all that a planner makes.
func (l *layout) simple() bool {
	for i, s := range l.segs {
		switch {
		case s.size() == 0, i == 0 && s.precedes(l.start+s.n):
			return false
		case i > 0 && l.segs[i-1].joins(s):
			return false
		}
	}
	return true
}

// joins reports whether next and s are one piece together.
func (s *segment) joins(next segment) bool {
	return s.lit != nil && next.lit != nil || next.lit == nil && !next.dead && s.precedes(next.src)
}

// join adds next to s when they are one piece together.
func (s *segment) join(next segment) bool {
	switch {
	case !s.joins(next):
		return false
	case next.lit != nil:
		*s = literal(slices.Concat(s.lit, next.lit))
	default:
		s.n += next.n
	}
	return true
}

// precedes reports whether s is a copy that ends where the old byte at src begins.
func (s *segment) precedes(src int64) bool { return s.lit == nil && !s.dead && s.src+s.n == src }
