package command_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/session"
	"spoold/mboxstore"
	"spoold/spool"
)

// host is one user's mail on disk, with what the worker does around it: a table of open mailboxes, watched.
type host struct {
	t      *testing.T
	dir    string
	tree   *spool.Tree
	subs   *spool.SubscriptionFile
	state  spool.Dir
	notes  *annotation.Book
	config session.Config // for the sessions that start
	watch  bool
	marks  bool          // Walk tells what is marked
	delay  time.Duration // until flags are written; 0: soon
	user   int           // who is served; the files are ours
	disk   *diskLog      // not nil: what is written and synced is logged there

	mu    sync.Mutex
	boxes map[string]*openBox
	made  uint32
}

type openBox struct {
	*mboxstore.Mailbox
	cancel context.CancelFunc
	done   chan struct{}
}

// newHost makes a user whose inbox holds this.
func newHost(t *testing.T, inbox string) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir(), boxes: map[string]*openBox{}, made: 1_000_000_000, user: os.Getuid()}
	h.write("inbox", inbox)
	for _, d := range []string{"mail", "state"} {
		if err := os.Mkdir(filepath.Join(h.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.tree, err = spool.NewTree(h.path("inbox"), h.path("mail")); err != nil {
		t.Fatal(err)
	}
	if h.state, err = spool.OpenDir(h.path("state")); err != nil {
		t.Fatal(err)
	}
	if h.notes, err = annotation.Open(h.state, annotation.Limits{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	h.subs = spool.OpenSubscriptions(h.dir, "mail/")
	t.Cleanup(h.close)
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, content string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.path(name), []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) read(name string) string {
	h.t.Helper()
	b, err := os.ReadFile(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// edit changes a mailbox as another program does: under the locks.
func (h *host) edit(name string, change func(string) string) {
	h.t.Helper()
	h.locked(name, func() { h.write(name, change(h.read(name))) })
}

// deliver appends mail, under the locks too.
func (h *host) deliver(name, mail string) {
	h.t.Helper()
	h.locked(name, func() {
		f, err := os.OpenFile(h.path(name), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		_, err = f.WriteString(mail)
		if err := errors.Join(err, f.Close()); err != nil {
			h.t.Fatal(err)
		}
	})
}

func (h *host) locked(name string, do func()) {
	h.t.Helper()
	box := h.box(h.path(name))
	f, err := box.Open(true)
	if err != nil {
		h.t.Fatal(err)
	}
	release, err := box.Lock(context.Background(), f, spool.Exclusive)
	if err != nil {
		h.t.Fatal(err)
	}
	do()
	if err := errors.Join(release(), f.Close()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) box(path string) *spool.Box {
	return spool.NewBox(path, uint32(h.user), spool.LockPolicy{
		Methods: []spool.Method{"fcntl", "dotlock"}, Timeout: 5 * time.Second, Stale: time.Hour,
	})
}

func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for path := range h.boxes {
		h.shut(path)
	}
}

func (h *host) shut(path string) {
	if b := h.boxes[path]; b != nil {
		delete(h.boxes, path)
		b.cancel()
		<-b.done
		if err := b.Close(context.Background()); err != nil {
			h.t.Errorf("close %s: %v", path, err)
		}
	}
}

func (h *host) Open(ctx context.Context, name string, _ bool) (*mboxstore.Mailbox, func(), error) {
	path, err := h.tree.Path(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", session.ErrNoMailbox, err)
	}
	if name != "INBOX" {
		f, err := h.tree.Stat(name)
		if err != nil || f.Dir {
			return nil, nil, session.ErrNoMailbox
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.boxes[path]
	if b == nil {
		box := h.box(path)
		m, err := mboxstore.Open(ctx, h.logged(box), mboxstore.Options{
			Inbox: name == "INBOX", State: h.state, User: "chris", Hostname: "example.org",
			FlushDelay: cmp.Or(h.delay, 20*time.Millisecond),
		})
		if err != nil {
			return nil, nil, err
		}
		b = h.startWatch(m, box)
		h.boxes[path] = b
	}
	return b.Mailbox, func() {}, nil
}

// startWatch tells the mailbox when its file changed.
func (h *host) startWatch(m *mboxstore.Mailbox, box *spool.Box) *openBox {
	ctx, cancel := context.WithCancel(context.Background())
	b := &openBox{m, cancel, make(chan struct{})}
	if !h.watch {
		close(b.done)
		return b
	}
	changed, err := box.Watch(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(b.done)
		for range changed {
			if err := m.Refresh(ctx); err != nil && ctx.Err() == nil {
				h.t.Errorf("refresh: %v", err)
			}
		}
	}()
	return b
}

func (h *host) Walk(ctx context.Context, dir string, deep bool, f func(session.Folder) error) error {
	return storeError(h.tree.Walk(ctx, dir, deep, func(x spool.Folder) error {
		// Whether a file that was just made counts as marked depends on the clock's grain.
		return f(session.Folder{Name: x.Name, Dir: x.Dir, HasChildren: x.HasChildren, Marked: x.Marked && h.marks})
	}))
}

func (h *host) Has(name string) bool {
	_, err := h.tree.Stat(name)
	return err == nil
}

func (h *host) Raw(name string) (io.ReadCloser, error) {
	path, err := h.tree.Path(name)
	if err != nil {
		return nil, storeError(err)
	}
	return h.box(path).Raw()
}

func (h *host) Create(_ context.Context, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	content := mboxstore.AppendPseudo(nil, mboxstore.Base{UIDValidity: h.made}, "example.org", time.Unix(1e9, 0), true)
	return storeError(h.tree.Create(name, content))
}

func (h *host) Delete(_ context.Context, name string) error {
	path, err := h.tree.Path(name)
	if err != nil {
		return storeError(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut(path)
	return storeError(h.tree.Remove(name))
}

func (h *host) Rename(_ context.Context, from, to string) error {
	path, err := h.tree.Path(from)
	if err != nil {
		return storeError(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for open := range h.boxes {
		if open == path || strings.HasPrefix(open, path+"/") {
			h.shut(open)
		}
	}
	return storeError(h.tree.Rename(from, to))
}

// storeError gives the errors of the tree the names that sessions know.
func storeError(err error) error {
	for _, e := range []struct{ from, to error }{
		{spool.ErrNotFolder, session.ErrHoldsMail},
		{spool.ErrName, session.ErrBadName},
		{fs.ErrNotExist, session.ErrNoMailbox},
		{fs.ErrExist, session.ErrExists},
	} {
		if errors.Is(err, e.from) {
			return fmt.Errorf("%w: %w", e.to, err)
		}
	}
	return err
}
