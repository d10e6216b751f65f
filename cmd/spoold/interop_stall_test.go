package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// procmailTo returns what delivers a message to a file by procmail, with its default locks.
func procmailTo(t *testing.T, home, path string) func(message string) time.Duration {
	rc := filepath.Join(home, filepath.Base(path)+".rc")
	writeFile(t, mailOwner(), rc, []byte("LOCKSLEEP=1\nLOCKTIMEOUT=60\n:0:\n"+path+"\n"))
	return func(message string) time.Duration {
		t.Helper()
		cmd := mailOwner().command(home, "procmail", "-m", rc)
		cmd.Stdin = strings.NewReader("From mda@example.org " + time.Now().UTC().Format(time.ANSIC) + "\n" + message)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("procmail: %v\n%s", err, out)
		}
		return time.Since(start)
	}
}

// stalledFetch is a client that has asked for every message of its inbox, which makes them \Seen, and does not read.
func (h *host) stalledFetch(user string) (rest func() (octets int64, end string)) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() /* the test has what it wants by then */ })
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		h.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	command := func(tag, text string) {
		if _, err := fmt.Fprintf(conn, "%s %s\r\n", tag, text); err != nil {
			h.t.Fatal(err)
		}
	}
	answered := func(tag string) {
		for line := ""; !strings.HasPrefix(line, tag+" OK"); {
			if line, err = r.ReadString('\n'); err != nil || strings.HasPrefix(line, tag+" NO") {
				h.t.Fatalf("%s: %q, %v", tag, line, err)
			}
		}
	}
	command("a", "LOGIN "+user+" "+secret)
	answered("a")
	command("b", "SELECT INBOX")
	answered("b")
	command("c", "FETCH 1:* BODY[]")
	if _, err := io.CopyN(io.Discard, r, 100_000); err != nil {
		h.t.Fatal(err)
	}
	return func() (octets int64, end string) {
		octets = 100_000
		for {
			line, err := r.ReadString('\n')
			octets += int64(len(line))
			if err != nil || strings.HasPrefix(line, "c ") {
				return octets, strings.TrimSpace(line)
			}
		}
	}
}

func middle(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// TestInteropStalledClient: a client that stops reading in the middle of FETCH 1:* BODY[] delays a delivery by procmail
// by less than 100 ms.
func TestInteropStalledClient(t *testing.T) {
	needs(t, "procmail")
	const deliveries = 9
	h := newHost(t, "alice", "bob")
	var large strings.Builder
	for i := range 40 {
		fmt.Fprintf(&large, "From a@example.com Wed Dec  2 05:53:22 2020\nSubject: m%d\n\n%s\n", i, strings.Repeat(fmt.Sprintf("%-63s\n", "line"), 32<<10))
	}
	h.put("alice", "INBOX", []byte(large.String()))
	h.put("bob", "INBOX", []byte(large.String()))
	h.serve()
	other := h.login("alice")
	other.ok("SELECT INBOX")
	other.ok("CHECK")

	home := homeFolder(t, mailOwner())
	toAlice, toBob := procmailTo(t, home, h.file("alice", "INBOX")), procmailTo(t, home, h.file("bob", "INBOX"))
	rest := h.stalledFetch("alice")
	var alone, beside []time.Duration
	for i := range deliveries {
		// What the server writes after a delivery is written by then. If procmail meets a lock, it sleeps for a second.
		time.Sleep(1700 * time.Millisecond)
		alone = append(alone, toBob(fmt.Sprintf("Subject: new %d\n\ntext\n", i)))
		beside = append(beside, toAlice(fmt.Sprintf("Subject: new %d\n\ntext\n", i)))
	}
	t.Logf("procmail alone: %v, at most %v", middle(alone), slices.Max(alone))
	t.Logf("delivered while the client is stalled: %v, at most %v", middle(beside), slices.Max(beside))
	if d := middle(beside) - middle(alone); d >= 100*time.Millisecond {
		t.Errorf("a delivery is delayed by %v", d)
	}
	a := other.ok("NOOP")
	if !slices.ContainsFunc(a.lines, func(l response) bool { return strings.HasPrefix(l.raw, fmt.Sprintf("* %d EXISTS", 40+deliveries)) }) {
		t.Errorf("another session is told %v", a.lines)
	}

	octets, end := rest()
	t.Logf("the client reads on: %d octets, %s", octets, end)
	if !strings.HasPrefix(end, "c OK") || octets < 40*(32<<10)*65 {
		t.Errorf("%d octets, then %q", octets, end)
	}
}
