package imapconn

import (
	"crypto/rand"
	"errors"

	"spoold/backend/wire"
)

// answerError answers a command that failed, or ends the connection when a
// part of a response is on its way already.
func (c *Conn) answerError(cmd *wire.Command, err error) {
	if se, ok := errors.AsType[*wire.SyntaxError](err); ok {
		c.refuse(cmd, se)
		return
	}
	refusal := c.classify(cmd, err)
	if !c.w.Rollback() {
		c.log.Warn("response cut short", "command", cmd.Name, "err", err)
		c.end("")
		return
	}
	typ := "NO"
	if refusal.Bad {
		typ = "BAD"
	}
	if refusal.Bye {
		c.w.Untagged("BYE", refusal.Code, refusal.Text)
	}
	c.w.Tagged(cmd.Tag, typ, refusal.Code, refusal.Text)
	c.count(typ)
	if refusal.Bye {
		c.end("")
	}
}

func (c *Conn) refuse(cmd *wire.Command, se *wire.SyntaxError) {
	if !c.w.Rollback() {
		c.end("")
		return
	}
	c.answerSyntax(cmd.Tag, se)
}

// answerSyntax answers what is no valid command; without a tag, untagged.
func (c *Conn) answerSyntax(tag string, se *wire.SyntaxError) {
	typ := "BAD"
	if se.No {
		typ = "NO"
	}
	if tag == "" {
		c.w.Untagged(typ, se.Code, se.Text)
	} else {
		c.w.Tagged(tag, typ, se.Code, se.Text)
	}
	c.count(typ)
}

// count ends the connection of a client that speaks something else than IMAP.
func (c *Conn) count(typ string) {
	if typ != "BAD" {
		c.badRun = 0
		return
	}
	if c.badRun++; c.badRun >= c.cfg.MaxBad {
		c.log.Warn("too many invalid commands", "count", c.badRun)
		c.end("Too many invalid commands")
	}
}

// classify turns an error into an answer. One that nobody knows is a bug: the
// client gets an id under which the log has it.
func (c *Conn) classify(cmd *wire.Command, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if c.cfg.Session.Classify != nil {
		if r := c.cfg.Session.Classify(err); r != nil {
			return r
		}
	}
	id := rand.Text()[:8]
	c.log.Error("command failed", "id", id, "command", fullName(cmd), "err", err)
	return &Refusal{Code: "SERVERBUG", Text: "Internal server error, see log entry " + id}
}
