package login

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestLoginReferrals has the refused logins of RFC 2221 §4.1.
func TestLoginReferrals(t *testing.T) {
	refer := func(c *Config) {
		c.Referrals = map[string]string{"MIKE": "IMAP://MIKE@SERVER2/", "alice": "imaps://imap2.example.org/"}
	}
	const mike, alice = "NO [REFERRAL IMAP://MIKE@SERVER2/] ", "NO [REFERRAL imaps://imap2.example.org/] "
	for _, tt := range []struct {
		name, addr, input string
		want              []string // beginnings of the answers
		handed            int
	}{
		{"LOGIN", local, "A001 LOGIN MIKE JOE\r\n", []string{"A001 " + mike}, 0},
		{"AUTHENTICATE", local, "A002 AUTHENTICATE PLAIN " + plain("", "MIKE", "x") + "\r\n", []string{"A002 " + mike}, 0},
		// Who is referred is so with the right password, too, and who is not is not.
		{"moved", local, "a LOGIN alice \"wonder land\"\r\n", []string{"a " + alice}, 0},
		{"other", local, "a LOGIN MIKE x\r\nb LOGIN jü {6+}\r\npä\"ss\r\n", []string{"a " + mike}, 1},
		{"no password in clear", foreign, "a LOGIN MIKE x\r\n", []string{"a NO [PRIVACYREQUIRED] "}, 0},
		{"stays", local, strings.Repeat("a LOGIN MIKE x\r\n", 4), []string{"a " + mike, "a " + mike, "a " + mike, "* BYE Too many"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(refer)
				lines := strings.Split(h.talk(t, tt.addr, tt.input), "\r\n")[1:]
				for i, want := range tt.want {
					if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
						t.Fatalf("%q, want %q", lines, tt.want)
					}
				}
				if len(h.handed) != tt.handed {
					t.Errorf("handed over: %v", h.handed)
				}
			})
		})
	}
}
