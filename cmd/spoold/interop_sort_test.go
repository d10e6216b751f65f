package main_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sortCommands are SORT by every key, with some of ESORT, and THREAD by every algorithm.
var sortCommands = []string{
	"SORT (ARRIVAL) UTF-8 ALL", "SORT (CC) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (FROM) UTF-8 ALL",
	"SORT (SIZE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "SORT (TO) UTF-8 ALL",
	"SORT (DISPLAYFROM) UTF-8 ALL", "SORT (DISPLAYTO) UTF-8 ALL",
	"SORT (REVERSE DATE) UTF-8 ALL", "SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "SORT (FROM SUBJECT SIZE) UTF-8 ALL",
	"SORT RETURN (MIN MAX COUNT) (SUBJECT DATE) UTF-8 ALL", "SORT RETURN (ALL) (FROM) UTF-8 ALL", "SORT RETURN (PARTIAL 11:20) (SIZE) UTF-8 ALL",
	"THREAD ORDEREDSUBJECT UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD REFS UTF-8 ALL",
}

// TestInteropSort compares what spoold and Dovecot answer on large mailboxes.
func TestInteropSort(t *testing.T) {
	needs(t, dovecot)
	names := []string{"1k"}
	if !testing.Short() {
		names = append(names, "10k")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { compareSort(t, name) })
	}
}

func compareSort(t *testing.T, name string) {
	compareContent(t, corpus(t, name))
}

func compareContent(t *testing.T, content []byte) {
	h := newHost(t, "u")
	h.put("u", "INBOX", content)
	h.serve()
	c := h.login("u")
	c.open("SELECT", "INBOX")
	home := homeFolder(t, h.owner)
	writeFile(t, h.owner, filepath.Join(home, "box"), content)
	d := startDovecot(t, h.owner, home, "box")
	d.open("SELECT", "INBOX")
	for _, cmd := range sortCommands {
		t.Run(cmd, func(t *testing.T) {
			start := time.Now()
			ours := c.ok("%s", cmd).lines
			ourTime := time.Since(start)
			start = time.Now()
			theirs := d.ok("%s", cmd).lines
			t.Logf("%v, Dovecot %v", ourTime, time.Since(start))
			if len(ours) != 1 || len(theirs) != 1 {
				t.Fatalf("%d and %d responses", len(ours), len(theirs))
			}
			if ours[0].fields[0] == "ESEARCH" { // (TAG "...") is the client's
				ours[0].fields[1], theirs[0].fields[1] = nil, nil
			}
			if diff := cmp.Diff(ours[0].fields, theirs[0].fields); diff != "" {
				t.Errorf("-spoold +Dovecot:\n%.2000s", diff)
			}
		})
	}
	c.logout()
	d.logout()
}
