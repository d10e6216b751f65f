package spool

import (
	"path/filepath"
	"strings"
	"testing"
)

var badNames = map[string]string{
	"empty":                    "",
	"parent":                   "..",
	"self":                     ".",
	"way up":                   "../x",
	"way up inside":            "a/../../x",
	"absolute":                 "/etc/passwd",
	"home":                     "~/x",
	"other home":               "~root/x",
	"empty component":          "a//b",
	"trailing slash":           "a/",
	"NUL":                      "a\x00b",
	"CR":                       "a\rb",
	"LF":                       "a\nb",
	"dot file":                 ".mailboxlist",
	"dot file below":           "a/.b",
	"lock file":                "a.lock",
	"lock file's name only":    "b/.lock",
	"lock directory":           "a.lock/b",
	"below the inbox":          "INBOX/x",
	"below the inbox, lowered": "inbox/x",
	"no room for the lock":     strings.Repeat("x", 251),
	"too long":                 strings.Repeat("a/", 512) + "b",
}

var goodNames = []string{
	"Sent", "a/b/c", "R&D", "Entw&APw-rfe", "a b", "x.locked", "lock", "a~", "b/~c", "INBOXES", "a/INBOX", "\xff\xfe", "x..",
	strings.Repeat("x", 250), "*", "%", "{host}x", "#news", "-rf",
}

func TestCheckName(t *testing.T) {
	for what, name := range badNames {
		t.Run(what, func(t *testing.T) { isError(t, name, checkName(name), ErrName) })
	}
	for _, name := range append(goodNames, strings.Repeat("a/", 511)+"ab") {
		ok(t, checkName(name))
	}
	isError(t, "inbox", checkName("InBox"), ErrName)
}

// A name that passes is one that stays where it is put: joining it to the root
// changes nothing in it and cannot lead out.
func FuzzCheckName(f *testing.F) {
	for _, name := range badNames {
		f.Add(name)
	}
	for _, name := range goodNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		const root = "/home/joe/mail"
		if got := filepath.Join(root, name); got != root+"/"+name {
			t.Errorf("%q is at %q", name, got)
		}
		if !filepath.IsLocal(name) || strings.ContainsAny(name, "\x00\r\n") {
			t.Errorf("%q got through", name)
		}
	})
}
