package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// corpusGenerator makes large realistic mailboxes; it lies beside the checkout.
const corpusGenerator = "../../../shared/bench/gen_corpus.py"

// TestInteropCorpora compares counts, UIDs, flags and dates on large mailboxes;
// SPOOLD_CORPORA names others (100k takes a minute and 3 GB of /tmp).
func TestInteropCorpora(t *testing.T) {
	needs(t, mailutil, dovecot)
	names := os.Getenv("SPOOLD_CORPORA")
	switch {
	case names != "":
	case testing.Short():
		names = "1k"
	default:
		names = "1k 10k 10k-imapbase 10k-pseudo"
	}
	for name := range strings.FieldsSeq(names) {
		t.Run(name, func(t *testing.T) { compareCorpus(t, name) })
	}
}

// corpus is the text of a large realistic mailbox.
func corpus(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := os.Stat(corpusGenerator); err != nil {
		t.Skip("needs shared/bench/gen_corpus.py beside the checkout, to make large mailboxes")
	}
	needs(t, "python3")
	dir := folder(t)
	if out, err := exec.Command("python3", corpusGenerator, name, dir).CombinedOutput(); err != nil {
		t.Fatalf("gen_corpus.py: %v\n%s", err, out)
	}
	return readFile(t, filepath.Join(dir, name+".mbox"))
}

func compareCorpus(t *testing.T, name string) {
	content := corpus(t, name)
	start := time.Now()
	h := newHost(t, "u")
	h.put("u", "INBOX", content)
	h.serve()
	c := h.login("u")
	ours := onlyListed(t, summary(c, "INBOX"), content)
	c.logout()
	t.Logf("%d messages, %d recent, %v", len(ours.Mails), ours.Recent, time.Since(start))

	theirs := asReadBy("c-client", readCclient(t, content))
	for i := range theirs.Mails {
		theirs.Mails[i].Text = ""
	}
	if aspects, detail := differences(ours, theirs, start); len(aspects) > 0 || !slices.Equal(sizes(ours), sizes(theirs)) {
		t.Errorf("c-client: %v or sizes differ (-spoold +c-client):\n%.3000s", aspects, detail)
	}
	home := homeFolder(t, h.owner)
	writeFile(t, h.owner, filepath.Join(home, "box"), content)
	d := startDovecot(t, h.owner, home, "box")
	theirs = summary(d, "INBOX")
	theirs.Recent = ours.Recent // its recent messages are all above one UID, whatever the file says of each
	d.logout()
	if aspects, detail := differences(asReadBy("Dovecot", ours), asReadBy("Dovecot", theirs), start); len(aspects) > 0 {
		t.Errorf("Dovecot: %v differ (-spoold +Dovecot):\n%.3000s", aspects, detail)
	}
}

// summary reads a mailbox without its texts.
func summary(c *client, mailbox string) reading {
	c.t.Helper()
	b := c.open("SELECT", mailbox)
	mails := c.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)").mails()
	return reading{UIDValidity: b.UIDValidity, Recent: b.Recent, Mails: mails}
}

func sizes(r reading) []int {
	var out []int
	for _, m := range r.Mails {
		out = append(out, m.Size)
	}
	return out
}

// onlyListed drops the keywords that the base does not list, as the peers do (see the
// exceptions for keywords-unknown.mbox): 10k-pseudo has such.
func onlyListed(t *testing.T, r reading, content []byte) reading {
	t.Helper()
	listed := map[string]bool{}
	if m := baseWords.FindSubmatch(content); m != nil {
		for word := range strings.FieldsSeq(string(m[1])) {
			listed[word] = true
		}
	}
	for i := range r.Mails {
		r.Mails[i].Flags = slices.DeleteFunc(r.Mails[i].Flags, func(f string) bool { return f[0] != '\\' && !listed[f] })
		if len(r.Mails[i].Flags) == 0 {
			r.Mails[i].Flags = nil
		}
	}
	return r
}

var baseWords = regexp.MustCompile(`(?m)^X-IMAP(?:base)?: *\d+ +\d+(.*)`)
