package command

import (
	"strconv"

	"spoold/backend/session"
	"spoold/backend/wire"
)

// copyMessages is COPY (RFC 3501 §6.4.7), with COPYUID always (RFC 4315 §3).
func copyMessages(r *request) error {
	nums, target, err := r.copyArguments()
	if err != nil {
		return err
	}
	c, err := r.s.CopyTo(r.ctx, nums, target)
	if err != nil {
		return r.missing(err)
	}
	return r.done(copyUID(c))
}

// moveMessages is MOVE (RFC 6851). The client learns where the messages are before it is told that they are gone.
func moveMessages(r *request) error {
	nums, target, err := r.copyArguments()
	if err != nil {
		return err
	}
	copied := func(c session.Copied) error {
		r.w.Untagged("OK", copyUID(c), "Moved")
		return r.w.Err()
	}
	if err := r.s.MoveTo(r.ctx, nums, target, copied, r.expunged); err != nil {
		return r.missing(err)
	}
	return r.done("")
}

func (r *request) copyArguments() (nums wire.Set, target string, err error) {
	if nums, err = r.set(); err != nil {
		return nil, "", err
	}
	if target, err = r.mailbox(); err != nil {
		return nil, "", err
	}
	return nums, target, r.cmd.Args.End()
}

func copyUID(c session.Copied) string {
	if len(c.From) == 0 {
		return ""
	}
	return "COPYUID " + strconv.FormatUint(uint64(c.UIDValidity), 10) + " " +
		wire.SetOf(c.From).String() + " " + wire.SetOf(c.To).String()
}

// missing lets the news go before NO [EXPUNGEISSUED]: where it may, the client learns which messages are gone.
func (r *request) missing(err error) error {
	if err != session.ErrMissing {
		return err
	}
	if err := r.news(); err != nil {
		return err
	}
	return session.ErrMissing
}
