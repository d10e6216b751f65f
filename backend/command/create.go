package command

import "spoold/backend/wire"

// create is CREATE (RFC 3501 §6.3.3), with the special uses that the mailbox is to have (RFC 6154 §3).
func create(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	uses, err := parseCreate(r.cmd.Args)
	if err != nil {
		return err
	}
	if err := r.s.CreateFolder(r.ctx, name, uses); err != nil {
		return err
	}
	return r.done("")
}

// parseCreate reads the parameters, of which there is one (RFC 4466 §2.2).
func parseCreate(p *wire.Parser) (uses []string, err error) {
	if p.AtEnd() {
		return nil, nil
	}
	if err := p.SP(); err != nil || p.AtEnd() {
		return nil, err
	}
	err = p.List(func() error {
		if word, err := p.Keyword(); err != nil || word != "USE" {
			return &wire.SyntaxError{Text: "Unknown CREATE parameter " + word}
		}
		if err := p.SP(); err != nil {
			return err
		}
		return p.List(func() error {
			use, err := p.Flag()
			uses = append(uses, use)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return uses, p.End()
}
