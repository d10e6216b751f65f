package command

import (
	"spoold/backend/session"
	"spoold/backend/wire"
)

// listArguments are those of LIST with the options of RFC 5258 and RFC 5819.
type listArguments struct {
	session.ListRequest
	extended bool
	status   []string // STATUS items to tell of each mailbox
}

// list is LIST (RFC 3501 §6.3.8, RFC 5258, RFC 5819).
func list(r *request) error {
	req, err := parseList(r.cmd.Args)
	if err != nil {
		return err
	}
	if err := r.checkStatus(req.status); err != nil {
		return err
	}
	if !req.extended && req.Patterns[0] == "" {
		r.entry("LIST", session.ListEntry{Attrs: []string{`\Noselect`}})
		return r.done("")
	}
	err = r.s.ListFolders(r.ctx, req.ListRequest, func(e session.ListEntry) error {
		r.entry("LIST", e)
		if len(req.status) > 0 && e.Mailbox {
			r.listStatus(e.Name, req.status)
		}
		return r.w.Err()
	})
	if err != nil {
		return err
	}
	return r.done("")
}

// listStatus tells the STATUS of a listed mailbox. One that cannot be opened has none, and the others are
// listed all the same (RFC 5819 §2).
func (r *request) listStatus(name string, items []string) {
	st, err := r.s.FolderStatus(r.ctx, name)
	if err != nil {
		r.c.Logger().Info("no status of listed mailbox", "mailbox", name, "err", err)
		return
	}
	r.writeStatus(name, items, st)
}

// lsub is LSUB (RFC 3501 §6.3.9) and RLSUB (RFC 2193 §4.2).
func lsub(r *request) error {
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	reference, err := r.cmd.Args.Reference()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	text, err := r.cmd.Args.Pattern()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if text == "" {
		r.entry("LSUB", session.ListEntry{Attrs: []string{`\Noselect`}})
		return r.done("")
	}
	err = r.s.ListSubscribed(reference, text, r.cmd.Name == "RLSUB", func(e session.ListEntry) error {
		r.entry("LSUB", e)
		return r.w.Err()
	})
	if err != nil {
		return err
	}
	return r.done("")
}

// entry writes one LIST or LSUB response.
func (r *request) entry(name string, e session.ListEntry) {
	r.w.Raw("* " + name + " ")
	r.w.List(len(e.Attrs), func(i int) { r.w.Raw(e.Attrs[i]) })
	r.w.Raw(` "/" `)
	r.w.Mailbox(e.Name)
	if len(e.ChildInfo) > 0 {
		r.w.Raw(` ("CHILDINFO" `)
		r.w.List(len(e.ChildInfo), func(i int) { r.w.String([]byte(e.ChildInfo[i])) })
		r.w.Raw(")")
	}
	r.w.CRLF()
}

// parseList reads [selection options] reference pattern(s) [RETURN options].
func parseList(p *wire.Parser) (req listArguments, err error) {
	if err := p.SP(); err != nil {
		return req, err
	}
	if p.Peek() == '(' {
		if err := req.parseSelection(p); err != nil {
			return req, err
		}
	}
	if req.Reference, err = p.Reference(); err != nil {
		return req, err
	}
	if err := p.SP(); err != nil {
		return req, err
	}
	if err := req.parsePatterns(p); err != nil {
		return req, err
	}
	if !p.AtEnd() {
		if err := req.parseReturn(p); err != nil {
			return req, err
		}
	}
	return req, p.End()
}

func (req *listArguments) parseSelection(p *wire.Parser) error {
	req.extended = true
	err := p.List(func() error {
		name, err := p.Keyword()
		switch name {
		case "SUBSCRIBED":
			req.Subscribed = true
		case "SPECIAL-USE":
			req.SpecialUse = true
		case "RECURSIVEMATCH":
			req.RecursiveMatch = true
		case "REMOTE":
			req.Remote = true
		default:
			return unknownOption(err, "selection", name)
		}
		return err
	})
	if err == nil && req.RecursiveMatch && !req.Subscribed && !req.SpecialUse {
		err = &wire.SyntaxError{Text: "RECURSIVEMATCH needs another selection option"} // RFC 5258 §3.1
	}
	if err != nil {
		return err
	}
	return p.SP()
}

func unknownOption(err error, kind, name string) error {
	if err != nil {
		return err
	}
	return &wire.SyntaxError{Text: "Unknown LIST " + kind + " option " + name}
}

func (req *listArguments) parsePatterns(p *wire.Parser) error {
	pattern := func() error {
		text, err := p.Pattern()
		req.Patterns = append(req.Patterns, text)
		return err
	}
	if p.Peek() != '(' {
		return pattern()
	}
	req.extended = true
	err := p.List(pattern)
	if err == nil && len(req.Patterns) == 0 {
		err = &wire.SyntaxError{Text: "Missing LIST pattern"}
	}
	return err
}

func (req *listArguments) parseReturn(p *wire.Parser) error {
	req.extended = true
	if err := p.SP(); err != nil {
		return err
	}
	if word, err := p.Keyword(); err != nil || word != "RETURN" {
		return &wire.SyntaxError{Text: "RETURN expected behind the LIST pattern"}
	}
	if err := p.SP(); err != nil {
		return err
	}
	return p.List(func() error {
		name, err := p.Keyword()
		switch name {
		case "SUBSCRIBED":
			req.ReturnSubscribed = true
		case "CHILDREN", "SPECIAL-USE":
			// always told
		case "STATUS":
			if err := p.SP(); err != nil {
				return err
			}
			req.status, err = parseStatusItems(p)
			return err
		default:
			return unknownOption(err, "return", name)
		}
		return err
	})
}
