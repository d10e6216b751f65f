package command

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"spoold/backend/session"
)

// When a client is told that its command is still running: soon, for those that show it to their user, and then as
// often as RFC 9585 §4 recommends.
const (
	firstProgress = time.Second
	nextProgress  = 10 * time.Second
)

// searchTime is how long one search may take when the configuration does not say.
const searchTime = 5 * time.Minute

var errSearchTime = &session.Refusal{Code: "LIMIT", Text: "The search takes too long; please ask for less"}

// progress watches the time that a command takes.
type progress struct {
	r     *request
	began time.Time
	next  time.Time // when the client is to be told
}

func (r *request) progress() *progress {
	now := r.s.Now()
	return &progress{r: r, began: now, next: now.Add(firstProgress)}
}

// search is called all along a search, with how many of the messages have been looked at. It ends a search that nobody
// waits for any more, or that takes too long.
func (p *progress) search(done, total int) error {
	if err := p.r.ctx.Err(); err != nil {
		return err
	}
	now := p.r.s.Now()
	if now.Sub(p.began) > cmp.Or(p.r.s.Config().SearchTime, searchTime) {
		return errSearchTime
	}
	if now.Before(p.next) {
		return nil
	}
	p.next = now.Add(nextProgress)
	return p.tell(done, total)
}

// tell sends INPROGRESS; total is 0 when it is not known. No response line may be unfinished.
func (p *progress) tell(done, total int) error {
	if p.r.s.Config().Hides("INPROGRESS") {
		return nil
	}
	tag := "NIL" // which the RFC allows, and what a tag is that no quoted string can hold
	if isASCII(p.r.cmd.Tag) {
		tag = `"` + p.r.cmd.Tag + `"`
	}
	goal := "NIL"
	if total > 0 {
		goal = strconv.Itoa(total)
	}
	p.r.w.Untagged("OK", "INPROGRESS ("+tag+" "+strconv.Itoa(done)+" "+goal+")", "Still working")
	return p.r.c.Flush()
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}
