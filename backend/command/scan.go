package command

import (
	"time"

	"spoold/backend/session"
)

// remoteList is RLIST (RFC 2193 §4.1): LIST that tells mailboxes on other servers, too.
func remoteList(r *request) error {
	req, err := r.listPattern()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	req.Remote = true
	return r.listed(req, func(e session.ListEntry) error {
		r.entry("LIST", e)
		return r.w.Err()
	})
}

// scan is UW's SCAN: LIST of the mailboxes whose files hold a text.
func scan(r *request) error {
	req, err := r.listPattern()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	text, err := r.cmd.Args.AString()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	p, looked, flushed := r.progress(), 0, r.s.Now()
	step := func() error {
		if now := r.s.Now(); now.Sub(flushed) > time.Second { // what was found meanwhile
			flushed = now
			if err := r.c.Flush(); err != nil {
				return err
			}
		}
		return p.search(looked, 0)
	}
	return r.listed(req, func(e session.ListEntry) error {
		if !e.Mailbox {
			return nil
		}
		looked++
		found, err := r.s.Holds(r.ctx, e.Name, text, step)
		if found {
			r.entry("LIST", e)
		}
		if err != nil {
			return err
		}
		return r.w.Err()
	})
}

// listPattern reads a reference and a pattern.
func (r *request) listPattern() (req session.ListRequest, err error) {
	if err := r.cmd.Args.SP(); err != nil {
		return req, err
	}
	if req.Reference, err = r.cmd.Args.Reference(); err != nil {
		return req, err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return req, err
	}
	pattern, err := r.cmd.Args.Pattern()
	req.Patterns = []string{pattern}
	return req, err
}

// listed calls f for what is listed, and ends the command. Without a pattern that is the root.
func (r *request) listed(req session.ListRequest, f func(session.ListEntry) error) error {
	if req.Patterns[0] == "" {
		r.entry("LIST", session.ListEntry{Attrs: []string{`\Noselect`}})
	} else if err := r.s.ListFolders(r.ctx, req, f); err != nil {
		return err
	}
	return r.done("")
}
