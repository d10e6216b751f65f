package session

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"spoold/mboxstore"
)

// The imapserver callbacks that move state: login, mailboxes, selection, news. Those that move message data are in
// backend_data.go.

var (
	_ imapserver.SessionNamespace = (*Session)(nil)
	_ imapserver.SessionMove      = (*Session)(nil)
)

// Close ends the session: the client has gone, or said LOGOUT.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	if s.watcher != nil {
		s.watcher.Close()
	}
	return nil
}

// Login is asked on a plain imapserver.Server only.
func (s *Session) Login(username, password string) error {
	if s.cfg.Login == nil {
		return imapserver.ErrAuthFailed
	}
	if err := s.cfg.Login(username, password); err != nil {
		s.log.Info("login refused", "user", username, "err", err)
		return imapserver.ErrAuthFailed
	}
	return nil
}

// Select opens a mailbox. When it fails none is selected.
func (s *Session) Select(mailbox string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	st, err := s.selectFolder(context.Background(), s.raw(0, mailbox), options != nil && options.ReadOnly)
	if err != nil {
		return nil, s.imapError("SELECT", err)
	}
	return &imap.SelectData{
		Flags:             imapFlags(flagList(st.Keywords)),
		PermanentFlags:    imapFlags(permanentFlags(st.Keywords, s.view.readOnly)),
		NumMessages:       uint32(st.Messages),
		NumRecent:         uint32(st.Recent),
		FirstUnseenSeqNum: uint32(st.FirstUnseen),
		UIDNext:           imap.UID(st.UIDNext),
		UIDValidity:       st.UIDValidity,
	}, nil
}

func (s *Session) selectFolder(ctx context.Context, name string, examine bool) (mboxstore.Status, error) {
	m, release, err := s.openFolder(ctx, name)
	if err != nil {
		return mboxstore.Status{}, err
	}
	v, st := openView(name, m, examine || s.cfg.ReadOnly || m.ReadOnly())
	v.release, v.noRecent = release, s.Rev2()
	s.view = v
	return st, nil
}

// Unselect closes the selected mailbox.
func (s *Session) Unselect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	return nil
}

// Create makes a mailbox.
func (s *Session) Create(mailbox string, _ *imap.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imapError("CREATE", s.CreateFolder(context.Background(), s.raw(0, mailbox), nil))
}

// Delete removes a mailbox.
func (s *Session) Delete(mailbox string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imapError("DELETE", s.DeleteFolder(context.Background(), s.raw(0, mailbox)))
}

// Rename moves a mailbox.
func (s *Session) Rename(mailbox, newName string, _ *imap.RenameOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imapError("RENAME", s.RenameFolder(context.Background(), s.raw(0, mailbox), s.raw(1, newName)))
}

// Subscribe adds a name to the subscriptions.
func (s *Session) Subscribe(mailbox string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imapError("SUBSCRIBE", s.subscribe(s.raw(0, mailbox), true))
}

// Unsubscribe takes a name from the subscriptions.
func (s *Session) Unsubscribe(mailbox string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imapError("UNSUBSCRIBE", s.subscribe(s.raw(0, mailbox), false))
}

// Namespace tells the one place where all mailboxes are.
func (s *Session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: delimiter}}}, nil
}

// Poll tells the news at the end of a command.
func (s *Session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poll(w, allowExpunge)
}

func (s *Session) poll(w *imapserver.UpdateWriter, expunge bool) error {
	var t teller = serverTeller{w}
	if s.out != nil {
		t = wireTeller{s.out}
	}
	err := s.update(context.Background(), t, expunge)
	if r := Explain(err); r != nil && r.Bye {
		s.bye(r.Text)
	}
	return err
}

// bye tells the client why the connection ends; the error that Poll returns ends it.
func (s *Session) bye(text string) {
	switch {
	case s.out != nil:
		s.out.Untagged("BYE", "", text)
		if err := s.out.Flush(); err != nil {
			s.log.Info("client gone before BYE", "err", err)
		}
	case s.cfg.Bye != nil:
		if err := s.cfg.Bye(text); err != nil {
			s.log.Info("client gone before BYE", "err", err)
		}
	}
}

// Idle tells news until stop. imapserver runs it on a goroutine of its own.
func (s *Session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.mu.Lock()
	news, cancel := s.Notify()
	s.mu.Unlock()
	defer cancel()
	for {
		select {
		case <-stop:
			return nil
		case <-news:
		}
		if err := s.Poll(w, true); err != nil {
			return err
		}
	}
}

// Expunge removes the \Deleted messages, or those of them that uids names. CLOSE calls it too, with a writer that leads
// nowhere: then nothing is told, and a mailbox that is read-only, or another user's, is simply left as it is (RFC 3501 §6.4.2,
// RFC 4314 §4).
func (s *Session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		return s.imapError("EXPUNGE", errNotSelected)
	}
	closing := *w == imapserver.ExpungeWriter{}
	if closing && s.view.readOnly {
		return nil
	}
	var only []mboxstore.UID
	if uids != nil {
		only = s.view.num.list(s.view.num.resolveUIDs(uidSet(*uids).Resolve(s.view.num.last())))
	}
	err := s.remove(context.Background(), only, uids == nil)
	if closing && errors.Is(err, mboxstore.ErrNotOwner) {
		return nil
	}
	if err != nil {
		return s.imapError("EXPUNGE", err)
	}
	if closing {
		return nil
	}
	write := w.WriteExpunge
	if s.out != nil {
		write = wireTeller{s.out}.expunge
	}
	return s.view.tellGone(write)
}
