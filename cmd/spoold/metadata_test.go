package main

import (
	"os"
	"strings"
	"testing"
)

// TestMetadataServed: what is noted outlives the server, and the configuration is told.
func TestMetadataServed(t *testing.T) {
	s := newServed(t)
	text, err := os.ReadFile(s.path("spoold.toml"))
	text = []byte(strings.Replace(string(text), "auth = {", `auth = {referrals = {bob = "imap://imap2.example.org/"}, `, 1))
	s.check(err, os.WriteFile(s.path("spoold.toml"), append(text, `
[imap]
comment = "Closed on Friday"
admin = "mailto:root@example.org"
[imap.referrals]
Lists = "imap://lists.example.org/L"
[folders.special_use]
junk = ["caught"]
[limits]
annotation = 1024
`...), 0o600))
	s.start()
	alice := s.login("alice")
	for _, name := range []string{"sent-mail", "caught", "Spam", "Notes"} {
		alice.do("OK", "CREATE "+name)
	}
	alice.do("OK", `CREATE Mine (USE (\Drafts))`)
	alice.do("OK", `SETMETADATA Notes (/private/comment "mine")`)
	alice.do("NO", `SETMETADATA Notes (/private/comment "`+strings.Repeat("x", 1025)+`")`)
	s.end()
	<-s.done
	s.log = output{} // in which the next start is waited for
	s.start()
	alice = s.login("alice")
	for _, tt := range []struct{ typ, command, want string }{
		{"OK", "GETMETADATA Notes /private/comment", `* METADATA Notes (/private/comment "mine")`},
		{"OK", `GETMETADATA "" (/shared/comment /shared/admin)`, `(/shared/comment "Closed on Friday" /shared/admin "mailto:root@example.org")`},
		{"OK", `LIST (SPECIAL-USE) "" *`, `\Drafts) "/" Mine`},
		{"OK", `LIST (SPECIAL-USE) "" *`, `\Junk) "/" caught`},
		{"OK", `LIST (SPECIAL-USE) "" *`, `\Sent) "/" sent-mail`},
		{"OK", `SCAN "" * hello`, "INBOX"},
		{"OK", `RLIST "" L*`, `* LIST (\Remote) "/" Lists`},
		{"NO", "SELECT Lists", "[REFERRAL imap://lists.example.org/L]"},
	} {
		if got := alice.do(tt.typ, tt.command); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
	if got := alice.do("OK", `LIST "" Spam`); strings.Contains(got, `\Junk`) {
		t.Errorf("Spam is still what the configuration no longer names: %q", got)
	}
	bob := s.connect()
	bob.until("* OK ")
	if got := bob.do("NO", "LOGIN bob secret"); !strings.Contains(got, "[REFERRAL imap://imap2.example.org/]") {
		t.Errorf("bob: %q", got)
	}
}
