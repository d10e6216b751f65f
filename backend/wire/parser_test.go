package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParserMethods(t *testing.T) {
	any1 := func(v any, err error) (any, error) { return v, err }
	for _, tt := range []struct {
		name, in string
		parse    func(p *Parser) (any, error)
		want     any // nil: an error
		rest     string
	}{
		{"atom", "abc[1]<2>+ x", func(p *Parser) (any, error) { return any1(p.Atom()) }, "abc[1", "]<2>+ x"},
		{"atom empty", "(", func(p *Parser) (any, error) { return any1(p.Atom()) }, nil, "("},
		{"atom 8-bit", "\xe9", func(p *Parser) (any, error) { return any1(p.Atom()) }, nil, "\xe9"},
		{"keyword", "charset", func(p *Parser) (any, error) { return any1(p.Keyword()) }, "CHARSET", ""},
		{"try keyword", "ReturN (x", func(p *Parser) (any, error) { return p.TryKeyword("RETURN"), nil }, true, " (x"},
		{"try other keyword", "RETURNS", func(p *Parser) (any, error) { return p.TryKeyword("RETURN"), nil }, false, "RETURNS"},
		{"try keyword at the end", "", func(p *Parser) (any, error) { return p.TryKeyword("RETURN"), nil }, false, ""},
		{"word", "body.peek[1]", func(p *Parser) (any, error) { return any1(p.Word()) }, "BODY.PEEK", "[1]"},
		{"number", "4294967295)", func(p *Parser) (any, error) { return any1(p.Number()) }, uint32(4294967295), ")"},
		{"number overflow", "4294967296", func(p *Parser) (any, error) { return any1(p.Number()) }, nil, "4294967296"},
		{"number negative", "-1", func(p *Parser) (any, error) { return any1(p.Number()) }, nil, "-1"},
		{"nz-number zero", "0", func(p *Parser) (any, error) { return any1(p.NZNumber()) }, nil, "0"},
		{"nz-number", "12 ", func(p *Parser) (any, error) { return any1(p.NZNumber()) }, uint32(12), " "},
		{"number64", "9223372036854775807", func(p *Parser) (any, error) { return any1(p.Number64()) }, int64(9223372036854775807), ""},
		{"number64 overflow", "9223372036854775808", func(p *Parser) (any, error) { return any1(p.Number64()) }, nil, "9223372036854775808"},
		{"astring atom", "a]b\xe9 c", func(p *Parser) (any, error) { return any1(p.AString()) }, []byte("a]b\xe9"), " c"},
		{"astring tilde", "~/mail c", func(p *Parser) (any, error) { return any1(p.AString()) }, []byte("~/mail"), " c"},
		{"astring quoted", `"a b" c`, func(p *Parser) (any, error) { return any1(p.AString()) }, []byte("a b"), " c"},
		{"astring literal", "{3}\r\na\r\n c", func(p *Parser) (any, error) { return any1(p.AString()) }, []byte("a\r\n"), " c"},
		{"astring literal8", "~{3}\r\na\x00b c", func(p *Parser) (any, error) { return any1(p.AString()) }, []byte("a\x00b"), " c"},
		{"astring empty", " c", func(p *Parser) (any, error) { return any1(p.AString()) }, nil, " c"},
		{"quoted empty", `""`, func(p *Parser) (any, error) { return any1(p.String()) }, []byte{}, ""},
		{"quoted escapes", `"a\"b\\c"`, func(p *Parser) (any, error) { return any1(p.String()) }, []byte(`a"b\c`), ""},
		{"quoted other escape", `"a\b"`, func(p *Parser) (any, error) { return any1(p.String()) }, nil, `"a\b"`},
		{"quoted 8-bit", "\"p\xe4ss\xc3\xa4\"", func(p *Parser) (any, error) { return any1(p.String()) }, []byte("p\xe4ss\xc3\xa4"), ""},
		{"quoted NUL", "\"a\x00\"", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "\"a\x00\""},
		{"quoted line end", "\"a\r\n\"", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "\"a\r\n\""},
		{"quoted open", `"abc`, func(p *Parser) (any, error) { return any1(p.String()) }, nil, `"abc`},
		{"quoted open at escape", `"abc\`, func(p *Parser) (any, error) { return any1(p.String()) }, nil, `"abc\`},
		{"literal with NUL", "{1}\r\n\x00", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "{1}\r\n\x00"},
		{"literal cut off", "{5}\r\nab", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "{5}\r\nab"},
		{"literal huge", "{99999999999999999999}\r\nab", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "{99999999999999999999}\r\nab"},
		{"string atom", "abc", func(p *Parser) (any, error) { return any1(p.String()) }, nil, "abc"},
		{"mailbox inbox", "iNbOx", func(p *Parser) (any, error) { return any1(p.Mailbox()) }, "INBOX", ""},
		{"mailbox inbox quoted", `"inbox"`, func(p *Parser) (any, error) { return any1(p.Mailbox()) }, "INBOX", ""},
		{"mailbox raw", "R&D", func(p *Parser) (any, error) { return any1(p.Mailbox()) }, "R&D", ""},
		{"mailbox empty", `""`, func(p *Parser) (any, error) { return any1(p.Mailbox()) }, "", ""},
		{"mailbox with line end", "{2}\r\n\r\n", func(p *Parser) (any, error) { return any1(p.Mailbox()) }, nil, ""},
		{"mailbox with wildcard", "a%", func(p *Parser) (any, error) { return any1(p.Mailbox()) }, "a", "%"},
		{"pattern", "mail/%*] x", func(p *Parser) (any, error) { return any1(p.Pattern()) }, "mail/%*]", " x"},
		{"pattern inbox", "inbox", func(p *Parser) (any, error) { return any1(p.Pattern()) }, "INBOX", ""},
		{"flag", `\sEEN`, func(p *Parser) (any, error) { return any1(p.Flag()) }, `\Seen`, ""},
		{"flag extension", `\Important`, func(p *Parser) (any, error) { return any1(p.Flag()) }, `\Important`, ""},
		{"flag star", `\*`, func(p *Parser) (any, error) { return any1(p.Flag()) }, nil, `*`},
		{"flag keyword", `$Forwarded)`, func(p *Parser) (any, error) { return any1(p.Flag()) }, `$Forwarded`, ")"},
		{"flag list", `(\Seen kw)`, func(p *Parser) (any, error) { return any1(p.FlagList()) }, []string{`\Seen`, "kw"}, ""},
		{"flag list empty", `()`, func(p *Parser) (any, error) { return any1(p.FlagList()) }, []string(nil), ""},
		{"flag list open", `(\Seen`, func(p *Parser) (any, error) { return any1(p.FlagList()) }, nil, ""},
		{"date", "1-Feb-2024", func(p *Parser) (any, error) { return any1(p.Date()) }, time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC), ""},
		{"date quoted", `"29-fEB-2024" x`, func(p *Parser) (any, error) { return any1(p.Date()) }, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), " x"},
		{"date that is none", `30-Feb-2024`, func(p *Parser) (any, error) { return any1(p.Date()) }, nil, ""},
		{"date with more", `3-Feb-20245`, func(p *Parser) (any, error) { return any1(p.Date()) }, nil, ""},
		{"date without month", `-Feb-2024`, func(p *Parser) (any, error) { return any1(p.Date()) }, nil, ""},
		{"date open quote", `"1-Feb-2024`, func(p *Parser) (any, error) { return any1(p.Date()) }, nil, ""},
		{"date-time", `" 1-Feb-2024 23:59:58 +0000" x`, func(p *Parser) (any, error) { return any1(p.DateTime()) }, time.Date(2024, 2, 1, 23, 59, 58, 0, time.UTC), " x"},
		{"date-time zone", `"31-Dec-1999 00:00:00 -0330"`, func(p *Parser) (any, error) { return any1(p.DateTime()) }, time.Date(1999, 12, 31, 3, 30, 0, 0, time.UTC), ""},
		{"date-time unquoted", `1-Feb-2024`, func(p *Parser) (any, error) { return any1(p.DateTime()) }, nil, "1-Feb-2024"},
		{"date-time without zone", `" 1-Feb-2024 23:59:58"`, func(p *Parser) (any, error) { return any1(p.DateTime()) }, nil, ""},
		{"date-time, hour 24", `" 1-Feb-2024 24:59:58 +0000"`, func(p *Parser) (any, error) { return any1(p.DateTime()) }, nil, ""},
		{"set", "5:3,*,7 x", func(p *Parser) (any, error) { return any1(p.Set()) }, Set{{3, 5}, {0, 0}, {7, 7}}, " x"},
		{"set zero", "0", func(p *Parser) (any, error) { return any1(p.Set()) }, nil, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewParser([]byte(tt.in), Limits{})
			got, err := tt.parse(p)
			if tt.want == nil {
				if _, ok := errors.AsType[*SyntaxError](err); !ok {
					t.Fatalf("got %v, %v; want a SyntaxError", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
			if diff := cmp.Diff(tt.want, got, same); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := string(p.rest()); got != tt.rest {
				t.Errorf("rest is %q, want %q", got, tt.rest)
			}
		})
	}
}

func TestParserNString(t *testing.T) {
	p := NewParser([]byte(`nil "NIL" NILS`), Limits{})
	if b, isNil, err := p.NString(); b != nil || !isNil || err != nil {
		t.Errorf("NIL: %q %v %v", b, isNil, err)
	}
	if err := p.SP(); err != nil {
		t.Fatal(err)
	}
	if b, isNil, err := p.NString(); string(b) != "NIL" || isNil || err != nil {
		t.Errorf("string: %q %v %v", b, isNil, err)
	}
	if err := p.SP(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.NString(); err == nil {
		t.Error("atom taken for a string")
	}
}

func TestParserNesting(t *testing.T) {
	p := NewParser([]byte(strings.Repeat("(", 1<<20)), Limits{Nesting: 50})
	depth := 0
	var list func() error
	list = func() error {
		depth++
		return p.List(list)
	}
	if err := list(); err == nil || depth != 51 {
		t.Errorf("depth %d, err %v", depth, err)
	}
}

func TestParserSpaces(t *testing.T) {
	p := NewParser([]byte("  (a  b ) "), Limits{})
	var got []string
	err := errors.Join(p.SP(), p.List(func() error {
		s, err := p.Atom()
		got = append(got, s)
		return err
	}), p.End())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
	if err := NewParser([]byte(" x"), Limits{}).End(); err == nil {
		t.Error("End in front of an argument")
	}
}

// FuzzParser: whatever is called on whatever text, the parser goes forward,
// fails only with a SyntaxError, and a string that it returns is the same when
// it is written by Writer and read again.
func FuzzParser(f *testing.F) {
	f.Add([]byte(` "a\"b" {3}`+"\r\nabc (x (y)) 1:*,3 NIL"), []byte{0, 4, 0, 5, 0, 9, 9})
	f.Add([]byte(`"1-Feb-2024" \Seen (\Deleted x) inbox`), []byte{12, 0, 10, 0, 11, 0, 7})
	f.Add([]byte("~{2+}\r\n\x00\x01 9223372036854775807"), []byte{4, 0, 15})
	f.Fuzz(func(t *testing.T, text, ops []byte) {
		p := NewParser(text, Limits{Nesting: 20})
		for _, op := range ops {
			before := p.pos
			str, err := step(p, op)
			if _, ok := errors.AsType[*SyntaxError](err); err != nil && !ok {
				t.Fatalf("op %d: %v is no SyntaxError", op, err)
			}
			if p.pos < before || p.pos > len(text) {
				t.Fatalf("op %d moved from %d to %d of %d", op, before, p.pos, len(text))
			}
			if err == nil && str != nil {
				roundTrip(t, str)
			}
		}
	})
}

func step(p *Parser, op byte) (str []byte, err error) {
	switch op % 16 {
	case 0:
		err = p.SP()
	case 1:
		_, err = p.Atom()
	case 2:
		_, err = p.Keyword()
	case 3:
		_, err = p.Word()
	case 4:
		str, err = p.AString()
	case 5:
		str, err = p.String()
	case 6:
		str, _, err = p.NString()
	case 7:
		_, err = p.Mailbox()
	case 8:
		_, err = p.Pattern()
	case 9:
		err = p.List(func() error { _, err := step(p, 9+op/16); return err })
	case 10:
		_, err = p.Flag()
	case 11:
		_, err = p.FlagList()
	case 12:
		_, err = p.Date()
	case 13:
		_, err = p.DateTime()
	case 14:
		_, err = p.NZNumber()
	case 15:
		_, err = p.Number64()
	}
	return str, err
}

func roundTrip(t *testing.T, str []byte) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	w.String(str)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	got, err := NewParser(out.Bytes(), Limits{}).AString()
	if bytes.IndexByte(str, 0) >= 0 {
		return // only literal8 may carry it
	}
	if err != nil || !bytes.Equal(got, str) {
		t.Fatalf("%q was written as %q and read as %q, %v", str, out.Bytes(), got, err)
	}
}
