package imapconn

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spoold/backend/wire"
	"spoold/backend/wire/strict"
)

// canned is a client that has sent everything already. It gives at most
// piece octets with one Read.
type canned struct {
	net.Conn
	in    *bytes.Reader
	out   bytes.Buffer
	piece int
}

func (c *canned) Read(p []byte) (int, error)       { return c.in.Read(p[:min(len(p), c.piece)]) }
func (c *canned) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// converse plays in to a Conn behind which stands the simplest imapserver, and
// returns the lines that this got and the output.
func converse(t *testing.T, in []byte, piece int) (passed []string, out string) {
	t.Helper()
	nc := &canned{in: bytes.NewReader(in), piece: piece}
	c := New(nc, Config{
		Table:  toyTable(nil),
		Limits: wire.Limits{Line: 100, Literal: 40, Literals: 3, Total: 60, Append: 80},
		Log:    slog.New(slog.DiscardHandler),
		MaxBad: 1 << 30,
	})
	defer c.Close()
	say := func(s string) {
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatal(err)
		}
	}
	say("* PREAUTH x\r\n")
	for p := make([]byte, 1<<10); ; {
		n, err := c.Read(p)
		if err != nil {
			break
		}
		line := string(p[:n])
		passed = append(passed, line)
		if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:n-2], "\r\n\x00") {
			t.Fatalf("imapserver got %q", line)
		}
		say(passTag + " OK done\r\n")
	}
	judge := strict.New(func(err error) { t.Fatalf("%v\nin the answer to %q", err, in) })
	judge.Sent(in)
	judge.Received(nc.out.Bytes())
	return passed, nc.out.String()
}

// tags are the tags of the answers in out.
func tags(out string) []string {
	var tags []string
	for line := range strings.Lines(out) {
		if tag, _, _ := strings.Cut(line, " "); tag != "+" && !strings.HasPrefix(line, "* BYE") && !strings.HasPrefix(line, "* PREAUTH") && !strings.HasPrefix(line, "* OK") {
			tags = append(tags, tag)
		}
	}
	return tags
}

// framed are the tags that the answers should have: one for each frame.
func framed(in []byte) []string {
	nc := &canned{in: bytes.NewReader(in), piece: 1 << 20}
	c := New(nc, Config{Limits: wire.Limits{Line: 100, Literal: 40, Literals: 3, Total: 60, Append: 80}})
	defer c.Close()
	var want []string
	for {
		cmd, err := c.rd.Next()
		switch e := err.(type) {
		case nil:
			want = append(want, cmd.Tag)
			if cmd.Discard() != nil {
				return want
			}
		case *wire.SyntaxError:
			if e.Tag == "" {
				e.Tag = "*"
			}
			want = append(want, e.Tag)
		default:
			return want
		}
	}
}

// FuzzConn: imapserver gets whole lines only, how the octets arrive changes
// nothing, and the answers are one for each command, in order.
func FuzzConn(f *testing.F) {
	f.Add([]byte("a NOOP\r\nb CREATE {2+}\r\nxy\r\nc SEARCH {3}\r\nabc\r\n"))
	f.Add([]byte("a CREATE {8+}\r\nb NOOP\r\n\r\nc FROB {2+}\r\nxy\r\n\r\n* x\r\nd\r\n"))
	f.Add([]byte("a APPEND x {3+}\r\nabc\r\nb APPEND missing {9+}\r\nx NOOP\r\n\r\nc NOOP\r\n"))
	f.Add([]byte("a CREATE \"{2+}\r\nab\"\r\nb CREATE {2} \r\nc LOGOUT\r\nd NOOP\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		upper := bytes.ToUpper(in)
		for _, name := range []string{"IDLE", "FAIL", "PANIC", "PARTED", "LEAVE", "SILENT", "TWICE", "FORWARD", "KNOWN", "PASSTWICE"} {
			if bytes.Contains(upper, []byte(name)) {
				return // their output is not the same twice, or not one answer each
			}
		}
		passed, out := converse(t, in, 1<<20)
		againPassed, againOut := converse(t, in, 1)
		if diff := cmp.Diff(passed, againPassed) + cmp.Diff(out, againOut); diff != "" {
			t.Fatalf("pieces change the conversation:\n%s", diff)
		}
		if bytes.Contains(upper, []byte("APPEND")) {
			return // framed does not know which of its literals the handler asks for
		}
		got, want := tags(out), framed(in)
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("answers %q to commands %q", got, want)
		}
		if len(got) < len(want)-1 && !bytes.Contains(upper, []byte("LOGOUT")) {
			t.Fatalf("answers %q to commands %q\n%s", got, want, out)
		}
	})
}
