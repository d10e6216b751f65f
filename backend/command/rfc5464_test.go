package command_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"spoold/backend/annotation"
)

// TestMetadata has the examples of RFC 5464.
func TestMetadata(t *testing.T) {
	h := newHost(t, sixMessages())
	h.config.Comment, h.config.Admin = "Shared comment", "mailto:root@example.org"
	c := h.connect()
	c.run(`GETMETADATA "" /shared/comment`, `* METADATA "" (/shared/comment "Shared comment")`, "OK GETMETADATA completed")
	c.run(`GETMETADATA "" (DEPTH infinity) (/shared /private)`,
		`* METADATA "" (/shared/admin "mailto:root@example.org" /shared/comment "Shared comment")`, "OK")

	c.run(`SETMETADATA INBOX (/private/comment "My own comment" /shared/comment "Shared comment")`, "OK SETMETADATA completed")
	c.run(`GETMETADATA "INBOX" /private/comment`, `* METADATA INBOX (/private/comment "My own comment")`, "OK")
	c.run(`GETMETADATA inbox (/shared/comment /PRIVATE/Comment)`,
		`* METADATA INBOX (/shared/comment "Shared comment" /private/comment "My own comment")`, "OK")
	c.run(`GETMETADATA "INBOX" /private/comment /shared/comment`,
		`* METADATA INBOX (/private/comment "My own comment" /shared/comment "Shared comment")`, "OK")

	c.ok(`SETMETADATA INBOX (/shared/comment "` + strings.Repeat("x", 2199) + `")`)
	for _, args := range []string{
		`"INBOX" (MAXSIZE 1024) (/shared/comment /private/comment)`, `(MAXSIZE 1024) "INBOX" (/shared/comment /private/comment)`,
	} {
		c.run("GETMETADATA "+args, `* METADATA INBOX (/private/comment "My own comment")`, "OK [METADATA LONGENTRIES 2199]")
	}
	c.run(`GETMETADATA INBOX (MAXSIZE 14) /private/comment`, `* METADATA INBOX (/private/comment "My own comment")`, "OK GET")
	c.run(`GETMETADATA INBOX (MAXSIZE 13) /private/comment`, "OK [METADATA LONGENTRIES 14]")

	c.ok(`SETMETADATA INBOX (/private/filters/values/small "SMALLER 5000" /private/filters/values/boss "FROM \"boss@example.com\"" ` +
		`/private/filters/values/small/why "x")`)
	const boss, small = `/private/filters/values/boss "FROM \"boss@example.com\""`, `/private/filters/values/small "SMALLER 5000"`
	c.run(`GETMETADATA "INBOX" (DEPTH 1) (/private/filters/values)`, "* METADATA INBOX ("+boss+" "+small+")", "OK")
	c.run(`GETMETADATA (DEPTH infinity MAXSIZE 100) "INBOX" (/private/filters/values /private/filters)`,
		"* METADATA INBOX ("+boss+" "+small+` /private/filters/values/small/why "x")`, "OK")
	c.run(`GETMETADATA (DEPTH 0) INBOX /private/filters/values`, "* METADATA INBOX (/private/filters/values NIL)", "OK")
	c.run(`GETMETADATA (DEPTH 1) INBOX /private/filter`, "OK")

	c.send("m1 SETMETADATA INBOX (/private/comment {35}\r\n")
	c.next("+ ...")
	c.send("My new comment across\r\ntwo lines.\r\n)\r\n")
	c.next("m1 OK SETMETADATA completed")
	c.run("GETMETADATA INBOX /private/comment", "* METADATA INBOX (/private/comment {35}\r\nMy new comment across\r\ntwo lines.\r\n)", "OK")
	c.ok("SETMETADATA INBOX (/private/comment NIL)")
	c.run("GETMETADATA INBOX (/private/comment /private/comment)", "* METADATA INBOX (/private/comment NIL)", "OK")
	c.ok(`SETMETADATA INBOX (/private/comment "")`) // which is a value
	c.run("GETMETADATA INBOX /private/comment", `* METADATA INBOX (/private/comment "")`, "OK")
}

// Values are octets: with NUL, which only literal8 has, with 8 bits, with line ends.
func TestMetadataOctets(t *testing.T) {
	c := newHost(t, "").connect()
	value := "a\x00b\r\n\xff\"\\"
	c.ok(fmt.Sprintf("SETMETADATA \"\" (/private/vendor/x/y ~{%d+}\r\n%s /private/comment {3+}\r\n\xc3\xa4!)", len(value), value))
	c.run(`GETMETADATA "" /private/vendor/x/y /private/comment`,
		fmt.Sprintf("* METADATA \"\" (/private/vendor/x/y ~{%d}\r\n%s /private/comment {3}\r\n\xc3\xa4!)", len(value), value), "OK")
	c.run("SETMETADATA INBOX (/private/comment {3+}\r\na\x00b)", "BAD")
	c.ok(`SETMETADATA INBOX ("/private/with space" "x")`)
	c.run(`GETMETADATA INBOX (DEPTH infinity) /private`, `* METADATA INBOX ("/private/with space" "x")`, "OK")
}

func TestMetadataRefused(t *testing.T) {
	h := newHost(t, "")
	c := h.connect()
	c.ok("CREATE Dir/Sub")
	for _, tt := range []struct{ cmd, want string }{
		{`GETMETADATA Nowhere /private/comment`, "NO [NONEXISTENT]"},
		{`SETMETADATA Nowhere (/private/comment "x")`, "NO [NONEXISTENT]"},
		{`GETMETADATA ../inbox /private/comment`, "NO [NONEXISTENT]"},
		{`GETMETADATA ~root /private/comment`, "NO [NONEXISTENT]"},
		{`SETMETADATA "" (/shared/comment "x")`, "NO [NOPERM]"},
		{`SETMETADATA "" (/shared/admin NIL)`, "NO [NOPERM]"},
		{`SETMETADATA "" (/private/comment "x" /shared/vendor/x/y "x")`, "NO [NOPERM]"},
		{`SETMETADATA Dir (/private/comment "of a directory")`, "OK"},
		{`SETMETADATA Dir (/private/specialuse "\\Sent")`, "NO [USEATTR]"},
		{`SETMETADATA "" (/private/specialuse "\\Sent")`, "NO [USEATTR]"},
		{`GETMETADATA`, "BAD"},
		{`GETMETADATA INBOX`, "BAD"},
		{`GETMETADATA INBOX ()`, "BAD"},
		{`GETMETADATA (MAXSIZE) INBOX /private/comment`, "BAD"},
		{`GETMETADATA (MAXSIZE -1) INBOX /private/comment`, "BAD"},
		{`GETMETADATA (MAXSIZE 99999999999) INBOX /private/comment`, "BAD"},
		{`GETMETADATA (DEPTH 2) INBOX /private/comment`, "BAD"},
		{`GETMETADATA (COLOUR red) INBOX /private/comment`, "BAD"},
		{`GETMETADATA INBOX (DEPTH 1)`, "BAD"},
		{`GETMETADATA INBOX /comment`, "BAD"},
		{`GETMETADATA INBOX private/comment`, "BAD"},
		{`GETMETADATA INBOX "/private/*"`, "BAD"},
		{`GETMETADATA INBOX (/private/comment`, "BAD"},
		{`SETMETADATA INBOX`, "BAD"},
		{`SETMETADATA INBOX ()`, "BAD"},
		{`SETMETADATA INBOX (/private/comment)`, "BAD"},
		{`SETMETADATA INBOX (/private/comment atom)`, "BAD"},
		{`SETMETADATA INBOX (/private/comment "x") y`, "BAD"},
		{`SETMETADATA INBOX (/private "x")`, "BAD"},
		{`SETMETADATA INBOX (/private/ "x")`, "BAD"},
		{`SETMETADATA INBOX (/private//x "x")`, "BAD"},
		{`SETMETADATA INBOX (/private/vendor/x "x")`, "BAD"},
		{`SETMETADATA INBOX ("/private/a%" "x")`, "BAD"},
		{"SETMETADATA INBOX ({10+}\r\n/private/\xe4 \"x\")", "BAD"},
		{"SETMETADATA INBOX ({10+}\r\n/private/\t \"x\")", "BAD"},
		{"SETMETADATA INBOX (" + strings.Repeat("(", 1000) + ")", "BAD"},
		{"GETMETADATA INBOX (" + strings.Repeat("/private/a ", 5000) + "/private/b)", "OK"},
	} {
		if _, done := c.do(tt.cmd); !strings.HasPrefix(done, tt.want) {
			t.Errorf("%.80s: %s, want %s", tt.cmd, done, tt.want)
		}
		c.ok("NOOP") // too many wrong commands in a row would end the connection
	}
	c.run(`GETMETADATA Dir/ /private/comment`, `* METADATA Dir/ (/private/comment "of a directory")`, "OK")
	c.run(`GETMETADATA "" (DEPTH infinity) (/private /shared)`, "OK")
	h.config.ReadOnly = true
	h.connect().run(`SETMETADATA INBOX (/private/comment "x")`, "NO [NOPERM]")
	h.config.ReadOnly, h.notes = false, nil
	c = h.connect()
	c.run(`SETMETADATA INBOX (/private/comment "x")`, "NO [CANNOT]")
	c.run(`GETMETADATA INBOX /private/comment`, "* METADATA INBOX (/private/comment NIL)", "OK")
	c.run(`CREATE x (USE (\Sent))`, "NO [USEATTR]")
	c.run(`RENAME Dir Other`, "OK")
}

func (h *host) reopenNotes(lim annotation.Limits) {
	h.t.Helper()
	var err error
	if h.notes, err = annotation.Open(h.state, lim, slog.New(slog.NewTextHandler(h.t.Output(), nil))); err != nil {
		h.t.Fatal(err)
	}
}

func TestMetadataLimits(t *testing.T) {
	h := newHost(t, "")
	h.reopenNotes(annotation.Limits{Value: 1024, Count: 10, Total: 5000})
	c := h.connect()
	large := `"` + strings.Repeat("x", 1024) + `"`
	c.run(`SETMETADATA INBOX (/private/comment "x" /private/large "x`+large[1:]+")", "NO [METADATA MAXSIZE 1024]")
	c.run(`GETMETADATA INBOX /private/comment`, "* METADATA INBOX (/private/comment NIL)", "OK")
	for i := range 10 {
		c.ok(fmt.Sprintf(`SETMETADATA INBOX (/private/%d "x")`, i))
	}
	c.run(`SETMETADATA INBOX (/private/comment "My new comment")`, "NO [METADATA TOOMANY]")
	c.ok(`SETMETADATA INBOX (/private/1 "other")`)
	for i := range 4 {
		c.ok(fmt.Sprintf(`SETMETADATA "" (/private/%d %s)`, i, large))
	}
	c.run(`SETMETADATA "" (/private/4 `+large+")", "NO [OVERQUOTA]")
	c.ok(`SETMETADATA "" (/private/0 NIL)`)
	c.ok(`SETMETADATA "" (/private/4 ` + large + ")")
}

// Annotations follow a mailbox that is renamed, and go when it is deleted (RFC 5464 §4.1).
func TestMetadataFollows(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("CREATE A/one")
	c.ok("CREATE AB")
	for _, name := range []string{"INBOX", "A", "A/one", "AB"} {
		c.ok(fmt.Sprintf(`SETMETADATA %s (/private/comment "of %s")`, name, name))
	}
	comment := func(name, want string) {
		t.Helper()
		c.run("GETMETADATA "+name+" /private/comment", "* METADATA "+name+" (/private/comment "+want+")", "OK")
	}
	c.run("RENAME A AB", "NO [ALREADYEXISTS]")
	comment("AB", `"of AB"`)
	comment("A/one", `"of A/one"`)
	c.run("RENAME A AB/x", "NO [CANNOT]")
	c.ok("RENAME A B/C")
	c.ok("CREATE A/one")
	comment("A/one", "NIL")
	comment("B/C/one", `"of A/one"`)
	h.reopenNotes(annotation.Limits{}) // the server starts again
	c = h.connect()
	comment("B/C", `"of A"`)
	c.ok("DELETE B/C/one")
	c.ok("CREATE B/C/one")
	comment("B/C/one", "NIL")
	c.run("RENAME INBOX Old", "OK")
	comment("Old", `"of INBOX"`)
	comment("INBOX", `"of INBOX"`)
}

// A client that has enabled METADATA is told what others change, and not what it does itself (RFC 5464 §4.4.2).
func TestMetadataNews(t *testing.T) {
	h := newHost(t, "")
	watching, quiet, other := h.connect(), h.connect(), h.connect()
	watching.run("ENABLE METADATA", "* ENABLED METADATA", "OK")
	other.run("ENABLE METADATA", "* ENABLED METADATA", "OK")
	other.ok(`SETMETADATA INBOX (/shared/comment "x" /private/comment "y")`)
	other.ok(`SETMETADATA "" (/private/comment "y")`)
	watching.run("NOOP", `* METADATA "" /private/comment`, "* METADATA INBOX /private/comment /shared/comment", "OK")
	watching.run("NOOP", "OK")
	quiet.run("NOOP", "OK")
	other.run("NOOP", "OK")
	for _, selected := range []bool{false, true} {
		if selected {
			watching.ok("SELECT INBOX")
		}
		watching.send("i IDLE\r\n")
		watching.next("+ ...")
		other.ok(fmt.Sprintf(`SETMETADATA INBOX (/private/comment "%v")`, selected))
		watching.next("* METADATA INBOX /private/comment")
		watching.send("DONE\r\n")
		watching.next("i OK ...")
	}
	other.ok(`CREATE New (USE (\Sent))`)
	watching.run("SEARCH ALL", "* SEARCH", "* METADATA New /private/specialuse", "OK")
}

// TestMetadataDamaged: without its file the server goes on, and tells of no annotations.
func TestMetadataDamaged(t *testing.T) {
	h := newHost(t, "")
	h.connect().ok(`SETMETADATA INBOX (/private/comment "x")`)
	if err := os.Truncate(h.path("state/annotations"), 30); err != nil {
		t.Fatal(err)
	}
	h.reopenNotes(annotation.Limits{})
	c := h.connect()
	c.run("GETMETADATA INBOX /private/comment", "* METADATA INBOX (/private/comment NIL)", "OK")
	c.ok(`SETMETADATA INBOX (/private/comment "y")`)
	if got := h.read("state/annotations.damaged"); len(got) != 30 {
		t.Errorf("kept: %q", got)
	}
}
