package command_test

import (
	"testing"
	"time"
)

// OLDER and YOUNGER count back from now (RFC 5032 §2); the messages arrive 1, 2 and 3 days before.
func TestWithin(t *testing.T) {
	now := time.Date(2015, time.January, 10, 12, 0, 0, 0, time.UTC)
	h := newHost(t, "From a@example.com Wed Jan  7 12:00:00 2015 +0000\nSubject: a\n\na\n\n"+
		"From a@example.com Thu Jan  8 12:00:00 2015 +0000\nSubject: b\n\nb\n\n"+
		"From a@example.com Fri Jan  9 14:00:00 2015 +0200\nSubject: c\n\nc\n\n")
	h.config.Now = func() time.Time { return now }
	c := h.connect()
	c.ok("SELECT INBOX")
	for _, tt := range []struct{ keys, want string }{
		{"YOUNGER 1", ""},
		{"YOUNGER 86399", ""},
		{"YOUNGER 86400", " 3"}, // exactly as old matches both
		{"OLDER 86400", " 1 2 3"},
		{"OLDER 86401", " 1 2"},
		{"YOUNGER 259200", " 1 2 3"},
		{"YOUNGER 200000 OLDER 100000", " 2"},
		{"NOT OLDER 200000", " 2 3"},
		{"UNSEEN younger 259199", " 2 3"},
		{"OLDER 4294967295", ""},
	} {
		c.run("SEARCH "+tt.keys, "* SEARCH"+tt.want, "OK")
	}
	for _, keys := range []string{"OLDER", "OLDER 0", "YOUNGER 0", "OLDER -1", "YOUNGER x", "OLDER 4294967296", "OLDER 1d", "YOUNGER 99999999999999999999", "OLDER (1)"} {
		c.run("SEARCH "+keys, "BAD")
	}
}
