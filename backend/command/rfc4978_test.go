package command_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"spoold/backend/command"
	"spoold/backend/imapconn"
	"spoold/backend/session"
)

// deflated is a client's end of a compressed connection.
type deflated struct {
	net.Conn
	in     io.Reader
	out    *flate.Writer
	packed bytes.Buffer // what out has written
}

func (d *deflated) Read(p []byte) (int, error) { return d.in.Read(p) }

func (d *deflated) Write(p []byte) (int, error) {
	d.packed.Reset()
	n, err := d.out.Write(p)
	if err := errors.Join(err, d.out.Flush()); err != nil {
		return n, err
	}
	_, err = d.Conn.Write(d.packed.Bytes()) // at once: the server may leave before the end of a flush
	return n, err
}

// connectCompressed starts a session and compresses it.
func (h *host) connectCompressed() *client {
	h.t.Helper()
	conn := h.dial()
	plain := bufio.NewReader(conn)
	for _, step := range []struct{ send, want string }{
		{"", "* PREAUTH"},
		{"c1 COMPRESS DEFLATE\r\n", "c1 OK"},
	} {
		if step.send != "" {
			if _, err := io.WriteString(conn, step.send); err != nil {
				h.t.Fatal(err)
			}
		}
		if line, err := plain.ReadString('\n'); err != nil || !strings.HasPrefix(line, step.want) {
			h.t.Fatalf("%q, %v; want %q", line, err, step.want)
		}
	}
	d := &deflated{Conn: conn, in: flate.NewReader(plain)}
	var err error
	if d.out, err = flate.NewWriter(&d.packed, flate.DefaultCompression); err != nil {
		h.t.Fatal(err)
	}
	c := &client{t: h.t, conn: d, responses: make(chan string, 1000)}
	ended := make(chan struct{})
	h.t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		c.readAll()
	}()
	return c
}

// TestCompressDeflate works through a mailbox on a compressed connection.
func TestCompressDeflate(t *testing.T) {
	h := newHost(t, sixMessages())
	h.watch = true
	c := h.connectCompressed()
	// Some of the commands of RFC 4978 §3 come in any case, and twice.
	c.run("compress deflate", "NO [COMPRESSIONACTIVE] ")
	c.has(c.ok("SELECT INBOX"), "* 6 EXISTS")
	c.run("FETCH 1 UID", "* 1 FETCH (UID 1)", "OK")
	if _, completion := c.append("INBOX", "Subject: "+strings.Repeat("long ", 10)+"\r\n\r\n"+strings.Repeat("body\r\n", 10_000)); !strings.HasPrefix(completion, "OK [APPENDUID ") {
		t.Error(completion)
	}
	c.run("UID SEARCH SUBJECT long", "* SEARCH 7", "OK")
	c.send("i1 IDLE\r\n")
	c.next("+ idling")
	h.deliver("inbox", message("m8", ""))
	c.next("* 8 EXISTS")
	c.next("* <n> RECENT")
	c.send("DONE\r\n")
	c.next("i1 OK IDLE completed")
	c.run("LOGOUT", "* BYE ...", "OK")
}

func TestCompressArguments(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	for _, cmd := range []string{"COMPRESS", "COMPRESS ", "COMPRESS LZW", `COMPRESS "DEFLATE"`, "COMPRESS DEFLATE 9", "UID COMPRESS DEFLATE"} {
		c.run(cmd, "BAD ")
	}
	c.run("NOOP", "OK")
}

// BenchmarkCompress fetches a thousand messages, plain and compressed. It tells how many octets go over the wire.
func BenchmarkCompress(b *testing.B) {
	var mail strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		words := strings.Builder{}
		for range 600 { // of a few thousand words, as prose has
			fmt.Fprintf(&words, "%x ", 1000+int(random.ExpFloat64()*1000))
		}
		mail.WriteString(message("bench", "Status: RO\n") + words.String() + "\n\n")
	}
	s := benchMailbox(b, mail.String())
	for _, cmd := range []string{"UID FETCH 1:* (FLAGS)", "FETCH 1:* (BODY.PEEK[])"} {
		plain := "t " + cmd + "\r\n"
		var packed strings.Builder
		packed.WriteString("c COMPRESS DEFLATE\r\n")
		out, err := flate.NewWriter(&packed, flate.DefaultCompression)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(out, plain); err != nil {
			b.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			b.Fatal(err)
		}
		b.Run(cmd+"/plain", func(b *testing.B) { benchWire(b, s, plain) })
		b.Run(cmd+"/deflate", func(b *testing.B) { benchWire(b, s, packed.String()) })
	}
}

// benchWire runs what a client sends, and counts what it would get.
func benchWire(b *testing.B, s *session.Session, input string) {
	b.Helper()
	var octets int
	for b.Loop() {
		near := &counting{loopback: loopback{in: strings.NewReader(input)}}
		c := imapconn.New(near, imapconn.Config{Table: command.Table(s), Log: slog.New(slog.DiscardHandler)})
		c.SetState(imapconn.Selected)
		if _, err := c.Read(make([]byte, 4096)); err != nil && err != io.EOF {
			b.Fatal(err)
		}
		octets = near.octets
	}
	b.ReportMetric(float64(octets), "wire-octets")
}

type counting struct {
	loopback
	octets int
}

func (c *counting) Write(p []byte) (int, error) { c.octets += len(p); return len(p), nil }
