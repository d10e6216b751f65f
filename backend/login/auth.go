package login

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"syscall"
	"time"

	"spoold/backend/privsep"
	"spoold/backend/wire"
)

// attempt is one try to log in.
type attempt struct {
	tag, mechanism string // mechanism is "" for LOGIN
	authzid        string // who the client wants to be; "" = user
	user, password string
}

// login runs LOGIN (RFC 9051 section 6.2.3).
func (c *conn) login(ctx context.Context, cmd *wire.Command) error {
	if err := noUID(cmd); err != nil {
		return err
	}
	var arg [2][]byte
	for i := range arg {
		err := cmd.Args.SP()
		if err == nil {
			arg[i], err = cmd.Args.AString()
		}
		if err != nil {
			return err
		}
	}
	if err := cmd.Args.End(); err != nil {
		return err
	}
	c.try(ctx, attempt{tag: cmd.Tag, user: string(arg[0]), password: string(arg[1])})
	return nil
}

// authenticate runs AUTHENTICATE PLAIN (RFC 4616), with or without initial response (RFC 4959).
func (c *conn) authenticate(ctx context.Context, cmd *wire.Command) error {
	mechanism, initial, err := parseAuthenticate(cmd)
	if err != nil {
		return err
	}
	switch {
	case mechanism != "PLAIN":
		c.w.Tagged(cmd.Tag, "NO", "CANNOT", "Mechanism not supported")
		c.countBad()
		return nil
	case !c.plaintext:
		c.disabled(attempt{tag: cmd.Tag, user: "???"})
		return nil
	case initial == nil:
		if err := c.prompt(""); err != nil {
			return err
		}
		if initial, err = c.r.Line(maxSASL); err != nil {
			return err
		}
	}
	if string(initial) == "*" {
		return &wire.SyntaxError{Text: "Authentication cancelled"}
	}
	a, err := parsePlain(initial)
	if err != nil {
		return err
	}
	a.tag, a.mechanism = cmd.Tag, mechanism
	c.try(ctx, a)
	return nil
}

func parseAuthenticate(cmd *wire.Command) (mechanism string, initial []byte, err error) {
	if err := errors.Join(noUID(cmd), cmd.Args.SP()); err != nil {
		return "", nil, err
	}
	if mechanism, err = cmd.Args.Keyword(); err != nil || cmd.Args.AtEnd() {
		return mechanism, nil, err
	}
	if err := cmd.Args.SP(); err != nil {
		return "", nil, err
	}
	// base64, whose characters an atom may have, or "=" for an empty response.
	word, err := cmd.Args.Atom()
	if err != nil {
		return "", nil, err
	}
	if word == "=" {
		word = ""
	}
	return mechanism, []byte(word), cmd.Args.End()
}

// parsePlain reads the message of SASL PLAIN: authzid NUL authcid NUL password.
func parsePlain(line []byte) (attempt, error) {
	msg := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(msg, line)
	if err != nil {
		return attempt{}, &wire.SyntaxError{Text: "Invalid base64"}
	}
	part := bytes.Split(msg[:n], []byte{0})
	if len(part) != 3 || len(part[1]) == 0 {
		return attempt{}, &wire.SyntaxError{Text: "Invalid message of mechanism PLAIN"}
	}
	return attempt{authzid: string(part[0]), user: string(part[1]), password: string(part[2])}, nil
}

// try checks a password and ends in one of: handed over, refused, or closed.
func (c *conn) try(ctx context.Context, a attempt) {
	if !c.plaintext {
		c.disabled(a)
		return
	}
	if to := c.s.cfg.Referrals[a.user]; to != "" {
		c.refer(a, to)
		return
	}
	asked := time.Now()
	id, err := c.check(ctx, a)
	if err == nil {
		c.hand(id, a)
		return
	}
	c.failed(ctx, a, err, asked)
}

func (c *conn) check(ctx context.Context, a attempt) (privsep.Identity, error) {
	// Nobody logs in as somebody else yet.
	if a.authzid != "" && a.authzid != a.user || privsep.CheckName(a.user) != nil {
		return privsep.Identity{}, privsep.ErrDenied
	}
	return c.s.cfg.Check(ctx, a.user, a.password)
}

// refer sends a user to the server where he is served (RFC 2221 §4.1). His password is not looked at. It counts as a
// failure, so that a client which stays does not stay for long.
func (c *conn) refer(a attempt, to string) {
	c.log.Info("Login referred", "user", a.user, "to", to)
	c.w.Tagged(a.tag, "NO", "REFERRAL "+to, "This user is served by another server")
	c.countFailure(a.user, a.user)
}

// disabled refuses a password that should not have come in clear. It is not looked at.
func (c *conn) disabled(a attempt) {
	c.log.Warn("Login disabled", "user", a.user, "auth", a.user)
	c.w.Tagged(a.tag, "NO", "PRIVACYREQUIRED", "Passwords are not taken without TLS")
	c.countBad()
}

// failed answers a login that failed. The answer comes at the same time after the question for
// all reasons, so that its time tells none.
func (c *conn) failed(ctx context.Context, a attempt, err error, asked time.Time) {
	user := a.user
	if a.authzid != "" {
		user = a.authzid
	}
	code, text := "AUTHENTICATIONFAILED", "Invalid login credentials"
	switch {
	case errors.Is(err, privsep.ErrDenied):
		c.log.Warn("Login failed", "user", user, "auth", a.user)
	case errors.Is(err, privsep.ErrIdentity):
		c.log.Warn("Login failed", "user", user, "auth", a.user, "err", err)
	default:
		c.log.Error("Login not possible", "user", user, "auth", a.user, "err", err)
		code, text = "UNAVAILABLE", "Login is not possible now"
	}
	pause(ctx, time.Until(asked.Add(c.s.cfg.FailureDelay)))
	c.w.Tagged(a.tag, "NO", code, text)
	c.countFailure(user, a.user)
}

func (c *conn) countFailure(user, auth string) {
	if c.failures++; c.failures >= c.s.cfg.MaxFailures {
		c.log.Warn("Login excessive login failures", "user", user, "auth", auth)
		c.bye("", "Too many login failures")
	}
}

// hand gives the connection away, or tells why it cannot be.
func (c *conn) hand(id privsep.Identity, a attempt) {
	unread, err := c.br.Peek(c.br.Buffered())
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		err = errors.ErrUnsupported
	}
	if err == nil {
		l := privsep.Login{Tag: a.tag, Remote: bracketed(c.addr), Mechanism: a.mechanism, Unread: unread}
		err = c.s.cfg.Hand(id, l, sc)
	}
	if err != nil {
		c.log.Error("Login without worker", "user", id.Name, "err", err)
		c.w.Tagged(a.tag, "NO", "UNAVAILABLE", "Mail is not available now")
		c.over = true
		return
	}
	if a.mechanism == "" {
		c.log.Info("Login", "user", id.Name)
	} else {
		c.log.Info("Authenticated", "user", id.Name, "mech", a.mechanism)
	}
	c.handed, c.over = true, true
}
