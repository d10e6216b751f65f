package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoold/backend/privsep"
	"spoold/backend/wire/strict"
	"spoold/spool"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mail = "From gerda@example.org Mon Nov  2 08:14:06 2026 +0100\nSubject: one\n\nHello\n\n" +
	"From gerda@example.org Tue Nov  3 08:14:06 2026 +0100\nSubject: two\n\nHello again\n\n"

// user makes a user's mail on disk and the configuration for it.
func user(t testing.TB) Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "home", "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := Config{
		User: "alice", UID: uint32(os.Getuid()), Home: filepath.Join(dir, "home"), Hostname: "mail.example.org",
		Inbox: filepath.Join(dir, "inbox"), Root: filepath.Join(dir, "home", "mail"), State: filepath.Join(dir, "state"),
		LockTimeout: 5 * time.Second,
	}
	write(t, c.Inbox, mail)
	return c
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// deliver appends as a mail delivery agent does, under one of the locks.
func deliver(t testing.TB, path, message string) {
	t.Helper()
	lock := path + ".lock"
	until(t, "the mailbox stays locked", func() bool { return newFile(lock) })
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(message)
	if err := errors.Join(err, f.Close(), os.Remove(lock)); err != nil {
		t.Fatal(err)
	}
}

func newFile(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return err == nil && f.Close() == nil
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func testLog(t testing.TB) *slog.Logger {
	b := &buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.String())
		}
	})
	return logTo(b)
}

// open makes a Worker that is closed with the test.
func open(t testing.TB, c Config) *Worker {
	t.Helper()
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		t.Fatal(err)
	}
	state, err := spool.OpenDir(c.State)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(c, Options{State: state, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeWorker(t, w) })
	return w
}

func closeWorker(t testing.TB, w *Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil && !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

// client is the other end of a session.
type client struct {
	t  testing.TB
	nc *strict.Conn
	r  *bufio.Reader
	n  int
}

// newClient talks on a connection that begins with the answer to the command that had tag, or with the greeting.
func newClient(t testing.TB, conn net.Conn, tag string) *client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	nc := strict.Watch(conn, func(err error) { t.Errorf("the server sent what no client has to take: %v", err) })
	if tag != "" {
		nc.Resume(tag)
	}
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, nc: nc, r: bufio.NewReader(nc)}
}

// begin begins a session of w.
func begin(t testing.TB, w *Worker, l privsep.Login) *client {
	t.Helper()
	near, file := socketpair(t)
	far, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); w.Serve(far, l) }()
	t.Cleanup(func() { near.Close(); <-done })
	c := newClient(t, near, l.Tag)
	c.nc.Sent(l.Unread)
	return c
}

// preauth begins a session and reads its greeting.
func preauth(t testing.TB, w *Worker) *client {
	t.Helper()
	c := begin(t, w, privsep.Login{Remote: "test"})
	c.line("* PREAUTH ")
	return c
}

// line reads a line, which must begin with prefix.
func (c *client) line(prefix string) string {
	c.t.Helper()
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q expected: %v", prefix, err)
	}
	if !strings.HasPrefix(s, prefix) {
		c.t.Fatalf("got %q, want %q", s, prefix)
	}
	return s
}

// do sends a command and returns all lines up to its completion, which must be typ.
func (c *client) do(typ, format string, args ...any) string {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("t%d", c.n)
	if _, err := fmt.Fprintf(c.nc, tag+" "+format+"\r\n", args...); err != nil {
		c.t.Fatal(err)
	}
	var all strings.Builder
	for {
		s := c.line("")
		all.WriteString(s)
		if strings.HasPrefix(s, tag+" ") {
			if !strings.HasPrefix(s, tag+" "+typ) {
				c.t.Fatalf(format+": %s", append(args, all.String())...)
			}
			return all.String()
		}
	}
}

// bye waits for the untagged BYE and the end.
func (c *client) bye() string {
	c.t.Helper()
	for {
		s := c.line("* ")
		if strings.HasPrefix(s, "* BYE ") {
			if _, err := c.r.ReadByte(); err == nil {
				c.t.Error("connection goes on after BYE")
			}
			return s
		}
	}
}

func want(t testing.TB, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q is not in:\n%s", part, text)
	}
}

func TestAnswersTheLogin(t *testing.T) {
	w := open(t, user(t))
	c := begin(t, w, privsep.Login{Tag: "x7", Remote: "[192.0.2.1]", Unread: []byte("x8 SELECT INBOX\r\nx9 NO")})
	ok := c.line("x7 OK [CAPABILITY IMAP4rev1 ")
	want(t, ok, "] User alice authenticated\r\n")
	for s := ""; !strings.HasPrefix(s, "x8 OK"); {
		s = c.line("")
	}
	if _, err := c.nc.Write([]byte("OP\r\n")); err != nil {
		t.Fatal(err)
	}
	c.line("x9 OK")
	want(t, c.do("OK", "LOGOUT"), "* BYE ")
}

func TestFolders(t *testing.T) {
	cfg := user(t)
	w := open(t, cfg)
	c := preauth(t, w)
	c.do("OK", "CREATE Sent")
	c.do("OK", "CREATE lists/spool")
	c.do("NO [ALREADYEXISTS]", "CREATE Sent")
	c.do("NO [CANNOT]", "CREATE Sent/below")
	c.do("NO [CANNOT]", "CREATE ../x")
	c.do("NO [CANNOT]", "CREATE x.lock")
	want(t, c.do("OK", `LIST "" *`), `"/" lists/spool`)
	c.do("NO", "SELECT nowhere")
	c.do("NO", "SELECT lists")
	c.do("NO", "SELECT Sent/below")
	c.do("OK", "SUBSCRIBE Sent")
	if got := read(t, filepath.Join(cfg.Home, ".mailboxlist")); !strings.Contains(got, "mail/Sent\n") {
		t.Errorf(".mailboxlist is %q", got)
	}
	c.do("OK", "RENAME lists/spool archive/old")
	c.do("OK", "DELETE Sent")
	c.do("NO [NONEXISTENT]", "DELETE Sent")
	if _, err := os.Stat(filepath.Join(cfg.Root, "archive", "old")); err != nil {
		t.Error(err)
	}
}

func TestSharedMailbox(t *testing.T) {
	w := open(t, user(t))
	a, b := preauth(t, w), preauth(t, w)
	a.do("OK", "SELECT INBOX")
	b.do("OK", "SELECT INBOX")
	a.do("OK", `STORE 1 +FLAGS (\Flagged)`)
	want(t, b.do("OK", "NOOP"), `\Flagged`)
	if n := len(w.table.entries); n != 1 {
		t.Errorf("%d mailboxes open, want 1", n)
	}
}

// TestDelivery: an idling session hears of mail that another program appended.
func TestDelivery(t *testing.T) {
	cfg := user(t)
	c := preauth(t, open(t, cfg))
	c.do("OK", "SELECT INBOX")
	if _, err := c.nc.Write([]byte("i IDLE\r\n")); err != nil {
		t.Fatal(err)
	}
	c.line("+ ")
	time.Sleep(2 * watchDelay) // the watch begins late; only then is inotify what tells
	deliver(t, cfg.Inbox, strings.ReplaceAll(mail, "Subject: ", "Subject: more "))
	for s := ""; !strings.HasPrefix(s, "* 4 EXISTS"); {
		s = c.line("* ")
	}
	if _, err := c.nc.Write([]byte("DONE\r\n")); err != nil {
		t.Fatal(err)
	}
	for s := ""; !strings.HasPrefix(s, "i OK"); {
		s = c.line("")
	}
}

func TestDeleteAndRenameOfSelected(t *testing.T) {
	cfg := user(t)
	w := open(t, cfg)
	for name, tt := range map[string]struct{ mailbox, command, text string }{
		"delete":           {"one", "DELETE one", "* BYE The mailbox is being deleted by another session\r\n"},
		"rename":           {"two", "RENAME two new", "* BYE The mailbox is being renamed by another session\r\n"},
		"rename of parent": {"dir/three", "RENAME dir dir2", "* BYE The mailbox is being renamed by another session\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := preauth(t, w), preauth(t, w)
			a.do("OK", "CREATE %s", tt.mailbox)
			a.do("OK", "SELECT %s", tt.mailbox)
			b.do("OK", "%s", tt.command)
			if got := a.bye(); got != tt.text {
				t.Errorf("got %q", got)
			}
		})
	}
	c := preauth(t, w)
	c.do("OK", "CREATE mine")
	c.do("OK", "SELECT mine")
	c.do("NO [INUSE]", "DELETE mine")
	c.do("OK", "UNSELECT")
	c.do("OK", "DELETE mine")
}

// TestUIDValidityRises: a folder that comes back under its old name has a higher one.
func TestUIDValidityRises(t *testing.T) {
	cfg := user(t)
	last := 0
	for range 2 {
		w := open(t, cfg)
		c := preauth(t, w)
		for range 3 {
			c.do("OK", "CREATE again")
			var v int
			text := c.do("OK", "STATUS again (UIDVALIDITY)")
			if _, err := fmt.Sscanf(text, "* STATUS again (UIDVALIDITY %d)", &v); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if v <= last {
				t.Errorf("UIDVALIDITY %d after %d", v, last)
			}
			last = v
			c.do("OK", "DELETE again")
		}
		c.do("OK", "LOGOUT")
		closeWorker(t, w)
	}
}

func TestStopFlushes(t *testing.T) {
	cfg := user(t)
	w := open(t, cfg)
	c := preauth(t, w)
	c.do("OK", "SELECT INBOX")
	c.do("OK", `STORE 2 +FLAGS.SILENT (\Flagged)`)
	closeWorker(t, w)
	if got := c.bye(); got != "* BYE Server shutting down\r\n" {
		t.Errorf("got %q", got)
	}
	want(t, read(t, cfg.Inbox), "X-Status: F")
	late := begin(t, w, privsep.Login{Tag: "a", Remote: "test"})
	late.line("a NO [UNAVAILABLE] ")
	late.bye()
}

func TestTooManySessions(t *testing.T) {
	cfg := user(t)
	cfg.MaxSessions = 1
	w := open(t, cfg)
	preauth(t, w)
	begin(t, w, privsep.Login{Remote: "test"}).line("* BYE [UNAVAILABLE] ")
}

func TestMissingInbox(t *testing.T) {
	cfg := user(t)
	if err := os.Remove(cfg.Inbox); err != nil {
		t.Fatal(err)
	}
	c := preauth(t, open(t, cfg))
	want(t, c.do("OK", "SELECT INBOX"), "* 0 EXISTS")
	want(t, c.do("OK", "STATUS INBOX (MESSAGES)"), "(MESSAGES 0)")
}

func TestReadOnlyServer(t *testing.T) {
	cfg := user(t)
	cfg.ReadOnly = true
	w := open(t, cfg)
	c := preauth(t, w)
	want(t, c.do("OK", "SELECT INBOX"), "[READ-ONLY]")
	c.do("OK", "FETCH 1:* (BODY[])")
	c.do("NO", "CREATE x")
	c.do("OK", "LOGOUT")
	closeWorker(t, w)
	if got := read(t, cfg.Inbox); got != mail {
		t.Errorf("inbox changed to %q", got)
	}
}

// asked is a Supervisor that counts what it is asked for and does it.
type asked struct {
	inbox                  string
	locked, unlocked, made int
}

func (a *asked) Lock(context.Context) error   { a.locked++; return nil }
func (a *asked) Unlock(context.Context) error { a.unlocked++; return nil }

func (a *asked) Create(context.Context) error {
	a.made++
	return os.WriteFile(a.inbox, nil, 0o600)
}

func TestAsksSupervisor(t *testing.T) {
	cfg := user(t)
	a := &asked{inbox: cfg.Inbox}
	w := &Worker{cfg: cfg, o: Options{Supervisor: a}, log: testLog(t)}
	l := locker{a}
	if err := errors.Join(l.Make(cfg.Inbox), l.Remove(cfg.Inbox)); err != nil || a.locked != 1 || a.unlocked != 1 {
		t.Errorf("%v, asked %+v", err, a)
	}
	if b := w.box(filepath.Join(cfg.Root, "Sent")); b.create != nil {
		t.Error("the supervisor is to make a folder")
	}
	// Where the user may not create, the supervisor is asked.
	b := w.box(cfg.Inbox)
	if err := os.Remove(cfg.Inbox); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		t.Skip("needs an ordinary user: root may create files everywhere")
	}
	if err := os.Chmod(filepath.Dir(cfg.Inbox), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Dir(cfg.Inbox), 0o700)
	a.inbox = "" // it fails
	if _, err := b.NewFile(0o600); !errors.Is(err, fs.ErrPermission) || a.made != 1 {
		t.Errorf("%v, asked %+v", err, a)
	}
}

func TestPrefix(t *testing.T) {
	for _, tt := range []struct{ home, root, want string }{
		{"/home/a", "/home/a/mail", "mail/"},
		{"/home/a", "/home/a/x/y/", "x/y/"},
		{"/home/a", "/home/a", ""},
		{"/home/a", "/srv/mail/a", ""},
		{"/home/a", "/home", ""},
		{"", "/x", ""},
	} {
		if got := (Config{Home: tt.home, Root: tt.root}).prefix(); got != tt.want {
			t.Errorf("root %s of home %s: %q, want %q", tt.root, tt.home, got, tt.want)
		}
	}
}
