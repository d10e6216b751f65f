package main_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCrashMultiAppend kills server and workers while one command appends several large messages: while they come, while
// they are written, and a moment after. Afterwards all are there or none is; all of those that were acknowledged.
func TestCrashMultiAppend(t *testing.T) {
	const messages, size = 6, 3 << 20
	h := newHost(t, "soak")
	h.put("soak", "INBOX", nil)
	h.serve()
	text := func(round, i int) string {
		return fmt.Sprintf("Subject: round %d message %d\r\n\r\n", round, i) + strings.Repeat(strings.Repeat("m", 78)+"\r\n", size/80)
	}
	c := h.login("soak")
	c.open("SELECT", "INBOX")
	c.ok("CHECK")
	c.logout()
	rnd := newRand(7)
	there, uid := 0, uint32(0)
	none, all, acknowledged := 0, 0, 0
	for round := range crashRounds(t, 60, 4) {
		command := []string{"APPEND INBOX"}
		for i := range messages {
			m := text(round, i)
			command = append(command, fmt.Sprintf("(Round%d) {%d+}\r\n%s", round, len(m), m))
		}
		c := h.login("soak")
		var told atomic.Bool
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			a, err := c.try(strings.Join(command, " "))
			told.Store(err == nil && a.status == "OK")
		}()
		time.Sleep(time.Duration(rnd.IntN(1200)) * time.Millisecond)
		h.kill()
		<-ended
		c.close()
		h.serve()
		c = h.login("soak")
		b := c.read("SELECT", "INBOX")
		c.logout()
		switch came := b.Exists - there; {
		case came == 0 && !told.Load():
			none++
		case came == messages:
			all++
		default:
			t.Fatalf("round %d: %d messages of %d are there, acknowledged: %v", round, came, messages, told.Load())
		}
		if told.Load() {
			acknowledged++
		}
		for i, m := range b.Mails[there:] {
			if m.Text != text(round, i) || m.UID <= uid {
				t.Errorf("round %d: message %d with UID %d after %d, %d octets", round, i, m.UID, uid, len(m.Text))
			}
			uid = m.UID
		}
		if there = b.Exists; there > 5*messages {
			c := h.login("soak")
			c.open("SELECT", "INBOX")
			c.ok(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
			c.ok("EXPUNGE")
			c.logout()
			there = 0
		}
	}
	t.Logf("killed with none of the messages there %d times, with all %d times, of these %d acknowledged", none, all, acknowledged)
	if fullCrash() && (none == 0 || all == 0) {
		t.Error("all kills came at one side of the commit: this proves little")
	}
}
