package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docRow is a line of the table in doc/imap.md.
type docRow struct{ capability, rfc, told, test string }

func readDocRows(t *testing.T) []docRow {
	text, err := os.ReadFile("doc/imap.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []docRow
	for line := range strings.Lines(string(text)) {
		c := strings.Split(line, "|")
		if len(c) != 7 || strings.Contains(c[1], "---") || strings.TrimSpace(c[1]) == "capability" {
			continue
		}
		for i := range c {
			c[i] = strings.TrimSpace(c[i])
		}
		rows = append(rows, docRow{c[1], c[2], c[3], c[4]})
	}
	if len(rows) == 0 {
		t.Fatal("doc/imap.md has no table")
	}
	return rows
}

// announced are the capabilities in a response, without the value behind a name that has one of the site.
func announced(t *testing.T, text string) []string {
	_, list, ok := strings.Cut(text, "CAPABILITY ")
	if !ok {
		t.Fatalf("no CAPABILITY in %q", text)
	}
	list, _, _ = strings.Cut(list, "\r")
	list, _, _ = strings.Cut(list, "]")
	words := strings.Fields(list)
	for i, w := range words {
		for _, valued := range []string{"APPENDLIMIT"} {
			if strings.HasPrefix(w, valued+"=") {
				words[i] = valued
			}
		}
	}
	slices.Sort(words)
	return words
}

// TestCapabilitiesAreDocumented compares doc/imap.md with what a server announces.
func TestCapabilitiesAreDocumented(t *testing.T) {
	var before, after []string
	rows := readDocRows(t)
	for _, r := range rows {
		switch r.told {
		case "before":
			before = append(before, r.capability)
		case "after":
			after = append(after, r.capability)
		case "always":
			before, after = append(before, r.capability), append(after, r.capability)
		default:
			t.Errorf("%s is told %q", r.capability, r.told)
		}
		if r.rfc == "" {
			t.Errorf("%s: no RFC", r.capability)
		}
	}
	slices.Sort(before)
	slices.Sort(after)
	s := newServed(t)
	s.start()
	d := s.connect()
	greeting := d.until("* OK ")
	for what, got := range map[string][]string{
		"greeting": announced(t, greeting), "before login": announced(t, d.do("OK", "CAPABILITY")),
	} {
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("%s (-documented +announced):\n%s", what, diff)
		}
	}
	for what, got := range map[string][]string{
		"login": announced(t, d.do("OK", "LOGIN alice secret")), "after login": announced(t, d.do("OK", "CAPABILITY")),
	} {
		if diff := cmp.Diff(after, got); diff != "" {
			t.Errorf("%s (-documented +announced):\n%s", what, diff)
		}
	}
	names := testNames(t)
	for _, r := range rows {
		if !slices.Contains(names, r.test) {
			t.Errorf("%s: no test %q", r.capability, r.test)
		}
	}
}

// testNames are those of all tests of the project.
func testNames(t *testing.T) []string {
	var names []string
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(strings.TrimSpace(string(root)))
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "func Test"); ok {
				name, _, _ = strings.Cut(name, "(")
				names = append(names, "Test"+name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestHiddenCapabilities: what the configuration disables is not announced to those users.
func TestHiddenCapabilities(t *testing.T) {
	s := newServed(t)
	text, err := os.ReadFile(s.path("spoold.toml"))
	s.check(err, os.WriteFile(s.path("spoold.toml"), append(text, "[imap]\ndisable = [\"IDLE\"]\n[imap.disable_for]\nalice = [\"move\"]\n"...), 0o600))
	s.start()
	for user, want := range map[string][]string{"alice": {"IDLE", "MOVE"}, "bob": {"IDLE"}} {
		got := announced(t, s.login(user).do("OK", "CAPABILITY"))
		for _, name := range []string{"IDLE", "MOVE", "UIDPLUS"} {
			if hidden := slices.Contains(want, name); slices.Contains(got, name) == hidden {
				t.Errorf("%s: %s hidden: %v, announced %v", user, name, hidden, got)
			}
		}
	}
}
