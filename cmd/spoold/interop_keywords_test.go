package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wordsFrom are n keywords.
func wordsFrom(from, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("word%02d", from+i))
	}
	return list
}

// keywordsOf are the keywords of the mailbox's messages, in order of their names.
func keywordsOf(c *client, mailbox string) (all [][]string) {
	for _, m := range c.read("SELECT", mailbox).Mails {
		all = append(all, slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return strings.HasPrefix(f, `\`) }))
	}
	return all
}

// TestInteropManyKeywords: 45 keywords, made by STORE, APPEND and COPY, survive a loss of the state directory and a turn
// of Dovecot. Of a turn of c-client, which knows 30 of a mailbox, the first 30 that were made do.
func TestInteropManyKeywords(t *testing.T) {
	needs(t, mailutil, dovecot)
	h := newHost(t, "u")
	var mails strings.Builder
	for _, subject := range []string{"first", "second", "third"} {
		fmt.Fprintf(&mails, "From a@example.org Mon Nov  2 10:00:00 2026\nSubject: %s\n\ntext\n\n", subject)
	}
	h.put("u", "box", []byte(mails.String()))
	h.put("u", "copies", nil)
	h.serve()
	c := h.login("u")
	c.ok("SELECT box")
	stored, appended := wordsFrom(0, 40), wordsFrom(20, 25)
	c.ok("STORE 1 FLAGS (%s)", strings.Join(stored, " "))
	if a := c.appendMail("box", "("+strings.Join(appended, " ")+")", "Subject: fourth\r\n\r\ntext\r\n"); a.status != "OK" {
		t.Fatalf("APPEND: %s %s", a.status, a.text)
	}
	c.ok("NOOP")
	c.ok("COPY 1,4 copies")
	c.logout()
	h.stop(syscall.SIGTERM)
	if err := os.RemoveAll(filepath.Join(h.dir, "state", "u")); err != nil {
		t.Fatal(err)
	}
	h.serve()
	c = h.login("u")
	compare := func(when, mailbox string, want ...[]string) {
		t.Helper()
		if diff := cmp.Diff(want, keywordsOf(c, mailbox), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("keywords in %s %s (-want +got):\n%s", mailbox, when, diff)
		}
	}
	compare("without state", "box", stored, nil, nil, appended)
	compare("without state", "copies", stored, appended)

	d := startDovecot(t, h.owner, h.home("u"), "inbox")
	d.open("SELECT", "copies")
	d.ok(`STORE 1:2 +FLAGS (\Answered Theirs)`)
	d.ok("CLOSE")
	d.logout()
	compare("after Dovecot", "copies", append([]string{"Theirs"}, stored...), append([]string{"Theirs"}, appended...))

	if _, w := runMailutil(t, h.owner, h.home("u"), "prune", "mail/box", `SUBJECT "second"`); w != "" {
		t.Errorf("mailutil prune: %s", w)
	}
	compare("after c-client", "box", wordsFrom(0, 30), nil, wordsFrom(20, 10))
}
