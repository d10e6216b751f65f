package session

import (
	"context"
	"slices"

	"spoold/backend/search"
	"spoold/backend/wire"
)

// Find tells the numbers of the messages that match, ascending. Messages that another session has removed do not match.
// step is called all along, with how many of the messages have been looked at; its error ends the search.
func (s *Session) Find(ctx context.Context, n search.Node, step func(done, total int) error) ([]uint32, error) {
	return s.newFinder(n, step).run(ctx, s.view.num.all())
}

// findPage is how many messages FindSome looks at between two looks at what it has.
const findPage = 64

// FindSome is Find that need not go on when it has found so many, from the end of the mailbox if last is set.
func (s *Session) FindSome(ctx context.Context, n search.Node, enough int, last bool, step func(done, total int) error) ([]uint32, error) {
	f := s.newFinder(n, step)
	var pages [][]uint32
	have := 0
	for from := 0; from < f.total && have < enough; from += findPage {
		to := min(from+findPage, f.total)
		page := wire.Range{Start: uint32(from + 1), Stop: uint32(to)}
		if last {
			page = wire.Range{Start: uint32(f.total - to + 1), Stop: uint32(f.total - from)}
		}
		found, err := f.run(ctx, wire.Set{page})
		if err != nil {
			return nil, err
		}
		pages = append(pages, found)
		have += len(found)
	}
	if last {
		slices.Reverse(pages)
	}
	return slices.Concat(pages...), nil
}

// finder is a search while it runs.
type finder struct {
	s           *Session
	prog        *search.Program
	done, total int
	step        func(done, total int) error
}

func (s *Session) newFinder(n search.Node, step func(done, total int) error) *finder {
	f := &finder{s: s, prog: search.Compile(n, s.Now()), total: s.view.num.len(), step: step}
	f.prog.Interrupt = f.look
	return f
}

func (f *finder) look() error { return f.step(f.done, f.total) }

func (f *finder) run(ctx context.Context, nums wire.Set) (found []uint32, err error) {
	err = f.s.FetchRows(ctx, nums, &Rows{}, func(r *Row) error {
		if err := f.look(); err != nil {
			return err
		}
		ok, err := f.prog.Match(r)
		if ok {
			found = append(found, r.num)
		}
		f.done++
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
