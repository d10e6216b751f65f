package imapconn

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"go.uber.org/goleak"

	"spoold/backend/wire"
	"spoold/backend/wire/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a session that notes what it was called for. Methods that are not
// here are never reached.
type toy struct {
	imapserver.Session
	conn *Conn

	mu    sync.Mutex
	calls []string
	poll  string // raw text that Poll writes
}

func (s *toy) note(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
	return nil
}

func (s *toy) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

func (s *toy) Close() error                  { return nil }
func (s *toy) Delete(name string) error      { return s.note("delete %s", name) }
func (s *toy) Subscribe(name string) error   { return s.note("subscribe %s", name) }
func (s *toy) Unselect() error               { return s.note("unselect") }
func (s *toy) Unsubscribe(name string) error { return s.note("unsubscribe %s", name) }

func (s *toy) Create(name string, _ *imap.CreateOptions) error {
	switch name {
	case "panic":
		panic("toy panic")
	case "taken":
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAlreadyExists, Text: "exists {5}"}
	}
	return s.note("create %s", name)
}

func (s *toy) Rename(from, to string, _ *imap.RenameOptions) error {
	return s.note("rename %s %s", from, to)
}

func (s *toy) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	if name == "missing" {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "no such mailbox"}
	}
	return &imap.SelectData{NumMessages: 3, UIDNext: 4, UIDValidity: 9, Flags: []imap.Flag{imap.FlagSeen}}, s.note("select %s %v", name, o.ReadOnly)
}

func (s *toy) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	return errors.Join(s.note("expunge"), w.WriteExpunge(1))
}

func (s *toy) Poll(*imapserver.UpdateWriter, bool) error {
	if s.poll != "" {
		s.conn.W().Raw(s.poll)
	}
	return nil
}

func selectAs(code string) Handler {
	return func(_ context.Context, c *Conn, cmd *wire.Command) error {
		return c.Pass(cmd, func(typ, was, text string) (string, string, string) {
			if typ != "OK" {
				c.SetState(Authenticated)
				return typ, was, text
			}
			c.SetState(Selected)
			return typ, code, text
		})
	}
}

// echo answers with the parsed strings of the command.
func echo(_ context.Context, c *Conn, cmd *wire.Command) error {
	var args []string
	for !cmd.Args.AtEnd() {
		if err := cmd.Args.SP(); err != nil {
			return err
		}
		b, err := cmd.Args.AString()
		if err != nil {
			return err
		}
		args = append(args, string(b))
	}
	c.OK(cmd, "", fmt.Sprintf("%s %d %d", fullName(cmd), len(args), len(strings.Join(args, ""))))
	return nil
}

func appendTo(_ context.Context, c *Conn, cmd *wire.Command) error {
	if err := cmd.Args.SP(); err != nil {
		return err
	}
	name, err := cmd.Args.Mailbox()
	if err != nil {
		return err
	}
	if name == "missing" {
		return &Refusal{Code: "TRYCREATE", Text: "no such mailbox"}
	}
	if err := cmd.Args.SP(); err != nil {
		return err
	}
	lit, err := cmd.Literal()
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, lit)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if err := errors.Join(cmd.More(), cmd.Args.End()); err != nil {
		return cmd.Args.End()
	}
	c.OK(cmd, "", fmt.Sprintf("appended %d", n))
	return nil
}

// idler is the IDLE command of RFC 9051 section 6.3.13.
func idler(wake <-chan struct{}) Handler {
	return func(ctx context.Context, c *Conn, cmd *wire.Command) error {
		c.W().Continue("idling")
		line, err := c.Await(ctx, wake, func() error {
			c.W().Raw("* 4 EXISTS")
			c.W().CRLF()
			return nil
		})
		if err != nil {
			return err
		}
		if !strings.EqualFold(line, "DONE") {
			return &wire.SyntaxError{Text: "Bogus IDLE continuation"}
		}
		c.OK(cmd, "", "IDLE completed")
		return nil
	}
}

func toyTable(wake <-chan struct{}) Table {
	both := Authenticated | Selected
	t := Table{
		"CLOSE": {States: Selected}, "UNSELECT": {States: Selected}, "EXPUNGE": {States: Selected},
		"SELECT":  {States: both, Run: selectAs("READ-WRITE")},
		"EXAMINE": {States: both, Run: selectAs("READ-ONLY")},
		"FETCH":   {States: Selected, Run: echo},
		"SEARCH":  {States: both, Run: echo},
		"APPEND":  {States: both, Run: appendTo},
		"IDLE":    {States: both, Run: idler(wake)},
		"PANIC": {Run: func(_ context.Context, c *Conn, _ *wire.Command) error {
			c.W().Raw("* 1 FETCH (BODY[] ")
			panic("handler panic")
		}},
		"PARTED": {Run: func(_ context.Context, c *Conn, _ *wire.Command) error {
			c.W().Raw("* 1 FETCH (BODY[] {10000000}\r\n")
			c.W().Bytes(make([]byte, 50000))
			return errors.New("mailbox vanished")
		}},
		"FAIL": {Run: func(_ context.Context, c *Conn, _ *wire.Command) error {
			c.W().Untagged("OK", "", "whole line")
			c.W().Raw("* 1 FETCH (")
			return errors.New("disk on fire")
		}},
		"KNOWN":  {Run: func(context.Context, *Conn, *wire.Command) error { return io.ErrNoProgress }},
		"LEAVE":  {Run: func(context.Context, *Conn, *wire.Command) error { return &Refusal{Text: "enough", Bye: true} }},
		"SILENT": {Run: func(context.Context, *Conn, *wire.Command) error { return nil }},
		"TWICE": {Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			c.OK(cmd, "", "first")
			return errors.New("second thoughts")
		}},
		"FORWARD": {Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			return c.PassLine(cmd.Tag, `CREATE "for ward"`, func(typ, _, _ string) (string, string, string) {
				return typ, "ALERT", "forwarded"
			})
		}},
		"BADFORWARD": {Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			return c.PassLine(cmd.Tag, "CREATE x\r\nb DELETE x")
		}},
		"PASSTWICE": {Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			return errors.Join(c.PassLine(cmd.Tag, "NOOP"), c.PassLine(cmd.Tag, "NOOP"))
		}},
	}
	for _, name := range []string{"NOOP", "LOGOUT", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"} {
		t[name] = Entry{States: both}
	}
	return t
}

// server is one connection to a toy behind imapserver.
type server struct {
	t      *testing.T
	client net.Conn
	conn   *Conn
	toy    *toy
	wake   chan struct{}
	log    *logBuffer
	lines  *bufio.Reader
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) Printf(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// once is a listener for one connection.
type once struct {
	conn   chan net.Conn
	closed chan struct{}
	stop   sync.Once
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error {
	l.stop.Do(func() { close(l.closed) })
	return nil
}

func (l *once) Addr() net.Addr { return &net.UnixAddr{} }

// start serves a toy. adjust, which may be nil, changes the configuration.
func start(t *testing.T, adjust func(*Config)) *server {
	t.Helper()
	ours, theirs := net.Pipe()
	return startOn(t, ours, theirs, adjust)
}

func startOn(t *testing.T, client, peer net.Conn, adjust func(*Config)) *server {
	t.Helper()
	judged := strict.Watch(client, func(err error) { t.Errorf("the server sent what no client has to take: %v", err) })
	s := &server{t: t, client: judged, toy: &toy{}, wake: make(chan struct{}, 1), log: &logBuffer{}}
	cfg := Config{
		Table: toyTable(s.wake),
		Log:   slog.New(slog.NewTextHandler(s.log, nil)),
		Session: SessionHooks{Classify: func(err error) *Refusal {
			if errors.Is(err, io.ErrNoProgress) {
				return &Refusal{Code: "INUSE", Text: "known error"}
			}
			return nil
		}},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	if cfg.Greeting != nil {
		judged.Resume("l1")
	}
	judged.Sent(cfg.Unread)
	s.conn = New(peer, cfg)
	s.toy.conn = s.conn
	s.lines = bufio.NewReader(judged)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(ic *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			if ic.NetConn() != net.Conn(s.conn) {
				return nil, nil, errors.New("not our connection")
			}
			return s.toy, &imapserver.GreetingData{PreAuth: true}, nil
		},
		Logger: s.log,
	})
	ln := &once{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conn <- s.conn
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		<-served
		<-s.conn.ctx.Done()
	})
	return s
}

// ready starts a toy and reads the greeting.
func ready(t *testing.T) *server {
	t.Helper()
	s := start(t, nil)
	s.expect("* PREAUTH IMAP server ready")
	return s
}

// send writes without waiting for what the server does with it.
func (s *server) send(text string) {
	s.t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(s.client, text) // the server may well hang up
	}()
	s.t.Cleanup(func() { s.client.Close(); <-sent })
}

func (s *server) line() string {
	s.t.Helper()
	line, err := s.lines.ReadString('\n')
	if err != nil {
		return "end: " + err.Error()
	}
	return strings.TrimSuffix(line, "\r\n")
}

// expect reads one line for each of want. A "…" at the end stands for the rest.
func (s *server) expect(want ...string) {
	s.t.Helper()
	for _, w := range want {
		got := s.line()
		if prefix, cut := strings.CutSuffix(w, "…"); got != w && !(cut && strings.HasPrefix(got, prefix)) {
			s.t.Fatalf("got %q, want %q\nlog:\n%s", got, w, s.log)
		}
	}
}
