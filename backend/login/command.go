package login

import (
	"context"
	"errors"

	"spoold/backend/wire"
)

// capability is the response code and untagged response that says what works before login.
func (c *conn) capability() string {
	if c.plaintext {
		return "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR LOGIN-REFERRALS ID AUTH=PLAIN"
	}
	return "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR LOGIN-REFERRALS ID LOGINDISABLED"
}

func (c *conn) dispatch(ctx context.Context, cmd *wire.Command) {
	var err error
	switch cmd.Name {
	case "CAPABILITY":
		err = c.plain(cmd, func() { c.w.Raw("* " + c.capability()); c.w.CRLF() })
	case "NOOP":
		err = c.plain(cmd, func() {})
	case "LOGOUT":
		err = c.plain(cmd, func() { c.bye("", c.s.cfg.Hostname+" spoold is closing the connection") })
	case "ID":
		err = c.id(cmd)
	case "LOGIN":
		err = c.login(ctx, cmd)
	case "AUTHENTICATE":
		err = c.authenticate(ctx, cmd)
	default:
		err = &wire.SyntaxError{Text: "Command unknown, or not before login"}
	}
	var syntax *wire.SyntaxError
	switch {
	case errors.As(err, &syntax):
		syntax.Tag = cmd.Tag
		c.refuse(syntax)
	case err != nil:
		c.unread(ctx, err)
	}
}

// plain runs a command without arguments.
func (c *conn) plain(cmd *wire.Command, run func()) error {
	if err := noUID(cmd); err != nil {
		return err
	}
	if err := cmd.Args.End(); err != nil {
		return err
	}
	run()
	c.w.Tagged(cmd.Tag, "OK", "", cmd.Name+" completed")
	return nil
}

// noUID refuses "UID NOOP" and the like.
func noUID(cmd *wire.Command) error {
	if cmd.UID {
		return &wire.SyntaxError{Text: "Command has no UID form"}
	}
	return nil
}

// id answers ID (RFC 2971). What the client says of itself is checked and not kept.
func (c *conn) id(cmd *wire.Command) error {
	if err := parseID(cmd.Args); err != nil {
		return err
	}
	c.w.Raw(`* ID ("name" "spoold")`)
	c.w.CRLF()
	c.w.Tagged(cmd.Tag, "OK", "", "ID completed")
	return nil
}

func parseID(p *wire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	if p.Peek() != '(' {
		if _, isNil, err := p.NString(); err != nil || !isNil {
			return errors.Join(err, &wire.SyntaxError{Text: "NIL or a list expected"})
		}
		return p.End()
	}
	err := p.List(func() error {
		_, err := p.String()
		if err == nil {
			err = p.SP()
		}
		if err == nil {
			_, _, err = p.NString()
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.End()
}
