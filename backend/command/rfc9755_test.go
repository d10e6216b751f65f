package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// utf8Host has mailboxes of all sorts of names on disk.
func utf8Host(t *testing.T) *host {
	t.Helper()
	h := newHost(t, sixMessages())
	for _, name := range []string{"plain", "Entw&APw-rfe", "R&D", "A&-B", "&Jjo-/caf\xe9/x", "&Jjo-/&U,BTFw-", "raw-ü/&AOQ-", "&AA0ACg-"} {
		h.write("mail/"+name, message("in it", ""))
	}
	return h
}

// TestUTF8Accept is RFC 9755, which has taken the place of RFC 6855, and §5.1 of RFC 9051.
func TestUTF8Accept(t *testing.T) {
	h := utf8Host(t)
	c := h.connect()
	c.run("STATUS Entw&APw-rfe (MESSAGES)", "* STATUS Entw&APw-rfe (MESSAGES 1)", "OK")
	c.run("ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT", "OK")
	attrs := `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" `
	dir := `* LIST (\Noselect \HasChildren) "/" `
	c.run(`LIST "" *`,
		`* LIST (\NoInferiors \HasNoChildren) "/" INBOX`,
		attrs+`&AA0ACg-`, // would be a line end
		dir+`"☺"`, attrs+`A&B`, attrs+`"Entwürfe"`, attrs+`R&D`, attrs+`plain`, dir+`"raw-ü"`,
		attrs+`"☺/台北"`, dir+`"☺/caf`+"\uf7e9"+`"`, attrs+`"☺/caf`+"\uf7e9"+`/x"`, attrs+`"raw-ü/ä"`,
		"OK")
	for _, name := range []string{`"Entwürfe"`, "Entwürfe", "{9+}\r\nEntwürfe", `R&D`, "A&B", `"☺/台北"`, `"☺/caf` + "\uf7e9" + `/x"`, `raw-ü/ä`, `&AA0ACg-`} {
		c.has(c.ok("EXAMINE "+name), "* 1 EXISTS")
		c.ok("SUBSCRIBE " + name)
	}
	for _, name := range []string{"Entw&APw-rfe", "R&-D", "A&-B", "☺/caf", "&Jjo-/x"} {
		c.run("STATUS "+name+" (MESSAGES)", "NO [NONEXISTENT]")
	}
	c.run(`STATUS "Entwürfe" (MESSAGES)`, `* STATUS "Entwürfe" (MESSAGES 1)`, "OK")
	c.run(`LIST "" "Entwü%"`, attrs+`"Entwürfe"`, "OK")
	c.run(`LIST "☺/" %`, attrs+`"☺/台北"`, dir+`"☺/caf`+"\uf7e9"+`"`, "OK")
	c.run(`LIST "raw-ü" "/*"`, attrs+`"raw-ü/ä"`, "OK")
	c.run(`LSUB "" "☺*"`, `* LSUB () "/" "☺/台北"`, `* LSUB () "/" "☺/caf`+"\uf7e9"+`/x"`, "OK")
	if got := h.read(".mailboxlist"); !strings.Contains(got, "mail/Entw&APw-rfe\n") || !strings.Contains(got, "mail/R&D\n") {
		t.Errorf("subscriptions:\n%s", got)
	}
}

// TestUTF8Names makes and moves mailboxes: on disk they are in modified UTF-7.
func TestUTF8Names(t *testing.T) {
	h := utf8Host(t)
	c := h.connect()
	c.ok("ENABLE UTF8=ACCEPT")
	for _, step := range []struct{ cmd, disk string }{
		{`CREATE "日本語"`, "&ZeVnLIqe-"},
		{`CREATE "Q&A"`, "Q&-A"},
		{`CREATE "grün/tief"`, "gr&APw-n/tief"},
		{`RENAME R&D "R & D"`, "R &- D"},
		{`RENAME "☺/caf` + "\uf7e9" + `/x" "☺/café"`, "&Jjo-/caf&AOk-"},
	} {
		c.ok(step.cmd)
		h.read("mail/" + step.disk)
	}
	c.ok("SELECT plain")
	c.run("COPY 1 日本語", "OK [COPYUID ")
	c.run("MOVE 1 R&D", "NO [")
	c.run("DELETE 日本語", "OK")
	c.run(`STATUS "日本語" (MESSAGES)`, "NO [NONEXISTENT]")
	for _, bad := range []string{"CREATE \"a\x80\"", "STATUS caf\xe9 (MESSAGES)", "SELECT {1+}\r\n\xff", "CREATE \xed\xa0\x80"} {
		c.run(bad, "BAD")
	}
	for _, bad := range []string{"\"a\x01b\"", "\"a\x7fb\"", `"a` + "\u0085" + `b"`, `"a` + "\u2028" + `b"`, `"INBOX/ü"`, `"raw-ü/neu"`} {
		c.run("CREATE "+bad, "NO [CANNOT]")
	}
	c.run("CREATE "+strings.Repeat("ü/", 2000)+"x", "NO [")
	c.run("STATUS "+strings.Repeat("&/", 5000)+" (MESSAGES)", "NO [")
}

// TestUTF8Collision shows two mailboxes that would have the same name.
func TestUTF8Collision(t *testing.T) {
	h := newHost(t, "")
	h.write("mail/R&D", message("raw", ""))
	h.write("mail/R&-D", message("one", "")+message("two", ""))
	c := h.connect()
	c.ok("ENABLE UTF8=ACCEPT")
	c.run(`LIST "" R*`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" R&D`, `* LIST (\NoInferiors \HasNoChildren \Unmarked) "/" "R`+"\uf726"+`D"`, "OK")
	c.run("STATUS R&D (MESSAGES)", "* STATUS R&D (MESSAGES 2)", "OK")
	c.run("STATUS R\uf726D (MESSAGES)", "* STATUS \"R\uf726D\" (MESSAGES 1)", "OK")
	c.ok("DELETE R&D")
	c.run("STATUS R&D (MESSAGES)", "* STATUS R&D (MESSAGES 1)", "OK")
}

// TestUTF8Search: a search has no CHARSET then, because everything is UTF-8 (RFC 9755 §3).
func TestUTF8Search(t *testing.T) {
	h := newHost(t, message("eins", "")+message("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", ""))
	c := h.connect()
	c.ok("SELECT INBOX")
	c.run("SEARCH CHARSET UTF-8 SUBJECT {5+}\r\nGr\u00fc\u00df", "BAD")
	c.run("ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT", "OK")
	c.run("SEARCH CHARSET UTF-8 SUBJECT eins", "BAD")
	c.run(`SEARCH SUBJECT "Grüße"`, "* SEARCH 2", "OK")
	c.run("SEARCH SUBJECT {7+}\r\nGrüße", "* SEARCH 2", "OK")
}

// TestUTF8Append stores a message whose header is UTF-8, by itself (RFC 9755 §4) and as RFC 6855 §4 has it.
func TestUTF8Append(t *testing.T) {
	h := newHost(t, "")
	c := h.connect()
	text := "From: Jürgen <jürgen@exämple.org>\r\nSubject: Grüße\r\n\r\nbody\r\n"
	size := len(text)
	c.ok("SELECT INBOX")
	c.run(fmtAppend("APPEND INBOX UTF8 (~{%d+}\r\n%s)", size, text), "BAD")
	c.ok("ENABLE UTF8=ACCEPT")
	c.run(fmtAppend("APPEND INBOX {%d+}\r\n%s", size, text), "* 1 EXISTS", "* 1 RECENT", "OK [APPENDUID ")
	c.run(fmtAppend("APPEND INBOX (\\Seen) UTF8 (~{%d+}\r\n%s)", size, text), "* 2 EXISTS", "* 2 RECENT", "OK [APPENDUID ")
	for _, bad := range []string{"APPEND INBOX UTF8 (~{%d+}\r\n%s", "APPEND INBOX UTF8 ~{%d+}\r\n%s", "APPEND INBOX UTF8 ({%d+}\r\n%s)", "APPEND INBOX UTF8 (~{%d+}\r\n%s) x"} {
		c.run(fmtAppend(bad, size, text), "BAD")
	}
	got := c.ok("FETCH 1:2 (ENVELOPE BODY.PEEK[])")
	for _, r := range got {
		if !strings.Contains(r, text) || !strings.Contains(r, "Grüße") {
			t.Errorf("%q", r)
		}
	}
	c.run("SEARCH FROM jürgen SUBJECT grüsse", "* SEARCH", "OK")
	c.run("SEARCH FROM jürgen SUBJECT GRÜ", "* SEARCH 1 2", "OK")
}

func fmtAppend(format string, size int, text string) string { return fmt.Sprintf(format, size, text) }
