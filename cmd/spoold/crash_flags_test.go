package main_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"
)

// TestCrashFlags: the power is cut as soon as a client that has set a flag has the answer to CHECK, CLOSE, UNSELECT or
// LOGOUT, or the server has ended after SIGTERM: the flag is on the disk. Of a client that asks for nothing it is in the
// file within a second, and on the disk within the window.
func TestCrashFlags(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			needsVolumes(t, kind)
			v := newVolume(t, kind, 512<<20)
			h := newHostOn(t, folder(t), v.dir, v.dir, "alice")
			var box bytes.Buffer
			for range 20 {
				box.WriteString("From a@example.org Mon Nov  2 08:14:06 2026\nSubject: some\n\ntext\n\n")
			}
			h.put("alice", "INBOX", box.Bytes())
			h.serve()
			c := h.login("alice")
			c.ok("SELECT INBOX")
			c.ok("CHECK") // status headers and UIDs
			c.logout()
			v.sync()
			for i, end := range []string{"CHECK", "CLOSE", "UNSELECT", "LOGOUT", "SIGTERM", "nothing"} {
				testCrashFlags(t, h, v, i+1, end)
			}
		})
	}
}

// testCrashFlags sets the flag of message n, which is the n-th to get one.
func testCrashFlags(t *testing.T, h *host, v *volume, n int, end string) {
	flagged := func() int { return bytes.Count(readFile(t, h.file("alice", "INBOX")), []byte("\nX-Status: F")) }
	c := h.login("alice")
	c.ok("SELECT INBOX")
	c.ok(`STORE %d +FLAGS (\Flagged)`, n)
	switch end {
	case "SIGTERM":
		h.stop(syscall.SIGTERM)
	case "nothing":
		stored := time.Now()
		for flagged() < n && time.Since(stored) < powerWindow {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(stored); took > 1200*time.Millisecond {
			t.Errorf("%s: in the file after %v", end, took)
		}
		time.Sleep(time.Until(stored.Add(powerWindow)))
	default:
		c.ok("%s", end)
	}
	v.shutdown(2)
	if end != "SIGTERM" {
		h.kill()
	}
	v.recover()
	if got := flagged(); got != n {
		t.Errorf("%s: %d messages have the flag on the disk, want %d", end, got, n)
	}
	h.serve()
}
