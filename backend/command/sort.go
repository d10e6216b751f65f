package command

import (
	"spoold/backend/search"
	"spoold/backend/session"
	"spoold/backend/sortthread"
	"spoold/backend/wire"
)

// sortKeys are the sort criteria of RFC 5256 §3 and RFC 5957 §4.
var sortKeys = map[string]sortthread.Field{
	"ARRIVAL": sortthread.Arrival, "CC": sortthread.Cc, "DATE": sortthread.Date, "FROM": sortthread.From,
	"SIZE": sortthread.Size, "SUBJECT": sortthread.Subject, "TO": sortthread.To,
	"DISPLAYFROM": sortthread.DisplayFrom, "DISPLAYTO": sortthread.DisplayTo,
}

// maxSortKeys bounds what a comparison of two messages costs. There are nine criteria, and a second time the same one
// says nothing new.
const maxSortKeys = 100

// sorting is SORT (RFC 5256 §3), with RETURN (RFC 5267 §3). Results are not kept up to date: who asks for UPDATE is told.
func sorting(r *request) error {
	o, err := parseReturn(r.cmd.Args)
	if err != nil {
		return err
	}
	if o.update && r.s.Watches(r.cmd.Tag) { // RFC 5267 §4.3
		return &wire.SyntaxError{Text: "The tag is that of a search with UPDATE"}
	}
	if err := r.sort(&o); err != nil {
		if o.save && !isBad(err) {
			r.s.SaveResult(nil)
		}
		return err
	}
	return r.done("")
}

func (r *request) sort(o *returnOptions) error {
	keys, err := parseSortKeys(r.cmd.Args)
	if err != nil {
		return err
	}
	node, err := parseProgram(r.s, r.cmd.Args)
	if err != nil {
		return err
	}
	var need needs
	for _, k := range keys {
		need |= needs(1) << k.By
	}
	msgs, err := r.records(node, need)
	if err != nil {
		return err
	}
	r.tellFound(o, sortthread.Sort(msgs, keys))
	return nil
}

// parseSortKeys reads "(" sort-key *(SP sort-key) ")".
func parseSortKeys(p *wire.Parser) ([]sortthread.Key, error) {
	var keys []sortthread.Key
	err := p.List(func() error {
		word, err := p.Keyword()
		if err != nil {
			return err
		}
		reverse := word == "REVERSE"
		if reverse {
			if err := p.SP(); err != nil {
				return err
			}
			if word, err = p.Keyword(); err != nil {
				return err
			}
		}
		by, ok := sortKeys[word]
		if !ok {
			return &wire.SyntaxError{Text: "Unknown sort key"}
		}
		if keys = append(keys, sortthread.Key{By: by, Reverse: reverse}); len(keys) > maxSortKeys {
			return &wire.SyntaxError{Text: "Too many sort keys"}
		}
		return nil
	})
	if err == nil && len(keys) == 0 {
		err = &wire.SyntaxError{Text: "SORT needs a sort key"}
	}
	return keys, err
}

// parseProgram reads SP, the charset that SORT and THREAD must name, SP and search keys.
func parseProgram(s *session.Session, p *wire.Parser) (search.Node, error) {
	if err := p.SP(); err != nil {
		return search.Node{}, err
	}
	charset, err := p.AString()
	if err != nil {
		return search.Node{}, err
	}
	if err := p.SP(); err != nil {
		return search.Node{}, err
	}
	return parseKeys(s, p, string(charset))
}

// records finds messages and reads of each what is needed to sort or thread it. The first half of the way is to find
// them, whatever of the second half that leaves.
func (r *request) records(node search.Node, need needs) ([]sortthread.Message, error) {
	if err := r.c.Flush(); err != nil { // it may take long
		return nil, err
	}
	progress, all := r.progress(), 0
	found, err := r.s.Find(r.ctx, node, func(done, total int) error {
		all = total
		return progress.search(done, 2*total)
	})
	if err != nil {
		return nil, err
	}
	reader := recordReader{need: need, ids: sortthread.IDs{}}
	msgs := make([]sortthread.Message, 0, len(found))
	err = r.s.FetchRows(r.ctx, wire.SetOf(found), &session.Rows{}, func(row *session.Row) error {
		if err := progress.search(all+len(msgs)*all/len(found), 2*all); err != nil {
			return err
		}
		m, err := reader.read(row)
		if err == nil {
			msgs = append(msgs, m)
		}
		return err
	})
	return msgs, err
}

// read makes the record of a message.
func (rr *recordReader) read(row *session.Row) (sortthread.Message, error) {
	m := sortthread.Message{Num: row.Seq(), Arrival: row.Message().InternalDate().Unix(), Size: row.Message().Size}
	if rr.need&^(1<<sortthread.Arrival|1<<sortthread.Size) == 0 {
		return m, nil // the header is not needed
	}
	header, err := row.Header()
	if err == nil {
		rr.fill(&m, header)
	}
	return m, err
}
