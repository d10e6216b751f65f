package main_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestForeignRewriteSeenBySessions: another program rewrites the mailbox while two sessions have it open. Each is told
// what happened by sequence numbers that fit its own view, and UIDs stay.
func TestForeignRewriteSeenBySessions(t *testing.T) {
	h := newHost(t, "alice")
	mail := func(name string) string {
		return "From a@example.org Mon Nov  2 08:14:06 2026\nSubject: " + name + "\n\ntext of " + name + "\n\n"
	}
	h.put("alice", "INBOX", []byte(mail("one")+mail("two")+mail("three")+mail("four")+mail("five")))
	h.serve()
	first, second := h.login("alice"), h.login("alice")
	for _, c := range []*client{first, second} {
		c.ok("SELECT INBOX")
	}
	path := h.file("alice", "INBOX")
	var messages []string
	for range 100 { // until the UIDs are in the file
		content := string(readFile(t, path))
		if messages = strings.SplitAfter(content, "\n\nFrom "); strings.Count(content, "X-UID: ") == 5 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(messages) != 5 {
		t.Fatalf("%d messages in %q", len(messages), messages)
	}
	messages[3] = strings.Replace(messages[3], "X-Status: ", "X-Status: F", 1)
	messages = append(slices.Delete(messages, 1, 2), "")
	content := strings.Join(messages, "") + mail("six")
	// As mutt does: in place, under the mailbox's lock.
	unlock, err := dotlock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), unlock()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{first, second} {
		a := c.ok("NOOP")
		if n, ok := a.counted("EXPUNGE"); !ok || n != 2 {
			t.Errorf("EXPUNGE %d, %v", n, ok)
		}
		if n, ok := a.counted("EXISTS"); !ok || n != 5 {
			t.Errorf("EXISTS %d, %v", n, ok)
		}
		var flagged []string
		for _, m := range c.ok("FETCH 1:* (UID FLAGS)").mails() {
			if slices.Contains(m.Flags, `\Flagged`) {
				flagged = append(flagged, string(rune('0'+m.UID)))
			}
		}
		if diff := cmp.Diff([]string{"4"}, flagged); diff != "" {
			t.Errorf("UIDs with \\Flagged (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]uint32{1, 3, 4, 5, 6}, c.ok("UID SEARCH ALL").search()); diff != "" {
			t.Errorf("UIDs (-want +got):\n%s", diff)
		}
		c.logout()
	}
}
