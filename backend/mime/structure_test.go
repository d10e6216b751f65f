package mime

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"spoold/backend/wire"

	"github.com/google/go-cmp/cmp"
)

func writeBody(msg []byte, extended bool) string {
	p := Parse(msg)
	return string(written(func(w *wire.Writer) { p.Write(w, extended) }))
}

const (
	plainNIL = ` NIL NIL "7BIT" `
	usascii  = `"TEXT" "PLAIN" ("CHARSET" "US-ASCII")` + plainNIL
	empty    = `(` + usascii + `0 0)`
)

func TestBody(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"no header says so", "Subject: a\n\none\ntwo\n", `(` + usascii + `10 2)`},
		{"no body", "Subject: a\n\n", empty},
		{"nothing at all", "", empty},
		{"header without blank line", "Subject: a\n", empty},
		{"no line break at the end", "\none\ntwo", `(` + usascii + `8 1)`},
		{
			"RFC 9051 section 7.5.2 single part",
			"Content-Type: text/plain; charset=us-ascii; name=\"cc.diff\"\nContent-ID: <960723163407.20117h@cac.washington.edu>\n" +
				"Content-Description: Compiler diff\nContent-Transfer-Encoding: base64\n\nZGlm\n",
			`("TEXT" "PLAIN" ("CHARSET" "us-ascii" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 6 1)`,
		},
		{
			"RFC 9051 section 7.5.2 multipart",
			"Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>\n--b--\nepilogue\n",
			`((` + usascii + `5 1)("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" 3 0) "MIXED")`,
		},
		{
			"nested multipart",
			"Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\nx\n--a--\n--a b\nContent-Type: image/png\n\nyz\n--a b--\n",
			`(((` + usascii + `1 0) "ALTERNATIVE")("IMAGE" "PNG" NIL NIL NIL "7BIT" 2) "MIXED")`,
		},
		{
			"outer boundary is a prefix of the inner",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a1\n\n--a1\n\nx\n--a1--\n--a--\n",
			`(((` + usascii + `1 0) "MIXED") "MIXED")`,
		},
		{
			"outer delimiter closes the inner multipart",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n--b\n--a--\n",
			`(((` + usascii + `1 0) "MIXED")(` + usascii + `6 1) "MIXED")`,
		},
		{
			"one boundary twice",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a\n\ny\n--a--\n",
			`(((` + usascii + `1 0) "MIXED")(` + usascii + `1 0) "MIXED")`,
		},
		{
			"boundary ends in hyphens",
			"Content-Type: multipart/mixed; boundary=a--\n\n--a--\n\nx\n--a----\n",
			`((` + usascii + `1 0) "MIXED")`,
		},
		{"blanks behind a delimiter", "Content-Type: multipart/mixed; boundary=a\n\n--a \t\n\nx\n--a-- \n", `((` + usascii + `1 0) "MIXED")`},
		{"never closed", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n", `((` + usascii + `3 1) "MIXED")`},
		{"part of a header only", "Content-Type: multipart/mixed; boundary=a\n\n--a\nX: y\n--a\n\n--a--\n", `(` + empty + empty + ` "MIXED")`},
		{"no parts", "Content-Type: multipart/mixed; boundary=a\n\nx\n", `(` + empty + ` "MIXED")`},
		{"closed without parts", "Content-Type: multipart/mixed; boundary=a\n\n--a--\n", `(` + empty + ` "MIXED")`},
		{"no boundary", "Content-Type: multipart/mixed\n\n--a\n\nx\n--a--\n", `(` + empty + ` "MIXED")`},
		{"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx\n----\n", `(` + empty + ` "MIXED")`},
		{"multipart without subtype", "Content-Type: multipart; boundary=a\n\n--a\n\nx\n--a--\n", `((` + usascii + `1 0) "MIXED")`},
		{
			"message",
			"Content-Type: message/rfc822\n\nSubject: in\nFrom: a@x\n\none\ntwo\n",
			`("MESSAGE" "RFC822" NIL` + plainNIL + `36 (NIL "in" ((NIL NIL "a" "x")) ((NIL NIL "a" "x")) ((NIL NIL "a" "x")) NIL NIL NIL NIL NIL) (` + usascii + `10 2) 5)`,
		},
		{
			"message in a multipart in a message",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n\n--a\n\ny\n--a--\n",
			`(("MESSAGE" "RFC822" NIL` + plainNIL + `62 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ((` + usascii + `1 0) "MIXED") 6)(` + usascii + `1 0) "MIXED")`,
		},
		{
			"digest",
			"Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: in\n\nx\n--a\nContent-Type: text/plain\n\ny\n--a--\n",
			`(("MESSAGE" "RFC822" NIL` + plainNIL + `16 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) (` + usascii + `1 0) 2)(` + usascii + `1 0) "DIGEST")`,
		},
		{
			"message that a delimiter cuts in its header",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nSubject: in\n--a--\n",
			`(("MESSAGE" "RFC822" NIL` + plainNIL + `13 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) ` + empty + ` 1) "MIXED")`,
		},
		{"type without subtype", "Content-Type: text; charset=utf-8\n\nx", `("TEXT" "PLAIN" ("CHARSET" "utf-8")` + plainNIL + `1 0)`},
		{"type that is none", "Content-Type: =?utf-8?q?x?=; charset=utf-8\n\nx", `(` + usascii + `1 0)`},
		{"type without a name", "Content-Type: /plain\n\nx", `(` + usascii + `1 0)`},
		{"empty fields", "Content-Type:\nContent-Transfer-Encoding:\nContent-Disposition:\nContent-Language:\n\nx", `(` + usascii + `1 0)`},
		{"first type counts", "Content-Type: image/png\nContent-Type: text/plain\n\nx", `("IMAGE" "PNG" NIL` + plainNIL + `1)`},
		{"comments", "Content-Type: text (a) / (b) plain (c); (d) charset (e) = (f) utf-8 (g)\n\nx", `("TEXT" "PLAIN" ("CHARSET" "utf-8")` + plainNIL + `1 0)`},
		{"folded", "Content-Type: text/plain;\n\tcharset=\n utf-8\n\nx", `("TEXT" "PLAIN" ("CHARSET" "utf-8")` + plainNIL + `1 0)`},
		{"RFC 2231 stays", "Content-Type: image/png; name*1=\"b\"; name*0*=utf-8''%e2; name*0=a\n\nx", `("IMAGE" "PNG" ("NAME*1" "b" "NAME*0*" "utf-8''%e2" "NAME*0" "a")` + plainNIL + `1)`},
		{"blanks and specials in a value", "Content-Type: image/png; name=my file (1).pdf ; x=\"y\"z; w\n\nx", `("IMAGE" "PNG" ("NAME" "my file (1).pdf" "X" "y")` + plainNIL + `1)`},
		{"semicolon missing", "Content-Type: image/png name=a b=c\n d=\"e\"; =f; ;g=\"\n\nx", `("IMAGE" "PNG" ("NAME" "a" "B" "c" "D" "e" "G" "")` + plainNIL + `1)`},
		{"quoted pairs and 8-bit", "Content-Type: image/png; name=\"a\\\"b\\\\\xe9\"\n\nx", "(\"IMAGE\" \"PNG\" (\"NAME\" {5}\r\na\"b\\\xe9)" + plainNIL + `1)`},
		{"unknown encoding", "Content-Transfer-Encoding: x-UUencode (old)\n\nx", `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "X-UUENCODE" 1 0)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := crlf(tt.in)
			if diff := cmp.Diff(tt.want, writeBody(msg, false)); diff != "" {
				t.Error(diff)
			}
			if err := checkMessage(msg); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBodyStructure(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"single part", "Subject: a\n\n", `(` + usascii + `0 0 NIL NIL NIL NIL)`},
		{
			"all of it",
			"Content-Type: image/png\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\nContent-Disposition: attachment; filename=\"a.png\"; size=12\n" +
				"Content-Language: en, de (Deutsch)\nContent-Location: http://example.org/a.png\n\n",
			`("IMAGE" "PNG" NIL` + plainNIL + `0 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("ATTACHMENT" ("FILENAME" "a.png" "SIZE" "12")) ("en" "de") "http://example.org/a.png")`,
		},
		{
			"multipart",
			"Content-Type: multipart/related; boundary=b; type=\"text/html\"\nContent-Disposition: inline\nContent-Language: en\n\n--b\n\nx\n--b--\n",
			`((` + usascii + `1 0 NIL NIL NIL NIL) "RELATED" ("BOUNDARY" "b" "TYPE" "text/html") ("INLINE" NIL) ("en") NIL)`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, writeBody(crlf(tt.in), true)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// checkMessage returns an error when something about the structure of msg is
// not as promised.
func checkMessage(msg []byte) error {
	root := Parse(msg)
	if root.Header.Start != 0 || root.Body.End != len(msg) || root.Header.End != HeaderEnd(msg) {
		return fmt.Errorf("root does not span the message: %v %v", root.Header, root.Body)
	}
	parts := 0
	if err := checkPart(root, Span{0, len(msg)}, 0, &parts); err != nil {
		return err
	}
	for _, extended := range []bool{false, true} {
		out := written(func(w *wire.Writer) { root.Write(w, extended) })
		if err := checkStrict(out, func(s *strict) { s.body(extended) }); err != nil {
			return fmt.Errorf("%w in %q", err, out)
		}
	}
	return nil
}

func checkPart(p *Part, in Span, depth int, parts *int) error {
	*parts++
	if *parts > 2*maxParts || depth > maxDepth { // each part may have an empty one
		return fmt.Errorf("%d parts, %d deep", *parts, depth)
	}
	if p.Header.Start < in.Start || p.Header.Start > p.Header.End || p.Header.End != p.Body.Start || p.Body.Start > p.Body.End || p.Body.End > in.End {
		return fmt.Errorf("part %v %v is not inside %v", p.Header, p.Body, in)
	}
	if p.IsMultipart() != (len(p.Children) > 0) || p.isMessage() != (p.Message != nil && p.Envelope != nil) {
		return fmt.Errorf("%s/%s has %d children and message %v", p.Type, p.Subtype, len(p.Children), p.Message)
	}
	at := p.Body.Start
	for _, c := range p.Children {
		if err := checkPart(c, Span{at, p.Body.End}, depth+1, parts); err != nil {
			return err
		}
		at = c.Body.End
	}
	if p.Message != nil {
		if p.Message.Header.Start != p.Body.Start {
			return fmt.Errorf("message at %d, body at %d", p.Message.Header.Start, p.Body.Start)
		}
		return checkPart(p.Message, p.Body, depth+1, parts)
	}
	return nil
}

func TestLines(t *testing.T) {
	msg := crlf("Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nS: x\n\n1\n2\n--a\nContent-Type: image/png\n\n1\n--a\n\n1\n2\n3\n\n--a--\nrest\n")
	p := Parse(msg)
	inner := p.Message.Children
	got := []int{p.Lines, inner[0].Lines, inner[0].Message.Lines, inner[1].Lines, inner[2].Lines}
	want := []int{bytes.Count(p.Body.Of(msg), []byte("\n")), 3, 1, 0, 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Hostile messages: what matters is that they are within the bounds, which
// checkMessage looks at, and that the test ends.
func TestHostile(t *testing.T) {
	const mp = "Content-Type: multipart/mixed; boundary="
	tests := []struct{ name, in string }{
		{"many parts", mp + "b\n\n" + strings.Repeat("--b\n\n", 5*maxParts)},
		{"many digest parts", "Content-Type: multipart/digest; boundary=b\n\n" + strings.Repeat("--b\n\nFrom: a@x\n\n", 3*maxParts)},
		{"same boundary nested", strings.Repeat(mp+"b\n\n--b\n", 1000)},
		{"other boundary nested", nest(1000, func(i int) string { return fmt.Sprintf(mp+"b%d\n\n--b%d\n", i, i) }) + strings.Repeat("--b1x\n--b99\n", 50000)},
		{"messages nested", strings.Repeat("Content-Type: message/rfc822\n\n", 1000) + strings.Repeat("\n", 100000)},
		{"empty multiparts", mp + "b\n\n" + strings.Repeat("--b\n"+mp+"c\n\n", 20000)},
		{"long boundary", mp + strings.Repeat("b", 100000) + "\n\n" + strings.Repeat("--"+strings.Repeat("b", 90)+"\n", 10000)},
		{"hyphens", mp + "-\n\n" + strings.Repeat("--\n", 200000)},
		{"parameters", "Content-Type: text/plain" + strings.Repeat("; a*0=b c", 100000)},
		{"blanks in a value", "Content-Type: text/plain; a=" + strings.Repeat("b ", 200000)},
		{"open comments", "Content-Type: text/plain; a=b" + strings.Repeat(" (", 200000) + "\nFrom: " + strings.Repeat("a (", 100000)},
		{"languages", "Content-Language: " + strings.Repeat("en,", 100000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := checkMessage(crlf(tt.in)); err != nil {
				t.Errorf("%.200v", err)
			}
		})
	}
}

func nest(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

func TestPartBounds(t *testing.T) {
	many := Parse(crlf("Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 5*maxParts)))
	if n := len(many.Children); n != maxParts-1 {
		t.Errorf("%d parts", n)
	}
	deep := Parse([]byte(strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 5*maxDepth)))
	depth := 0
	for ; deep.Message != nil; deep = deep.Message {
		depth++
	}
	if depth != maxDepth || deep.Type != "APPLICATION" || deep.Subtype != "OCTET-STREAM" {
		t.Errorf("%d deep, then %s/%s", depth, deep.Type, deep.Subtype)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nx\n--a\n--a--\n",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/x; boundary=a\n\n--a\nContent-Type: message/rfc822\n\n--a--\n--a",
		"Content-type:text;a=b c (d;e=\"\\\ncontent-disposition: x;y\ncontent-language:,a\ncontent-md5:\n\n",
		"Content-Type: message/global\n\n\n",
	} {
		f.Add(crlf(seed))
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if err := checkMessage(served(msg)); err != nil {
			t.Fatal(err)
		}
	})
}

// typicalMultipart is 7 KB: text, HTML and a small attachment.
var typicalMultipart = func() []byte {
	head := strings.Replace(string(typicalHeader), "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
		"Content-Type: multipart/mixed; boundary=\"=_outer\"\r\n", 1)
	return []byte(head + string(crlf("This is a message in MIME format.\n\n--=_outer\nContent-Type: multipart/alternative;\n boundary=\"=_inner\"\n\n--=_inner\n"+
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"+strings.Repeat("A line of text that is as long as lines in mail are =\n", 25)+
		"\n--=_inner\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"+strings.Repeat("<p>A line of text -- as long as lines in mail are.</p>\n", 30)+
		"\n--=_inner--\n\n--=_outer\nContent-Type: application/pdf; name=\"minutes.pdf\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"minutes.pdf\"\n\n"+
		strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 25)+"--=_outer--\n")))
}()

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(typicalMultipart)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(typicalMultipart)
	}
}

func BenchmarkParseAndWrite(b *testing.B) {
	w := wire.NewWriter(discard{})
	b.SetBytes(int64(len(typicalMultipart)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(typicalMultipart).Write(w, true)
		w.CRLF()
	}
}

func BenchmarkParseLargeAttachment(b *testing.B) {
	msg := []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 1<<17) + "--b--\r\n")
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		Parse(msg)
	}
}
