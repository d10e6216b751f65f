package mboxstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var headerTable = []struct {
	name, header string
	served       string
	status       StatusBlock
	internal     string // the run
	split        bool
	canonical    bool
}{
	{name: "empty", header: "", served: "\r\n"},
	{name: "blank line", header: "\n", served: "\r\n"},
	{name: "plain", header: "A: b\nC: d\n\n", served: "A: b\r\nC: d\r\n\r\n"},
	{name: "what follows is ignored", header: "A: b\n\nStatus: R\n", served: "A: b\r\n\r\n"},
	{name: "no blank line", header: "A: b\n", served: "A: b\r\n\r\n"},
	{name: "no line end", header: "A: b", served: "A: b\r\n\r\n"},
	{name: "NUL", header: "A: \x00b\n\n", served: "A: \x80b\r\n\r\n"},
	{name: "CRLF", header: "A: b\r\nC: d\r\n\r\n", served: "A: b\r\nC: d\r\n\r\n"},
	{name: "folded", header: "A: b\n c\n\td\n\n", served: "A: b\r\n c\r\n\td\r\n\r\n"},
	{name: "From_ line", header: sep + "A: b\n\n", served: sep[:len(sep)-1] + "\r\nA: b\r\n\r\n"},
	{
		name: "UW's block", header: "A: b\nStatus: RO\nX-Status: AF\nX-Keywords: work x    \nX-UID: 7\n\n", served: "A: b\r\n\r\n",
		status:   StatusBlock{Flags: FlagSeen | FlagOld | FlagAnswered | FlagFlagged, Keywords: []string{"work", "x"}, UID: 7},
		internal: "Status: RO\nX-Status: AF\nX-Keywords: work x    \nX-UID: 7\n", canonical: true,
	},
	{
		name:   "UW's block with base",
		header: "X-IMAPbase: 12 34 work\nStatus: \nX-Status: \nX-Keywords:\nX-UID: 34\n\n", served: "\r\n",
		status:   StatusBlock{UID: 34, Base: &Base{12, 34, []string{"work"}}},
		internal: "X-IMAPbase: 12 34 work\nStatus: \nX-Status: \nX-Keywords:\nX-UID: 34\n", canonical: true,
	},
	{
		name: "block in the middle", header: "Status: R\nX-Status: D\nX-Keywords:\nX-UID: 7\nA: b\n\n", served: "A: b\r\n\r\n",
		status:   StatusBlock{Flags: FlagSeen | FlagDeleted, UID: 7},
		internal: "Status: R\nX-Status: D\nX-Keywords:\nX-UID: 7\n",
	},
	{
		name: "line too many", header: "Status: R\nStatus: R\nX-Status: D\nX-Keywords:\nX-UID: 7\n\n", served: "\r\n",
		status:   StatusBlock{Flags: FlagSeen | FlagDeleted, UID: 7},
		internal: "Status: R\nStatus: R\nX-Status: D\nX-Keywords:\nX-UID: 7\n",
	},
	{
		name: "Dovecot", served: "A: b\r\n\r\n",
		header: "A: b\nX-IMAPbase: 0000000012 0000000034\nX-UID: 1   \nStatus: O\nX-Status: T\nX-Keywords:   \nContent-Length: 5\n\n",
		status: StatusBlock{Flags: FlagOld | FlagDraft, UID: 1, Base: &Base{UIDValidity: 12, LastUID: 34}},
		internal: "X-IMAPbase: 0000000012 0000000034\nX-UID: 1   \nStatus: O\nX-Status: T\n" +
			"X-Keywords:   \nContent-Length: 5\n",
	},
	{
		name: "mutt", served: "A: b\r\n\r\n",
		header:   "A: b\nX-Keywords:\nX-UID: 7\nStatus: RO\nX-Status: F\nContent-Length: 5\nLines: 2\n\n",
		status:   StatusBlock{Flags: FlagSeen | FlagOld | FlagFlagged, UID: 7},
		internal: "X-Keywords:\nX-UID: 7\nStatus: RO\nX-Status: F\nContent-Length: 5\nLines: 2\n",
	},
	{name: "mutt, new mail", header: "A: b\nContent-Length: 5\nLines: 2\n\n", served: "A: b\r\n\r\n"},
	{
		name: "an MDA's Content-Length", served: "A: b\r\n\r\n",
		header: "Content-Length: 5\nA: b\nStatus: RO\nX-Status: F\nX-Keywords:\nX-UID: 7\n\n",
		status: StatusBlock{Flags: FlagSeen | FlagOld | FlagFlagged, UID: 7}, canonical: true,
		internal: "Status: RO\nX-Status: F\nX-Keywords:\nX-UID: 7\n",
	},
	{
		name: "Content-Length on its own behind", header: "Status: R\nA: b\nContent-Length: 5\n\n", served: "A: b\r\n\r\n",
		status: StatusBlock{Flags: FlagSeen}, internal: "Status: R\n",
	},
	{
		name: "Content-Length among status headers", header: "Status: R\nContent-Length: 5\nX-Status: D\n\n", served: "\r\n",
		status: StatusBlock{Flags: FlagSeen | FlagDeleted}, internal: "Status: R\nContent-Length: 5\nX-Status: D\n",
	},
	{
		name: "status headers before Lines", header: "Content-Length: 5\nStatus: R\nLines: 2\nLines: 3\nA: b\nLines: 4\n\n",
		served: "A: b\r\nLines: 4\r\n\r\n",
		status: StatusBlock{Flags: FlagSeen}, internal: "Status: R\nLines: 2\nLines: 3\n",
	},
	{name: "the sender's Lines", header: "Lines: 5\nContent-Length: 5\n\n", served: "Lines: 5\r\n\r\n"},
	{
		name: "the sender's Lines behind status headers", header: "Status: R\nLines: 5\n\n", served: "Lines: 5\r\n\r\n",
		status: StatusBlock{Flags: FlagSeen}, internal: "Status: R\n",
	},
	{name: "Content-Length spelled otherwise", header: "CONTENT-length\t: 5\r\n\tx\nlines : 2\n\n", served: "\r\n"},
	{
		name: "names like Content-Length", header: "Content-Length\nContent-Lengths: 5\nContent-Lengt: 5\nLines: 2\n\n",
		served: "Content-Length\r\nContent-Lengths: 5\r\nContent-Lengt: 5\r\nLines: 2\r\n\r\n",
	},
	{
		name: "scattered", header: "Status: R\nA: b\nX-Status: D\n\n", served: "A: b\r\n\r\n", split: true,
		status: StatusBlock{Flags: FlagSeen | FlagDeleted}, internal: "X-Status: D\n",
	},
	{
		name: "letters", header: "Status: NARUX\nX-Status: ROFDAT?\n\n", served: "\r\n",
		status:   StatusBlock{Flags: FlagSeen | FlagOld | FlagAnswered | FlagFlagged | FlagDeleted | FlagDraft},
		internal: "Status: NARUX\nX-Status: ROFDAT?\n",
	},
	{name: "letters in lower case", header: "Status: ro\n\n", served: "\r\n", internal: "Status: ro\n"},

	{name: "other case", header: "STATUS: R\nx-uid: 7\n\n", served: "\r\n", internal: "STATUS: R\nx-uid: 7\n"},
	{name: "blank before colon", header: "Status : R\nX-UID\t: 7\n\n", served: "\r\n", internal: "Status : R\nX-UID\t: 7\n"},
	{name: "NUL before colon", header: "Status\x00: R\n\n", served: "\r\n", internal: "Status\x00: R\n"},
	{name: "CR in name", header: "Sta\rtus: R\n\n", served: "\r\n", internal: "Sta\rtus: R\n"},
	{name: "CR before name", header: "\rStatus: R\n\n", served: "\r\n", internal: "\rStatus: R\n"},
	{
		name: "CR behind name", header: "Status\r: R\n\n", served: "\r\n",
		internal: "Status\r: R\n",
	},
	{
		name: "continuation", header: "Status: R\n D\n\tA\nA: b\n c\n\n", served: "A: b\r\n c\r\n\r\n",
		status: StatusBlock{Flags: FlagSeen}, internal: "Status: R\n D\n\tA\n",
	},
	{
		name: "continuation behind a CR", header: "Status: R\n\r D\nA: b\n\n", served: "A: b\r\n\r\n",
		status: StatusBlock{Flags: FlagSeen}, internal: "Status: R\n\r D\n",
	},
	{name: "continuation of nothing", header: " x\nA: b\n\n", served: " x\r\nA: b\r\n\r\n"},
	{name: "prose", header: "Status of things\nX-UID\n\n", served: "Status of things\r\nX-UID\r\n\r\n"},
	{name: "longer names", header: "Status-X: R\nX-UIDL: 7\nX-IMAPbase2: 1 2\n\n", served: "Status-X: R\r\nX-UIDL: 7\r\nX-IMAPbase2: 1 2\r\n\r\n"},
	{name: "shorter names", header: "Stat: R\nX-: 7\nX: 1\nS\n\n", served: "Stat: R\r\nX-: 7\r\nX: 1\r\nS\r\n\r\n"},
	{name: "X-Original", header: "X-Original-Status: R\n\n", served: "X-Original-Status: R\r\n\r\n"},

	{name: "UID 0", header: "X-UID: 0\n\n", served: "\r\n", internal: "X-UID: 0\n"},
	{name: "UID of 32 bits", header: "X-UID: 4294967295\n\n", served: "\r\n", status: StatusBlock{UID: 4294967295}, internal: "X-UID: 4294967295\n"},
	{name: "UID of 33 bits", header: "X-UID: 4294967296\n\n", served: "\r\n", internal: "X-UID: 4294967296\n"},
	{name: "long UID", header: "X-UID: 18446744073709551617\n\n", served: "\r\n", internal: "X-UID: 18446744073709551617\n"},
	{name: "UID with junk", header: "X-UID: 12x\n\n", served: "\r\n", internal: "X-UID: 12x\n"},
	{name: "negative UID", header: "X-UID: -1\n\n", served: "\r\n", internal: "X-UID: -1\n"},
	{name: "two UIDs", header: "X-UID: 1\nX-UID: 2\n\n", served: "\r\n", status: StatusBlock{UID: 1, UIDDup: true}, internal: "X-UID: 1\nX-UID: 2\n"},
	{name: "CRLF UID", header: "X-UID:1 \r\n\r\n", served: "\r\n", status: StatusBlock{UID: 1}, internal: "X-UID:1 \r\n"},

	{
		name: "X-IMAP", header: "X-IMAP: 0000000012 0000000034 a b\n\n", served: "\r\n",
		status: StatusBlock{Base: &Base{12, 34, []string{"a", "b"}}, Pseudo: true}, internal: "X-IMAP: 0000000012 0000000034 a b\n",
	},
	{
		name: "the first base counts", header: "X-IMAPbase: 1 2\nX-IMAP: 3 4\n\n", served: "\r\n",
		status: StatusBlock{Base: &Base{UIDValidity: 1, LastUID: 2}}, internal: "X-IMAPbase: 1 2\nX-IMAP: 3 4\n",
	},
	{
		name: "the first valid base counts", header: "X-IMAPbase: 0 2\nX-IMAP: 3 4\n\n", served: "\r\n",
		status: StatusBlock{Base: &Base{UIDValidity: 3, LastUID: 4}, Pseudo: true}, internal: "X-IMAPbase: 0 2\nX-IMAP: 3 4\n",
	},
	{name: "base without last", header: "X-IMAP: 12\n\n", served: "\r\n", internal: "X-IMAP: 12\n"},
	{name: "base of 33 bits", header: "X-IMAP: 4294967296 1\n\n", served: "\r\n", internal: "X-IMAP: 4294967296 1\n"},
	{name: "last of 33 bits", header: "X-IMAP: 1 4294967296\n\n", served: "\r\n", internal: "X-IMAP: 1 4294967296\n"},
	{name: "last with junk", header: "X-IMAP: 1 2x\n\n", served: "\r\n", internal: "X-IMAP: 1 2x\n"},
	{
		name: "keywords that are none", header: "X-Keywords: a b(c \\Seen \"d\" " + strings.Repeat("x", 51) + " gr\xfc e%\n\n", served: "\r\n",
		status:   StatusBlock{Keywords: []string{"a"}},
		internal: "X-Keywords: a b(c \\Seen \"d\" " + strings.Repeat("x", 51) + " gr\xfc e%\n",
	},
	{
		name: "two X-Keywords", header: "X-Keywords: a b\nX-Keywords: c\nX-Keywords:\n\n", served: "\r\n",
		status: StatusBlock{Keywords: []string{"a", "b", "c"}}, internal: "X-Keywords: a b\nX-Keywords: c\nX-Keywords:\n",
	},
}

func TestParseHeader(t *testing.T) {
	for _, c := range headerTable {
		t.Run(c.name, func(t *testing.T) {
			h := ParseHeader([]byte(c.header))
			if d := cmp.Diff(c.status, h.Status); d != "" {
				t.Error(d)
			}
			if got := c.header[h.InternalStart:h.InternalEnd]; got != c.internal {
				t.Errorf("internal lines %q, want %q", got, c.internal)
			}
			if h.Contiguous == c.split || h.Canonical != c.canonical {
				t.Errorf("contiguous %v, canonical %v", h.Contiguous, h.Canonical)
			}
			if got := string(AppendServedHeader(nil, []byte(c.header))); got != c.served {
				t.Errorf("served %q, want %q", got, c.served)
			}
			checkHeader(t, []byte(c.header))
		})
	}
}

// checkHeader asserts what must hold of any bytes: sizes are true, and rewriting the status headers in UW's form
// changes nothing that is served.
func checkHeader(t *testing.T, header []byte) {
	t.Helper()
	h := ParseHeader(header)
	served := AppendServedHeader(nil, header)
	retained := AppendRetained(nil, header)
	if int(h.ServedSize) != len(served) || int(h.Retained) != len(retained) {
		t.Errorf("%q: sizes %d, %d, but %q, %q", header, h.ServedSize, h.Retained, served, retained)
	}
	if bytes.IndexByte(retained, '\r') >= 0 || len(retained) > 0 && !bytes.HasSuffix(retained, []byte("\n")) {
		t.Errorf("%q: retained %q", header, retained)
	}
	if !bytes.HasSuffix(served, []byte("\r\n")) || bytes.Contains(served[:len(served)-2], []byte("\r\n\r\n")) {
		t.Errorf("%q: served %q", header, served)
	}
	st := StatusBlock{Flags: h.Status.Flags ^ FlagDeleted, Keywords: []string{"a", "$b"}, UID: 7, Base: h.Status.Base}
	again := AppendStatusBlock(bytes.Clone(retained), st, -1)
	g := ParseHeader(again)
	if d := cmp.Diff(st, g.Status); d != "" {
		t.Errorf("%q: status headers written and read: %s", header, d)
	}
	if !g.Canonical || !g.Contiguous || !g.HasBlank || g.CRLF || g.Digest != h.Digest || g.InternalStart != len(retained) ||
		g.InternalEnd != len(again)-1 {
		t.Errorf("%q: written %q is %+v", header, again, g)
	}
	if got := AppendServedHeader(nil, again); !bytes.Equal(got, served) {
		t.Errorf("%q: served %q, and after a rewrite %q", header, served, got)
	}
}

func FuzzHeader(f *testing.F) {
	for _, c := range headerTable {
		f.Add([]byte(c.header))
	}
	f.Fuzz(checkHeaderBytes)
}

func checkHeaderBytes(t *testing.T, header []byte) {
	checkHeader(t, header)
	checkHeader(t, append([]byte("Status: R\n"), header...))
	h := ParseHeader(header)
	if h.InternalStart > h.InternalEnd || h.InternalEnd > len(header) || len(h.Status.Keywords) > maxListed {
		t.Errorf("%q: %+v", header, h)
	}
	if s := ParseHeader(AppendRetained(nil, header)); s.InternalEnd != 0 || s.Digest != h.Digest {
		t.Errorf("%q: the retained lines are %+v, of %+v", header, s, h)
	}
	// What stands before a status header must not change with the status header.
	if from, to := h.InternalStart, h.InternalEnd; h.Contiguous && to > from {
		r := ParseHeader(append(bytes.Clone(header[:from]), header[to:]...))
		if r.Digest != h.Digest || r.ServedSize != h.ServedSize {
			t.Errorf("%q: without internal lines %+v, with them %+v", header, r, h)
		}
	}
}

func TestParseHeaderBounds(t *testing.T) {
	for name, header := range map[string]string{
		"keywords in a line":   "X-Keywords:" + strings.Repeat(" a", 400_000) + "\n\n",
		"keywords in lines":    strings.Repeat("X-Keywords: a b\n", 60_000) + "\n",
		"words that are none":  "X-Keywords:" + strings.Repeat(" (", 400_000) + "\n\n",
		"keywords of the base": "X-IMAPbase: 1 2" + strings.Repeat(" a", 400_000) + "\n\n",
		"bases":                strings.Repeat("X-IMAP: 0 0 a\n", 60_000) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := ParseHeader([]byte(header)).Status
			if len(s.Keywords) > maxListed || s.Base != nil && len(s.Base.Keywords) > maxListed {
				t.Errorf("%d keywords", len(s.Keywords))
			}
		})
	}
}
