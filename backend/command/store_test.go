package command_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run(`STORE 1 FLAGS (\Answered \Draft)`, `* 1 FETCH (FLAGS (\Answered \Draft))`, "OK STORE completed")
	c.run(`STORE 1 +FLAGS \seen \FLAGGED`, `* 1 FETCH (FLAGS (\Seen \Flagged \Answered \Draft))`, "OK")
	c.run(`STORE 1 -flags (\Draft)`, `* 1 FETCH (FLAGS (\Seen \Flagged \Answered))`, "OK")
	c.run(`UID STORE 2:3 +FLAGS (\Deleted)`,
		`* 2 FETCH (UID 2 FLAGS (\Seen \Deleted))`, `* 3 FETCH (UID 3 FLAGS (\Seen \Deleted))`, "OK UID STORE completed")
	c.run(`UID STORE 77 +FLAGS (\Deleted)`, "OK")
	for _, args := range []string{
		`1 FLAGS (\Recent)`, `1 FLAGS \Recent`, `1 FLAGS (\Unknown)`, `1 FLAGS (\*)`, "1 FLAGS", "1 FLAGS (a b", "1 +FLAGS.LOUD (a)",
		"1 *FLAGS (a)", "1 (UNCHANGEDSINCE 1) FLAGS (a)", "1 BODY (a)", "9 FLAGS (a)", "1 FLAGS (a(b)", "1 FLAGS a ]",
	} {
		c.run("STORE "+args, "BAD")
		c.run("NOOP", "OK")
	}
	c.run("STORE 1 FLAGS ("+strings.Repeat("k", 1000)+")", "NO [CANNOT]")
}

// R12: any atom is a keyword, more than thirty of them too, in the case that the client chose; they survive COPY,
// MOVE and APPEND and a new start.
func TestR12Keywords(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.has(c.ok("SELECT INBOX"), `* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \Answered \Draft \*)] Permanent flags`)
	c.run("STORE 1 FLAGS ($Forwarded)",
		`* FLAGS (\Seen \Deleted \Flagged \Answered \Draft $Forwarded)`,
		`* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \Answered \Draft $Forwarded \*)] Permanent flags`,
		"* 1 FETCH (FLAGS ($Forwarded))", "OK")
	var words []string
	for i := range 40 {
		words = append(words, fmt.Sprintf("Word%d", i))
	}
	all := strings.Join(words, " ")
	c.ok("STORE 1 +FLAGS (" + all + ")")
	c.ok("CREATE Kept")
	c.ok("COPY 1 Kept")
	if _, done := c.append("Kept (NonJunk "+all+")", "Subject: x\r\n\r\n"); !strings.HasPrefix(done, "OK") {
		t.Fatal(done)
	}
	c.ok("MOVE 1 Kept")
	c.ok("SELECT Kept")
	want := append([]string{"$Forwarded"}, words...)
	for i, first := range []string{"$Forwarded", "NonJunk", "$Forwarded"} {
		want[0] = first
		got := c.ok(fmt.Sprintf("FETCH %d FLAGS", i+1))[0]
		_, list, _ := strings.Cut(got, `FLAGS (\Recent `)
		flags := strings.Fields(strings.TrimRight(list, ")"))
		slices.Sort(flags)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(flags, sorted) {
			t.Errorf("message %d: %s", i+1, got)
		}
	}
}
