package command

import (
	"errors"
	"io"
	"strconv"
	"time"

	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// appendMessage is APPEND (RFC 3501 §6.3.11) of one message, with APPENDUID (RFC 4315 §3). The mailbox is looked at
// before the client is asked for the message, which then goes straight to the store.
func appendMessage(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	msg, err := parseAppend(r.cmd.Args)
	if err != nil {
		return err
	}
	end, err := r.utf8Literal()
	if err != nil {
		return err
	}
	t, err := r.s.OpenTarget(r.ctx, name)
	if err != nil {
		return err
	}
	defer t.Close()
	body, err := r.literal()
	if err != nil {
		return err
	}
	body.wrapped = end
	msg.Text = body
	validity, uid, err := t.Append(r.ctx, msg)
	if body.err != nil {
		return body.err
	}
	if err != nil {
		return err
	}
	return r.done("APPENDUID " + strconv.FormatUint(uint64(validity), 10) + " " + strconv.FormatUint(uint64(uid), 10))
}

// parseAppend reads what stands between the name and the literal.
func parseAppend(p *wire.Parser) (msg mboxstore.NewMessage, err error) {
	if err := p.SP(); err != nil {
		return msg, err
	}
	if p.Peek() == '(' {
		names, err := p.FlagList()
		if err != nil {
			return msg, err
		}
		if msg.Flags, msg.Keywords, err = session.ParseFlags(names); err != nil {
			return msg, err
		}
		if err := p.SP(); err != nil {
			return msg, err
		}
	}
	if p.Peek() == '"' {
		if msg.Date, err = p.DateTime(); err != nil {
			return msg, err
		}
		msg.Date = nonZero(msg.Date)
		if err := p.SP(); err != nil {
			return msg, err
		}
	}
	return msg, nil
}

// utf8Literal reads what is in front of the literal: nothing, or "UTF8 (", by which clients of RFC 6855 say that the header is
// UTF-8. RFC 9755 has taken that away: any message may be so.
func (r *request) utf8Literal() (wrapped bool, err error) {
	p := r.cmd.Args
	if r.s.Enabled("UTF8=ACCEPT") && (p.Peek() == 'U' || p.Peek() == 'u') {
		if word, err := p.Keyword(); err != nil || word != "UTF8" {
			return false, &wire.SyntaxError{Text: "Missing literal in APPEND"}
		}
		if err := p.SP(); err != nil {
			return false, err
		}
		if err := p.Byte('('); err != nil {
			return false, err
		}
		wrapped = true
	}
	if !wrapped && p.Peek() == '~' {
		return false, &wire.SyntaxError{Text: "Binary literals are not supported"}
	}
	if !p.LiteralAhead() || wrapped && p.Peek() != '~' {
		return false, &wire.SyntaxError{Text: "Missing literal in APPEND"}
	}
	return wrapped, nil
}

// nonZero keeps a client's year 1 from meaning "now" to the store.
func nonZero(t time.Time) time.Time {
	if t.IsZero() {
		return t.Add(time.Second)
	}
	return t
}

// literal asks for the message.
func (r *request) literal() (*message, error) {
	lit, err := r.cmd.Literal()
	if err != nil {
		return nil, err
	}
	limit := r.s.Config().AppendLimit
	switch {
	case lit.Size == 0:
		return nil, &session.Refusal{Text: "Empty message to APPEND"}
	case limit > 0 && lit.Size > limit:
		return nil, &session.Refusal{Code: "TOOBIG", Text: "The message is larger than this server takes"}
	}
	return &message{cmd: r.cmd, lit: lit}, nil
}

// message reads the literal and, at its end, the rest of the command, so that a message of a malformed command is never
// stored.
type message struct {
	cmd     *wire.Command
	lit     *wire.Literal
	wrapped bool // in parentheses
	end     bool
	err     error // of the client's: why the message is not to be stored
}

func (m *message) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	if m.end {
		return 0, io.EOF
	}
	n, err := m.lit.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		m.end = true
		if m.err = m.finish(); m.err != nil {
			return n, m.err
		}
	case err != nil:
		m.err = err
	}
	return n, err
}

func (m *message) finish() error {
	if err := m.cmd.More(); err != nil {
		return err
	}
	if m.wrapped {
		if err := m.cmd.Args.Byte(')'); err != nil {
			return err
		}
	}
	return m.cmd.Args.End()
}
