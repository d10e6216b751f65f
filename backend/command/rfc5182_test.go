package command_test

import "testing"

// The examples of RFC 5182 §2.
func TestSearchRes(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("FETCH $ UID", "OK FETCH completed") // nothing is saved yet
	c.ok("STORE 2,4,6 +FLAGS.SILENT (\\Flagged)")
	c.run("SEARCH RETURN (SAVE) FLAGGED", "OK SEARCH completed")
	c.run("FETCH $ UID", "* 2 FETCH (UID 2)", "* 4 FETCH (UID 4)", "* 6 FETCH (UID 6)", "OK")
	c.run("UID FETCH $ UID", "* 2 FETCH (UID 2)", "* 4 FETCH (UID 4)", "* 6 FETCH (UID 6)", "OK")
	c.run("SEARCH $ NOT 4", "* SEARCH 2 6", "OK")
	c.run("SEARCH NOT $", "* SEARCH 1 3 5", "OK")
	c.run("UID SEARCH UID $", "* SEARCH 2 4 6", "OK")
	c.run("UID STORE $ +FLAGS (\\Seen)", "* 2 FETCH (UID 2 FLAGS (\\Seen \\Flagged))", "* 4 FETCH (UID 4 FLAGS (\\Seen \\Flagged))",
		"* 6 FETCH (UID 6 FLAGS (\\Recent \\Seen \\Flagged))", "OK")
	c.run("SEARCH RETURN (SAVE COUNT) $ 1:4", `* ESEARCH (TAG "`+c.nextTag()+`") COUNT 2`, "OK") // narrows itself
	c.run("SEARCH $", "* SEARCH 2 4", "OK")
	c.run("UID SEARCH RETURN (SAVE ALL) $", `* ESEARCH (TAG "`+c.nextTag()+`") UID ALL 2,4`, "OK")
	c.ok("CREATE copies")
	c.run("COPY $ copies", "OK [COPYUID 1000000001 2,4 1:2] COPY completed")
}

// What "$" is after an expunge, by this session and by another.
func TestSearchResExpunge(t *testing.T) {
	h := newHost(t, sixMessages())
	c, other := h.connect(), h.connect()
	c.ok("SELECT INBOX")
	other.ok("SELECT INBOX")
	c.ok("SEARCH RETURN (SAVE) 2:5")
	c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
	c.run("EXPUNGE", "* 2 EXPUNGE", "OK")
	c.run("SEARCH $", "* SEARCH 2 3 4", "OK")
	other.ok("NOOP")
	other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
	other.ok("EXPUNGE")
	c.run("FETCH $ UID", "* 3 FETCH (UID 4)", "* 4 FETCH (UID 5)", "OK") // UID 3 is gone, though its number is not
	c.ok("NOOP")
	c.run("FETCH $ UID", "* 2 FETCH (UID 4)", "* 3 FETCH (UID 5)", "OK")
	h.deliver("inbox", message("new", ""))
	c.ok("NOOP")
	c.run("UID FETCH $ UID", "* 2 FETCH (UID 4)", "* 3 FETCH (UID 5)", "OK")
	c.ok("CREATE away")
	c.run("UID MOVE $ away", "* OK [COPYUID <n> 4:5 1:2] Moved", "* 3 EXPUNGE", "* 2 EXPUNGE", "OK")
	c.run("FETCH $ UID", "OK FETCH completed")
	c.run("COPY $ away", "OK COPY completed")
	c.run("STORE $ FLAGS (\\Seen)", "OK STORE completed")
	c.run("SEARCH $", "* SEARCH", "OK")
	c.run("UID EXPUNGE $", "OK")
}

// What is saved depends on what is asked for (RFC 5182 §2.4, RFC 9394 §3.2).
func TestSearchResInteraction(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ options, want string }{
		{"SAVE", "2 3 4 5"},
		{"SAVE MIN", "2"},
		{"SAVE MAX", "5"},
		{"MIN SAVE MAX", "2 5"},
		{"SAVE ALL", "2 3 4 5"},
		{"SAVE COUNT", "2 3 4 5"},
		{"SAVE MIN COUNT", "2 3 4 5"},
		{"SAVE MIN MAX ALL", "2 3 4 5"},
		{"SAVE PARTIAL 2:3", "3 4"},
		{"SAVE PARTIAL -1:-2", "4 5"},
		{"SAVE PARTIAL 2:3 MIN", "2 3 4"},
		{"SAVE PARTIAL 1:2 MAX", "2 3 5"},
		{"SAVE PARTIAL 2:3 MIN MAX", "2 3 4 5"},
		{"SAVE PARTIAL 2:3 MIN MAX COUNT", "2 3 4 5"},
		{"SAVE PARTIAL 9:10", ""},
	} {
		c.ok("SEARCH RETURN (" + tt.options + ") 2:5")
		if want := "* SEARCH " + tt.want; tt.want == "" {
			c.run("SEARCH $", "* SEARCH", "OK")
		} else {
			c.run("SEARCH $", want, "OK")
		}
	}
	c.ok("SEARCH RETURN (SAVE MIN) ANSWERED")
	c.run("SEARCH $", "* SEARCH", "OK")
}

// When the result of the last SEARCH is forgotten (RFC 5182 §2.1).
func TestSearchResLifetime(t *testing.T) {
	h := newHost(t, sixMessages())
	c := h.connect()
	c.ok("SELECT INBOX")
	save := func() { c.ok("SEARCH RETURN (SAVE) 3") }
	save()
	c.ok("SEARCH ALL") // without SAVE
	c.run("SEARCH $", "* SEARCH 3", "OK")
	c.run("SEARCH RETURN (SAVE) RUBBISH", "BAD")
	c.run("SEARCH RETURN (SAVE) 7", "BAD")
	c.run("SEARCH $", "* SEARCH 3", "OK")
	c.run("SEARCH RETURN (SAVE) CHARSET KLINGON ALL", "NO [BADCHARSET ")
	c.run("SEARCH $", "* SEARCH", "OK")
	save()
	c.run("SEARCH CHARSET KLINGON ALL", "NO [BADCHARSET ")
	c.run("SEARCH $", "* SEARCH 3", "OK")
	c.ok("EXAMINE INBOX")
	c.run("SEARCH $", "* SEARCH", "OK")
	save()
	c.run("SELECT nowhere", "* OK [CLOSED] ...", "NO")
	c.ok("SELECT INBOX")
	c.run("SEARCH $", "* SEARCH", "OK")
	for _, args := range []string{"$,1", "1,$", "$:2", "$$", "UID $,2", "1:$"} {
		c.run("SEARCH "+args, "BAD")
	}
	c.run("FETCH $,1 UID", "BAD")
	c.ok("CLOSE")
	c.run("FETCH $ UID", "BAD")
}
