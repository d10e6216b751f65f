package session

import (
	"context"

	"spoold/backend/search"
	"spoold/backend/wire"
)

// Find tells the numbers of the messages that match, ascending. Messages that another session has removed do not match.
// step is called all along, with how many of the messages have been looked at; its error ends the search.
func (s *Session) Find(ctx context.Context, n search.Node, step func(done, total int) error) ([]uint32, error) {
	var found []uint32
	done, total := 0, s.view.num.len()
	look := func() error { return step(done, total) }
	prog := search.Compile(n, s.Now())
	prog.Interrupt = look
	err := s.FetchRows(ctx, s.view.num.all(), &Rows{}, func(r *Row) error {
		done = int(r.num) - 1
		if err := look(); err != nil {
			return err
		}
		ok, err := prog.Match(r)
		if ok {
			found = append(found, r.num)
		}
		return err
	})
	return found, err
}

// all is the set of all numbers.
func (n *numbering) all() wire.Set {
	if n.len() == 0 {
		return nil
	}
	return wire.Set{{Start: 1, Stop: uint32(n.len())}}
}

// SearchRanges gives a resolved set the type of package search.
func SearchRanges(set wire.Set) []search.Range {
	out := make([]search.Range, len(set))
	for i, r := range set {
		out[i] = search.Range{Start: r.Start, Stop: r.Stop}
	}
	return out
}
