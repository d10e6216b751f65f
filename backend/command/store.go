package command

import (
	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// store is STORE (RFC 3501 §6.4.6).
func store(r *request) error {
	nums, err := r.set()
	if err != nil {
		return err
	}
	op, silent, err := parseStore(r.cmd.Args)
	if err != nil {
		return err
	}
	echo := r.echo
	if silent {
		echo = nil
	}
	if err := r.s.StoreFlags(r.ctx, nums, op, echo); err != nil {
		return r.missing(err)
	}
	return r.done("")
}

// echo tells what has become of a message's flags.
func (r *request) echo(row *session.Row) error {
	r.w.Raw("* ")
	r.w.Num(uint64(row.Seq()))
	r.w.Raw(" FETCH (")
	if r.cmd.UID {
		r.w.Raw("UID ")
		r.w.Num(uint64(row.Message().UID))
		r.w.SP()
	}
	r.w.Raw("FLAGS ")
	r.w.Bytes(row.AppendFlags(nil))
	r.w.Raw(")")
	r.w.CRLF()
	return r.w.Err()
}

// parseStore reads what to do: SP "+FLAGS.SILENT" SP flags, which may stand without parentheses.
func parseStore(p *wire.Parser) (op mboxstore.StoreOp, silent bool, err error) {
	if err := p.SP(); err != nil {
		return op, false, err
	}
	switch {
	case p.TryByte('+'):
		op.Mode = mboxstore.StoreAdd
	case p.TryByte('-'):
		op.Mode = mboxstore.StoreRemove
	}
	item, err := p.Word()
	if err != nil {
		return op, false, err
	}
	if item != "FLAGS" && item != "FLAGS.SILENT" {
		return op, false, &wire.SyntaxError{Text: "STORE changes FLAGS only"}
	}
	if err := p.SP(); err != nil {
		return op, false, err
	}
	names, err := parseFlags(p)
	if err != nil {
		return op, false, err
	}
	op.Flags, op.Keywords, err = session.ParseFlags(names)
	return op, item == "FLAGS.SILENT", err
}

func parseFlags(p *wire.Parser) (names []string, err error) {
	if p.Peek() == '(' {
		if names, err = p.FlagList(); err != nil {
			return nil, err
		}
		return names, p.End()
	}
	for {
		name, err := p.Flag()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if p.AtEnd() {
			return names, nil
		}
		if err := p.SP(); err != nil {
			return nil, err
		}
	}
}
