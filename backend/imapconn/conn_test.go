package imapconn

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGreeting(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Greeting = func(c *Conn) { c.W().Tagged("l1", "OK", "CAPABILITY IMAP4rev1", "logged in") }
		cfg.Unread = []byte("a NOOP\r\nb NO")
	})
	s.expect("l1 OK [CAPABILITY IMAP4rev1] logged in", "a OK NOOP completed")
	s.send("OP\r\n")
	s.expect("b OK NOOP completed")
}

// Each command is sent in one piece; the answers must be exactly these.
func TestCommands(t *testing.T) {
	body := "x\r\nb CREATE smuggled\r\n"
	big := body + strings.Repeat("y", 5000-len(body))
	list := strings.Repeat("1,", 30000) + "1"
	for _, tt := range []struct {
		name, in string
		want     []string
		calls    []string
	}{
		{"own command", "a SEARCH x \"y z\" {2+}\r\nab\r\n", []string{"a OK SEARCH 3 6"}, nil},
		{"passed command", "a CREATE box\r\n", []string{"a OK CREATE completed"}, []string{"create box"}},
		{"passed with refusal", "a CREATE taken\r\nb NOOP\r\n", []string{"a NO [ALREADYEXISTS] exists {5}", "b OK NOOP completed"}, nil},
		{"passed with syntax error", "a CREATE\r\nb NOOP x\r\nc NOOP\r\n", []string{"a BAD [CLIENTBUG]…", "b BAD [CLIENTBUG]…", "c OK NOOP completed"}, nil},
		{"unknown command", "a FROB x\r\nb NOOP\r\n", []string{"a BAD Command unrecognized: FROB", "b OK NOOP completed"}, nil},
		{"UID in front of a command without it", "a UID CREATE x\r\n", []string{"a BAD Command unrecognized: UID CREATE"}, nil},
		{"wrong state", "a FETCH 1 x\r\nb CLOSE\r\n", []string{"a BAD FETCH is not valid in this state", "b BAD CLOSE is not valid in this state"}, nil},
		{"tag that imapserver does not know", "a]{ NOOP\r\na] NOOP\r\n", []string{"* BAD Invalid tag", "a] OK NOOP completed"}, nil},
		{"tag like ours", "spoold NOOP\r\n", []string{"spoold OK NOOP completed"}, nil},
		{"forwarded", "a FORWARD\r\n", []string{"a OK [ALERT] forwarded"}, []string{"create for ward"}},
		{"forwarded with two lines", "a BADFORWARD\r\nb NOOP\r\n", []string{"a NO [SERVERBUG]…", "b OK NOOP completed"}, nil},
		{"passed twice", "a PASSTWICE\r\nb NOOP\r\n", []string{"a NO [SERVERBUG]…", "b OK NOOP completed"}, nil},
		{"error", "a FAIL\r\nb NOOP\r\n", []string{"* OK whole line", "a NO [SERVERBUG] Internal server error, see log entry…", "b OK NOOP completed"}, nil},
		{"classified error", "a KNOWN\r\nb NOOP\r\n", []string{"a NO [INUSE] known error", "b OK NOOP completed"}, nil},
		{"refusal that ends the connection", "a LEAVE\r\nb NOOP\r\n", []string{"* BYE enough", "a NO enough", "end: EOF"}, nil},
		{"panic", "a PANIC\r\nb NOOP\r\n", []string{"a NO [SERVERBUG]…", "b OK NOOP completed"}, nil},
		{"no answer", "a SILENT\r\nb NOOP\r\n", []string{"a NO [SERVERBUG]…", "b OK NOOP completed"}, nil},
		{"error after the answer", "a TWICE\r\nb NOOP\r\n", []string{"a OK first", "* BYE Internal server error", "end: EOF"}, nil},

		// spec 1.2 A: what imapserver alone runs as commands
		{"A1 long non-sync literal, own", "a SEARCH SUBJECT {5000+}\r\n" + big + "\r\nc NOOP\r\n", []string{"a OK SEARCH 2 5007", "c OK NOOP completed"}, nil},
		{"A1 long non-sync literal, passed", "a CREATE {5000+}\r\n" + big + "\r\nc NOOP\r\n", []string{"a BAD Line end or NUL in argument", "c OK NOOP completed"}, nil},
		{"A1 long sync literal, passed", "a CREATE {5000}\r\n" + strings.Repeat("y", 5000) + "\r\nc NOOP\r\n", []string{"+ Ready for argument", "a OK CREATE completed", "c OK NOOP completed"}, []string{"create " + strings.Repeat("y", 5000)}},
		{"A2 unknown command with literal", "a FROB {21+}\r\nb CREATE smuggled\r\n\r\n\r\nc NOOP\r\n", []string{"a BAD Command unrecognized: FROB", "c OK NOOP completed"}, nil},
		{"A2 syntax error before a literal", "a SEARCH (x {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"a BAD…", "c OK NOOP completed"}, nil},
		{"A2 invalid tag before a literal", "+ SEARCH {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"* BAD Invalid tag", "c OK NOOP completed"}, nil},
		{"A2 wrong state before a literal", "a FETCH {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"a BAD FETCH is not valid in this state", "c OK NOOP completed"}, nil},
		{"A2 append refused before a literal", "a APPEND missing {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"a NO [TRYCREATE] no such mailbox", "c OK NOOP completed"}, nil},
		{"A2 append with bad argument before a literal", "a APPEND x (y) {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"a BAD Missing literal", "c OK NOOP completed"}, nil},
		{"A3 long line, own", "a SEARCH " + list + "\r\nb NOOP\r\n", []string{"a OK SEARCH 1 60001", "b OK NOOP completed"}, nil},
		{"A3 long line, passed", "a CREATE " + list + "\r\nb NOOP\r\n", []string{"a BAD Command line too long", "b OK NOOP completed"}, nil},
		{"A3 line above the limit", "a SEARCH " + list + list + "\r\nb NOOP\r\n", []string{"a BAD Command line too long", "b OK NOOP completed"}, nil},
		{"A4 open quote", "a CREATE \"x\r\nb NOOP\r\nc NOOP\r\n", []string{"a BAD Unterminated quoted string", "b OK NOOP completed", "c OK NOOP completed"}, nil},
		{"A5 append and junk", "a APPEND x {3+}\r\nabcjunk\r\nb NOOP\r\n", []string{"a BAD…", "b OK NOOP completed"}, nil},
		{"A5 append and a second message", "a APPEND x {3+}\r\nabc {19+}\r\nb CREATE smuggled\r\n\r\nc NOOP\r\n", []string{"a BAD…", "c OK NOOP completed"}, nil},
		{"A6 empty line", "\r\na NOOP\r\n", []string{"* BAD Null command", "a OK NOOP completed"}, nil},
		{"A6 tag only", "a\r\nb NOOP\r\n", []string{"a BAD Missing command", "b OK NOOP completed"}, nil},
		{"A7 literal shorter than announced", "a PARTED\r\nb NOOP\r\n", []string{"* 1 FETCH (BODY[] {10000000}", "end: EOF"}, nil},
		{"brace and space", "a CREATE {5} \r\nb NOOP\r\n", []string{"a BAD…", "b OK NOOP completed"}, nil},
		{"sync literal too big", "a CREATE {70000}\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", "b OK NOOP completed"}, nil},
		{"append far too big", "a APPEND x {999999999999+}\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", "* BYE Literal too large", "end: EOF"}, nil},
		{"append", "a APPEND x {3}\r\nabc\r\nb NOOP\r\n", []string{"+ Ready for literal data", "a OK appended 3", "b OK NOOP completed"}, nil},
		{"logout", "a LOGOUT\r\nb NOOP\r\n", []string{"* BYE Logging out", "a OK LOGOUT completed", "end: EOF"}, nil},
		{"logout with junk", "a LOGOUT x\r\nb NOOP\r\n", []string{"a BAD [CLIENTBUG]…", "b OK NOOP completed"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ready(t)
			s.send(tt.in)
			s.expect(tt.want...)
			for i, c := range s.toy.called() {
				if i >= len(tt.calls) || c != tt.calls[i] {
					t.Errorf("the session was called for %.80q", c)
				}
			}
		})
	}
}

func TestHangUpInLiteral(t *testing.T) {
	s := ready(t)
	s.send("a APPEND x {3}\r\n")
	s.expect("+ Ready for literal data")
	s.client.Close()
	<-s.conn.ctx.Done()
	if log := s.log.String(); strings.Contains(log, "ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

// The same by one octet at a time.
func TestByteAtATime(t *testing.T) {
	s := ready(t)
	in := "a SEARCH {3+}\r\nb N \"x y\"\r\nb CREATE box\r\n\r\nc IDLE\r\nDone\r\nd APPEND x {3+}\r\nabc\r\ne LOGOUT\r\n"
	go func() {
		for i := range len(in) {
			if _, err := io.WriteString(s.client, in[i:i+1]); err != nil {
				return
			}
		}
	}()
	s.expect("a OK SEARCH 2 6", "b OK CREATE completed", "* BAD Null command", "+ idling", "c OK IDLE completed", "d OK appended 3", "* BYE Logging out", "e OK LOGOUT completed", "end: EOF")
}

func TestPipelining(t *testing.T) {
	s := ready(t)
	var in strings.Builder
	var want []string
	for i := range 15 {
		tag := string(rune('a' + i))
		switch i % 5 {
		case 0:
			in.WriteString(tag + " NOOP\r\n")
			want = append(want, tag+" OK NOOP completed")
		case 1:
			in.WriteString(tag + " SEARCH {3+}\r\nabc\r\n")
			want = append(want, tag+" OK SEARCH 1 3")
		case 2:
			in.WriteString(tag + " FROB\r\n")
			want = append(want, tag+" BAD Command unrecognized: FROB")
		case 3:
			in.WriteString(tag + " APPEND x {10+}\r\nz NOOP\r\n\r\n\r\n")
			want = append(want, tag+" OK appended 10")
		case 4:
			in.WriteString(tag + " CREATE {1+}\r\nx\r\n")
			want = append(want, tag+" OK CREATE completed")
		}
	}
	s.send(in.String())
	s.expect(want...)
}

func TestSelect(t *testing.T) {
	s := ready(t)
	s.toy.poll = "* 4 EXISTS\r\n"
	s.send("a EXAMINE {5+}\r\ninbox\r\nb FETCH x\r\nc SELECT missing\r\nd FETCH x\r\ne SELECT x\r\nf EXPUNGE\r\ng UNSELECT\r\n")
	s.expect("* 3 EXISTS", "* 0 RECENT", "* OK [UIDVALIDITY 9] UIDs valid", "* OK [UIDNEXT 4] Predicted next UID", `* FLAGS (\Seen)`, "* OK [PERMANENTFLAGS ()] Permanent flags")
	s.expect("a OK [READ-ONLY] EXAMINE completed", "b OK FETCH 1 1")
	s.expect("* OK [CLOSED]…", "c NO no such mailbox", "d BAD FETCH is not valid in this state")
	for range 6 {
		s.line()
	}
	s.expect("e OK [READ-WRITE] SELECT completed", "* 1 EXPUNGE", "* 4 EXISTS", "f OK EXPUNGE completed", "* 4 EXISTS", "g OK UNSELECT completed")
	want := []string{"select INBOX true", "unselect", "select x false", "expunge", "unselect"}
	if diff := cmp.Diff(want, s.toy.called()); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyBad(t *testing.T) {
	s := ready(t)
	s.send(strings.Repeat("x FROB\r\n", 19) + "y NOOP\r\n" + strings.Repeat("GET / HTTP/1.1\r\n", 30))
	for range 19 {
		s.expect("x BAD…")
	}
	s.expect("y OK NOOP completed")
	for range 20 {
		s.expect("GET BAD…")
	}
	s.expect("* BYE Too many invalid commands", "end: EOF")
}

// A session's method that panics inside imapserver ends its connection and no
// other.
func TestSessionPanic(t *testing.T) {
	other, s := ready(t), ready(t)
	s.send("a CREATE panic\r\n")
	s.expect("end: EOF")
	other.send("a NOOP\r\n")
	other.expect("a OK NOOP completed")
}

func TestPanicIsLogged(t *testing.T) {
	s := ready(t)
	s.send("a PANIC\r\n")
	answer := s.line()
	id := answer[strings.LastIndexByte(answer, ' ')+1:]
	if log := s.log.String(); !strings.Contains(log, id) || !strings.Contains(log, "handler panic") || !strings.Contains(log, "toy_test.go") {
		t.Errorf("answer %q, log:\n%s", answer, log)
	}
}

// If imapserver reads on before it has answered, it has lost its place.
func TestDesync(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	log := &logBuffer{}
	c := New(theirs, Config{Table: Table{"NOOP": {}}, Log: newLog(log)})
	defer c.Close()
	go func() { _, _ = io.WriteString(ours, "a NOOP\r\nb CREATE x\r\n") }()
	got := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(ours, 29))
		got <- string(b)
	}()
	p := make([]byte, 5)
	var line strings.Builder
	for range 3 {
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		line.WriteString(string(p[:n]))
	}
	if line.String() != "spoold NOOP\r\n" {
		t.Errorf("imapserver got %q", line.String())
	}
	for range 2 {
		if n, err := c.Read(p); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if b := <-got; b != "* BYE Internal server error\r\n" {
		t.Errorf("client got %q", b)
	}
	if !strings.Contains(log.String(), "out of step") {
		t.Errorf("log:\n%s", log)
	}
}

// imapserver that was not told PreAuth, or could not make a session.
func TestGreetingRefused(t *testing.T) {
	for in, want := range map[string]string{
		"* OK [CAPABILITY IMAP4rev1] IMAP server ready\r\n": "* BYE Internal server error\r\n",
		"* BYE [UNAVAILABLE] no mail today\r\n":             "* BYE [UNAVAILABLE] no mail today\r\n",
		"* NO [SERVERBUG] Internal server error\r\n":        "* BYE [SERVERBUG] Internal server error\r\n",
	} {
		ours, theirs := net.Pipe()
		c := New(theirs, Config{Log: newLog(&logBuffer{})})
		got := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(ours)
			got <- string(b)
		}()
		if _, err := c.Write([]byte(in)); err != nil {
			t.Error(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("got %d, %v", n, err)
		}
		c.Close()
		if got := <-got; got != want {
			t.Errorf("client got %q, want %q", got, want)
		}
	}
}

// Output with literals in it, in pieces of every size: only the completion is
// edited, and never inside of a literal.
func TestOutputFilter(t *testing.T) {
	in := "* PREAUTH x\r\n* LIST () {17}\r\nspoold OK [X] y\r\n\r\n* NO text {5}\r\nspoold OK [X] y\r\n* 1 EXISTS\r\nspoold OK late\r\n"
	want := "* PREAUTH hi\r\n* LIST () {17}\r\nspoold OK [X] y\r\n\r\n* NO text {5}\r\na OK [Z] y!\r\n* 1 EXISTS\r\nspoold OK late\r\n"
	for size := 1; size <= len(in); size++ {
		ours, theirs := net.Pipe()
		c := New(theirs, Config{Greeting: func(c *Conn) { c.W().Untagged("PREAUTH", "", "hi") }})
		c.flight = flight{open: true, tag: "a", decorate: func(typ, code, text string) (string, string, string) {
			return typ, strings.Replace(code, "X", "Z", 1), text + "!"
		}}
		got := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(ours)
			got <- string(b)
		}()
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if _, err := c.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}

func TestStreamed(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Streamed = []string{"REPLACE"}
		cfg.Table["REPLACE"] = Entry{Run: appendTo}
	})
	s.expect("* PREAUTH…")
	s.send("a REPLACE x {3+}\r\nabc\r\nb APPEND x {3+}\r\nabc\r\n")
	s.expect("a OK appended 3", "b BAD Missing literal")
}

// Set*Deadline from imapserver must not disturb ours.
func TestDeadlinesAreOurs(t *testing.T) {
	s := ready(t)
	past := time.Now().Add(-time.Hour)
	if err := errors.Join(s.conn.SetDeadline(past), s.conn.SetReadDeadline(past), s.conn.SetWriteDeadline(past)); err != nil {
		t.Fatal(err)
	}
	s.send("a NOOP\r\n")
	s.expect("a OK NOOP completed")
}
