package worker

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"spoold/backend/wire"
)

// TestLimits exceeds every limit of one command. The connection stays in step.
func TestLimits(t *testing.T) {
	cfg := user(t)
	cfg.Limits = wire.Limits{Line: 9000, Literal: 500, Literals: 3, Nesting: 4, Ranges: 5}
	cfg.AppendLimit = 2000
	c := preauth(t, open(t, cfg))
	c.do("OK", "SELECT INBOX")
	long := strings.Repeat("x", 501)
	for _, tt := range []struct{ cmd, want string }{
		{"CREATE " + strings.Repeat("x", 9001), "BAD Command line too long"},
		{"UID FETCH " + strings.Repeat("1,", 5000) + "1 FLAGS", "BAD Command line too long"},
		{"STATUS {501+}\r\n" + long + " (MESSAGES)", "NO [TOOBIG]"},
		{"STATUS {501}", "NO [TOOBIG]"},
		{"STATUS {999999999}", "NO [TOOBIG]"},
		{"STATUS {501+}\r\n" + strings.Repeat("x DELETE inbox\r\n", 31) + "12345", "NO [TOOBIG]"},
		{"SEARCH SUBJECT {1+}\r\na SUBJECT {1+}\r\na SUBJECT {1+}\r\na SUBJECT {1+}\r\na", "NO [TOOBIG]"},
		{"SEARCH (((((ALL)))))", "BAD"},
		{"SEARCH " + strings.Repeat("(", 8000), "BAD"},
		{"SEARCH " + strings.Repeat("NOT ", 2000) + "ALL", "BAD"},
		{"FETCH 1:2,1:2,1:2,1:2,1:2,1:2 UID", "NO [LIMIT]"},
		{"UID STORE 1,2,3,4,5,6 FLAGS ()", "NO [LIMIT]"},
		{"UID COPY 1:4294967295,1:4294967295,1:4294967295,1,1,1 INBOX", "NO [LIMIT]"},
		{"SEARCH UID 1,2,3,4,5,6", "NO [LIMIT]"},
		{"APPEND INBOX {2001}", "NO [TOOBIG]"},
		{"APPEND INBOX {2001+}\r\n" + strings.Repeat("x DELETE inbox\r\n", 125) + "1", "NO [TOOBIG]"},
		// and what is at the limit passes
		{"STATUS {500+}\r\n" + long[:500] + " (MESSAGES)", "NO [CANNOT]"},
		{"SEARCH SUBJECT {1+}\r\na SUBJECT {1+}\r\na SUBJECT {1+}\r\na", "OK"},
		{"SEARCH ((((ALL))))", "OK"},
		{"UID FETCH 1:4294967295,1:4294967295,1:4294967295,1:4294967295,1:4294967295 UID", "OK"},
	} {
		c.n++
		tag := fmt.Sprintf("l%d ", c.n)
		if _, err := io.WriteString(c.nc, tag+tt.cmd+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer := c.line("")
		for strings.HasPrefix(answer, "* ") {
			answer = c.line("")
		}
		if !strings.HasPrefix(answer, tag+tt.want) {
			t.Errorf("%.60q: got %q, want %q", tt.cmd, answer, tt.want)
		}
		c.do("OK", "NOOP")
	}
}

// TestLimitsEnd sends what would cost too much to swallow.
func TestLimitsEnd(t *testing.T) {
	for name, cmd := range map[string]string{
		"line":    strings.Repeat("x", 3<<20),
		"literal": "a STATUS {3000000+}\r\n" + strings.Repeat("x", 1<<20),
		"message": "a APPEND INBOX {3000000+}\r\n" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := user(t)
			cfg.AppendLimit = 1000
			c := preauth(t, open(t, cfg))
			go func() { _, _ = io.WriteString(c.nc, cmd+"\r\nb NOOP\r\n") }() // the server hangs up
			for {
				s, err := c.r.ReadString('\n')
				switch {
				case err != nil:
					t.Fatalf("no BYE: %v", err)
				case strings.HasPrefix(s, "b "):
					t.Fatalf("got %q", s)
				case strings.HasPrefix(s, "* BYE "):
					return
				}
			}
		})
	}
}

// TestLimitReading asks for much and reads nothing: the server keeps none of it, and ends.
func TestLimitReading(t *testing.T) {
	cfg := user(t)
	cfg.Reading = 200 * time.Millisecond
	deliver(t, cfg.Inbox, strings.Repeat("0123456789abcdef\n", 1<<16)) // 1 MiB
	w := open(t, cfg)
	c := preauth(t, w)
	c.do("OK", "SELECT INBOX")
	c.do("OK", "FETCH 1:* (BODY.PEEK[])")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	asked := bytes.Repeat([]byte("x FETCH 1:* (BODY.PEEK[])\r\n"), 1000)
	go func() { _, _ = c.nc.Write(asked) }() // the server hangs up
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		w.mu.Lock()
		n := len(w.sessions)
		w.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("the session goes on")
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 16<<20 {
		t.Errorf("memory grew by %d", grown)
	}
}
