package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// RFC 5255 §4.4: with I18NLEVEL=1 strings compare by i;unicode-casemap (RFC 5051), whatever charset they came in.
func TestUnicodeCasemap(t *testing.T) {
	mail := func(subject, body string) string {
		return "From a@example.com Wed Jan  7 12:00:00 2015 +0000\nSubject: " + subject + "\nContent-Type: text/plain; charset=utf-8\n\n" + body + "\n\n"
	}
	h := newHost(t, mail("=?iso-8859-1?q?=C5ngstr=F6m?=", "caf\u00e9 STRASSE")+
		mail("=?utf-8?b?zpzOmc6VzqM=?=", "cafe\u0301 stra\u00dfe")+
		mail("=?koi8-r?B?8NLJ18XU?=", "\uff37\uff49\uff44\uff45 \ufb01n \u01c6ep"))
	c := h.connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ keys, want string }{
		{"SUBJECT {10+}\r\n\u00e5NGSTR\u00d6m", " 1"},
		{"SUBJECT {12+}\r\n\u212bngstro\u0308m", " 1"}, // the sign for the unit, and a decomposed letter
		{"SUBJECT Angstrom", ""},                       // i;unicode-casemap keeps diacritics
		{"SUBJECT {8+}\r\n\u03bc\u03b9\u03b5\u03c3", " 2"},
		{"SUBJECT {8+}\r\n\u00b5\u03b9\u03b5\u03c2", " 2"}, // the sign for micro, and a final sigma
		{"SUBJECT {12+}\r\n\u043f\u0440\u0438\u0432\u0435\u0442", " 3"},
		{"CHARSET KOI8-R SUBJECT {6+}\r\n\xd0\xd2\xc9\xd7\xc5\xd4", " 3"},
		{"BODY {5+}\r\nCAF\u00c9", " 1 2"},
		{"CHARSET ISO-8859-1 BODY {4+}\r\ncaf\xe9", " 1 2"},
		{"BODY {7+}\r\nSTRA\u00dfE", " 2"}, // its simple title case is itself
		{"BODY strasse", " 1"},
		{"BODY wide", " 3"},
		{"BODY fin", " 3"},
		{"BODY {5+}\r\nd\u017eep", " 3"},
	} {
		c.run("SEARCH "+tt.keys, "* SEARCH"+tt.want, "OK")
	}
}

// Every charset that the refusal of another one names must be taken (RFC 3501 §7.1).
func TestBadCharset(t *testing.T) {
	c := newHost(t, sixMessages()).connect()
	c.ok("SELECT INBOX")
	_, refusal := c.do(`SEARCH CHARSET "x-none" ALL`)
	list, ok := strings.CutPrefix(refusal, "NO [BADCHARSET (")
	list, _, ok2 := strings.Cut(list, ")] ")
	names := strings.Fields(list)
	if !ok || !ok2 || len(names) < 5 {
		t.Fatal(refusal)
	}
	for _, name := range names {
		c.run(fmt.Sprintf("SEARCH CHARSET %s SUBJECT m1", name), "* SEARCH 1", "OK")
		c.run(fmt.Sprintf(`SEARCH CHARSET "%s" SUBJECT m1`, strings.ToLower(name)), "* SEARCH 1", "OK")
	}
	c.run("SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc3(", "BAD")
	c.run("SEARCH SUBJECT {1+}\r\n\xe9", "* SEARCH", "OK") // some client from before UTF-8
	c.run("SEARCH CHARSET ALL", "BAD")
	c.run("SEARCH CHARSET UTF-8", "BAD")
}
