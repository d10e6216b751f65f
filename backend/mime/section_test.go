package mime

import (
	"bytes"
	"strings"
	"testing"

	"spoold/backend/wire"

	"github.com/google/go-cmp/cmp"
)

// rfcSample has the structure of the example in RFC 9051 section 6.4.5.1, its
// parts named by their numbers.
var rfcSample = crlf(`Subject: top
Content-Type: multipart/mixed; boundary=0

preamble
--0

one
--0
Content-Type: application/octet-stream
X-Part: 2

two
--0
Content-Type: message/rfc822
X-Part: 3

Subject: three
Content-Type: multipart/mixed; boundary=3

--3

three.one
--3
Content-Type: application/octet-stream

three.two
--3--
--0
Content-Type: multipart/mixed; boundary=4

--4
Content-Type: image/gif
X-Part: 4.1

four.one
--4
Content-Type: message/rfc822
X-Part: 4.2

Subject: four.two
Content-Type: multipart/mixed; boundary=42

--42

four.two.one
--42
Content-Type: multipart/alternative; boundary=422

--422

four.two.two.one
--422
Content-Type: text/richtext

four.two.two.two
--422--
--42--
--4--
--0--
`)

var plainSample = crlf("Subject: a\nX-Long: b\n c\nsubject: d\nFrom x\n\none\ntwo\n")

// section parses what would stand in the brackets.
func section(t testing.TB, s string) Section {
	t.Helper()
	sec, err := ParseSection(wire.NewParser([]byte(s+"]"), wire.Limits{}))
	if err != nil {
		t.Fatalf("section %q: %v", s, err)
	}
	return sec
}

func TestExtract(t *testing.T) {
	messageSample := crlf("Content-Type: message/rfc822\nX: y\n\nSubject: in\n\nbody\n")
	tests := []struct {
		name, section string
		msg           []byte
		want          string // LF for CRLF; "NIL" for no such part
	}{
		{"header", "HEADER", plainSample, "Subject: a\nX-Long: b\n c\nsubject: d\nFrom x\n\n"},
		{"text", "TEXT", plainSample, "one\ntwo\n"},
		{"all", "", plainSample, strings.ReplaceAll(string(plainSample), "\r", "")},
		{"part 1 of a message without parts", "1", plainSample, "one\ntwo\n"},
		{"its MIME header", "1.MIME", plainSample, "Subject: a\nX-Long: b\n c\nsubject: d\nFrom x\n\n"},
		{"no header in it", "1.HEADER", plainSample, "NIL"},
		{"no text in it", "1.TEXT", plainSample, "NIL"},
		{"no part in it", "1.1", plainSample, "NIL"},
		{"no part 2", "2", plainSample, "NIL"},
		{"fields", "HEADER.FIELDS (SUBJECT)", plainSample, "Subject: a\nsubject: d\n\n"},
		{"folded field", "HEADER.FIELDS (x-LONG none)", plainSample, "X-Long: b\n c\n\n"},
		{"no such field", "HEADER.FIELDS (none)", plainSample, "\n"},
		{"all but fields", "HEADER.FIELDS.NOT (Subject)", plainSample, "X-Long: b\n c\nFrom x\n\n"},
		{"fields of a header without end", "HEADER.FIELDS (a)", []byte("A: b"), "A: b\n\n"},
		{"header without end", "HEADER", []byte("A: b"), "A: b"},
		{"no body", "TEXT", []byte("A: b\r\n"), ""},
		{"multipart child", "1", rfcSample, "one"},
		{"its empty MIME header", "1.MIME", rfcSample, "\n"},
		{"MIME header", "2.MIME", rfcSample, "Content-Type: application/octet-stream\nX-Part: 2\n\n"},
		{"message part's MIME header", "3.MIME", rfcSample, "Content-Type: message/rfc822\nX-Part: 3\n\n"},
		{"message part's header", "3.HEADER", rfcSample, "Subject: three\nContent-Type: multipart/mixed; boundary=3\n\n"},
		{"message part's fields", "3.HEADER.FIELDS (subject)", rfcSample, "Subject: three\n\n"},
		{"message part's text", "3.TEXT", rfcSample, "--3\n\nthree.one\n--3\nContent-Type: application/octet-stream\n\nthree.two\n--3--"},
		{"part in a message part", "3.2", rfcSample, "three.two"},
		{"part in a multipart part", "4.1", rfcSample, "four.one"},
		{"its MIME header", "4.1.MIME", rfcSample, "Content-Type: image/gif\nX-Part: 4.1\n\n"},
		{"header of a message in a multipart part", "4.2.HEADER", rfcSample, "Subject: four.two\nContent-Type: multipart/mixed; boundary=42\n\n"},
		{"deep part", "4.2.2.2", rfcSample, "four.two.two.two"},
		{"deep multipart", "4.2.2.MIME", rfcSample, "Content-Type: multipart/alternative; boundary=422\n\n"},
		{"multipart has no header", "4.HEADER", rfcSample, "NIL"},
		{"leaf has no text", "2.TEXT", rfcSample, "NIL"},
		{"no part 5", "5", rfcSample, "NIL"},
		{"no part below a leaf", "2.1", rfcSample, "NIL"},
		{"no part 4.2.3", "4.2.3", rfcSample, "NIL"},
		{"message as the message's content", "1", messageSample, "Subject: in\n\nbody\n"},
		{"header of it", "1.HEADER", messageSample, "Subject: in\n\n"},
		{"text of it", "1.TEXT", messageSample, "body\n"},
		{"part 1 of it", "1.1", messageSample, "body\n"},
		{"part 1's MIME header", "1.1.MIME", messageSample, "Subject: in\n\n"},
		{"part 2 of it", "1.2", messageSample, "NIL"},
		{"the part that a multipart is given", "1", crlf("Content-Type: multipart/mixed\n\nx\n"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.section+" "+tt.name, func(t *testing.T) {
			b, ok := section(t, tt.section).Extract(tt.msg, func() *Part { return Parse(tt.msg) })
			got := strings.ReplaceAll(string(b), "\r\n", "\n")
			if !ok {
				got = "NIL"
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseSection(t *testing.T) {
	tests := []struct {
		in         string
		want       Section
		out        string // "" = in
		headerOnly bool
	}{
		{"", Section{}, "", false},
		{"1", Section{Path: []int{1}}, "", false},
		{"12.3.4294967295", Section{Path: []int{12, 3, 4294967295}}, "", false},
		{"header", Section{Kind: HeaderKind}, "HEADER", true},
		{"TEXT", Section{Kind: TextKind}, "", false},
		{"1.2.Mime", Section{Path: []int{1, 2}, Kind: MIMEKind}, "1.2.MIME", false},
		{"1.HEADER", Section{Path: []int{1}, Kind: HeaderKind}, "", false},
		{"HEADER.FIELDS (From \"To\")", Section{Kind: Fields, Fields: []string{"From", "To"}}, "HEADER.FIELDS (From To)", true},
		{"HEADER.FIELDS.NOT ({4}\r\nX\"\\Y)", Section{Kind: FieldsNot, Fields: []string{`X"\Y`}}, `HEADER.FIELDS.NOT ("X\"\\Y")`, true},
		{"7.HEADER.FIELDS (x] \"\" \"a b\" nil)", Section{Path: []int{7}, Kind: Fields, Fields: []string{"x]", "", "a b", "nil"}}, `7.HEADER.FIELDS ("x]" "" "a b" "nil")`, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got := section(t, tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.out == "" {
				tt.out = tt.in
			}
			if got.String() != tt.out || got.HeaderOnly() != tt.headerOnly {
				t.Errorf("%q, HeaderOnly %v", got, got.HeaderOnly())
			}
		})
	}
}

func TestParseSectionRefuses(t *testing.T) {
	for _, in := range []string{"", "0]", "1.]", "1.0]", ".1]", "MIME]", "BODY]", "1", "1 ]", "HEADER.FIELDS]", "HEADER.FIELDS ()]", "HEADER.FIELDS (a]", "HEADER.FIELDS (\"\xe9\")]", "HEADER.FIELDS ({2}\r\n\r\n)]", "99999999999]", "1.HEADER.2]"} {
		t.Run(in, func(t *testing.T) {
			if got, err := ParseSection(wire.NewParser([]byte(in), wire.Limits{})); err == nil {
				t.Errorf("read as %q", got)
			}
		})
	}
}

func TestHeaderValue(t *testing.T) {
	h := crlf("X: 1\nFoo :  a\n b \nfoo:\n: c\nrubbish\nx:2\n\nX: 3\n")
	tests := []struct {
		name string
		want []string
	}{
		{"foo", []string{"a b", ""}},
		{"X", []string{"1", "2"}},
		{"", nil},
		{"rubbish", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, v := range HeaderValues(h, tt.name) {
				got = append(got, string(v))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			first, ok := HeaderValue(h, tt.name)
			if ok != (tt.want != nil) || ok && string(first) != tt.want[0] {
				t.Errorf("first: %q %v", first, ok)
			}
		})
	}
}

// FuzzSection: what is extracted is a piece of the message, or, for fields,
// lines of it; a header and its text are the whole; fields and the others
// together are the header; a section reads back from its own text.
func FuzzSection(f *testing.F) {
	f.Add("4.2.HEADER.FIELDS (subject)", rfcSample)
	f.Add("1.TEXT", crlf("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n"))
	f.Add("HEADER.FIELDS.NOT (\"a b\")", plainSample)
	f.Fuzz(func(t *testing.T, text string, msg []byte) {
		sec, err := ParseSection(wire.NewParser([]byte(text+"]"), wire.Limits{}))
		if err != nil {
			return
		}
		if again := section(t, sec.String()); cmp.Diff(sec, again) != "" {
			t.Fatalf("%q reads back as %q", sec, again)
		}
		get := func(k Kind) ([]byte, bool) {
			s := sec
			s.Kind = k
			return s.Extract(msg, func() *Part { return Parse(msg) })
		}
		for _, k := range []Kind{All, HeaderKind, TextKind, MIMEKind} {
			if b, _ := get(k); !bytes.Contains(msg, b) {
				t.Fatalf("%q of kind %v is not in the message: %q", sec, k, b)
			}
		}
		header, ok := get(HeaderKind)
		if !ok {
			return
		}
		body, _ := get(TextKind)
		if !bytes.Contains(msg, append(header[:len(header):len(header)], body...)) {
			t.Fatalf("%q: header and text do not follow each other", sec)
		}
		with, _ := get(Fields)
		without, _ := get(FieldsNot)
		for _, b := range [][]byte{with, without} {
			if b = bytes.TrimSuffix(b, []byte("\r\n")); HeaderEnd(b) != len(b) {
				t.Fatalf("%q: blank line inside %q", sec, b)
			}
		}
		if end := HeaderEnd(header); len(with)+len(without) > end+6 || len(with)+len(without) < end {
			t.Fatalf("%q: %q and %q are not %q", sec, with, without, header)
		}
	})
}

func BenchmarkFields(b *testing.B) {
	s := section(b, "HEADER.FIELDS (Date Subject From To Cc Message-ID References Content-Type)")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.AppendFields(buf[:0], typicalHeader)
	}
}
