package command_test

import (
	"strings"
	"testing"
)

// A change by another session or another program reaches a client in IDLE without DONE (R6).
func TestIdlePush(t *testing.T) {
	h := newHost(t, sixMessages())
	h.watch = true
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	c.send("i IDLE\r\n")
	c.next("+ idling")

	other.ok(`STORE 2 +FLAGS (\Flagged)`)
	c.next(`* 2 FETCH (UID 2 FLAGS (\Seen \Flagged))`)
	h.deliver("inbox", message("m7", ""))
	c.next("* 7 EXISTS")
	c.next("* 2 RECENT")
	other.ok(`STORE 3 +FLAGS.SILENT (\Deleted)`)
	c.next(`* 3 FETCH (UID 3 FLAGS (\Seen \Deleted))`)
	other.ok("EXPUNGE")
	c.next("* 3 EXPUNGE")
	other.ok("STORE 1 +FLAGS (work)")
	c.next(`* FLAGS (\Seen \Deleted \Flagged \Answered \Draft work)`)
	c.next("* OK [PERMANENTFLAGS ...")
	c.next(`* 1 FETCH (UID 1 FLAGS (\Seen work))`)
	c.send("done\r\n")
	c.next("i OK IDLE completed")
}

func TestIdleSyntax(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.run("IDLE now", "BAD")
	c.send("i IDLE\r\n") // with no mailbox selected
	c.next("+ idling")
	c.send("x NOOP\r\n")
	c.next("i BAD ...")
	c.run("NOOP", "OK")
}

// R7: commands that come right behind DONE, or fifteen at a time, are run in order.
func TestR7Pipelining(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.send("i IDLE\r\nDONE\r\ns SELECT INBOX\r\nj IDLE\r\nDONE\r\nf FETCH 1 UID\r\n")
	c.next("+ idling")
	c.next("i OK IDLE completed")
	c.until("s")
	c.next("+ idling")
	c.next("j OK IDLE completed")
	c.next("* 1 FETCH (UID 1)")
	c.next("f OK FETCH completed")
	c.send(strings.Repeat("n NOOP\r\n", 5) + strings.Repeat("f UID FETCH 1 UID\r\n", 5) + strings.Repeat("e CREATE {5+}\r\nINBOX\r\n", 5))
	for range 5 {
		c.next("n OK NOOP completed")
	}
	for range 5 {
		c.next("* 1 FETCH (UID 1)")
		c.next("f OK UID FETCH completed")
	}
	for range 5 {
		c.next("e NO [ALREADYEXISTS] ...")
	}
}
