package command

import (
	"strings"

	"spoold/backend/imapconn"
	"spoold/backend/session"
)

// selectMailbox is SELECT and EXAMINE. imapserver has to do it, so that its state moves, but it is given a name that it
// can carry while the session takes the real one; its OK learns whether the mailbox can be written.
func selectMailbox(r *request) error {
	name, err := r.anyMailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if err := r.s.Refer(name); err != nil {
		r.s.Leave() // RFC 3501 §6.3.1: after a SELECT that fails no mailbox is selected
		r.c.SetState(imapconn.Authenticated)
		return err
	}
	r.s.Forward(name)
	if r.s.Rev2() {
		r.c.Omit(obsolete)
	}
	return r.c.PassLine(r.cmd.Tag, r.cmd.Name+" INBOX", func(typ, code, text string) (string, string, string) {
		if typ != "OK" {
			r.c.SetState(imapconn.Authenticated)
			return typ, code, text
		}
		r.c.SetState(imapconn.Selected)
		if r.s.View().ReadOnly() {
			code = "READ-ONLY"
		}
		if r.s.Rev2() { // RFC 9051 §6.3.2
			r.entry("LIST", session.ListEntry{Name: name, Attrs: []string{`\NoInferiors`}})
		}
		return typ, code, text
	})
}

// obsolete tells the lines that SELECT of RFC 3501 answers, and that of RFC 9051 does not.
func obsolete(line string) bool {
	return strings.HasSuffix(line, " RECENT") || strings.HasPrefix(line, "* OK [UNSEEN ")
}

// closeMailbox is CLOSE and UNSELECT.
func closeMailbox(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	return r.c.Pass(r.cmd, func(typ, code, text string) (string, string, string) {
		if typ == "OK" {
			r.c.SetState(imapconn.Authenticated)
		}
		return typ, code, text
	})
}

// check makes everything that the client has done reach the file (RFC 3501 §6.4.1).
func check(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	if err := r.s.Flush(r.ctx); err != nil {
		return err
	}
	return r.done("")
}

// logout is answered when flags are durable: imapserver would answer first and close the session then.
func logout(r *request) error {
	r.s.Leave()
	return pass(r)
}

// expunge is EXPUNGE, which imapserver runs, and UID EXPUNGE (RFC 4315 §2.1).
func expunge(r *request) error {
	if !r.cmd.UID {
		return pass(r)
	}
	nums, err := r.set()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if err := r.s.ExpungeUIDs(r.ctx, nums, r.expunged); err != nil {
		return err
	}
	return r.done("")
}

// expunged tells one EXPUNGE.
func (r *request) expunged(num uint32) error {
	r.w.Raw("* ")
	r.w.Num(uint64(num))
	r.w.Raw(" EXPUNGE")
	r.w.CRLF()
	return r.w.Err()
}

// forwardName is for commands of one mailbox name: imapserver is given another name to carry.
func forwardName(r *request) error {
	name, err := r.anyMailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if r.cmd.Name == "DELETE" { // a subscription is the name's, wherever its mailbox is
		if err := r.s.Refer(name); err != nil {
			return err
		}
	}
	r.s.Forward(name)
	return r.c.PassLine(r.cmd.Tag, r.cmd.Name+" INBOX")
}

// forwardNames is forwardName for two names.
func forwardNames(r *request) error {
	from, err := r.anyMailbox()
	if err != nil {
		return err
	}
	to, err := r.anyMailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if err := r.s.Refer(from, to); err != nil {
		return err
	}
	r.s.Forward(from, to)
	return r.c.PassLine(r.cmd.Tag, r.cmd.Name+" INBOX INBOX")
}
