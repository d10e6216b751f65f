package command_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stalled is a client that selects the inbox, asks for all of it, and stops reading after so many octets.
type stalled struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	got  bytes.Buffer // of the answer to FETCH
}

func (h *host) stall(after int64, fetch string) *stalled {
	h.t.Helper()
	s := &stalled{t: h.t, conn: h.dial()}
	s.r = bufio.NewReader(s.conn)
	s.line() // the greeting
	s.send("a SELECT INBOX")
	for !strings.HasPrefix(s.line(), "a OK") {
	}
	s.send("b " + fetch)
	if _, err := io.CopyN(&s.got, s.r, after); err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (s *stalled) send(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stalled) line() string {
	s.t.Helper()
	line, err := s.r.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return line
}

// rest reads on, up to the end of the connection, and returns the literals of all that came: whole ones.
func (s *stalled) rest() (literals []string, status string) {
	s.t.Helper()
	r := bufio.NewReader(io.MultiReader(&s.got, s.r))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return literals, "connection closed"
		}
		if status, ok := strings.CutPrefix(line, "b "); ok {
			return literals, strings.TrimSpace(status)
		}
		m := literalEnd.FindStringSubmatch(strings.TrimSuffix(line, "\r\n"))
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1]) // the pattern has only digits
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return literals, "connection closed"
		}
		literals = append(literals, string(b))
	}
}

// longMessage has a text of n lines of 64 octets, each of which names it.
func longMessage(subject string, n int) string {
	return strings.TrimSuffix(message(subject, ""), "\n") + strings.Repeat(fmt.Sprintf("%-63s\n", "line of "+subject), n) + "\n"
}

// served is a message as its client gets it.
func served(message string) string {
	_, text, _ := strings.Cut(strings.TrimSuffix(message, "\n"), "\n")
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// TestStalledClientDelaysNobody: while clients that have asked for everything do not read, mail is delivered under the
// locks, told to others and removed by them, and the memory is that of a buffer for each. When they read on they get
// every message whole.
func TestStalledClientDelaysNobody(t *testing.T) {
	var messages []string
	for i := range 40 {
		messages = append(messages, longMessage(fmt.Sprintf("m%d", i+1), []int{1, 500, 10_000, 40_000}[i%4])) // up to 2.5 MB
	}
	h := newHost(t, strings.Join(messages, ""))
	other := h.connect()
	other.ok("SELECT INBOX")
	other.ok("CHECK")
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var clients []*stalled
	for i := range 5 {
		clients = append(clients, h.stall(int64(100_000+3_000_000*i), "FETCH 1:* BODY.PEEK[]"))
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	received := 0
	for _, c := range clients {
		received += c.got.Cap()
	}
	grown := int(during.HeapAlloc) - int(before.HeapAlloc) - received
	t.Logf("%d KiB of heap for %d stalled clients of a mailbox of %d KiB", grown>>10, len(clients), len(h.read("inbox"))>>10)
	if grown > len(clients)*(3<<20) {
		t.Errorf("%d octets of heap", grown)
	}

	start := time.Now()
	h.deliver("inbox", message("new", ""))
	t.Logf("delivered while %d clients are stalled, in %v", len(clients), time.Since(start))
	other.has(other.ok("NOOP"), "* 41 EXISTS")
	other.ok(`STORE 41 +FLAGS.SILENT (\Deleted)`)
	other.has(other.ok("EXPUNGE"), "* 41 EXPUNGE")

	for i, c := range clients {
		literals, status := c.rest()
		if !strings.HasPrefix(status, "OK") || len(literals) != len(messages) {
			t.Fatalf("client %d: %d messages, %s", i, len(literals), status)
		}
		for k, got := range literals {
			if got != served(messages[k]) {
				t.Fatalf("client %d: message %d has %d octets, %d wanted", i, k+1, len(got), len(served(messages[k])))
			}
		}
	}
}

// TestMessageInFlight: what happens to a message of 5 MiB while a client is in the middle of it. The client gets it
// whole, or sees the connection end; never fewer octets than announced with an answer behind them, never other octets.
func TestMessageInFlight(t *testing.T) {
	large := longMessage("large", 80_000)
	for _, tt := range []struct {
		name   string
		change func(h *host, other *client)
		whole  bool
	}{
		{"expunged", func(_ *host, other *client) {
			other.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
			other.ok("EXPUNGE")
		}, false},
		{"its neighbours expunged", func(_ *host, other *client) {
			other.ok(`STORE 1,3 +FLAGS.SILENT (\Deleted)`)
			other.ok("EXPUNGE")
		}, true},
		{"cut off", func(h *host, _ *client) { h.edit("inbox", func(s string) string { return s[:3<<20] }) }, false},
		{"another program removes the one before it", func(h *host, _ *client) {
			h.edit("inbox", func(s string) string { return s[strings.Index(s, "\n\nFrom ")+2:] })
		}, true},
		{"another in its place", func(h *host, _ *client) {
			h.edit("inbox", func(s string) string { return strings.ReplaceAll(s, "line of large", "line of other") })
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, message("m1", "")+large+message("m3", ""))
			other := h.connect()
			other.ok("SELECT INBOX")
			c := h.stall(2<<20, "FETCH 2 BODY.PEEK[]")
			tt.change(h, other)
			literals, status := c.rest()
			switch {
			case tt.whole && (len(literals) != 1 || literals[0] != served(large) || !strings.HasPrefix(status, "OK")):
				t.Errorf("%d literals, %s", len(literals), status)
			case !tt.whole && (len(literals) != 0 || status != "connection closed"):
				t.Errorf("%d literals, %s", len(literals), status)
			}
		})
	}
}
