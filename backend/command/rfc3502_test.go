package command_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	foobar = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n" +
		"Subject: afternoon meeting\r\nTo: mooch@owatagu.siam.edu\r\nMessage-Id: <B27397-0100000@Blurdybloop.COM>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" +
		"Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n"
	mooch = "Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)\r\nFrom: Joe Mooch <mooch@OWaTaGu.siam.EDU>\r\n" +
		"Subject: Re: afternoon meeting\r\nTo: foobar@blurdybloop.com\r\nMessage-Id: <a0434793874930@OWaTaGu.siam.EDU>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" +
		"3:30 is fine with me.\r\n"
)

// literal is a non-synchronising literal.
func literal(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }

// The examples of RFC 3502.
func TestMultiAppend(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE saved-messages")
	c.send(fmt.Sprintf("A003 APPEND saved-messages (\\Seen) {%d}\r\n", len(foobar)))
	c.next("+ Ready for literal data")
	c.send(foobar + fmt.Sprintf(" (\\Seen work) \" 7-Feb-1994 22:43:04 -0800\" {%d}\r\n", len(mooch)))
	c.next("+ Ready for literal data")
	c.send(mooch + "\r\n")
	c.next("A003 OK [APPENDUID <n> 1:2] APPEND completed")
	c.run("APPEND bogusname (\\Flagged) {1023}", "NO [TRYCREATE]")
	c.run(fmt.Sprintf("APPEND bogusname %s %s", literal(foobar), literal(mooch)), "NO [TRYCREATE]")

	c.ok("SELECT saved-messages")
	c.run("FETCH 1:2 (UID FLAGS BODY.PEEK[])",
		fmt.Sprintf("* 1 FETCH (UID 1 FLAGS (\\Recent \\Seen) BODY[] {%d}\r\n%s)", len(foobar), foobar),
		fmt.Sprintf("* 2 FETCH (UID 2 FLAGS (\\Recent \\Seen work) BODY[] {%d}\r\n%s)", len(mooch), mooch), "OK")
	c.run("FETCH 2 INTERNALDATE", `* 2 FETCH (INTERNALDATE " 7-Feb-1994 22:43:04 -0800")`, "OK")
	// Without waiting, of the kinds that there are, into the selected mailbox.
	c.run(fmt.Sprintf("APPEND saved-messages %s (\\Deleted) ~%s (late) %s", literal(foobar), literal(mooch), literal(foobar)),
		"* 5 EXISTS", "* 5 RECENT", `* FLAGS (\Seen \Deleted \Flagged \Answered \Draft work late)`,
		`* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \Answered \Draft work late \*)] Permanent flags`, "OK [APPENDUID")
	c.run("UID FETCH 3:5 (FLAGS RFC822.SIZE)",
		fmt.Sprintf(`* 3 FETCH (UID 3 FLAGS (\Recent) RFC822.SIZE %d)`, len(foobar)),
		fmt.Sprintf(`* 4 FETCH (UID 4 FLAGS (\Recent \Deleted) RFC822.SIZE %d)`, len(mooch)),
		fmt.Sprintf(`* 5 FETCH (UID 5 FLAGS (\Recent late) RFC822.SIZE %d)`, len(foobar)), "OK")
}

// All or nothing: whatever is wrong with a later message, the earlier ones are not there.
func TestMultiAppendAllOrNone(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.AppendLimit = 1000
	h.delay = time.Hour // no UID is written meanwhile
	c := h.connect()
	before := h.read("inbox")
	first := "APPEND INBOX (fresh) " + literal(foobar)
	for _, tt := range []struct{ second, want string }{
		{" {1001}", "NO [TOOBIG]"}, // not asked for
		{" " + literal(strings.Repeat("x", 1001)), "NO [TOOBIG]"},
		{" {0}", "NO Empty message"},
		{" {0+}\r\n", "NO Empty message"},
		{" (\\Recent) {10}", "BAD"},
		{" (\\Seen {10}", "BAD"},
		{` "7-Feb-1994" {10}`, "BAD"},
		{` "text"`, "BAD"},
		{" junk", "BAD"},
		{literal(mooch), "BAD"},
		{" ~" + literal("Subject: x\r\n\r\na\x00b\r\n"), "NO [UNKNOWN-CTE]"},
		{" CATENATE (URL \"/INBOX/;UID=4711\")", "NO [BADURL /INBOX/;UID=4711]"},
		{" " + literal(mooch) + " " + literal(mooch) + " {99999999999}", "NO [TOOBIG]"},
	} {
		c.run(first+tt.second, tt.want)
		c.run("NOOP", "OK")
	}
	if h.read("inbox") != before {
		t.Error("the mailbox has changed")
	}
	// A client that goes away in the middle has appended nothing.
	c.send("x " + first + " {100+}\r\nSubject: cut")
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	c = h.connect()
	c.run("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 6)", "OK")
}

// What one command may bring.
func TestMultiAppendLimits(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.AppendTotal = 2000
	c := h.connect()
	kilo := "Subject: x\r\n\r\n" + strings.Repeat("y", 984) + "\r\n"
	c.run("APPEND INBOX "+literal(kilo)+" "+literal(kilo), "OK [APPENDUID")
	c.run("APPEND INBOX "+literal(kilo)+" "+literal(kilo)+" {1}", "NO [TOOBIG]")
	c.run("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 8)", "OK")

	// Any number of messages that is within reason, in one command.
	h.config.AppendTotal = 0
	c = h.connect()
	const many = 5000
	c.run("APPEND INBOX"+strings.Repeat(" {1+}\r\nx", many), "OK [APPENDUID")
	c.ok("SELECT INBOX")
	c.run("SEARCH RETURN (COUNT) UID 9:5008", "* ESEARCH (TAG \""+c.nextTag()+"\") COUNT 5000", "OK")
	c.run("STATUS INBOX (MESSAGES)", fmt.Sprintf("* STATUS INBOX (MESSAGES %d)", 8+many), "OK")
}

// However much one command brings, memory does not grow with it.
func TestMultiAppendMemory(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	const messages, size = 24, 8 << 20
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	line := strings.Repeat("z", 98) + "\r\n"
	piece := strings.Repeat(line, 1<<10)
	c.send("big APPEND INBOX")
	for range messages {
		c.send(fmt.Sprintf(" {%d+}\r\nSubject: x\r\n\r\n", size+14))
		for left := size; left > 0; left -= min(left, len(piece)) {
			if err := c.conn.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.conn.Write([]byte(piece[:min(left, len(piece))])); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.send("\r\n")
	for got := ""; !strings.HasPrefix(got, "big "); {
		select {
		case got = <-c.responses:
		case <-time.After(time.Minute):
			t.Fatal("no answer")
		}
		if strings.HasPrefix(got, "big ") && !matches("big OK [APPENDUID <n> 7:30] APPEND completed", got) {
			t.Error(got)
		}
	}
	close(stop)
	<-done
	grown := int64(peak.Load()) - int64(before.HeapAlloc)
	st, err := os.Stat(h.path("inbox"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d octets appended by one command, heap grown by at most %d", st.Size(), grown)
	if grown > 64<<20 {
		t.Errorf("the heap has grown by %d octets for %d of messages", grown, st.Size())
	}
}
