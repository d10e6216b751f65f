package command

import "spoold/backend/wire"

// fetchModifiers are what may follow the data items of FETCH (RFC 4466 §2.4).
type fetchModifiers struct {
	partial *resultRange // nil: all of the set
}

// parseFetchModifiers reads SP and a list of modifiers, or nothing, to the end of the command.
func parseFetchModifiers(cmd *wire.Command) (m fetchModifiers, err error) {
	p := cmd.Args
	for p.TryByte(' ') { // some clients send a blank at the end
	}
	if p.Peek() != '(' {
		return m, p.End()
	}
	err = p.List(func() error {
		name, err := p.Keyword()
		if err != nil {
			return err
		}
		if name != "PARTIAL" || !cmd.UID || m.partial != nil { // RFC 9394 §3.3: it is of UID FETCH
			return &wire.SyntaxError{Text: "Unexpected FETCH modifier " + name}
		}
		m.partial, err = parseResultRange(p)
		return err
	})
	if err != nil {
		return m, err
	}
	if m == (fetchModifiers{}) {
		return m, &wire.SyntaxError{Text: "Empty list of FETCH modifiers"}
	}
	return m, p.End()
}

// ofSet picks places out of a resolved set, as of does out of a result.
func (r *resultRange) ofSet(set wire.Set) wire.Set {
	var total int64
	for _, s := range set {
		total += int64(s.Stop) - int64(s.Start) + 1
	}
	var out wire.Set
	from, to := r.span(total)
	for _, s := range set {
		n := int64(s.Stop) - int64(s.Start) + 1
		if low, high := max(from, 0), min(to, n); low < high {
			out = append(out, wire.Range{Start: s.Start + uint32(low), Stop: s.Start + uint32(high-1)})
		}
		from, to = from-n, to-n
	}
	return out
}
