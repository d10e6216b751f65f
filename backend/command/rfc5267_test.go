package command_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spoold/backend/wire"
)

// The examples of RFC 5267 §4.2 and §4.3, on our messages.
func TestContext(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	c.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
	c.run("SEARCH RETURN (CONTEXT COUNT) DELETED", `* ESEARCH (TAG "`+c.nextTag()+`") COUNT 2`, "OK")
	c.send("B01 UID SEARCH RETURN (UPDATE COUNT) DELETED UNKEYWORD $Junk\r\n")
	c.next(`* ESEARCH (TAG "B01") UID COUNT 2`)
	c.next("B01 OK UID SEARCH completed")
	c.send("B01 SEARCH RETURN (UPDATE) FLAGGED\r\n") // is rejected, and has no effect
	c.next("B01 BAD The tag ...")

	other.ok("STORE 5:6 +FLAGS.SILENT (\\Deleted)")
	c.run("NOOP", "* 5 FETCH (UID 5 FLAGS (\\Deleted))", "* 6 FETCH (UID 6 FLAGS (\\Recent \\Deleted))",
		`* ESEARCH (TAG "B01") UID ADDTO (0 5:6)`, "OK")
	c.run("STORE 2,5 +FLAGS.SILENT ($Junk)", "* FLAGS ...", "* OK [PERMANENTFLAGS ...", `* ESEARCH (TAG "B01") UID REMOVEFROM (0 2,5)`, "OK")
	c.run("STORE 5 -FLAGS.SILENT ($Junk)", `* ESEARCH (TAG "B01") UID ADDTO (0 5)`, "OK")
	c.run("NOOP", "OK")
	c.run("STORE 1 +FLAGS.SILENT (\\Flagged)", "OK") // does not change the result
	c.run("CANCELUPDATE \"B01\"", "OK CANCELUPDATE completed")
	c.run("STORE 5 +FLAGS.SILENT ($Junk)", "OK")
	c.run("CANCELUPDATE \"B01\"", "NO [NONEXISTENT] ")
}

// Messages that arrive and that are expunged (RFC 5267 §4.3.3 and §4.3.4): numbers must be right where they stand.
func TestContextNumbers(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	c.send("num SEARCH RETURN (UPDATE ALL) SUBJECT m\r\n")
	c.next(`* ESEARCH (TAG "num") ALL 1:6`)
	c.next("num OK SEARCH completed")
	c.send("uid UID SEARCH RETURN (UPDATE) UNFLAGGED BODY new\r\n")
	c.next(`* ESEARCH (TAG "uid") UID`)
	c.next("uid OK UID SEARCH completed")

	h.deliver("inbox", message("m7 new", "")+message("other", ""))
	c.run("NOOP", "* 8 EXISTS", "* 3 RECENT", `* ESEARCH (TAG "num") ADDTO (0 7)`, `* ESEARCH (TAG "uid") UID ADDTO (0 7)`, "OK")

	other.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)")
	other.ok("EXPUNGE")
	c.run("FETCH 1 UID", "* 1 FETCH (UID 1)", "OK") // in which no number may change
	c.run("NOOP", `* ESEARCH (TAG "num") REMOVEFROM (0 2:3)`, "* 3 EXPUNGE", "* 2 EXPUNGE", "OK")
	c.ok("STORE 5 +FLAGS.SILENT (\\Deleted)")
	c.run("EXPUNGE", `* ESEARCH (TAG "num") REMOVEFROM (0 5)`, `* ESEARCH (TAG "uid") UID REMOVEFROM (0 7)`, "* 5 EXPUNGE", "* 2 RECENT", "OK")
	c.ok("CREATE box")
	c.run("MOVE 1 box", "* OK [COPYUID ...", `* ESEARCH (TAG "num") REMOVEFROM (0 1)`, "* 1 EXPUNGE", "OK")
	c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
	c.run("UID EXPUNGE 4", `* ESEARCH (TAG "num") REMOVEFROM (0 1)`, "* 1 EXPUNGE", "OK")

	// Numbers in a program are those of the time when it came.
	c.send("set SEARCH RETURN (UPDATE ALL) 1 FLAGGED\r\n")
	c.next(`* ESEARCH (TAG "set")`)
	c.next("set OK SEARCH completed")
	c.run("STORE 1:2 +FLAGS.SILENT (\\Flagged)", `* ESEARCH (TAG "set") ADDTO (0 1)`, "OK")
	c.ok("CLOSE")
	c.ok("SELECT INBOX")
	c.run("STORE 1:2 -FLAGS.SILENT (\\Flagged)", "OK") // all has ended with the selection
	c.run(`CANCELUPDATE "num" "uid"`, "NO [NONEXISTENT] ")
}

// In IDLE updates go out at once.
func TestContextIdle(t *testing.T) {
	h := newHost(t, sixMessages())
	h.watch = true
	c := h.connect()
	c.ok("SELECT INBOX")
	c.send("a UID SEARCH RETURN (UPDATE COUNT) UNSEEN\r\n")
	c.next(`* ESEARCH (TAG "a") UID COUNT 2`)
	c.next("a OK UID SEARCH completed")
	c.send("b IDLE\r\n")
	c.next("+ idling")
	h.deliver("inbox", message("m7", ""))
	c.next("* 7 EXISTS")
	c.next("* 2 RECENT")
	c.next(`* ESEARCH (TAG "a") UID ADDTO (0 7)`)
	c.send("DONE\r\n")
	c.next("b OK IDLE completed")
}

// What cannot be kept up to date is refused, and answered all the same (RFC 5267 §4.3.1).
func TestContextRefused(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	tag := c.nextTag()
	c.run("SEARCH RETURN (UPDATE COUNT) OR SEEN NOT YOUNGER 10", `* ESEARCH (TAG "`+tag+`") COUNT 6`, `* NO [NOUPDATE "`+tag+`"] ...`, "OK")
	for range 20 {
		c.run("SEARCH RETURN (UPDATE COUNT) ALL", `* ESEARCH (TAG "`+c.nextTag()+`") COUNT 6`, "OK")
	}
	tag = c.nextTag()
	c.run("SEARCH RETURN (UPDATE PARTIAL 1:2) ALL", `* ESEARCH (TAG "`+tag+`") PARTIAL (1:2 1:2)`, `* NO [NOUPDATE "`+tag+`"] ...`, "OK")
	c.run(fmt.Sprintf("CANCELUPDATE %q %q", "a3", tag), "NO [NONEXISTENT] ") // a3 stays
	c.run(`CANCELUPDATE "a3" "a4" `, "OK")
	c.run("SEARCH RETURN (UPDATE COUNT) ALL", `* ESEARCH (TAG "`+c.nextTag()+`") COUNT 6`, "OK")
	for _, args := range []string{"", " a3", ` "a5`, ` "a5""a6"`, ` ("a5")`, ` "a5",`, " {2+}\r\na5", strings.Repeat(` "a5"`, 3) + " x"} {
		c.run("CANCELUPDATE"+args, "BAD")
	}
	c.run("SEARCH UPDATE ALL", "BAD")
	c.ok("UNSELECT")
	c.run(`CANCELUPDATE "a5"`, "BAD")
}

// follower is a client that keeps a result up to date with what it is told, and does nothing else for it.
type follower struct {
	t    *testing.T
	tag  string
	nums []uint32 // of the result
}

// hear takes one response in.
func (f *follower) hear(response string) {
	f.t.Helper()
	var num uint32
	if n, _ := fmt.Sscanf(response, "* %d EXPUNGE", &num); n == 1 && strings.HasSuffix(response, " EXPUNGE") {
		if slices.Contains(f.nums, num) {
			f.t.Fatalf("%s of a result that has not been removed", response)
		}
		for i := range f.nums {
			if f.nums[i] > num {
				f.nums[i]--
			}
		}
	}
	items, ok := strings.CutPrefix(response, `* ESEARCH (TAG "`+f.tag+`")`)
	for ok && items != "" {
		var name, text string
		if n, err := fmt.Sscanf(items, " %s (0 %s", &name, &text); n != 2 {
			f.t.Fatalf("%s: %v", response, err)
		}
		_, items, _ = strings.Cut(items, ")")
		set, err := wire.ParseSet(strings.TrimSuffix(text, ")"))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, r := range set {
			for n := r.Start; n <= r.Stop; n++ {
				f.change(response, name == "ADDTO", n)
			}
		}
	}
}

func (f *follower) change(response string, add bool, n uint32) {
	f.t.Helper()
	i, known := slices.BinarySearch(f.nums, n)
	switch {
	case known == add:
		f.t.Fatalf("%s, but the result is %v", response, f.nums)
	case add:
		f.nums = slices.Insert(f.nums, i, n)
	default:
		f.nums = slices.Delete(f.nums, i, i+1)
	}
}

// A client that only listens has at every moment what a new SEARCH finds, whatever two sessions and a delivery do.
func TestContextFollows(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	programs := []string{"FLAGGED", "NOT (SEEN FLAGGED)", "OR KEYWORD work SUBJECT odd", "UNDELETED BODY odd", "UID 4:9"}
	var followers []*follower
	for _, p := range programs {
		followers = append(followers, &follower{t: t, tag: c.nextTag()})
		c.ok("SEARCH RETURN (UPDATE) " + p)
		followers[len(followers)-1].nums = numbers(t, c.ok("SEARCH " + p)[0])
	}
	do := func(who *client, cmd string) {
		responses, _ := who.do(cmd) // which may fail for messages that are gone
		for _, r := range responses {
			for _, f := range followers {
				if who == c {
					f.hear(r)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for step := range 400 {
		who := []*client{c, other}[r.IntN(2)]
		switch n := r.IntN(12); {
		case n < 7:
			flag := []string{`\Seen`, `\Flagged`, `\Deleted`, "work"}[r.IntN(4)]
			do(who, fmt.Sprintf("UID STORE %d:%d %sFLAGS%s (%s)", 1+step/20, 1+r.IntN(step/10+8), []string{"+", "-"}[r.IntN(2)], []string{"", ".SILENT"}[r.IntN(2)], flag))
		case n == 7 && step%3 == 0:
			do(who, "EXPUNGE")
		case n > 9:
			h.deliver("inbox", message([]string{"odd", "even"}[r.IntN(2)], ""))
		}
		do(c, "FETCH 1 UID")
		do(c, "NOOP")
		for i, f := range followers {
			if want := numbers(t, c.ok("SEARCH " + programs[i])[0]); !slices.Equal(want, f.nums) {
				t.Fatalf("step %d: %s finds %v, but the client was told %v", step, programs[i], want, f.nums)
			}
		}
	}
}

func numbers(t *testing.T, search string) []uint32 {
	t.Helper()
	nums := []uint32{}
	for word := range strings.FieldsSeq(strings.TrimPrefix(search, "* SEARCH")) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			t.Fatal(search)
		}
		nums = append(nums, uint32(n))
	}
	return nums
}
