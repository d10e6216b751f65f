package worker

import (
	"errors"
	"net"
	"strings"
	"sync"

	"spoold/backend/command"
	"spoold/backend/imapconn"
	"spoold/backend/privsep"
	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/spool"

	"github.com/emersion/go-imap/v2/imapserver"
)

// served is a session that is being served. It is what imapserver knows as the session; done is
// closed when imapserver is through with it.
type served struct {
	*session.Session
	conn *imapconn.Conn
	done chan struct{}
}

// Close implements imapserver.Session.
func (s *served) Close() error {
	defer close(s.done)
	return s.Session.Close()
}

// Serve serves a connection that has logged in until it ends, and closes it.
func (w *Worker) Serve(nc net.Conn, l privsep.Login) {
	st := &store{w: w}
	log := w.log.With("user", w.cfg.User, "host", l.Remote)
	s := session.New(session.Config{
		User: w.cfg.User, Hostname: w.cfg.Hostname, Version: w.cfg.Version,
		Store: st, Subscriptions: spool.OpenSubscriptions(w.cfg.Home, w.cfg.prefix()),
		ReadOnly: w.cfg.ReadOnly, Log: log, AppendLimit: w.cfg.AppendLimit, AppendTotal: w.cfg.AppendTotal, Explain: explain,
		StatusWait: w.cfg.StatusWait, Hidden: w.cfg.Hidden, SearchTime: w.cfg.SearchTime,
		Annotations: w.notes, SpecialUse: w.cfg.SpecialUse, Comment: w.cfg.Comment, Admin: w.cfg.Admin,
		Referrals: w.cfg.Referrals, Quota: w.quota,
	})
	limits := w.cfg.Limits
	limits.Append = w.cfg.AppendLimit
	conn := imapconn.New(nc, imapconn.Config{
		Table:    command.Table(s),
		Session:  imapconn.SessionHooks{Classify: classifier(s)},
		Greeting: w.greeting(l, command.Capabilities(s.Config())),
		Unread:   l.Unread,
		Limits:   limits,
		Log:      log,

		IdleTimeout: w.cfg.Idle, WriteTimeout: w.cfg.Reading,
	})
	s.Attach(conn.W())
	st.h = conn
	sv := &served{Session: s, conn: conn, done: make(chan struct{})}
	if err := w.admit(sv); err != nil {
		turnAway(nc, l, err)
	} else {
		<-sv.done
		w.dismiss(sv)
		log.Info("Logout")
	}
	// imapserver closes it as well; what is wrong with closing is of no use to anybody now.
	_ = conn.Close()
}

var errTooMany = errors.New("too many sessions of this user")

// admit gives the session to imapserver.
func (w *Worker) admit(s *served) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopping:
		return errClosed
	case len(w.sessions) >= w.cfg.MaxSessions:
		return errTooMany
	}
	w.sessions[s.conn] = s
	w.incoming.conns <- s.conn // accept takes it at once
	return nil
}

func (w *Worker) dismiss(s *served) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sessions, s.conn)
}

// newSession is imapserver's call for the session of a connection that admit gave it.
func (w *Worker) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	conn, ok := c.NetConn().(*imapconn.Conn)
	if !ok {
		return nil, nil, errors.New("connection from nowhere")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.sessions[conn]
	if !ok {
		return nil, nil, errors.New("connection from nowhere")
	}
	return s, &imapserver.GreetingData{PreAuth: true}, nil
}

// greeting is the answer that the client waits for: the tagged OK of its login, or a greeting when
// there was none.
func (w *Worker) greeting(l privsep.Login, capabilities []string) func(*imapconn.Conn) {
	code := "CAPABILITY " + strings.Join(capabilities, " ")
	return func(c *imapconn.Conn) {
		if l.Tag == "" {
			c.W().Untagged("PREAUTH", code, w.cfg.Hostname+" spoold ready, user "+w.cfg.User)
			return
		}
		c.W().Tagged(l.Tag, "OK", code, "User "+w.cfg.User+" authenticated")
	}
}

// turnAway answers a login that cannot be served.
func turnAway(nc net.Conn, l privsep.Login, reason error) {
	w := wire.NewWriter(nc)
	if l.Tag != "" {
		w.Tagged(l.Tag, "NO", "UNAVAILABLE", reason.Error())
	}
	w.Untagged("BYE", "UNAVAILABLE", reason.Error())
	_ = w.Flush() // who is gone need not hear it
}

// classifier answers errors as the session explains them.
func classifier(s *session.Session) func(error) *imapconn.Refusal {
	return func(err error) *imapconn.Refusal {
		r := s.Explain(err)
		if r == nil {
			return nil
		}
		return &imapconn.Refusal{Code: r.Code, Text: r.Text, Bad: r.Bad, Bye: r.Bye}
	}
}

// handed is the listener of connections that were handed over.
type handed struct {
	conns  chan *imapconn.Conn
	closed chan struct{}
	close  func()

	accepting chan struct{} // closed when somebody listens
	accept    func()
}

func newHanded() *handed {
	h := &handed{conns: make(chan *imapconn.Conn), closed: make(chan struct{}), accepting: make(chan struct{})}
	h.close = sync.OnceFunc(func() { close(h.closed) })
	h.accept = sync.OnceFunc(func() { close(h.accepting) })
	return h
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	h.accept()
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error { h.close(); return nil }

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "handed over"} }
