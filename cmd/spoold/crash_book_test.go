package main_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What the ledger of the soak has to know besides when the server is killed, the power
// fails or the disk is full in the middle of the work.

// crashSessions is how many sessions work. Fewer than in the soak, so that each gets to
// expunge between two kills.
const crashSessions = 4

// crashBook belongs to a ledger. Its maps are guarded by the ledger's mutex.
type crashBook struct {
	text    int          // octets of a message, about
	halt    atomic.Bool  // sessions and agents come to an end
	dies    atomic.Bool  // the server may end at any instant: what was not acknowledged may be there or not
	tight   atomic.Bool  // there may be no room: commands may be refused
	code    string       // with which response code
	broken  bool         // a change may be left unfinished until there is space
	deleted map[int]bool // messages that were told to be \Deleted
	moved   map[int]bool // messages of which MOVE was asked
	copied  map[int]int  // how often COPY of a message was asked
	unsure  map[int]bool // deliveries that were begun; nil: none can be cut short
	torn    int          // of them, those that were
}

func newCrashBook(text int) *crashBook {
	return &crashBook{text: text, code: "OVERQUOTA", deleted: map[int]bool{}, moved: map[int]bool{}, copied: map[int]int{}}
}

// fill makes a message long enough that moving many of them takes a while.
func (c *crashBook) fill(body *strings.Builder, r *rand.Rand) {
	line := strings.Repeat(string(rune('a'+r.IntN(26))), 76) + "\n"
	for n := r.IntN(2*c.text) / len(line); n > 0; n-- {
		body.WriteString(line)
	}
}

func (l *ledger) halted() bool { return l.crash != nil && l.crash.halt.Load() }

// mayDie says whether a session may end without a reason.
func (l *ledger) mayDie() bool { return l.crash != nil && l.crash.dies.Load() }

// mayRefuse says whether NO with that code is an answer that one has to expect.
func (l *ledger) mayRefuse(code string) bool {
	return l.crash != nil && l.crash.tight.Load() && (code == l.crash.code || code == "UNAVAILABLE" && l.crash.broken)
}

// mayFail says whether an agent may fail so: it has not delivered, and its MTA tries again.
func (l *ledger) mayFail(err error) bool {
	var exit *exec.ExitError
	switch {
	case err == nil || l.crash == nil:
		return false
	case l.crash.halt.Load() || errors.Is(err, errUnsynced):
		return true
	}
	return l.crash.tight.Load() && (errors.Is(err, syscall.ENOSPC) || errors.As(err, &exit))
}

// mayBeTorn says whether a message that is not whole is the agent's fault, who did not
// sync it before the power failed.
func (l *ledger) mayBeTorn(text string) bool {
	if l.crash == nil || l.crash.unsure == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash.torn++
	m := soakField.FindStringSubmatch(text)
	if m == nil {
		return !strings.Contains(text, "\n\n") // not even the header is whole
	}
	id := int(number(m[1]))
	return l.crash.unsure[id] && !l.expected[id]
}

// deleting books that a message may go for good.
func (w *soakWorker) deleting(uid uint32) {
	if w.crash != nil {
		w.book("deleting", func() { w.crash.deleted[w.byUID[uid]] = true })
	}
}

// moving books that a message may go, but only to the other folder.
func (w *soakWorker) moving(uid uint32) {
	if w.crash != nil {
		w.book("moving", func() { w.crash.moved[w.byUID[uid]] = true })
	}
}

// copying books that there may be one copy more.
func (w *soakWorker) copying(uid uint32) {
	if w.crash != nil {
		w.book("copying", func() { w.crash.copied[w.byUID[uid]]++ })
	}
}

// forgive takes back what was acknowledged about flags from that time on. The sessions
// have ended, so that they book nothing any more.
func (l *ledger) forgive(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, words := range l.keyword {
		for session, w := range words {
			if w.at.After(since) {
				delete(words, session)
			}
		}
	}
}

// checkCrashed compares both mailboxes with the ledger after a crash. Whatever is there
// now stays there: the ledger expects it from now on.
func (l *ledger) checkCrashed(t *testing.T, sure []int, inbox, other []mail) {
	t.Helper()
	l.checkInbox(t, sure, inbox)
	l.checkOther(t, other)
	l.mu.Lock()
	defer l.mu.Unlock()
	in, out := map[int]bool{}, map[int]int{}
	for _, m := range other {
		id := soakID(m.Text)
		if before, known := l.copies[m.UID]; known && before != id {
			t.Errorf("copy with UID %d was message %d and is now %d", m.UID, before, id)
		}
		l.copies[m.UID] = id
		out[id]++
	}
	for _, m := range inbox {
		id := soakID(m.Text)
		if id != 0 {
			in[id], l.expected[id] = true, true
		}
	}
	for id := range l.crash.moved {
		if in[id] {
			continue // still to be moved, perhaps
		}
		if out[id] == 0 && !l.crash.deleted[id] {
			t.Errorf("message %d was moved and is nowhere", id)
		}
		delete(l.crash.moved, id)
	}
	for id, n := range out { // MOVE is there wholly or not
		copies := l.crash.copied[id]
		if !in[id] {
			copies++
		}
		if n > copies {
			t.Errorf("message %d is in the INBOX: %v, and in the other folder %d times, though COPY was asked for %d times",
				id, in[id], n, l.crash.copied[id])
		}
	}
	for uid := range l.doomed {
		if id := l.byUID[uid]; !in[id] { // gone for good, and accounted for
			delete(l.expected, id)
			delete(l.doomed, uid)
			delete(l.keyword, uid)
			l.gone[uid] = true
		}
	}
}

// full says whether this is the long form.
func fullCrash() bool { return os.Getenv("SPOOLD_CRASH") == "full" }

// crashRounds is how often something is done: in the long form, or in the short one.
// SPOOLD_KILLS is another number for both.
func crashRounds(t testing.TB, long, short int) int {
	t.Helper()
	if s := os.Getenv("SPOOLD_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("SPOOLD_KILLS: %v", err)
		}
		return n
	}
	if fullCrash() {
		return long
	}
	return short
}

// crashAgent delivers by procmail now and then where that is installed, and must in `make
// crash` and `make interop`; else by an agent that does not sleep for a second when it
// finds the mailbox locked.
func crashAgent(t testing.TB) func(path, message string) error {
	t.Helper()
	if _, err := exec.LookPath("procmail"); err != nil {
		if fullCrash() || os.Getenv("SPOOLD_INTEROP") == "1" {
			t.Fatal("procmail is not installed (make peers installs it)")
		}
		return deliver
	}
	var n atomic.Int64
	byProcmail := procmail(t)
	return func(path, message string) error {
		if n.Add(1)%4 == 0 {
			return byProcmail(path, message)
		}
		return deliver(path, message)
	}
}
