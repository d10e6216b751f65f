package main_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInteropSearch has generated SEARCH programs answered by spoold and by Dovecot, on large mailboxes.
func TestInteropSearch(t *testing.T) {
	needs(t, dovecot)
	for _, name := range []string{"1k", "10k"} {
		t.Run(name, func(t *testing.T) { compareSearches(t, name, 200) })
	}
}

func compareSearches(t *testing.T, name string, programs int) {
	content := corpus(t, name)
	h := newHost(t, "u")
	h.put("u", "INBOX", content)
	h.serve()
	ours := h.login("u")
	home := homeFolder(t, h.owner)
	writeFile(t, h.owner, filepath.Join(home, "box"), content)
	theirs := startDovecot(t, h.owner, home, "box")
	mails := summary(ours, "INBOX").Mails
	theirs.ok("SELECT INBOX")
	for _, c := range []*client{ours, theirs} {
		for step, flag := range []string{`\Answered`, `\Deleted`, `\Draft`, `\Flagged`, `\Seen`, "$Forwarded", "work"} {
			c.ok("STORE %d:%d,%d +FLAGS.SILENT (%s)", step*50+1, step*90+100, len(mails)-step, flag)
		}
	}
	w := newSearchWords(content, mails)
	found, deviations := 0, map[string]int{}
	for _, program := range w.programs(programs) {
		a, b := ours.do("UID SEARCH %s", program), theirs.do("UID SEARCH %s", program)
		if a.status != "OK" || b.status != "OK" {
			t.Errorf("%q: spoold %s %s, Dovecot %s %s", program, a.status, a.text, b.status, b.text)
			continue
		}
		found += len(a.search())
		if !slices.Equal(a.search(), b.search()) {
			if reason := searchDeviation(program, mails, a.search(), b.search()); reason != "" {
				deviations[reason]++
				continue
			}
			t.Errorf("%q: %s", program, differingUIDs(a.search(), b.search()))
		}
	}
	t.Logf("%d programs, %d messages found, deviations: %v", programs, found, deviations)
}

// searchDeviations are the differences on purpose between spoold and Dovecot, by the programs and the mails in which
// they show.
var searchDeviations = []struct {
	reason  string
	program *regexp.Regexp
	mail    func(*mail) bool // nil: any
}{
	{
		"it counts days in one zone; RFC 3501 disregards the zone of a date",
		regexp.MustCompile(`\b(BEFORE|ON|SINCE) `),
		func(m *mail) bool { return !strings.HasSuffix(m.Date, " +0000") },
	},
	{
		"it looks into addresses that it has written anew, with quotes; we into the field",
		regexp.MustCompile(`\b(FROM|TO|CC|BCC) "[^"]*[<>,"]`),
		nil,
	},
}

// searchDeviation says why two answers differ, or nothing when that is not known of each mail.
func searchDeviation(program string, mails []mail, ours, theirs []uint32) string {
	for _, d := range searchDeviations {
		known := d.program.MatchString(program)
		for i := range mails {
			differs := slices.Contains(ours, mails[i].UID) != slices.Contains(theirs, mails[i].UID)
			known = known && (!differs || d.mail == nil || d.mail(&mails[i]))
		}
		if known {
			return d.reason
		}
	}
	return ""
}

func differingUIDs(ours, theirs []uint32) string {
	only := func(a, b []uint32) []uint32 {
		return slices.DeleteFunc(slices.Clone(a), func(uid uint32) bool { return slices.Contains(b, uid) })
	}
	a, b := only(ours, theirs), only(theirs, ours)
	return fmt.Sprintf("of %d and %d only spoold finds %d: %v, only Dovecot %d: %v", len(ours), len(theirs),
		len(a), a[:min(5, len(a))], len(b), b[:min(5, len(b))])
}
