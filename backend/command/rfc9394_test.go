package command_test

import (
	"strings"
	"testing"
	"time"
)

// The examples of RFC 9394 §3.1, on a smaller scale.
func TestPartial(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 3 +FLAGS.SILENT (\\Deleted)")
	c.ok("EXPUNGE") // UIDs 1 2 4 5 6
	c.ok("STORE 5 +FLAGS.SILENT ($Junk)")
	for _, tt := range []struct{ options, want string }{
		{"PARTIAL 1:2", "PARTIAL (1:2 1:2)"},
		{"PARTIAL 3:4", "PARTIAL (3:4 4:5)"},
		{"PARTIAL 2:3", "PARTIAL (2:3 2,4)"},
		{"PARTIAL 3:2", "PARTIAL (3:2 2,4)"}, // told as it was asked
		{"PARTIAL -1:-2", "PARTIAL (-1:-2 4:5)"},
		{"partial -3:-100", "PARTIAL (-3:-100 1:2)"},
		{"PARTIAL -1:-1", "PARTIAL (-1:-1 5)"},
		{"PARTIAL 4:5", "PARTIAL (4:5 5)"},
		{"PARTIAL 5:500", "PARTIAL (5:500 NIL)"},
		{"PARTIAL -5:-500", "PARTIAL (-5:-500 NIL)"},
		{"PARTIAL 1:4294967295", "PARTIAL (1:4294967295 1:2,4:5)"},
		{"PARTIAL -4294967295:-1", "PARTIAL (-4294967295:-1 1:2,4:5)"},
		{"COUNT PARTIAL 2:2 MAX MIN", "MIN 1 MAX 5 COUNT 4 PARTIAL (2:2 2)"},
	} {
		c.run("UID SEARCH RETURN ("+tt.options+") UNKEYWORD $Junk", `* ESEARCH (TAG "`+c.nextTag()+`") UID `+tt.want, "OK")
	}
	c.run("SEARCH RETURN (PARTIAL 2:3) UNKEYWORD $Junk", `* ESEARCH (TAG "`+c.nextTag()+`") PARTIAL (2:3 2:3)`, "OK")
	c.run("SEARCH RETURN (PARTIAL 1:2) ANSWERED", `* ESEARCH (TAG "`+c.nextTag()+`") PARTIAL (1:2 NIL)`, "OK")
}

func TestPartialSyntax(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	for _, options := range []string{
		"PARTIAL", "PARTIAL 1", "PARTIAL 0:1", "PARTIAL 1:0", "PARTIAL 1:*", "PARTIAL *", "PARTIAL 1:-1", "PARTIAL -1:1", "PARTIAL -0:-1",
		"PARTIAL 1:2 PARTIAL 3:4", "PARTIAL 1:2 ALL", "ALL PARTIAL 1:2", "PARTIAL 1:4294967296", "PARTIAL 1:2,4", "PARTIAL (1:2)", "PARTIAL $",
		"PARTIAL --1:-2", "PARTIAL 1: 2",
	} {
		c.run("SEARCH RETURN ("+options+") ALL", "BAD")
	}
	for _, modifiers := range []string{
		"()", "(PARTIAL)", "(PARTIAL 1:2", "(PARTIAL 1:2) x", "(PARTIAL 1:2 PARTIAL 1:2)", "(RUBBISH)", "PARTIAL 1:2", "(PARTIAL 1:2)(PARTIAL 1:2)",
	} {
		c.run("UID FETCH 1:* FLAGS "+modifiers, "BAD")
		c.run("NOOP", "OK")
	}
	c.run("FETCH 1:* FLAGS (PARTIAL 1:2)", "BAD") // only UID FETCH has it
}

// PARTIAL of UID FETCH counts the messages that there are (RFC 9394 §3.3).
func TestPartialFetch(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	c.ok("STORE 3 +FLAGS.SILENT (\\Deleted)")
	c.ok("EXPUNGE")
	for _, tt := range []struct{ args, want string }{
		{"1:* UID (PARTIAL 1:2)", "1 2"},
		{"1:* (UID) (partial -1:-2)", "5 6"},
		{"2:5 UID (PARTIAL 2:9)", "4 5"},
		{"1:2,5:6 UID (PARTIAL 2:3)", "2 5"},
		{"1:2,5:6 UID (PARTIAL -4:-2)", "1 2 5"},
		{"6,1,4 UID (PARTIAL -1:-1)", "6"},
		{"1:* UID (PARTIAL 6:9)", ""},
		{"7:9 UID (PARTIAL 1:1)", ""},
		{"1:* UID (PARTIAL 4294967295:1) ", "1 2 4 5 6"},
		{"1:* UID ", "1 2 4 5 6"},
	} {
		var uids []string
		for _, r := range c.ok("UID FETCH " + tt.args) {
			_, uid, _ := strings.Cut(r, "(UID ")
			uids = append(uids, strings.TrimSuffix(uid, ")"))
		}
		if got := strings.Join(uids, " "); got != tt.want {
			t.Errorf("UID FETCH %s: %s, want %s", tt.args, got, tt.want)
		}
	}
}

// For some of the results not all messages are looked at, and the answer is the same.
func TestSearchStopsEarly(t *testing.T) {
	h := newHost(t, strings.Repeat(message("odd", "")+message("even", "")+message("odd", ""), 100))
	c := h.connect()
	c.ok("SELECT INBOX")
	found := strings.Fields(c.ok("SEARCH SUBJECT odd")[0])[2:]
	for _, tt := range []struct {
		options string
		from    int // of found
		to      int
	}{
		{"MIN", 0, 1},
		{"MAX", 199, 200},
		{"PARTIAL 1:50", 0, 50},
		{"PARTIAL 150:120", 119, 150},
		{"PARTIAL -1:-60", 140, 200},
		{"PARTIAL 190:250", 189, 200},
		{"PARTIAL -199:-900", 0, 2},
		{"MAX PARTIAL -2:-3", 197, 200},
		{"MIN PARTIAL 2:3", 0, 3},
	} {
		c.ok("SEARCH RETURN (SAVE " + tt.options + ") SUBJECT odd")
		want := found[tt.from:tt.to]
		if got := c.ok("SEARCH $")[0]; got != "* SEARCH "+strings.Join(want, " ") {
			t.Errorf("%s: %s, want %v", tt.options, got, want)
		}
	}
	c.run("SEARCH RETURN (MIN MAX) SUBJECT even", `* ESEARCH (TAG "`+c.nextTag()+`") MIN 2 MAX 299`, "OK")
	c.run("SEARCH RETURN (MIN PARTIAL -1:-1) SUBJECT even", `* ESEARCH (TAG "`+c.nextTag()+`") MIN 2 PARTIAL (-1:-1 299)`, "OK")
	c.run("SEARCH RETURN (MAX PARTIAL 1:1) SUBJECT even", `* ESEARCH (TAG "`+c.nextTag()+`") MAX 299 PARTIAL (1:1 2)`, "OK")
	c.run("SEARCH RETURN (MIN) ANSWERED", `* ESEARCH (TAG "`+c.nextTag()+`")`, "OK")

	h.config.SearchTime, h.config.Now = 150*time.Second, slow(time.Second) // enough for 64 messages
	h.config.Hidden = []string{"INPROGRESS"}
	c = h.connect()
	c.ok("SELECT INBOX")
	c.run("SEARCH RETURN (COUNT) SUBJECT odd", "NO [LIMIT] ")
	for _, options := range []string{"MIN", "MAX", "PARTIAL 1:30", "PARTIAL -30:-1", "MIN PARTIAL 1:2", "MAX PARTIAL -1:-2"} {
		c.ok("SEARCH RETURN (" + options + ") SUBJECT odd")
	}
}
