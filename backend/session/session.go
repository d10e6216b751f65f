package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/wire"
)

// inbox is the one name whose case does not matter (RFC 3501 §5.1).
const inbox = "INBOX"

// closeTimeout bounds how long a client waits for others' locks when it leaves a mailbox. What cannot be written by then
// is written later.
const closeTimeout = 10 * time.Second

// Session is one client's session after login.
type Session struct {
	cfg  Config
	log  *slog.Logger
	out  *wire.Writer // spoold's own connection; nil on a plain imapserver.Server
	view *View        // nil: no mailbox is selected

	listing *patience // of the LIST that runs; else nil

	reserved []func() // what the command that runs may store; see Reserve

	enabled []string // extensions that the client has enabled (RFC 5161), in upper case

	watcher *annotation.Watcher // of a client that has enabled METADATA

	forward []string // raw names of the command that is being passed to imapserver

	mu sync.Mutex // serialises the imapserver callbacks
}

// New makes the session of one connection.
func New(cfg Config) *Session {
	s := &Session{cfg: cfg, log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Attach gives the session the connection's own writer: what it has to tell is written there, and imapserver's writers
// are not used.
func (s *Session) Attach(w *wire.Writer) { s.out = w }

// Forward prepares the next imapserver callback: imapserver is passed a command with any name, and the callback takes
// these, the raw ones. So names that imapserver cannot carry, such as "R&D", are reached too.
func (s *Session) Forward(names ...string) { s.forward = names }

// raw is the name on disk of the i-th mailbox of a callback.
func (s *Session) raw(i int, name string) string {
	if i < len(s.forward) {
		return s.forward[i]
	}
	return canonical(wire.EncodeMUTF7(name))
}

// Enable notes that the client wants an extension; false: it was enabled before.
func (s *Session) Enable(name string) bool {
	if s.Enabled(name) {
		return false
	}
	s.enabled = append(s.enabled, name)
	if s.view != nil {
		s.view.noRecent = s.Rev2()
	}
	if name == "METADATA" && s.cfg.Annotations != nil {
		s.watcher = s.cfg.Annotations.Watch()
	}
	return true
}

// Enabled reports whether the client has enabled an extension, whose name is in upper case.
func (s *Session) Enabled(name string) bool { return slices.Contains(s.enabled, name) }

// View is the selected mailbox, or nil.
func (s *Session) View() *View { return s.view }

// Config is what the session was made with.
func (s *Session) Config() *Config { return &s.cfg }

// Resolve turns the set of a command, of numbers or of UIDs or "$", into numbers of messages that the client knows.
func (s *Session) Resolve(set wire.Set, uid bool) (wire.Set, error) {
	if s.view == nil {
		return nil, errNotSelected
	}
	if set.IsSaved() {
		return s.view.savedNums(), nil
	}
	return s.view.num.resolve(set, uid)
}

// UID is the UID of a message's number.
func (v *View) UID(num uint32) uint32 { return v.num.uids[num-1] }

// LastUID is what "*" means among UIDs.
func (v *View) LastUID() uint32 { return v.num.last() }

// Update looks for news and tells them on the session's connection. In a command that names messages by number expunge
// is false (RFC 3501 §7.4.1).
func (s *Session) Update(ctx context.Context, expunge bool) error {
	return s.update(ctx, wireTeller{s.out}, expunge)
}

// Notify returns a channel that gets a token when there may be news of the selected mailbox, or of annotations; nil when
// none is selected and the client does not want the others.
func (s *Session) Notify() (ch <-chan struct{}, cancel func()) {
	var news <-chan struct{}
	end := func() {}
	if s.view != nil {
		news, end = s.view.box.Notify()
	}
	if s.watcher == nil {
		return news, end
	}
	both, stop := merge(news, s.watcher.News())
	return both, func() { stop(); end() }
}

// Flush writes what is pending into the file of the selected mailbox (CHECK).
func (s *Session) Flush(ctx context.Context) error {
	if s.view == nil || s.view.readOnly {
		return nil
	}
	return s.view.box.Flush(ctx)
}

// Leave writes what is pending for a client that goes whatever comes of it (LOGOUT). Nothing is selected then.
func (s *Session) Leave() { s.unselect() }

// Now is the time by the session's clock.
func (s *Session) Now() time.Time {
	if s.cfg.Now == nil {
		return time.Now()
	}
	return s.cfg.Now()
}

// unselect closes the selected mailbox. What cannot be written now stays pending in the store, so the client
// need not hear of it.
func (s *Session) unselect() {
	v := s.view
	if v == nil {
		return
	}
	s.view = nil
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := v.close(ctx); err != nil {
		s.log.Warn("mailbox not flushed", "mailbox", v.name, "err", err)
	}
}
