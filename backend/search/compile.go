package search

import (
	"cmp"
	"slices"
	"time"
)

// Program is a compiled tree.
type Program struct {
	// Interrupt is called before each key that reads the message, if it is not
	// nil; its error ends the match. A program may have thousands of them.
	Interrupt func() error

	root step
	m    matcher
}

// Compile prepares a tree for matching. now is what OLDER and YOUNGER count
// from.
func Compile(n Node, now time.Time) *Program {
	return &Program{root: compile(n, now)}
}

// step is a Node made ready: keys in order of cost, sets sorted, strings
// folded, intervals turned into times.
type step struct {
	Node
	kids   []step
	cost   int
	needle []byte    // the text, folded
	phrase []byte    // the same for headers, never nil
	edge   time.Time // of Older and Younger
}

// What a key has to look at.
const (
	costIndex = iota
	costDate  // computing one is dearer than a look at the flags
	costHeader
	costText
)

func compile(n Node, now time.Time) step {
	s := step{Node: n, cost: n.op.cost()}
	switch n.op {
	case opAnd, opOr, opNot:
		s.kids = make([]step, len(n.kids))
		for i, k := range n.kids {
			s.kids[i] = compile(k, now)
			s.cost = max(s.cost, s.kids[i].cost)
		}
		slices.SortStableFunc(s.kids, func(a, b step) int { return cmp.Compare(a.cost, b.cost) })
	case opSeq, opUID:
		s.set = merge(n.set)
	case opOlder, opYounger:
		s.edge = now.Truncate(time.Second).Add(-time.Duration(n.num) * time.Second)
	case opHeader, opBody, opText:
		s.needle = appendFold(nil, []byte(n.text))
		s.phrase = appendFold([]byte{}, appendSpaced(nil, []byte(n.text)))
	}
	return s
}

func (o op) cost() int {
	switch o {
	case opBefore, opOn, opSince, opOlder, opYounger:
		return costDate
	case opSentBefore, opSentOn, opSentSince, opHeader:
		return costHeader
	case opBody, opText:
		return costText
	}
	return costIndex
}

// merge returns the same set sorted and without overlaps.
func merge(set []Range) []Range {
	sorted := slices.Clone(set)
	for i, r := range sorted {
		sorted[i] = Range{min(r.Start, r.Stop), max(r.Start, r.Stop)}
	}
	slices.SortFunc(sorted, func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
	out := sorted[:0]
	for _, r := range sorted {
		if n := len(out); n > 0 && r.Start <= out[n-1].Stop {
			out[n-1].Stop = max(out[n-1].Stop, r.Stop)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// contains says whether a merged set has n.
func contains(set []Range, n uint32) bool {
	_, found := slices.BinarySearchFunc(set, n, func(r Range, n uint32) int {
		if n < r.Start {
			return 1
		} else if n > r.Stop {
			return -1
		}
		return 0
	})
	return found
}
