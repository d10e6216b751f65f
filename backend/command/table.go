package command

import (
	"context"

	"spoold/backend/imapconn"
	"spoold/backend/session"
	"spoold/backend/wire"
)

// Table says who runs each command of a session. It belongs to one connection, as the session does.
func Table(s *session.Session) imapconn.Table {
	const always, selected = imapconn.Authenticated | imapconn.Selected, imapconn.Selected
	t := imapconn.Table{}
	for _, e := range []struct {
		name   string
		states imapconn.State
		run    func(*request) error
	}{
		{"CAPABILITY", always, capability},
		{"ENABLE", always, enable},
		{"ID", always, id},
		{"NAMESPACE", always, namespace},
		{"NOOP", always, pass},
		{"LOGOUT", always, logout},
		{"IDLE", always, idle},
		{"COMPRESS", always, compress},

		{"SELECT", always, selectMailbox},
		{"EXAMINE", always, selectMailbox},
		{"CREATE", always, create},
		{"DELETE", always, forwardName},
		{"RENAME", always, forwardNames},
		{"SUBSCRIBE", always, forwardName},
		{"UNSUBSCRIBE", always, forwardName},
		{"LIST", always, list},
		{"LSUB", always, lsub},
		{"RLIST", always, remoteList},
		{"RLSUB", always, lsub},
		{"SCAN", always, scan},
		{"STATUS", always, status},
		{"GETMETADATA", always, getMetadata},
		{"SETMETADATA", always, setMetadata},
		{"APPEND", always, appendMessages},
		{"GETQUOTA", always, getQuota},
		{"GETQUOTAROOT", always, getQuotaRoot},
		{"SETQUOTA", always, setQuota},

		{"CHECK", selected, check},
		{"CLOSE", selected, closeMailbox},
		{"UNSELECT", selected, closeMailbox},
		{"EXPUNGE", selected, expunge},
		{"FETCH", selected, fetch},
		{"STORE", selected, store},
		{"SEARCH", selected, searching},
		{"CANCELUPDATE", selected, cancelUpdate},
		{"SORT", selected, sorting},
		{"THREAD", selected, thread},
		{"COPY", selected, copyMessages},
		{"MOVE", selected, moveMessages},
		{"REPLACE", selected, replaceMessage},
	} {
		t[e.name] = imapconn.Entry{States: e.states, Run: handler(s, e.run)}
	}
	return t
}

// request is one command while it runs.
type request struct {
	ctx context.Context
	s   *session.Session
	c   *imapconn.Conn
	cmd *wire.Command
	w   *wire.Writer
}

func handler(s *session.Session, run func(*request) error) imapconn.Handler {
	return func(ctx context.Context, c *imapconn.Conn, cmd *wire.Command) error {
		s.Attach(c.W())
		s.Forward()
		defer s.Release()
		err := run(&request{ctx: ctx, s: s, c: c, cmd: cmd, w: c.W()})
		if err == nil {
			return nil
		}
		if r := s.Explain(err); r != nil {
			return &imapconn.Refusal{Code: r.Code, Text: r.Text, Bad: r.Bad, Bye: r.Bye}
		}
		return err
	}
}

// pass leaves a command to imapserver.
func pass(r *request) error { return r.c.Pass(r.cmd, nil) }

// done tells the news and answers OK.
func (r *request) done(code string) error {
	if err := r.news(); err != nil {
		return err
	}
	r.c.OK(r.cmd, code, r.name()+" completed")
	return nil
}

// news tells what others did. RFC 3501 §7.4.1: no EXPUNGE during FETCH, STORE and SEARCH, so that the numbers of
// commands that the client has sent ahead stay right; with UIDs in them there is nothing to go wrong.
func (r *request) news() error {
	switch r.cmd.Name {
	case "FETCH", "STORE", "SEARCH", "SORT", "THREAD": // the last two are searches, too
		return r.s.Update(r.ctx, r.cmd.UID)
	}
	return r.s.Update(r.ctx, true)
}

func (r *request) name() string {
	if r.cmd.UID {
		return "UID " + r.cmd.Name
	}
	return r.cmd.Name
}

// noArguments is for commands that have none.
func (r *request) noArguments() error { return r.cmd.Args.End() }

// set reads the message set of a command.
func (r *request) set() (wire.Set, error) {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return nil, err
	}
	set, err := p.Set()
	if err != nil {
		return nil, err
	}
	return r.s.Resolve(set, r.cmd.UID)
}

// mailbox reads SP and the name of a mailbox, which must not be on another server.
func (r *request) mailbox() (string, error) {
	name, err := r.anyMailbox()
	if err != nil {
		return "", err
	}
	return name, r.s.Refer(name)
}

// anyMailbox reads SP and a mailbox name.
func (r *request) anyMailbox() (string, error) {
	if err := r.cmd.Args.SP(); err != nil {
		return "", err
	}
	return r.cmd.Args.Mailbox()
}
