package command

import (
	"errors"

	"spoold/backend/search"
	"spoold/backend/session"
	"spoold/backend/wire"
)

// searching is SEARCH (RFC 3501 §6.4.4, RFC 4731).
func searching(r *request) error {
	o, err := parseReturn(r.cmd.Args)
	if err != nil {
		return err
	}
	if o.update && r.s.Watches(r.cmd.Tag) { // RFC 5267 §4.3
		return &wire.SyntaxError{Text: "The tag is that of another search with UPDATE"}
	}
	if r.s.Enabled("IMAP4REV2") && !o.extended { // RFC 9051 §6.4.4: all answers are ESEARCH
		o.extended, o.all = true, true
	}
	if err := r.search(&o); err != nil {
		if o.save && !isBad(err) {
			r.s.SaveResult(nil)
		}
		return err
	}
	return r.done("")
}

func (r *request) search(o *returnOptions) error {
	node, err := parseSearch(r.s, r.cmd.Args)
	if err != nil {
		return err
	}
	found, err := r.findFor(o, node)
	if err != nil {
		return err
	}
	if o.update {
		r.s.Watch(r.cmd.Tag, r.cmd.UID, node, found)
	}
	r.tellFound(o, found)
	return nil
}

// isBad tells an error that is answered BAD: such a command has done nothing. After NO a result that it should have
// saved is empty (RFC 5182 §2.1).
func isBad(err error) bool {
	if se, ok := errors.AsType[*wire.SyntaxError](err); ok {
		return !se.No
	}
	r, ok := errors.AsType[*session.Refusal](err)
	return ok && r.Bad
}

// find runs a search program. What comes before it is sent to the client first: it may take long.
func (r *request) find(n search.Node) ([]uint32, error) {
	if err := r.c.Flush(); err != nil {
		return nil, err
	}
	return r.s.Find(r.ctx, n, r.progress().search)
}

// findFor is find for a client that may want to know of some results only.
func (r *request) findFor(o *returnOptions, n search.Node) ([]uint32, error) {
	enough, last := o.enough()
	if enough == 0 {
		return r.find(n)
	}
	if err := r.c.Flush(); err != nil {
		return nil, err
	}
	return r.s.FindSome(r.ctx, n, enough, last, r.progress().search)
}
