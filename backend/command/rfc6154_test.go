package command_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// usesOf tells the mailboxes that LIST tells a special use of.
func usesOf(c *client, args string) string {
	c.t.Helper()
	var found []string
	for _, r := range c.ok("LIST " + args) {
		attrs, name, _ := strings.Cut(strings.TrimPrefix(r, "* LIST ("), `) "/" `)
		for a := range strings.FieldsSeq(attrs) {
			if slices.Contains([]string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}, a) {
				found = append(found, name+a)
			}
		}
	}
	return strings.Join(found, " ")
}

// TestSpecialUse asks what RFC 6154 §5.1 and §5.2 ask.
func TestSpecialUse(t *testing.T) {
	h := newHost(t, "")
	h.config.SpecialUse = map[string][]string{`\Sent`: {"Sent", "sent-mail"}, `\Drafts`: {"postponed"}, `\Junk`: {"spam/caught"}, `\Trash`: {"Trash"}}
	c := h.connect()
	for _, name := range []string{"ToDo", "Projects/Foo", "sent-mail", "postponed", "spam/caught", "Trash/"} {
		c.ok("CREATE " + name)
	}
	// A directory is no mailbox for what was deleted, and only what there is is told.
	const all = `postponed\Drafts sent-mail\Sent spam/caught\Junk`
	for _, args := range []string{`"" *`, `"" "*" RETURN (SPECIAL-USE)`, `(SPECIAL-USE) "" *`, `(SPECIAL-USE) "" * RETURN (SPECIAL-USE CHILDREN)`} {
		if got := usesOf(c, args); got != all {
			t.Errorf("LIST %s: %s, want %s", args, got, all)
		}
	}
	c.run(`LIST (SPECIAL-USE) "" "*"`, `* LIST (\NoInferiors \HasNoChildren \Unmarked \Drafts) "/" postponed`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked \Sent) "/" sent-mail`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked \Junk) "/" spam/caught`, "OK")
	c.ok("SUBSCRIBE postponed")
	c.ok("SUBSCRIBE ToDo")
	c.ok("SUBSCRIBE Gone")
	c.run(`LIST (SUBSCRIBED SPECIAL-USE) "" "*"`, `* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed \Drafts) "/" postponed`, "OK")
	c.run(`LIST (SPECIAL-USE) "" % RETURN (SUBSCRIBED)`, `* LIST (\NoInferiors \HasNoChildren \Unmarked \Subscribed \Drafts) "/" postponed`,
		`* LIST (\NoInferiors \HasNoChildren \Unmarked \Sent) "/" sent-mail`, "OK")
	c.run(`LIST (SPECIAL-USE RECURSIVEMATCH) "" sp%`, `* LIST (\Noselect \HasChildren) "/" spam ("CHILDINFO" ("SPECIAL-USE"))`, "OK")
	c.ok("SUBSCRIBE spam/caught")
	c.run(`LIST (RECURSIVEMATCH SPECIAL-USE SUBSCRIBED) "" s%`,
		`* LIST (\Noselect \HasChildren) "/" spam ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))`, "OK")

	c.ok("CREATE Sent") // which is the first choice
	if got := usesOf(c, `"" s*`) + usesOf(c, `"" S*`); got != `spam/caught\JunkSent\Sent` {
		t.Error(got)
	}
	c.ok("ENABLE IMAP4rev2")
	if got, want := usesOf(c, `"" *`), `Sent\Sent postponed\Drafts spam/caught\Junk`; got != want {
		t.Errorf("IMAP4rev2: %s, want %s", got, want)
	}
	h.config.Hidden = []string{"SPECIAL-USE"}
	if got := usesOf(h.connect(), `"" *`); got != "" {
		t.Errorf("hidden, and told: %s", got)
	}
}

// TestCreateSpecialUse is RFC 6154 §5.3.
func TestCreateSpecialUse(t *testing.T) {
	h := newHost(t, "")
	h.config.SpecialUse = map[string][]string{`\Sent`: {"Sent"}}
	c := h.connect()
	c.run(`CREATE MySpecial (USE (\Drafts \Sent))`, "OK CREATE completed")
	c.run(`CREATE Everything (USE (\All))`, "NO [USEATTR]")
	c.run(`LIST "" Everything`, "OK")
	for _, tt := range []struct{ args, want string }{
		{`x (USE (\Flagged))`, "NO [USEATTR]"},
		{`x (USE (\Drafts \Whatever))`, "NO [USEATTR]"},
		{`x (USE (Drafts))`, "NO [USEATTR]"},
		{`x/ (USE (\Drafts))`, "NO [USEATTR]"},
		{`MySpecial (USE (\Junk))`, "NO [ALREADYEXISTS]"},
		{`INBOX (USE (\Junk))`, "NO [ALREADYEXISTS]"},
		{`MySpecial/x (USE (\Junk))`, "NO [CANNOT]"},
		{`x (USE \Drafts)`, "BAD"},
		{`x (USE)`, "BAD"},
		{`x (USE ()`, "BAD"},
		{`x (OTHER (\Drafts))`, "BAD"},
		{`x (USE (\Drafts)) y`, "BAD"},
		{`x y`, "BAD"},
		{`x(USE (\Junk))`, "BAD"},
	} {
		c.run("CREATE "+tt.args, tt.want)
	}
	c.ok("CREATE Empty (USE ())")
	c.ok(`CREATE Bin (use (\trash \TRASH))`)
	c.ok("CREATE Sent") // what the user has given to another is not this one's by its name
	const want = `Bin\Trash MySpecial\Drafts MySpecial\Sent`
	if got := usesOf(c, `"" *`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c.ok("RENAME Bin Old/Rubbish")
	c.ok("RENAME Old Older")
	c.ok("DELETE MySpecial")
	c.ok("CREATE MySpecial")
	if got, want := usesOf(c, `"" *`), `Sent\Sent Older/Rubbish\Trash`; got != want {
		t.Errorf("after RENAME and DELETE: %s, want %s", got, want)
	}

	// What another program removes, and what is made afterwards, have nothing in common.
	if err := os.Remove(h.path("mail/Older/Rubbish")); err != nil {
		t.Fatal(err)
	}
	c.ok("CREATE Older/Rubbish")
	if got := usesOf(c, `"" *`); got != `Sent\Sent` {
		t.Error(got)
	}
	h.config.ReadOnly = true
	h.connect().run(`CREATE Sent2 (USE (\Sent))`, "NO [NOPERM]")
}

// TestSpecialUseMetadata is RFC 6154 §5.4.
func TestSpecialUseMetadata(t *testing.T) {
	h := newHost(t, "")
	h.config.SpecialUse = map[string][]string{`\Drafts`: {"Drafts"}}
	c := h.connect()
	c.ok("CREATE SavedDrafts")
	c.ok("CREATE Drafts")
	c.run(`GETMETADATA Drafts /private/specialuse`, `* METADATA Drafts (/private/specialuse "\\Drafts")`, "OK")
	c.run(`SETMETADATA "SavedDrafts" (/private/specialuse "\\Drafts")`, "OK SETMETADATA completed")
	c.run(`GETMETADATA "SavedDrafts" /private/specialuse`, `* METADATA SavedDrafts (/private/specialuse "\\Drafts")`, "OK GETMETADATA completed")
	c.run(`GETMETADATA Drafts /private/specialuse`, `* METADATA Drafts (/private/specialuse NIL)`, "OK")
	if got := usesOf(c, `"" *`); got != `SavedDrafts\Drafts` {
		t.Error(got)
	}
	c.run(`SETMETADATA SavedDrafts (/private/specialuse "\\All" /private/comment x)`, "BAD")
	c.run(`SETMETADATA SavedDrafts (/private/comment "x" /private/specialuse "\\All")`, "NO [USEATTR]")
	c.run(`GETMETADATA SavedDrafts /private/comment`, `* METADATA SavedDrafts (/private/comment NIL)`, "OK")
	c.run(`SETMETADATA SavedDrafts (/private/specialuse NIL)`, "OK")
	c.run(`GETMETADATA Drafts /private/specialuse`, `* METADATA Drafts (/private/specialuse "\\Drafts")`, "OK")
	// What the user has taken away does not come back by the mailbox's name.
	c.run(`SETMETADATA Drafts (/private/specialuse NIL)`, "OK")
	c.run(`GETMETADATA Drafts (DEPTH infinity) /private`, "OK")
	c.run(`LIST (SPECIAL-USE) "" *`, "OK")
	c.run(`SETMETADATA INBOX (/private/specialuse "\\archive \\JUNK")`, "OK")
	c.run(`LIST (SPECIAL-USE) "" *`, `* LIST (\NoInferiors \HasNoChildren \Archive \Junk) "/" INBOX`, "OK")
}
