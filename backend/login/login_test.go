package login

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"spoold/backend/privsep"
	"spoold/backend/wire/strict"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote is one end of a pipe that says it comes from an address and has a descriptor.
type remote struct {
	net.Conn
	addr string
}

func (r remote) RemoteAddr() net.Addr {
	ap, err := netip.ParseAddrPort(r.addr)
	if err != nil {
		return r.Conn.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(ap)
}

func (r remote) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// handed is what Hand was called with.
type handed struct {
	ID    privsep.Identity
	Login privsep.Login
}

// host is a login server with two users: alice, whose password is "wonder land", and jü with "pä\"ss".
type host struct {
	*Server
	handed []handed
	log    bytes.Buffer
	err    error // of Hand
}

func newHost(change func(*Config)) *host {
	h := &host{}
	cfg := Config{
		Hostname: "mail.example.org", Plaintext: PlaintextLoopback,
		Check: func(_ context.Context, user, password string) (privsep.Identity, error) {
			switch user + ":" + password {
			case "alice:wonder land", "jü:pä\"ss":
				return privsep.Identity{Name: user, UID: 1000}, nil
			case "broken:x":
				return privsep.Identity{}, errors.New("no home")
			case "root:x":
				return privsep.Identity{}, privsep.ErrIdentity
			}
			return privsep.Identity{}, privsep.ErrDenied
		},
		Hand: func(id privsep.Identity, l privsep.Login, _ syscall.Conn) error {
			l.Unread = bytes.Clone(l.Unread)
			h.handed = append(h.handed, handed{id, l})
			return h.err
		},
		Log: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{ReplaceAttr: noTime})),
	}
	if change != nil {
		change(&cfg)
	}
	h.Server = NewServer(cfg)
	return h
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// talk sends input from addr, at once, and returns all that the server says until it closes or has
// nothing more to do. The time is the bubble's.
func (h *host) talk(t testing.TB, addr, input string) string {
	t.Helper()
	near, far := net.Pipe()
	out, over := make(chan string), make(chan struct{})
	go func() {
		b, _ := io.ReadAll(near)
		out <- string(b)
	}()
	go func() {
		_, _ = io.WriteString(near, input)
		select {
		case <-time.After(h.cfg.Timeout / 2): // longer than all delays
		case <-over:
		}
		near.Close()
	}()
	h.ServeConn(t.Context(), remote{far, addr})
	close(over)
	said := <-out
	judge := strict.New(func(err error) { t.Errorf("%v\nin the answer to %q", err, input) })
	judge.Sent([]byte(input))
	judge.Received([]byte(said))
	return said
}

// pipe is a connection whose near end judges what comes.
func pipe(t testing.TB) (near, far net.Conn) {
	near, far = net.Pipe()
	return strict.Watch(near, func(err error) { t.Errorf("the server sent what no client has to take: %v", err) }), far
}

const (
	local    = "127.0.0.1:5000"
	foreign  = "192.0.2.7:5000"
	greeting = "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR LOGIN-REFERRALS ID AUTH=PLAIN] mail.example.org spoold ready\r\n"
	disabled = "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR LOGIN-REFERRALS ID LOGINDISABLED] mail.example.org spoold ready\r\n"
	denied   = "NO [AUTHENTICATIONFAILED] Invalid login credentials\r\n"
)

func plain(parts ...string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

// toWorker stands for the end of a dialogue that goes on elsewhere.
const toWorker = "(handed over)"

var dialogues = []struct{ name, input, want string }{
	{"any state", "a NOOP\r\nb CAPABILITY\r\nc LOGOUT\r\nd NOOP\r\n", "a OK NOOP completed\r\n" +
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR LOGIN-REFERRALS ID AUTH=PLAIN\r\nb OK CAPABILITY completed\r\n" +
		"* BYE mail.example.org spoold is closing the connection\r\nc OK LOGOUT completed\r\n"},
	{"ID with NIL", "a ID NIL\r\n", "* ID (\"name\" \"spoold\")\r\na OK ID completed\r\n"},
	{"ID with list", "a ID (\"name\" \"x\" \"os\" NIL)\r\n", "* ID (\"name\" \"spoold\")\r\na OK ID completed\r\n"},
	{"ID with empty list", "a ID ()\r\n", "* ID (\"name\" \"spoold\")\r\na OK ID completed\r\n"},
	{"login", "a LOGIN alice \"wonder land\"\r\n", toWorker},
	{"login with literals", "a LOGIN {5+}\r\nalice {11+}\r\nwonder land\r\n", toWorker},
	{"login with literals that wait", "a LOGIN {5}\r\nalice {11}\r\nwonder land\r\n", "+ *\r\n+ *\r\n" + toWorker},
	{"8-bit name and quoted password", "a LOGIN \"jü\" \"pä\\\"ss\"\r\n", toWorker},
	{"lower case command", "a login alice \"wonder land\"\r\n", toWorker},
	{"wrong password", "a LOGIN alice x\r\n", "a " + denied},
	{"unknown user", "a LOGIN nobody x\r\n", "a " + denied},
	{"root", "a LOGIN root x\r\n", "a " + denied},
	{"name that is a path", "a LOGIN ../x x\r\n", "a " + denied},
	{"trouble", "a LOGIN broken x\r\n", "a NO [UNAVAILABLE] Login is not possible now\r\n"},
	{"plain at once", "a AUTHENTICATE PLAIN " + plain("", "alice", "wonder land") + "\r\n", toWorker},
	{"plain with prompt", "a AUTHENTICATE PLAIN\r\n" + plain("", "alice", "wonder land") + "\r\n", "+ \r\n" + toWorker},
	{"plain for oneself", "a AUTHENTICATE plain " + plain("alice", "alice", "wonder land") + "\r\n", toWorker},
	{"plain for another", "a AUTHENTICATE PLAIN " + plain("bob", "alice", "wonder land") + "\r\n", "a " + denied},
	{"plain cancelled", "a AUTHENTICATE PLAIN\r\n*\r\n", "+ \r\na BAD Authentication cancelled\r\n"},
	{"plain with bad base64", "a AUTHENTICATE PLAIN AA=A\r\n", "a BAD Invalid base64\r\n"},
	{"plain with empty response", "a AUTHENTICATE PLAIN =\r\n", "a BAD Invalid message of mechanism PLAIN\r\n"},
	{"plain without parts", "a AUTHENTICATE PLAIN " + plain("alice") + "\r\n", "a BAD Invalid message of mechanism PLAIN\r\n"},
	{"plain with too much", "a AUTHENTICATE PLAIN AA== AA==\r\n", "a BAD *\r\n"},
	{"plain with long line", "a AUTHENTICATE PLAIN\r\n" + strings.Repeat("A", 5000) + "\r\nb NOOP\r\n", "+ \r\na BAD *\r\nb OK NOOP completed\r\n"},
	{"other mechanism", "a AUTHENTICATE CRAM-MD5\r\n", "a NO [CANNOT] Mechanism not supported\r\n"},
	{"argument to NOOP", "a NOOP x\r\n", "a BAD *\r\n"},
	{"UID NOOP", "a UID NOOP\r\n", "a BAD *\r\n"},
	{"too few arguments", "a LOGIN alice\r\n", "a BAD *\r\n"},
	{"NUL in quoted", "a LOGIN \"al\x00ice\" x\r\n", "a BAD *\r\n"},
	{"parentheses", "a ID " + strings.Repeat("(", 4000) + "\r\n", "a BAD *\r\n"},
	{"long line", "a LOGIN " + strings.Repeat("x", 9000) + "\r\nb NOOP\r\n", "a BAD *\r\nb OK NOOP completed\r\n"},
	{"big literal", "a LOGIN {2000+}\r\n" + strings.Repeat("b NOOP\r\n", 250) + " x\r\nc NOOP\r\n", "a NO [TOOBIG] *\r\nc OK NOOP completed\r\n"},
	{"huge literal", "a LOGIN {4294967295+}\r\n" + strings.Repeat("b NOOP\r\n", 10000), "* BYE *\r\n"},
	{"literal that waits is too big", "a LOGIN {4294967296}\r\nb NOOP\r\n", "a NO [TOOBIG] *\r\nb OK NOOP completed\r\n"},
	{"negative literal", "a LOGIN {-1}\r\nb NOOP\r\n", "a BAD *\r\nb OK NOOP completed\r\n"},
	{"append", "a APPEND INBOX {10+}\r\nb NOOP\r\nxx\r\nc NOOP\r\n", "a BAD *\r\nc OK NOOP completed\r\n"},
	{"later command", "a SELECT INBOX\r\nb NOOP\r\n", "a BAD Command unknown, or not before login\r\nb OK NOOP completed\r\n"},
	{"no command at all", strings.Repeat("hello\r\n", 9), strings.Repeat("hello BAD *\r\n", 5) + "* BYE Too many bad commands\r\n"},
	{"form of a web page", "POST / HTTP/1.1\r\nHost: x\r\n\r\na LOGIN alice \"wonder land\"\r\n", ""},
	{"request of a browser", "GET /index.html HTTP/1.1\r\n", ""},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "* BAD *\r\n"},
}

func TestDialogue(t *testing.T) {
	for _, tt := range dialogues {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(nil)
				got, ok := strings.CutPrefix(h.talk(t, local, tt.input), greeting)
				if !ok {
					t.Errorf("no greeting in %q", got)
				}
				got += strings.Repeat(toWorker, len(h.handed))
				if diff := cmp.Diff(tt.want, like(tt.want, got)); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// like replaces the ends of got's lines by the "*" that want has there.
func like(want, got string) string {
	w := strings.SplitAfter(want, "\r\n")
	g := strings.SplitAfter(got, "\r\n")
	for i := range g {
		if i >= len(w) {
			break
		}
		head, ok := strings.CutSuffix(w[i], "*\r\n")
		if ok && strings.HasPrefix(g[i], head) && strings.HasSuffix(g[i], "\r\n") && len(g[i]) > len(w[i])-1 {
			g[i] = w[i]
		}
	}
	return strings.Join(g, "")
}

func TestHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		h.talk(t, local, "x1 AUTHENTICATE PLAIN "+plain("", "alice", "wonder land")+"\r\nx2 SELECT INBOX\r\nx3 APP")
		want := []handed{{
			privsep.Identity{Name: "alice", UID: 1000},
			privsep.Login{Tag: "x1", Remote: "[127.0.0.1]", Mechanism: "PLAIN", Unread: []byte("x2 SELECT INBOX\r\nx3 APP")},
		}}
		if diff := cmp.Diff(want, h.handed); diff != "" {
			t.Errorf("handed over (-want +got):\n%s", diff)
		}
	})
}

func TestNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		h.err = errors.New("fork: no")
		got := h.talk(t, local, "a LOGIN alice \"wonder land\"\r\n")
		if want := greeting + "a NO [UNAVAILABLE] Mail is not available now\r\n"; got != want {
			t.Errorf("got %q", got)
		}
	})
}

func TestPlaintext(t *testing.T) {
	for _, tt := range []struct {
		policy Plaintext
		from   string
		ok     bool
	}{
		{PlaintextTLS, local, false},
		{PlaintextTLS, foreign, false},
		{PlaintextLoopback, local, true},
		{PlaintextLoopback, "[::1]:99", true},
		{PlaintextLoopback, "[::ffff:127.0.0.1]:99", true},
		{PlaintextLoopback, foreign, false},
		{PlaintextLoopback, "[2001:db8::1]:99", false},
		{PlaintextLoopback, "pipe", false},
		{PlaintextAlways, foreign, true},
	} {
		t.Run(fmt.Sprintf("%s from %s", tt.policy, tt.from), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(func(c *Config) { c.Plaintext = tt.policy })
				got := h.talk(t, tt.from, "a LOGIN alice \"wonder land\"\r\nb AUTHENTICATE PLAIN\r\n")
				want := greeting
				if !tt.ok {
					want = disabled + "a NO [PRIVACYREQUIRED] Passwords are not taken without TLS\r\n" +
						"b NO [PRIVACYREQUIRED] Passwords are not taken without TLS\r\n"
				}
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if tt.ok != (len(h.handed) == 1) {
					t.Errorf("handed over: %+v", h.handed)
				}
			})
		})
	}
}

// TestFailureDelay: all failures are answered at the same time, and after three the connection ends.
func TestFailureDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(func(c *Config) {
			check := c.Check
			c.Check = func(ctx context.Context, user, password string) (privsep.Identity, error) {
				if user == "alice" {
					time.Sleep(500 * time.Millisecond) // her hash is a slow one
				}
				return check(ctx, user, password)
			}
		})
		near, far := pipe(t)
		defer near.Close()
		go h.ServeConn(t.Context(), remote{far, local})
		r := bufio.NewReader(near)
		line(t, r)
		for _, user := range []string{"alice", "nobody", "../x"} {
			begun := time.Now()
			fmt.Fprintf(near, "a LOGIN %s x\r\n", user)
			if got := line(t, r); got != "a "+denied {
				t.Errorf("%s: %q", user, got)
			}
			if d := time.Since(begun); d != 2*time.Second {
				t.Errorf("%s: answered after %v", user, d)
			}
		}
		if got := line(t, r); got != "* BYE Too many login failures\r\n" {
			t.Errorf("after three failures: %q", got)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("connection not closed: %v", err)
		}
	})
}

func line(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTimeout(t *testing.T) {
	for name, trickle := range map[string]bool{"silent": false, "a byte at a time": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(nil)
				near, far := pipe(t)
				defer near.Close()
				begun := time.Now()
				go h.ServeConn(t.Context(), remote{far, local})
				if trickle {
					go func() {
						for {
							if _, err := near.Write([]byte("a")); err != nil {
								return
							}
							time.Sleep(time.Second)
						}
					}()
				}
				out, _ := io.ReadAll(near)
				d := time.Since(begun)
				time.Sleep(2 * time.Second) // for the writer to notice
				if want := greeting + "* BYE Autologout (login took too long)\r\n"; string(out) != want {
					t.Errorf("got %q", out)
				}
				if d != 60*time.Second {
					t.Errorf("ended after %v", d)
				}
			})
		})
	}
}

// TestDeaf: a client that does not read what it is told does not stay for ever.
func TestDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		near, far := pipe(t)
		defer near.Close()
		begun := time.Now()
		h.ServeConn(t.Context(), remote{far, local})
		if d := time.Since(begun); d > 60*time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		ctx, cancel := context.WithCancel(t.Context())
		near, far := pipe(t)
		defer near.Close()
		go h.ServeConn(ctx, remote{far, local})
		r := bufio.NewReader(near)
		line(t, r)
		cancel()
		if got := line(t, r); got != "* BYE [UNAVAILABLE] Server shutting down\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestConnectionLimits(t *testing.T) {
	s := newHost(func(c *Config) { c.MaxConnections, c.MaxPerAddress = 4, 2 })
	for _, tt := range []struct {
		from string
		ok   bool
	}{
		{"192.0.2.1", true},
		{"192.0.2.1", true},
		{"192.0.2.1", false},
		{"2001:db8::1", true},
		{"2001:db8::2:1", true},
		{"2001:db8::3", false}, // one /64
		{"192.0.2.2", false},   // all together
	} {
		if got := s.enter(netip.MustParseAddr(tt.from)); got != tt.ok {
			t.Errorf("connection from %s: %v, want %v", tt.from, got, tt.ok)
		}
	}
	s.leave(netip.MustParseAddr("192.0.2.1"))
	if !s.enter(netip.MustParseAddr("192.0.2.2")) {
		t.Error("place that became free was not given")
	}
	s.leave(netip.MustParseAddr("192.0.2.2"))
	s.leave(netip.MustParseAddr("192.0.2.1"))
	s.leave(netip.MustParseAddr("2001:db8::9"))
	s.leave(netip.MustParseAddr("2001:db8::9"))
	if s.total != 0 || len(s.per) != 0 {
		t.Errorf("after all left: %d, %v", s.total, s.per)
	}
}

func TestServe(t *testing.T) {
	h := newHost(func(c *Config) { c.MaxPerAddress = 1 })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- h.Serve(ctx, ln) }()
	dial := func() *bufio.Reader {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return bufio.NewReader(strict.Watch(c, func(err error) { t.Error(err) }))
	}
	first := dial()
	if got := line(t, first); got != greeting {
		t.Errorf("first: %q", got)
	}
	if got := line(t, dial()); got != "* BYE [UNAVAILABLE] Too many connections\r\n" {
		t.Errorf("second: %q", got)
	}
	cancel()
	if got := line(t, first); got != "* BYE [UNAVAILABLE] Server shutting down\r\n" {
		t.Errorf("at the end: %q", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestLog: names are a stranger's words, and passwords are nobody's business.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		h.talk(t, local, "a LOGIN \"x host=[192.0.2.9]\" hush\r\nb AUTHENTICATE PLAIN "+plain("al\nice", "bob", "hush")+"\r\nc LOGIN alice \"wonder land\"\r\n")
		want := `level=WARN msg="Login failed" host=[127.0.0.1] user="x host=[192.0.2.9]" auth="x host=[192.0.2.9]"
level=WARN msg="Login failed" host=[127.0.0.1] user="al\nice" auth=bob
level=INFO msg=Login host=[127.0.0.1] user=alice
`
		if diff := cmp.Diff(want, h.log.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// FuzzLogin: whatever a stranger sends, every answer is a line, every tagged answer has a tag that
// he sent, what goes to the worker as unread is what he sent, and there is an end.
func FuzzLogin(f *testing.F) {
	for _, d := range dialogues {
		f.Add([]byte(d.input))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(nil)
			got := h.talk(t, local, string(input))
			for l := range strings.SplitSeq(strings.TrimSuffix(got, "\r\n"), "\r\n") {
				tag, _, ok := strings.Cut(l, " ")
				if !ok || strings.ContainsAny(l, "\r\n\x00") {
					t.Fatalf("answer %q", l)
				}
				if tag != "*" && tag != "+" && !bytes.Contains(input, []byte(tag)) {
					t.Fatalf("tag of %q was not sent", l)
				}
			}
			if len(h.handed) > 1 || len(h.handed) == 1 && !bytes.Contains(input, h.handed[0].Login.Unread) {
				t.Fatalf("handed over: %+v", h.handed)
			}
		})
	})
}

// FuzzParsePlain: what is accepted is what was encoded.
func FuzzParsePlain(f *testing.F) {
	f.Add([]byte(plain("", "a", "b")))
	f.Add([]byte(plain("z", "a", "")))
	f.Add([]byte("=="))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parsePlain(line)
		if err != nil {
			return
		}
		back := plain(a.authzid, a.user, a.password)
		if back != strings.NewReplacer("\r", "", "\n", "").Replace(string(line)) || a.user == "" {
			t.Fatalf("%q became %+v", line, a)
		}
	})
}
