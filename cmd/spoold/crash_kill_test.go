package main_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// flagWindow is within which time a flag reaches the file, where a killed server leaves it: a second, and some for
// procmail, which sleeps for a second with a lock in its hand.
const flagWindow = 3 * time.Second

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 99)) }

// crashTest is one server whose end comes at any instant, and what is known of its mail.
type crashTest struct {
	*host
	*ledger
	t        *testing.T
	rand     *rand.Rand
	want     int // messages in the INBOX at the begin of a round
	validity uint32
	agent    func(path, message string) error
	refiller func(path, message string) error // how the INBOX is filled again
	left     unfinished                       // by all crashes
	octets   int64                            // of the INBOX at all crashes
	checks   map[int]int                      // spoold check by its exit status
}

// newCrashTest starts a server on a mailbox of want messages of about text octets.
func newCrashTest(t *testing.T, h *host, want, text int, agent func(path, message string) error) *crashTest {
	t.Helper()
	c := &crashTest{host: h, ledger: newLedger(), t: t, rand: newRand(uint64(want)), checks: map[int]int{}, want: want, agent: agent, refiller: deliver}
	c.crash = newCrashBook(text)
	h.put("soak", "INBOX", nil)
	h.debug = true
	c.refill(t, c.refiller, h.file("soak", "INBOX"), 0, want, 1)
	h.serve()
	c.validity = soakSetup(h)
	return c
}

func (c *crashTest) journal() string { return filepath.Join(c.states, "soak", "mailboxes", "journal") }

// forever is longer than any test.
const forever = 24 * time.Hour

// begin starts the sessions of a round.
func (c *crashTest) begin(round int) *sync.WaitGroup {
	c.crash.dies.Store(true)
	var wg sync.WaitGroup
	c.startSessions(&wg, c.host, time.Now().Add(forever), uint64(round), crashSessions)
	return &wg
}

// deliver starts the agents, which go on whatever happens to the server.
func (c *crashTest) deliver() *sync.WaitGroup {
	c.crash.halt.Store(false)
	var wg sync.WaitGroup
	c.startAgents(&wg, c.host, time.Now().Add(forever), uint64(c.rand.Uint32()), c.agent)
	return &wg
}

// endAfterLogin ends the agents, who have gone on while the server was dead and replayed. A lock file of a dead worker
// that had nothing in the journal goes with the first session; procmail would wait for a minute.
func (c *crashTest) endAfterLogin(agents *sync.WaitGroup) {
	l := c.login("soak")
	l.open("SELECT", "INBOX")
	l.logout()
	c.end(agents)
}

// end ends sessions and agents.
func (c *crashTest) end(wg *sync.WaitGroup) {
	c.crash.halt.Store(true)
	wg.Wait()
}

// instant waits for the moment of a crash: any, or one in which a rewrite or an append is under way, or in which the
// file system has to take ranges out.
func (c *crashTest) instant() {
	time.Sleep(time.Duration(200+c.rand.IntN(800)) * time.Millisecond)
	kind := c.rand.IntN(6)
	if kind == 0 {
		return
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		u := lookUnfinished(c.t, c.journal())
		if u.taking > 0 || kind < 4 && u.plans > 0 || kind == 1 && u.intents > 0 {
			break
		}
	}
	if kind == 2 {
		time.Sleep(time.Duration(c.rand.IntN(20)) * time.Millisecond)
	}
}

// crashed counts what a crash left behind; the server is dead and its disk can be read.
func (c *crashTest) crashed() {
	c.left.add(lookUnfinished(c.t, c.journal()))
	if st, err := os.Stat(c.file("soak", "INBOX")); err == nil {
		c.octets += st.Size()
	}
}

// check reads what is there after a restart, accounts for it, and makes ready for the
// next round. No session and no agent works.
func (c *crashTest) check(round int) {
	c.t.Helper()
	l := c.login("soak")
	defer l.logout()
	c.awaitMoves()
	sure := c.sure()
	inbox := l.read("SELECT", "INBOX")
	if inbox.UIDValidity != c.validity {
		c.t.Errorf("UIDVALIDITY %d, was %d", inbox.UIDValidity, c.validity)
	}
	c.checkCrashed(c.t, sure, inbox.Mails, l.read("EXAMINE", "Other").Mails)
	c.verify(true)
	for _, mailbox := range []string{"Other", "INBOX"} { // a flag takes with it what may lag behind
		if l.open("SELECT", mailbox).Exists > 0 {
			l.ok(`STORE 1 +FLAGS.SILENT (\Flagged)`)
			l.ok("CHECK")
			l.ok(`STORE 1 -FLAGS.SILENT (\Flagged)`)
		}
		l.ok("CHECK")
	}
	c.verify(false)
	if c.t.Failed() {
		c.t.Fatalf("after round %d", round)
	}
	if len(c.copies) > c.want/4 {
		c.empty(l, "Other")
	}
	if len(inbox.Mails) > c.want*3/2 {
		c.thin(l, inbox.Mails[:len(inbox.Mails)-c.want])
	}
	if len(inbox.Mails) < c.want {
		c.refill(c.t, c.refiller, c.file("soak", "INBOX"), len(inbox.Mails), c.want, uint64(round)<<32)
	}
}

// awaitMoves waits until interrupted moves are finished, which goes on beside the sessions.
func (c *crashTest) awaitMoves() {
	c.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		records, err := filepath.Glob(filepath.Join(c.journal(), "*.move"))
		if err != nil {
			c.t.Fatal(err)
		}
		if len(records) == 0 {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("moves are not finished: %v", records)
		}
	}
}

// lagging are findings that are no news: what is delivered gets its UID, and the base line is brought up to date, at a
// quiet moment.
var lagging = regexp.MustCompile(`:\d+: (?:uid-missing|base-last|uid-above-last|keyword-unknown|padding): `)

// verify runs `spoold check` on both mailboxes, which has to find nothing, or what may lag behind.
func (c *crashTest) verify(mayLag bool) {
	c.t.Helper()
	const mends = 3 // exit status: the next write puts it right
	status, says := c.spooldCheck("soak")
	c.checks[status]++
	ok := mayLag && status == mends
	for line := range strings.Lines(says) {
		ok = ok && (lagging.MatchString(line) || strings.HasPrefix(line, "spoold: "))
	}
	if status != 0 && !ok {
		c.t.Errorf("spoold check: exit status %d:\n%.4000s", status, says)
	}
}

// report tells the figures.
func (c *crashTest) report(crashes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes, finished := c.collapses()
	c.t.Logf("%d crashes: %v; mailbox %d KB on average; exit status of spoold check: %v",
		crashes, c.left, c.octets/int64(max(crashes, 1))>>10, c.checks)
	c.t.Logf("%d rewrites let the file system take out ranges, together %d KB; %d collapses finished by a replay", n, bytes>>10, finished)
	c.t.Logf("%v", c.ops)
}

// TestCrashKilled kills server and workers in the middle of the work, again and again, in
// most cases while a rewrite is under way, and now and then again during the replay.
// What was acknowledged before is there after each start, once, with its UID.
func TestCrashKilled(t *testing.T) {
	t.Run("8 MB", func(t *testing.T) { testCrashKilled(t, crashRounds(t, 400, 3), 250) })
	// More than what is rewritten in one step.
	t.Run("40 MB", func(t *testing.T) { testCrashKilled(t, crashRounds(t, 100, 1), 1250) })
}

func testCrashKilled(t *testing.T, rounds, messages int) {
	h := newHost(t, "soak")
	c := newCrashTest(t, h, messages, 32<<10, crashAgent(t))
	kills := 0
	kill := func(sessions *sync.WaitGroup) {
		since := time.Now().Add(-flagWindow)
		h.kill()
		c.crashed()
		kills++
		sessions.Wait()
		c.forgive(since)
	}
	for round := 0; kills < rounds; round++ {
		agents, sessions := c.deliver(), c.begin(round)
		c.instant()
		kill(sessions)
		if c.rand.IntN(6) == 0 && kills < rounds {
			h.serve()
			go func() { _ = h.tryLogin("soak") }() // it ends with the server, whose replay is what is killed
			time.Sleep(time.Duration(c.rand.IntN(60)) * time.Millisecond)
			kill(sessions)
		}
		h.serve()
		c.endAfterLogin(agents)
		c.check(round)
		if round%50 == 49 {
			c.report(kills)
		}
	}
	c.report(kills)
	if fullCrash() && c.left.plans < kills/10 {
		t.Errorf("only %d of %d kills hit a rewrite: this proves little", c.left.plans, kills)
	}
	c.crash.dies.Store(false)
	c.account(t, h, c.validity)
}

// TestCrashWorkerKilled kills only the user's worker: the server goes on, and the next
// session finds everything as it was.
func TestCrashWorkerKilled(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: otherwise the server is its own worker")
	}
	kills := crashRounds(t, 50, 2)
	h := newHost(t, "soak")
	c := newCrashTest(t, h, 250, 32<<10, crashAgent(t))
	for round := range kills {
		agents, sessions := c.deliver(), c.begin(round)
		c.instant()
		since := time.Now().Add(-flagWindow)
		h.killWorkers(h.server.Process.Pid)
		c.crashed()
		sessions.Wait()
		c.forgive(since)
		c.endAfterLogin(agents)
		c.check(round)
	}
	c.report(kills)
	c.crash.dies.Store(false)
	c.account(t, h, c.validity)
}
