package command

import (
	"strconv"

	"spoold/backend/wire"
)

// returnOptions are what a client wants to be told of what SEARCH or SORT finds (RFC 4731, 5182, 5267, 9394).
type returnOptions struct {
	extended bool // the answer is ESEARCH
	min, max bool
	all      bool
	count    bool
	save     bool         // the result becomes "$"
	partial  *resultRange // nil: not asked for
	update   bool         // changes of the result are to be told
	context  bool         // it will be asked for again, a hint of which there is no use here
}

// parseReturn reads SP and, if it is there, RETURN with its options and another SP. No options are as good as ALL.
func parseReturn(p *wire.Parser) (o returnOptions, err error) {
	if err := p.SP(); err != nil {
		return o, err
	}
	if !p.TryKeyword("RETURN") {
		return o, nil
	}
	if err := p.SP(); err != nil {
		return o, err
	}
	o.extended = true
	if err := p.List(func() error { return o.option(p) }); err != nil {
		return o, err
	}
	if o.all && o.partial != nil {
		return o, &wire.SyntaxError{Text: "RETURN takes ALL or PARTIAL, not both"} // RFC 9394 §3.1
	}
	o.all = o.all || o == returnOptions{extended: true}
	return o, p.SP()
}

func (o *returnOptions) option(p *wire.Parser) error {
	word, err := p.Keyword()
	if err != nil {
		return err
	}
	switch word {
	case "MIN":
		o.min = true
	case "MAX":
		o.max = true
	case "ALL":
		o.all = true
	case "COUNT":
		o.count = true
	case "SAVE":
		o.save = true
	case "UPDATE":
		o.update = true
	case "CONTEXT":
		o.context = true
	case "PARTIAL":
		if o.partial != nil {
			return &wire.SyntaxError{Text: "RETURN takes PARTIAL once"}
		}
		o.partial, err = parseResultRange(p)
		return err
	default:
		return &wire.SyntaxError{Text: "Unknown search return option " + word}
	}
	return nil
}

// tells reports whether there is an answer: of a result that is only saved the client wants to hear nothing (RFC 5182
// §2.1).
func (o *returnOptions) tells() bool { return *o != returnOptions{extended: true, save: true} }

// enough is how many of the first results, or of the last ones, decide the answer; 0: all.
func (o *returnOptions) enough() (n int, last bool) {
	if o.all || o.count || o.update || !o.min && !o.max && o.partial == nil {
		return 0, false
	}
	if o.min {
		n = 1
	}
	last = !o.min && (o.partial == nil || o.partial.fromEnd)
	if o.partial != nil {
		n = max(n, int(max(o.partial.first, o.partial.second)))
	}
	if o.max && !last || o.partial != nil && o.partial.fromEnd != last {
		return 0, false // of both
	}
	return max(n, 1), last
}

// saved picks what "$" shall mean (RFC 5182 §2.4, RFC 9394 §3.2): all that was found, unless only some of it is told
// and the client cannot know of the rest.
func (o *returnOptions) saved(found []uint32) []uint32 {
	if o.all || o.count || !o.min && !o.max && o.partial == nil || len(found) == 0 {
		return found
	}
	var kept []uint32
	if o.min {
		kept = append(kept, found[0])
	}
	if o.max {
		kept = append(kept, found[len(found)-1])
	}
	if o.partial != nil {
		kept = append(kept, o.partial.of(found)...)
	}
	return kept
}

// resultRange is the argument of PARTIAL (RFC 9394 §3.1): places in a result, counted from 1, or from its end.
type resultRange struct {
	first, second uint32 // as they were written
	fromEnd       bool   // "-1" is the last place
}

// parseResultRange reads SP "1:500" or SP "-1:-500".
func parseResultRange(p *wire.Parser) (*resultRange, error) {
	if err := p.SP(); err != nil {
		return nil, err
	}
	r := &resultRange{fromEnd: p.TryByte('-')}
	var err error
	if r.first, err = p.NZNumber(); err != nil {
		return nil, err
	}
	if err := p.Byte(':'); err != nil {
		return nil, err
	}
	if r.fromEnd {
		if err := p.Byte('-'); err != nil {
			return nil, err
		}
	}
	r.second, err = p.NZNumber()
	return r, err
}

// of picks the places out of a result; there may be fewer, or none.
func (r *resultRange) of(found []uint32) []uint32 {
	from, to := r.span(int64(len(found)))
	return found[from:to]
}

// span is the same as indices, 0 <= from <= to <= n.
func (r *resultRange) span(n int64) (from, to int64) {
	low, high := int64(min(r.first, r.second)), int64(max(r.first, r.second))
	from, to = low-1, high
	if r.fromEnd {
		from, to = n-high, n-low+1
	}
	from = min(max(from, 0), n)
	return from, max(from, min(to, n))
}

func (r *resultRange) String() string {
	sign := ""
	if r.fromEnd {
		sign = "-"
	}
	return sign + strconv.FormatUint(uint64(r.first), 10) + ":" + sign + strconv.FormatUint(uint64(r.second), 10)
}
