package command_test

import (
	"strings"
	"testing"
)

// ESORT (RFC 5267 §3): MIN and MAX are the first and the last of the order, ALL keeps it. By SIZE our five messages are
// 5 4 1 2 3, by SUBJECT 5 3 2 1 4.
func TestESort(t *testing.T) {
	c := newHost(t, sortMail()).connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ args, want string }{
		{"RETURN () (SIZE) UTF-8 ALL", "ALL 5,4,1:3"},
		{"RETURN (MIN MAX COUNT) (SUBJECT) UTF-8 ALL", "MIN 5 MAX 4 COUNT 5"},
		{"RETURN (ALL COUNT) (REVERSE SIZE) UTF-8 ALL", "COUNT 5 ALL 3,2,1,4:5"},
		{"RETURN (PARTIAL 2:3) (SUBJECT) UTF-8 ALL", "PARTIAL (2:3 3,2)"},
		{"RETURN (PARTIAL -1:-2) (SUBJECT) UTF-8 ALL", "PARTIAL (-1:-2 1,4)"},
		{"RETURN (PARTIAL 6:9) (SUBJECT) UTF-8 ALL", "PARTIAL (6:9 NIL)"},
		{"RETURN (MIN COUNT) (DATE) UTF-8 SUBJECT nobody", "COUNT 0"},
		{"return (count) (subject) utf-8 all", "COUNT 5"},
	} {
		c.run("SORT "+tt.args, `* ESEARCH (TAG "`+c.nextTag()+`") `+tt.want, "OK SORT completed")
	}
	c.run("SORT RETURN (MIN) (DATE) UTF-8 SUBJECT nobody", `* ESEARCH (TAG "`+c.nextTag()+`")`, "OK")
	c.run("UID SORT RETURN (MIN ALL) (SIZE) UTF-8 NOT 5", `* ESEARCH (TAG "`+c.nextTag()+`") UID MIN 4 ALL 4,1:3`, "OK UID SORT completed")

	tag := c.nextTag()
	c.run("SORT RETURN (COUNT UPDATE) (DATE) UTF-8 ALL", `* ESEARCH (TAG "`+tag+`") COUNT 5`, `* NO [NOUPDATE "`+tag+`"] ...`, "OK")
}

// What SORT saves is a set like that of SEARCH (RFC 5182); of MIN and MAX alone it has only these.
func TestESortSave(t *testing.T) {
	c := newHost(t, sortMail()).connect()
	c.ok("SELECT INBOX")
	c.run("SORT RETURN (SAVE) (SUBJECT) UTF-8 2:4", "OK SORT completed")
	c.run("SORT (SUBJECT) UTF-8 $", "* SORT 3 2 4", "OK")
	c.run("THREAD ORDEREDSUBJECT UTF-8 $", "* THREAD (2)(4)(3)", "OK")
	c.run("SORT RETURN (SAVE MIN) (SUBJECT) UTF-8 ALL", `* ESEARCH (TAG "`+c.nextTag()+`") MIN 5`, "OK")
	c.run("SEARCH $", "* SEARCH 5", "OK")
	c.run("SORT RETURN (SAVE) (SUBJECT) KLINGON ALL", "NO [BADCHARSET ")
	c.run("SEARCH $", "* SEARCH", "OK")
}

func TestESortSyntax(t *testing.T) {
	c := newHost(t, sortMail()).connect()
	c.ok("SELECT INBOX")
	for _, args := range []string{
		"RETURN", "RETURN (MIN)", "RETURN (MIN) UTF-8 ALL", "RETURN (MIN)(DATE) UTF-8 ALL", "RETURN MIN (DATE) UTF-8 ALL",
		"RETURN (DATE) UTF-8 ALL", "RETURN (PARTIAL) (DATE) UTF-8 ALL", "RETURN (PARTIAL 0:1) (DATE) UTF-8 ALL",
		"RETURN (ALL PARTIAL 1:2) (DATE) UTF-8 ALL", "RETURN (MIN) RETURN (MAX) (DATE) UTF-8 ALL",
		"RETURN (" + strings.Repeat("MIN ", 1000) + "x) (DATE) UTF-8 ALL",
	} {
		c.run("SORT "+args, "BAD ")
		c.run("NOOP", "OK NOOP completed")
	}
	c.run("THREAD RETURN (MIN) REFERENCES UTF-8 ALL", "BAD ")
}
