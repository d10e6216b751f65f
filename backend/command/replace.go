package command

import (
	"spoold/backend/wire"
)

// replaceMessage is REPLACE and UID REPLACE (RFC 8508): one message is appended, perhaps to another mailbox, and one of the
// selected mailbox removed. Only one of the two can be lost sight of by a crash: the removal.
func replaceMessage(r *request) error {
	nums, err := r.one()
	if err != nil {
		return err
	}
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	msg, err := r.parseAppend()
	if err != nil {
		return err
	}
	old, err := r.s.Replaceable(nums)
	if err != nil {
		return r.missing(err)
	}
	t, err := r.s.OpenTarget(r.ctx, name)
	if err != nil {
		return err
	}
	defer t.Close()
	a := newAppender(r, t)
	defer a.close()
	if err := a.take(msg); err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	validity, uid, err := r.s.Replace(r.ctx, a.in, old)
	if err != nil {
		return err
	}
	// RFC 8508 §3.2: where the new message is, before the old one is told to be gone; and it is there before.
	r.w.Untagged("OK", appendUID(validity, uid), "Replacement message ready")
	if err := r.s.Update(r.ctx, false); err != nil {
		return err
	}
	return r.done("")
}

// one reads the number or UID of one message.
func (r *request) one() (wire.Set, error) {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return nil, err
	}
	set, err := p.Set()
	if err != nil {
		return nil, err
	}
	if len(set) != 1 || set[0].Start != set[0].Stop {
		return nil, &wire.SyntaxError{Text: r.name() + " takes one message"}
	}
	return r.s.Resolve(set, r.cmd.UID)
}
