package command

import (
	"strings"

	"spoold/backend/wire"
)

// Capabilities lists what a client may use after login. A name stands here only when the whole of its RFC works.
func Capabilities() []string {
	return []string{
		"IMAP4rev1", "LITERAL+", "SASL-IR", "IDLE", "UIDPLUS", "NAMESPACE", "CHILDREN", "UNSELECT", "MOVE",
		"ENABLE", "ID", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE",
	}
}

func capability(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	r.w.Raw("* CAPABILITY " + strings.Join(Capabilities(), " "))
	r.w.CRLF()
	return r.done("")
}

// enable is RFC 5161. No extension of ours has to be enabled, so the answer is always the empty list; asking for
// what is not there is no mistake.
func enable(r *request) error {
	p := r.cmd.Args
	for first := true; first || !p.AtEnd(); first = false {
		if err := p.SP(); err != nil {
			return err
		}
		if _, err := p.Atom(); err != nil {
			return err
		}
	}
	r.w.Raw("* ENABLED")
	r.w.CRLF()
	return r.done("")
}

// namespace is RFC 2342: one personal namespace, and none of others.
func namespace(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	r.w.Raw(`* NAMESPACE (("" "/")) NIL NIL`)
	r.w.CRLF()
	return r.done("")
}

// id is RFC 2971. What the client says of itself goes to the log and has no other effect.
func id(r *request) error {
	said, err := parseID(r.cmd.Args)
	if err != nil {
		return err
	}
	r.c.Logger().Debug("client id", "id", said)
	r.w.Raw(`* ID ("name" "spoold"`)
	if v := r.s.Config().Version; v != "" {
		r.w.Raw(` "version" `)
		r.w.String([]byte(v))
	}
	r.w.Raw(")")
	r.w.CRLF()
	return r.done("")
}

// parseID reads NIL or a list of fields and values; some clients send an empty list.
func parseID(p *wire.Parser) (map[string]string, error) {
	if err := p.SP(); err != nil {
		return nil, err
	}
	said := map[string]string{}
	if p.Peek() != '(' {
		if _, isNil, err := p.NString(); err != nil || !isNil {
			return nil, &wire.SyntaxError{Text: "ID takes a list or NIL"}
		}
		return said, p.End()
	}
	err := p.List(func() error {
		field, err := p.String()
		if err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
		value, _, err := p.NString()
		said[string(field)] = string(value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return said, p.End()
}
