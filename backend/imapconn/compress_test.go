package imapconn

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"spoold/backend/wire"
)

// compressing adds COMPRESS to the toy, and WAIT, which is an IDLE that fails.
func compressing(cfg *Config) {
	cfg.Table["COMPRESS"] = Entry{Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
		c.OK(cmd, "", "compressing")
		return c.Compress()
	}}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	cfg.Table["WAIT"] = Entry{Run: func(ctx context.Context, c *Conn, cmd *wire.Command) error {
		_, err := c.Await(ctx, wake, func() error { return io.ErrNoProgress })
		return err
	}}
}

// testPacker is a client's side of the compression.
type testPacker struct {
	out bytes.Buffer
	w   *flate.Writer
}

func newPacker(t *testing.T) *testPacker {
	t.Helper()
	p := &testPacker{}
	var err error
	if p.w, err = flate.NewWriter(&p.out, flate.BestCompression); err != nil {
		t.Fatal(err)
	}
	return p
}

// pack compresses text up to a flush.
func (p *testPacker) pack(text string) string {
	p.out.Reset()
	_, _ = io.WriteString(p.w, text) // into memory
	_ = p.w.Flush()
	return p.out.String()
}

// compressed starts a toy whose connection is compressed, with input that comes together with the command.
func compressed(t *testing.T, ahead string, adjust func(*Config)) (*server, *testPacker) {
	t.Helper()
	s := start(t, func(cfg *Config) {
		compressing(cfg)
		if adjust != nil {
			adjust(cfg)
		}
	})
	s.expect("* PREAUTH…")
	p := newPacker(t)
	if ahead != "" {
		ahead = p.pack(ahead)
	}
	s.send("z COMPRESS\r\n" + ahead)
	s.expect("z OK compressing")
	s.lines = bufio.NewReader(flate.NewReader(s.lines))
	return s, p
}

func TestCompress(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.send(p.pack("a NOOP\r\n"))
	s.expect("a OK NOOP completed")
	if !s.conn.Compressed() {
		t.Error("not compressed")
	}
	s.send(p.pack("b SEARCH {3}\r\n"))
	s.expect("+ Ready for argument")
	s.send(p.pack("abc\r\nc NOOP\r\n"))
	s.expect("b OK SEARCH 1 3", "c OK NOOP completed")
	big := strings.Repeat("0123456789abcdef", 1000)
	s.send(p.pack("d APPEND box {16000+}\r\n" + big + "\r\ne CREATE x\r\nf LOGOUT\r\n"))
	s.expect("d OK appended 16000", "e OK CREATE completed", "* BYE Logging out", "f OK LOGOUT completed")
	if got := s.line(); got != "end: unexpected EOF" { // as the stream has no last block
		t.Error(got)
	}
}

// What comes in one piece with the command COMPRESS is compressed.
func TestCompressPipelined(t *testing.T) {
	s, p := compressed(t, "a NOOP\r\nb CREATE {1+}\r\nx\r\nc IDLE\r\nDONE\r\nd NO", nil)
	s.expect("a OK NOOP completed", "b OK CREATE completed", "+ idling", "c OK IDLE completed")
	s.send(p.pack("OP\r\n"))
	s.expect("d OK NOOP completed")
}

// sendPieces sends one octet at a time.
func (s *server) sendPieces(octets []byte) {
	s.t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range octets {
			_, _ = s.client.Write(octets[i : i+1]) // the server may well hang up
		}
	}()
	s.t.Cleanup(func() { s.client.Close(); <-sent })
}

func TestCompressSmallPieces(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.sendPieces([]byte(p.pack("a NOOP\r\nb SEARCH {3+}\r\nabc\r\n")))
	s.expect("a OK NOOP completed", "b OK SEARCH 1 3")
	var text strings.Builder
	for range 3 { // a flush of nothing is no command
		text.WriteString(p.pack(""))
	}
	s.send(text.String() + p.pack("c NOOP\r\n"))
	s.expect("c OK NOOP completed")
}

// Every news of IDLE can be read when it comes.
func TestCompressIdle(t *testing.T) {
	s, p := compressed(t, "", nil)
	for range 2 {
		s.send(p.pack("a IDLE\r\n"))
		s.expect("+ idling")
		for range 3 {
			s.wake <- struct{}{}
			s.expect("* 4 EXISTS")
		}
		s.send(p.pack("DONE\r\nb NOOP\r\n"))
		s.expect("a OK IDLE completed", "b OK NOOP completed")
	}
}

// An IDLE that fails leaves the inflater in the middle of a read.
func TestCompressAwaitFails(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.send(p.pack("a WAIT\r\n"))
	s.expect("a NO [INUSE] known error")
	s.send(p.pack("b NOOP\r\nc SEARCH {3}\r\n"))
	s.expect("b OK NOOP completed", "+ Ready for argument")
	s.send(p.pack("abc\r\n"))
	s.expect("c OK SEARCH 1 3")
}

func TestCompressAwaitFailsThenEnds(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.send(p.pack("a WAIT\r\n"))
	s.expect("a NO [INUSE] known error")
	s.conn.Shutdown("enough")
	s.expect("* BYE enough")
}

func TestCompressShutdown(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.send(p.pack("a NOOP\r\n"))
	s.expect("a OK NOOP completed")
	s.conn.Shutdown("enough")
	s.expect("* BYE enough")
}

// A client that is between two commands may be silent for long, also when the end of its flush came late.
func TestCompressIdleTimeout(t *testing.T) {
	s, p := compressed(t, "", func(cfg *Config) { cfg.LiteralTimeout, cfg.IdleTimeout = 50*time.Millisecond, 5*time.Second })
	whole := p.pack("a NOOP\r\n")
	s.send(whole[:len(whole)-2])
	s.expect("a OK NOOP completed")
	s.send(whole[len(whole)-2:])
	time.Sleep(200 * time.Millisecond)
	s.send(p.pack("b NOOP\r\n"))
	s.expect("b OK NOOP completed")
	s.send(p.pack("c NO"))
	s.expect("* BYE Autologout")
}

func TestCompressCut(t *testing.T) {
	p := newPacker(t)
	whole := p.pack("a NOOP\r\nb NOOP\r\n")
	for cut := range len(whole) {
		s, _ := compressed(t, "", nil)
		s.send(whole[:cut])
		s.client.Close()
		<-s.conn.ctx.Done()
		if log := s.log.String(); strings.Contains(log, "ERROR") {
			t.Errorf("cut at %d:\n%s", cut, log)
		}
	}
}

func TestCompressDamaged(t *testing.T) {
	for name, data := range map[string]string{
		"plain text":   "a NOOP\r\n",
		"bad block":    "\x07\x00\x00\x00",
		"bad length":   "\x00\x05\x00\x00\x00",
		"bad distance": "\x63\x00\x3f\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := compressed(t, "", nil)
			s.send(data)
			s.expect("* BYE Compressed data is damaged")
			if got := s.line(); !strings.HasPrefix(got, "end: ") {
				t.Error(got)
			}
		})
	}
}

// A client may end its stream: that is the end of what it has to say.
func TestCompressLastBlock(t *testing.T) {
	s, p := compressed(t, "", nil)
	s.send(p.pack("a NOOP\r\n") + "\x03\x00")
	s.expect("a OK NOOP completed")
	<-s.conn.ctx.Done()
}

// endless is what one octet, many times, is compressed to.
func endless(t *testing.T, p *testPacker, head string, octets int, body string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(p.pack(head))
	chunk := strings.Repeat(body, (1<<20)/len(body))
	for done := 0; done < octets; done += len(chunk) {
		b.WriteString(p.pack(chunk))
	}
	return b.String()
}

// TestCompressBomb sends some ten kilobytes that are twenty megabytes. The connection ends, and memory stays small.
func TestCompressBomb(t *testing.T) {
	const size = 20 << 20
	for _, tt := range []struct{ name, head, body, bye string }{
		{"line", "", "x", "* BYE Line too long"},
		{"literal", "a SEARCH {900000000+}\r\n", "x", "* BYE Literal too large"},
		{"message", "a APPEND box {900000000+}\r\n", "x", "a NO [TOOBIG]…"},
		{"commands", "", "a SEARCH\r\n", "a OK SEARCH 0 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p := compressed(t, "", func(cfg *Config) { cfg.Limits.Append = 2 << 20 })
			bomb := endless(t, p, tt.head, size, tt.body)
			if len(bomb) > size/100 {
				t.Fatalf("%d octets are no bomb", len(bomb))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s.send(bomb)
			s.expect(tt.bye)
			last := ""
			for line := s.line(); !strings.HasPrefix(line, "end: "); line = s.line() {
				last = line
			}
			if !strings.HasPrefix(last, "* BYE ") && !strings.HasPrefix(tt.bye, "* BYE ") {
				t.Errorf("last line %q", last)
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 16<<20 {
				t.Errorf("memory grew by %d", grown)
			}
		})
	}
}

// A message that is one letter many times is no bomb, as long as it is no larger than messages may be.
func TestCompressSimpleMessage(t *testing.T) {
	s, p := compressed(t, "", func(cfg *Config) { cfg.Limits.Append = 10 << 20 })
	s.send(endless(t, p, "a APPEND box {10485760+}\r\n", 10<<20, "x") + p.pack("\r\nb NOOP\r\n"))
	s.expect("a OK appended 10485760", "b OK NOOP completed")
}

// TestDeflaters writes to many connections in turn. Between flushes none of them holds what compresses.
func TestDeflaters(t *testing.T) {
	var out [10]bytes.Buffer
	var want [10]strings.Builder
	var d [10]*deflater
	for i := range d {
		d[i] = &deflater{to: &out[i]}
	}
	for round := range 20 {
		for i := range d {
			text := strings.Repeat(fmt.Sprintf("* %d FETCH (UID %d)\r\n", i, round), i*round)
			want[i].WriteString(text)
			if _, err := io.WriteString(d[i], text); err != nil {
				t.Fatal(err)
			}
			if i%3 == round%3 {
				continue // flushed in a later round
			}
			if err := d[i].Flush(); err != nil || d[i].p != nil {
				t.Fatal(err, d[i].p)
			}
		}
	}
	for i := range d {
		if err := d[i].Flush(); err != nil {
			t.Fatal(err)
		}
		size := out[i].Len()
		if err := d[i].Flush(); err != nil || out[i].Len() != size {
			t.Errorf("a flush of nothing: %v, %d octets", err, out[i].Len()-size)
		}
		got := make([]byte, want[i].Len())
		if _, err := io.ReadFull(flate.NewReader(&out[i]), got); err != nil || string(got) != want[i].String() {
			t.Errorf("connection %d: %d octets, %v", i, len(got), err)
		}
	}
}

// TestCompressPeerGone: a connection that fails in a flush takes what compresses with it.
func TestCompressPeerGone(t *testing.T) {
	d := &deflater{to: failing{}}
	if _, err := d.Write(make([]byte, 1<<20)); err == nil {
		if err := d.Flush(); err == nil {
			t.Error("no error")
		}
	}
	var out bytes.Buffer
	other := &deflater{to: &out}
	if _, err := io.WriteString(other, "text"); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(flate.NewReader(&out)); string(got) != "text" {
		t.Errorf("%q", got)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
