package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exception is a known difference between spoold and a peer on one file of testdata/mbox.
// It is exact: a difference that is gone fails the test as one that is new does.
type exception struct {
	file, peer string
	in         []string // sorted; of the aspects that differences returns
	why        string   // with the section of the page that says so
}

// TestInteropSameReading reads every file of testdata/mbox, the sample mailboxes and
// a generated one with spoold, c-client and Dovecot.
func TestInteropSameReading(t *testing.T) {
	needs(t, mailutil, dovecot)
	files := readingFiles(t)
	h := newHost(t, "reader")
	for name, content := range files {
		h.put("reader", name, content)
	}
	start := time.Now()
	h.serve()
	c := h.login("reader")
	for _, name := range slices.Sorted(mapKeys(files)) {
		ours := readSpoold(c, name)
		for peer, read := range map[string]func(testing.TB, []byte) reading{"c-client": readCclient, "Dovecot": readDovecot} {
			t.Run(name+"/"+peer, func(t *testing.T) {
				theirs := read(t, files[name])
				got, detail := differences(asReadBy(peer, ours), asReadBy(peer, theirs), start)
				if diff := cmp.Diff(expected(name, peer), got); diff != "" {
					t.Errorf("aspects in which the readings differ (-want +got):\n%s\n(-spoold +%s):\n%s", diff, peer, detail)
				}
			})
		}
	}
	c.logout()
}

// TestExceptionsAreUsed keeps the table free of files that are gone.
func TestExceptionsAreUsed(t *testing.T) {
	files := readingFiles(t)
	for _, e := range exceptions {
		if _, ok := files[e.file]; !ok {
			t.Errorf("exception for %s, which is not there", e.file)
		}
		if e.why == "" || !slices.IsSorted(e.in) {
			t.Errorf("exception for %s: no reason, or aspects not sorted", e.file)
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// readingFiles are the mailboxes to compare by name.
func readingFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"generated.mbox": generatedMailbox(300)}
	for _, pattern := range []string{"mbox/*", "sample/spool/*", "sample/home/*/mail/*"} {
		paths, err := filepath.Glob(filepath.Join("../../testdata", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("testdata/%s: %d files, %v", pattern, len(paths), err)
		}
		for _, p := range paths {
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && filepath.Ext(p) != ".md" {
				files[filepath.Base(p)] = readFile(t, p)
			}
		}
	}
	return files
}

func expected(file, peer string) []string {
	for _, e := range exceptions {
		if e.file == file && e.peer == peer {
			return e.in
		}
	}
	return nil
}

// readSpoold is what spoold makes of a folder.
func readSpoold(c *client, name string) reading {
	c.t.Helper()
	a := c.do("EXAMINE %q", name)
	if a.status != "OK" {
		return reading{Refused: a.text}
	}
	b := c.open("SELECT", name)
	a = c.do("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
	if a.status != "OK" {
		return reading{Refused: a.text}
	}
	b.Mails = a.mails()
	for _, m := range b.Mails {
		if m.Size != len(m.Text) {
			c.t.Errorf("%s: UID %d has RFC822.SIZE %d and %d octets", name, m.UID, m.Size, len(m.Text))
		}
	}
	return reading{UIDValidity: b.UIDValidity, Recent: b.Recent, Mails: b.Mails}
}

// lengthLines are the fields that we hide, whoever wrote them. Dovecot hides the first (dovecot-mbox 3.1), c-client none.
var lengthLines = regexp.MustCompile(`(?mi)^Content-Length:.*\r\n(?:Lines:.*\r\n)?`)

// asReadBy takes out of a reading what the peer differs in everywhere.
func asReadBy(peer string, r reading) reading {
	r.Mails = slices.Clone(r.Mails)
	for i := range r.Mails {
		m := &r.Mails[i]
		if peer == "Dovecot" {
			m.Date = instant(m.Date) // it serves every date in its own zone (dovecot-mbox 2.3)
			continue
		}
		if header, body, ok := strings.Cut(m.Text, "\r\n\r\n"); ok {
			text := lengthLines.ReplaceAllString(header+"\r\n", "") + "\r\n" + body
			m.Size -= len(m.Text) - len(text)
			m.Text = text
		}
	}
	return r
}

const dateLayout = "_2-Jan-2006 15:04:05 -0700"

func instant(date string) string {
	if t, err := time.Parse(dateLayout, date); err == nil {
		return t.UTC().Format(dateLayout)
	}
	return date
}

// differences names the aspects in which two readings differ, and shows them.
func differences(a, b reading, start time.Time) (aspects []string, detail string) {
	if (a.Refused != "") != (b.Refused != "") {
		return []string{"refused"}, cmp.Diff(a.Refused, b.Refused)
	}
	differ := func(aspect string, x, y any) {
		if d := cmp.Diff(x, y); d != "" {
			aspects = append(aspects, aspect)
			detail += aspect + ":\n" + d
		}
	}
	if len(a.Mails) != len(b.Mails) {
		differ("messages", column(a, func(m mail) any { return m.Text }), column(b, func(m mail) any { return m.Text }))
	} else {
		differ("dates", column(a, func(m mail) any { return m.Date }), column(b, func(m mail) any { return m.Date }))
		differ("flags", column(a, func(m mail) any { return m.Flags }), column(b, func(m mail) any { return m.Flags }))
		differ("texts", column(a, func(m mail) any { return m.Text }), column(b, func(m mail) any { return m.Text }))
		differ("recent", a.Recent, b.Recent)
		differ("uids", column(a, func(m mail) any { return m.UID }), column(b, func(m mail) any { return m.UID }))
	}
	differ("uidvalidity", stored(a.UIDValidity, start), stored(b.UIDValidity, start))
	slices.Sort(aspects)
	return aspects, detail
}

func column(r reading, f func(mail) any) []any {
	var out []any
	for _, m := range r.Mails {
		out = append(out, f(m))
	}
	return out
}

// stored is the UIDVALIDITY when it comes from the file, and 0 when the reader has just
// chosen one.
func stored(v uint32, start time.Time) uint32 {
	if int64(v) >= start.Unix()-60 {
		return 0
	}
	return v
}
