package command_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// slow is a clock that moves on at each look by so much.
func slow(step time.Duration) func() time.Time {
	now := time.Date(2015, time.January, 10, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(step)
		return now
	}
}

// While a search runs its client is told how far it is (RFC 9585 §4).
func TestInProgress(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.Now = slow(700 * time.Millisecond)
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("SEARCH ALL", `* OK [INPROGRESS ("`+c.nextTag()+`" 0 6)] Still working`, "* SEARCH 1 2 3 4 5 6", "OK SEARCH completed")
	h.config.Now = slow(4 * time.Second)
	c = h.connect()
	c.ok("SELECT INBOX")
	tag := c.nextTag() // the clock moves on for each message, and for each key that reads it
	c.run("UID SEARCH RETURN (COUNT) SUBJECT m", fmt.Sprintf(`* OK [INPROGRESS ("%s" 0 6)] Still working`, tag),
		fmt.Sprintf(`* OK [INPROGRESS ("%s" 1 6)] Still working`, tag), fmt.Sprintf(`* OK [INPROGRESS ("%s" 3 6)] Still working`, tag),
		fmt.Sprintf(`* OK [INPROGRESS ("%s" 4 6)] Still working`, tag), fmt.Sprintf(`* ESEARCH (TAG "%s") UID COUNT 6`, tag), "OK")
	h.config.Hidden = []string{"INPROGRESS"}
	c = h.connect()
	c.ok("SELECT INBOX")
	c.run("SEARCH SUBJECT m", "* SEARCH 1 2 3 4 5 6", "OK")
}

// A search ends at its limit, wherever it is, and what it should have saved is nothing.
func TestSearchTime(t *testing.T) {
	h := newHost(t, message("one", ""))
	h.config.SearchTime = time.Second
	h.config.Hidden = []string{"INPROGRESS"}
	h.config.Now = slow(time.Millisecond)
	c := h.connect()
	c.ok("SELECT INBOX")
	c.ok("SEARCH RETURN (SAVE) ALL")
	c.run("SEARCH"+strings.Repeat(" SUBJECT one", 900), "* SEARCH 1", "OK")
	c.run("SEARCH"+strings.Repeat(" SUBJECT one", 1100), "NO [LIMIT] ")
	c.run("SEARCH $", "* SEARCH 1", "OK")
	c.run("SEARCH RETURN (SAVE)"+strings.Repeat(" NOT BODY two", 1100), "NO [LIMIT] ")
	c.run("SEARCH $", "* SEARCH", "OK")
	h.config.SearchTime = 0 // the default: 5 min
	h.config.Now = slow(time.Second)
	c = h.connect()
	c.ok("SELECT INBOX")
	c.run("SEARCH"+strings.Repeat(" TEXT one", 290), "* SEARCH 1", "OK")
	c.run("SEARCH"+strings.Repeat(" TEXT one", 310), "NO [LIMIT] ")
}
