package imapconn

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/google/go-cmp/cmp"

	"spoold/backend/wire"
)

// These tests state what this package relies on in imapserver v2.0.0-beta.8.
// If one fails after an upgrade, the layer has to be thought over.

// spy is a connection that gives imapserver one line per Read, in pieces of at
// most size octets, and notes the order of events: "R" for a Read at the
// boundary of a line, and the text of each Write.
type spy struct {
	lines  []string
	size   int
	rest   string
	events []string
	closed chan struct{}
}

func (s *spy) Read(p []byte) (int, error) {
	if s.rest == "" {
		s.events = append(s.events, "R")
		if len(s.lines) == 0 {
			return 0, io.EOF
		}
		s.rest, s.lines = s.lines[0], s.lines[1:]
	}
	n := copy(p, s.rest[:min(s.size, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func (s *spy) Write(p []byte) (int, error) {
	s.events = append(s.events, string(p))
	return len(p), nil
}

func (s *spy) Close() error {
	close(s.closed)
	return nil
}

func (s *spy) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (s *spy) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (s *spy) SetDeadline(time.Time) error      { return nil }
func (s *spy) SetReadDeadline(time.Time) error  { return nil }
func (s *spy) SetWriteDeadline(time.Time) error { return nil }

// spied runs imapserver over the lines and returns the events.
func spied(t *testing.T, size int, lines ...string) ([]string, *toy) {
	t.Helper()
	s := &spy{lines: lines, size: size, closed: make(chan struct{})}
	sess := &toy{}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return sess, &imapserver.GreetingData{PreAuth: true}, nil
		},
		Logger: &logBuffer{},
	})
	ln := &once{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conn <- s
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	<-s.closed
	ln.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	return s.events, sess
}

func TestContractGreeting(t *testing.T) {
	events, _ := spied(t, 1<<20)
	if len(events) != 2 || !strings.HasPrefix(events[0], "* PREAUTH ") || strings.Count(events[0], "\n") != 1 || events[1] != "R" {
		t.Errorf("one greeting, then a read, but: %q", events)
	}
}

// Read is called at boundaries only, the tagged answer is out before, and the
// answers come in order, whether a line comes at once or in pieces.
func TestContractLockstep(t *testing.T) {
	box := strings.Repeat("x", 47<<10)
	commands := []string{
		"NOOP", "CREATE x", `CREATE "a\"b\\c"`, "CREATE " + box, "DELETE x", "RENAME x y", "SUBSCRIBE x", "UNSUBSCRIBE x",
		"CREATE taken", "CREATE", "NOOP junk", "FROB", "CREATE (", `CREATE "R&D"`, "CLOSE", "EXPUNGE", "SELECT missing", "SELECT",
		"EXAMINE INBOX", "SELECT INBOX", "EXPUNGE", "UID EXPUNGE 1:*", "UNSELECT", "SELECT x", "CLOSE", "LOGOUT junk", "LOGOUT",
	}
	var lines, tags []string
	for i, c := range commands {
		tags = append(tags, "t"+string(rune('A'+i)))
		lines = append(lines, tags[i]+" "+c+"\r\n")
	}
	for _, size := range []int{1 << 20, 100, 1} {
		events, _ := spied(t, size, lines...)
		i := 0
		for n, e := range events {
			if e != "R" || n < 2 {
				continue
			}
			i++
			if i <= len(tags) && !strings.HasPrefix(events[n-1], tags[i-1]+" ") || !strings.HasSuffix(events[n-1], "\r\n") {
				t.Errorf("in pieces of %d: before the read behind %.40q came %.80q", size, commands[i-1], events[n-1])
			}
		}
		if last := events[len(events)-1]; last != "t"+string(rune('A'+len(commands)-1))+" OK LOGOUT completed\r\n" {
			t.Errorf("in pieces of %d: behind LOGOUT came %q, and it should have closed", size, last)
		}
		if i != len(commands)-1 {
			t.Errorf("in pieces of %d: %d boundaries for %d commands", size, i, len(commands))
		}
	}
}

// After an error from Read, Read is called again: ours must fail again.
func TestContractReadAfterError(t *testing.T) {
	events, _ := spied(t, 1<<20, "a NOOP\r\n")
	if got := strings.Count(strings.Join(events, ""), "R"); got < 2 {
		t.Errorf("%d reads: %q", got, events)
	}
}

// imapserver hands modified UTF-7 names on decoded, as wire decodes them, and
// refuses what wire does not call canonical.
func TestContractMailboxNames(t *testing.T) {
	for _, name := range []string{"plain", "R&-D", "&U,BTFw-/&ZeVnLIqe-", "x&2D3eAA-y", "R&D", "a&AGE-b", "Entw\xfcrfe", "&APw-&APw-"} {
		t.Run(name, func(t *testing.T) {
			var quoted bytes.Buffer
			quoted.WriteString(`a CREATE "` + name + "\"\r\n")
			_, sess := spied(t, 1<<20, quoted.String())
			var want []string
			if wire.CanonicalMUTF7(name) {
				text, err := wire.DecodeMUTF7(name)
				if err != nil {
					t.Fatal(err)
				}
				want = []string{"create " + text}
			}
			if diff := cmp.Diff(want, sess.called()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// imapserver takes "{5} CRLF" for a literal, which is why Flatten refuses it.
func TestContractLooseLiteral(t *testing.T) {
	events, _ := spied(t, 1<<20, "a CREATE {5} \r\n", "abcde\r\n")
	if !strings.Contains(strings.Join(events, ""), "+ ") {
		t.Errorf("no prompt: %q", events)
	}
}
