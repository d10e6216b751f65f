package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The lock suite: sessions of spoold and another program work on one mailbox at the same
// time. The other program delivers into it, rewrites it, or both, and locks it by its own
// methods in its own order. The soak's ledger accounts for every message.
//
// The programs' methods can be configured in part only, so there is also an agent for
// each order (interop_locks_agent_test.go): it writes each message in two halves with a
// pause between, so that whoever does not respect its lock is caught.

// rival is a program that works on a mailbox beside spoold.
type rival struct {
	name    string
	needs   []string
	minimum map[string]int // what it has to get done in a minute, else the test proves nothing
	start   func(c *contest) []chore
}

// chore is one thing that a rival does again and again. r is this chore's own.
type chore func(r *rand.Rand) error

// contest is one mailbox that spoold and a rival use.
type contest struct {
	*ledger
	*host
	end    time.Time
	finish []func() error // what the rival still has to do when all sessions are closed
}

const (
	contestSessions = 4
	contestPace     = 40 * time.Millisecond // the longest pause of a session: eight of these run on two processors
)

// inbox is the mailbox in question.
func (c *contest) inbox() string { return c.file(c.user, "INBOX") }

func TestInteropLocks(t *testing.T) {
	if os.Getenv("SPOOLD_INTEROP") != "1" {
		t.Skip("other programs work on the same mailbox: make interop runs it")
	}
	for _, r := range slices.Concat(agentRivals(), deliveryRivals(), postfixRivals(), readerRivals(), dovecotRivals()) {
		t.Run(r.name, func(t *testing.T) {
			needs(t, r.needs...)
			t.Parallel()
			r.compete(t)
		})
	}
}

// compete runs the rival beside the sessions and accounts for the messages.
func (r rival) compete(t *testing.T) {
	c := &contest{ledger: newLedger(), host: newHost(t, mailOwner().name)}
	c.user, c.rivals = mailOwner().name, true
	c.put(c.user, "INBOX", soakMailbox(c.ledger))
	c.serve()
	setup := c.login(c.user)
	setup.ok("CREATE Other")
	validity := setup.open("SELECT", "INBOX").UIDValidity
	setup.logout()

	length := soakTime(t)
	c.end = time.Now().Add(length)
	chores := r.start(c)
	var wg sync.WaitGroup
	for i := range contestSessions {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		w := &soakWorker{ledger: c.ledger, client: c.login(c.user), me: i, rand: random, pace: contestPace}
		wg.Go(func() { w.run(c.end) })
	}
	for i, do := range chores {
		random := rand.New(rand.NewPCG(8, uint64(i)))
		wg.Go(func() { c.repeat(r.name, do, random) })
	}
	wg.Wait()
	for _, finish := range c.finish {
		if err := finish(); err != nil {
			t.Errorf("%s at the end: %v", r.name, err)
		}
	}
	c.account(t, c.host, validity)
	t.Logf("%v", c.ops)
	for op, minimum := range r.minimum {
		if want := int(length.Minutes() * float64(minimum)); c.ops[op] < want {
			t.Errorf("%s: %d times %q, expected are %d", r.name, c.ops[op], op, want)
		}
	}
}

// repeat does a chore until the end.
func (c *contest) repeat(name string, do chore, r *rand.Rand) {
	for time.Now().Before(c.end) {
		if err := do(r); err != nil {
			c.fail("%s: %v", name, err)
			return
		}
		time.Sleep(rand.N(60 * time.Millisecond))
	}
}

// refusal is what a delivery answers that was not made and is not going to be.
type refusal struct{ error }

// delivers is a chore: the next message, by that function. What it answers for is expected to be there.
func (c *contest) delivers(deliver func(message string) error) chore {
	return func(r *rand.Rand) error {
		id, text := c.newMessage(r)
		err := deliver(text)
		if refused, ok := err.(refusal); ok {
			c.book("rival was kept out", func() { c.refused[id] = true })
			c.logOnce(refused.error)
			return nil
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", id, err)
		}
		c.book("rival delivers", func() { c.expected[id] = true })
		return nil
	}
}

// logOnce keeps the first reason for which a rival was kept out.
func (c *contest) logOnce(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops["rival was kept out"] == 1 {
		c.t.Logf("kept out: %v", reason)
	}
}

// removes is a chore: some message is taken away by that function, which says whether it was there.
func (c *contest) removes(remove func(id int) (removed bool, err error)) chore {
	return func(r *rand.Rand) error {
		id := c.prey(r)
		if id == 0 {
			return nil
		}
		removed, err := remove(id)
		if err != nil {
			return fmt.Errorf("taking message %d away: %w", id, err)
		}
		if removed {
			c.book("rival removes", func() { c.removed[id] = true })
		}
		return nil
	}
}

// prey picks a message that a rival is going to remove.
func (c *contest) prey(r *rand.Rand) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int
	for id := range c.expected {
		if uid, seen := c.uidOf[id]; !c.taken[id] && (!seen || !c.doomed[uid]) {
			ids = append(ids, id)
		}
	}
	if len(ids) < soakInitial/2 { // the sessions need some
		return 0
	}
	slices.Sort(ids)
	id := ids[r.IntN(len(ids))]
	c.taken[id] = true
	return id
}

// countRemoved counts what is gone of what a rival was told to remove: for one that does not say.
func (c *contest) countRemoved() error {
	file, err := os.ReadFile(c.inbox())
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.taken {
		uid, seen := c.uidOf[id]
		if !strings.Contains(string(file), fmt.Sprintf("\nX-Soak: %d ", id)) && !(seen && c.doomed[uid]) {
			c.ops["rival removes"]++
		}
	}
	return nil
}
