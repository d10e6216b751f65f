package main

import (
	"os"
	"strings"
	"testing"
)

// TestConfiguredQuota: each user has the quota that the configuration gives him.
func TestConfiguredQuota(t *testing.T) {
	s := newServed(t)
	text, err := os.ReadFile(s.path("spoold.toml"))
	s.check(err, os.WriteFile(s.path("spoold.toml"), append(text, "[quota]\nstorage = \"4K\"\n[quota.storage_for]\nbob = \"1G\"\n"...), 0o600))
	s.start()
	message := strings.Repeat("x", 6000)
	for user, want := range map[string]struct{ limit, answer string }{"alice": {" 4)", "NO"}, "bob": {" 1048576)", "OK"}} {
		d := s.login(user)
		if got := d.do("OK", "GETQUOTAROOT INBOX"); !strings.Contains(got, `* QUOTAROOT INBOX "mail"`) || !strings.Contains(got, want.limit) {
			t.Errorf("%s: %s", user, got)
		}
		d.do("OK", "CREATE quota-"+user)
		d.do(want.answer, "APPEND quota-"+user+" {6000+}\r\n"+message)
	}
}
