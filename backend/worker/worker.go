package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/imapconn"
	"spoold/backend/session"
	"spoold/mboxstore"
	"spoold/spool"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Supervisor is what a worker may ask of the supervisor. *privsep.Client is one.
type Supervisor interface {
	Lock(context.Context) error   // make the inbox's lock file
	Unlock(context.Context) error // remove it
	Create(context.Context) error // make the inbox
}

// Options is what a Worker needs beside its configuration.
type Options struct {
	State      spool.Dir  // nil: no journal, no cache, nothing is rewritten
	Supervisor Supervisor // nil: nobody to ask
	Log        *slog.Logger
}

// Worker serves one user's sessions.
type Worker struct {
	cfg      Config
	o        Options
	log      *slog.Logger
	tree     *spool.Tree
	boxes    spool.Dir // part of the state directory that is mboxstore's
	validity *validity
	notes    *annotation.Book // nil: nowhere to keep them
	table    *table
	quota    *session.Quota
	server   *imapserver.Server
	incoming *handed

	mu        sync.Mutex
	sessions  map[*imapconn.Conn]*served
	stopping  bool
	running   sync.WaitGroup
	endReplay context.CancelFunc // early
	moveLeft  func(*mboxstore.Move)
	replayErr chan error // what Replayed returns
}

// Open makes a Worker and begins to replay the journals that wait for it.
func Open(cfg Config, o Options) (*Worker, error) {
	cfg = cfg.withDefaults()
	tree, err := spool.NewTree(cfg.Inbox, cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("mail of %s: %w", cfg.User, err)
	}
	w := &Worker{
		cfg: cfg, o: o, log: o.Log, tree: tree,
		quota:     newQuota(cfg, tree),
		validity:  &validity{state: o.State, now: time.Now, log: o.Log},
		incoming:  newHanded(),
		sessions:  make(map[*imapconn.Conn]*served),
		endReplay: func() {}, replayErr: make(chan error, 1),
	}
	if o.State != nil {
		if w.boxes, err = o.State.Sub(MailboxState); err != nil {
			return nil, fmt.Errorf("mail of %s: %w", cfg.User, err)
		}
		if w.notes, err = annotation.Open(o.State, cfg.Annotations, o.Log); err != nil {
			o.Log.Error("Annotations not available", "user", cfg.User, "err", err)
		}
	}
	w.table = newTable(cfg.KeepOpen, o.Log, w.openMailbox)
	w.server = imapserver.New(&imapserver.Options{
		NewSession: w.newSession,
		Caps:       imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapMove: {}},
		Logger:     printer{o.Log},
	})
	w.running.Go(w.accept)
	w.replay()
	return w, nil
}

// accept runs imapserver over the connections that Serve gives it.
func (w *Worker) accept() {
	if err := w.server.Serve(w.incoming); err != nil {
		w.log.Error("imapserver ended", "err", err)
	}
}

// openMailbox opens a mailbox for the table.
func (w *Worker) openMailbox(ctx context.Context, path string) (*opened, error) {
	b := w.box(path)
	m, err := mboxstore.Open(ctx, b, mboxstore.Options{
		Inbox: path == w.cfg.Inbox, ReadOnly: w.cfg.ReadOnly, State: w.boxes,
		Hostname: w.cfg.Hostname, User: w.cfg.User, Log: w.log,
		FlushDelay: w.cfg.FlushDelay, CompactAt: w.cfg.CompactAt, MoveLeft: w.moveLeft,
	})
	if err != nil {
		return nil, err
	}
	return &opened{m, b.Watch}, nil
}

// Close ends all sessions with BYE, and then flushes and closes all mailboxes, until ctx is done.
func (w *Worker) Close(ctx context.Context) error {
	w.mu.Lock()
	w.stopping = true
	w.mu.Unlock()
	w.endReplay()
	w.endSessions(ctx)
	w.table.close(ctx)
	<-w.incoming.accepting // imapserver's Close races with a Serve that has just begun
	err := w.server.Close()
	w.running.Wait()
	return err
}

// politeTime is for sessions to finish their command and take the BYE.
const politeTime = 5 * time.Second

func (w *Worker) endSessions(ctx context.Context) {
	for _, s := range w.allSessions() {
		s.conn.Shutdown("Server shutting down")
	}
	if w.ended(ctx) {
		return
	}
	for _, s := range w.allSessions() {
		w.log.Warn("Session cut off", "user", w.cfg.User)
		if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.log.Debug("Session not closed", "err", err)
		}
	}
	if !w.ended(ctx) {
		w.log.Error("Session stuck", "user", w.cfg.User)
	}
}

// ended waits a while for all sessions to end.
func (w *Worker) ended(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, politeTime)
	defer cancel()
	for _, s := range w.allSessions() {
		select {
		case <-s.done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (w *Worker) allSessions() []*served {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*served, 0, len(w.sessions))
	for _, s := range w.sessions {
		all = append(all, s)
	}
	return all
}

// printer is imapserver's logger.
type printer struct{ log *slog.Logger }

// Printf implements imapserver.Logger.
func (p printer) Printf(format string, args ...any) {
	p.log.Error("imapserver", "message", fmt.Sprintf(format, args...))
}
