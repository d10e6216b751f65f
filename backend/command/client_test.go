package command_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/google/go-cmp/cmp"

	"spoold/backend/command"
	"spoold/backend/imapconn"
	"spoold/backend/session"
	"spoold/backend/wire/strict"
)

// client is the other end of a session: it sends lines and compares answers.
type client struct {
	t         *testing.T
	conn      net.Conn
	responses chan string // whole responses, literals included; closed at the end
	tags      int
}

// connect starts a session on spoold's own connection.
func (h *host) connect() *client {
	h.t.Helper()
	c := &client{t: h.t, responses: make(chan string, 1000)}
	ended := make(chan struct{})
	h.t.Cleanup(func() { <-ended })
	c.conn = h.dial()
	go func() {
		defer close(ended)
		c.readAll()
	}()
	c.next("* PREAUTH ...")
	return c
}

// ending is a session that tells when it has ended: then it writes nothing more.
type ending struct {
	*session.Session
	ended chan struct{}
}

func (e ending) Close() error {
	defer close(e.ended)
	return e.Session.Close()
}

// dial starts a session and gives the client's end, on which nothing has been read.
func (h *host) dial() net.Conn {
	h.t.Helper()
	cfg := h.config
	cfg.User, cfg.Hostname, cfg.Store, cfg.Subscriptions = "chris", "example.org", h, h.subs
	cfg.Annotations = h.notes
	cfg.Log = slog.New(slog.NewTextHandler(h.t.Output(), nil))
	s := session.New(cfg)
	near, far := net.Pipe()
	ended := make(chan struct{})
	conn := imapconn.New(far, imapconn.Config{Table: command.Table(s), Log: cfg.Log})
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return ending{s, ended}, &imapserver.GreetingData{PreAuth: true}, nil
		},
		Logger: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	})
	ln := &oneConn{conn: conn, closed: make(chan struct{})}
	go func() {
		if err := server.Serve(ln); err != nil {
			h.t.Errorf("serve: %v", err)
		}
	}()
	h.t.Cleanup(func() {
		_ = near.Close() // a net.Pipe cannot fail to close
		_ = server.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			h.t.Error("a session has not ended")
		}
	})
	return strict.Watch(near, func(err error) { h.t.Errorf("the server sent what no client has to take: %v", err) })
}

// oneConn is a listener for one connection.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
	shut   sync.Once
}

func (l *oneConn) Accept() (c net.Conn, err error) {
	l.once.Do(func() { c = l.conn })
	if c == nil {
		<-l.closed
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *oneConn) Close() error   { l.shut.Do(func() { close(l.closed) }); return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

var literalEnd = regexp.MustCompile(`\{(\d+)\}$`)

func (c *client) readAll() {
	defer close(c.responses)
	br := bufio.NewReader(c.conn)
	for {
		var response strings.Builder
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(line, "\r\n")
			response.WriteString(line)
			m := literalEnd.FindStringSubmatch(line)
			if m == nil {
				break
			}
			n, _ := strconv.Atoi(m[1]) // the pattern has only digits
			response.WriteString("\r\n")
			if _, err := io.CopyN(&response, br, int64(n)); err != nil {
				return
			}
		}
		c.responses <- response.String()
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("send %.60q: %v", text, err)
	}
}

// receive waits for the next response.
func (c *client) receive() string {
	c.t.Helper()
	select {
	case r, ok := <-c.responses:
		if !ok {
			return "(connection closed)"
		}
		return r
	case <-time.After(10 * time.Second):
		c.t.Fatal("no response within 10 s")
		return ""
	}
}

// matches compares a response with what is wanted, which may end in "..." or hold "<n>" for any number.
func matches(want, got string) bool {
	if p, ok := strings.CutSuffix(want, "..."); ok {
		return strings.HasPrefix(got, p)
	}
	if strings.Contains(want, "<n>") {
		p := strings.ReplaceAll(regexp.QuoteMeta(want), "<n>", `\d+`)
		return regexp.MustCompile("^(?s:" + p + ")$").MatchString(got)
	}
	return want == got
}

// next demands that this is the next response.
func (c *client) next(want string) {
	c.t.Helper()
	if got := c.receive(); !matches(want, got) {
		c.t.Fatalf("want %q\n got %q", want, got)
	}
}

// do sends a command and returns its untagged responses and the completion without its tag.
func (c *client) do(cmd string) (untagged []string, completion string) {
	c.t.Helper()
	c.tags++
	tag := fmt.Sprintf("a%d", c.tags)
	c.send(tag + " " + cmd + "\r\n")
	return c.until(tag)
}

func (c *client) until(tag string) (untagged []string, completion string) {
	c.t.Helper()
	for {
		r := c.receive()
		if rest, ok := strings.CutPrefix(r, tag+" "); ok {
			return untagged, rest
		}
		untagged = append(untagged, r)
		if r == "(connection closed)" {
			return untagged, r
		}
	}
}

// run sends a command and compares all of the answer: the last of want is the beginning of the completion, the others
// are the untagged responses in order.
func (c *client) run(cmd string, want ...string) {
	c.t.Helper()
	untagged, completion := c.do(cmd)
	c.compare(cmd, want[:len(want)-1], untagged)
	if !strings.HasPrefix(completion, want[len(want)-1]) {
		c.t.Errorf("%.200s:\nwant %q\n got %q", cmd, want[len(want)-1], completion)
	}
}

func (c *client) compare(cmd string, want, got []string) {
	c.t.Helper()
	if len(want) == len(got) {
		same := true
		for i := range want {
			same = same && matches(want[i], got[i])
		}
		if same {
			return
		}
	}
	c.t.Errorf("%.200s: untagged responses (-want +got):\n%s", cmd, cmp.Diff(want, got))
}

// ok sends a command that must succeed and returns its untagged responses.
func (c *client) ok(cmd string) []string {
	c.t.Helper()
	untagged, completion := c.do(cmd)
	if !strings.HasPrefix(completion, "OK ") {
		c.t.Fatalf("%.200s: %s", cmd, completion)
	}
	return untagged
}

// has demands that one of the responses matches.
func (c *client) has(responses []string, want string) {
	c.t.Helper()
	for _, r := range responses {
		if matches(want, r) {
			return
		}
	}
	c.t.Errorf("no %q in\n%s", want, strings.Join(responses, "\n"))
}

// append sends an APPEND with a synchronising literal.
func (c *client) append(args, message string) (untagged []string, completion string) {
	c.t.Helper()
	c.tags++
	tag := fmt.Sprintf("a%d", c.tags)
	c.send(fmt.Sprintf("%s APPEND %s {%d}\r\n", tag, args, len(message)))
	if r := c.receive(); !strings.HasPrefix(r, "+ ") {
		return nil, strings.TrimPrefix(r, tag+" ")
	}
	c.send(message + "\r\n")
	return c.until(tag)
}

// nextTag is the tag of the next command that do, run or ok will send.
func (c *client) nextTag() string { return fmt.Sprintf("a%d", c.tags+1) }
