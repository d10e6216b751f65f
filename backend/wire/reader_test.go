package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var small = Limits{Line: 100, Literal: 40, Literals: 3, Total: 60, Append: 80, Nesting: 3}

// transcript plays input through a Reader and a dispatcher that answers every
// command, and returns what the client would see, one line each.
func transcript(r io.Reader, lim Limits) []string {
	var out []string
	prompt := func(text string) error {
		out = append(out, "+")
		return nil
	}
	rd := NewReader(bufio.NewReaderSize(r, 16), prompt, lim)
	for {
		cmd, err := rd.Next()
		if err == nil {
			line, herr := dispatch(cmd)
			if se, ok := errors.AsType[*SyntaxError](herr); ok {
				line = answer(&SyntaxError{Tag: cmd.Tag, Text: se.Text, Code: se.Code, No: se.No})
			}
			if !isStreamError(herr) {
				out = append(out, line)
			}
			err = cmd.Discard()
		}
		if se, ok := errors.AsType[*SyntaxError](err); ok {
			out = append(out, answer(se))
		} else if err != nil {
			return append(out, "end: "+err.Error())
		}
	}
}

func answer(se *SyntaxError) string {
	typ, tag, code := "BAD", se.Tag, ""
	if se.No {
		typ = "NO"
	}
	if tag == "" {
		tag = "*"
	}
	if se.Code != "" {
		code = "[" + se.Code + "] "
	}
	return tag + " " + typ + " " + code + se.Text
}

func dispatch(cmd *Command) (string, error) {
	if cmd.Name != "APPEND" {
		name := cmd.Name
		if cmd.UID {
			name = "UID " + name
		}
		return fmt.Sprintf("%s OK %s%q", cmd.Tag, name, cmd.Args.rest()), nil
	}
	p := cmd.Args
	if err := p.SP(); err != nil {
		return "", err
	}
	box, err := p.Mailbox()
	if err != nil {
		return "", err
	}
	var line strings.Builder
	line.WriteString(cmd.Tag + " OK APPEND " + box)
	for !p.AtEnd() {
		if err := p.SP(); err != nil {
			return "", err
		}
		if box == "nowhere" {
			return cmd.Tag + " NO nowhere", nil
		}
		lit, err := cmd.Literal()
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(lit)
		if err != nil {
			return "", err
		}
		line.WriteString(fmt.Sprintf(" %q", body))
		if err := cmd.More(); err != nil {
			return "", err
		}
	}
	return line.String(), nil
}

func TestFraming(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"plain", "a NOOP\r\n", []string{`a OK NOOP""`}},
		{"bare line feed", "a NOOP\nb NOOP\n", []string{`a OK NOOP""`, `b OK NOOP""`}},
		{"name in lower case", "a noop\r\n", []string{`a OK NOOP""`}},
		{"UID", "a uid fetch 1 FLAGS\r\n", []string{`a OK UID FETCH" 1 FLAGS"`}},
		{"UID alone", "a UID\r\n", []string{"a BAD Missing command"}},
		{"tag of all characters", "!#$&',-./09:;<=>?@AZ[]^_`az|}~ NOOP\r\n", []string{"!#$&',-./09:;<=>?@AZ[]^_`az|}~ OK NOOP\"\""}},
		{"empty line", "\r\na NOOP\r\n", []string{"* BAD Null command", `a OK NOOP""`}},
		{"blank line", "  \r\na NOOP\r\n", []string{"* BAD Null command", `a OK NOOP""`}},
		{"tag only", "a\r\nb NOOP\r\n", []string{"a BAD Missing command", `b OK NOOP""`}},
		{"tag and space", "a \r\nb NOOP\r\n", []string{"a BAD Missing command", `b OK NOOP""`}},
		{"tag star", "* NOOP\r\nb NOOP\r\n", []string{"* BAD Invalid tag", `b OK NOOP""`}},
		{"tag plus", "+ NOOP\r\nb NOOP\r\n", []string{"* BAD Invalid tag", `b OK NOOP""`}},
		{"tag with plus", "a+b NOOP\r\nb NOOP\r\n", []string{"* BAD Invalid tag", `b OK NOOP""`}},
		{"8-bit tag", "\xe9 NOOP\r\nb NOOP\r\n", []string{"* BAD Invalid tag", `b OK NOOP""`}},
		{"name is no atom", "a (x)\r\nb NOOP\r\n", []string{"a BAD Invalid command name", `b OK NOOP""`}},
		{"open quote", "a LOGIN \"x\r\nb NOOP\r\n", []string{"a BAD Unterminated quoted string", `b OK NOOP""`}},
		{"escaped quote leaves it open", `a LOGIN "x\"` + "\r\nb NOOP\r\n", []string{"a BAD Unterminated quoted string", `b OK NOOP""`}},
		{"NUL", "a LOGIN \"\x00\"\r\nb NOOP\r\n", []string{"a BAD NUL in command", `b OK NOOP""`}},
		{"bare CR", "a NOOP\rb\r\nc NOOP\r\n", []string{"a BAD Bare CR in command", `c OK NOOP""`}},
		{"sync literal", "a LOGIN {1}\r\nu {2}\r\npw\r\n", []string{"+", "+", `a OK LOGIN" {1}\r\nu {2}\r\npw"`}},
		{"non-sync literal", "a LOGIN {1+}\r\nu {2+}\r\npw\r\nb NOOP\r\n", []string{`a OK LOGIN" {1+}\r\nu {2+}\r\npw"`, `b OK NOOP""`}},
		{"literal8", "a X ~{3}\r\na\x00b\r\n", []string{"+", `a OK X" ~{3}\r\na\x00b"`}},
		{"empty literal", "a X {0+}\r\n\r\nb NOOP\r\n", []string{`a OK X" {0+}\r\n"`, `b OK NOOP""`}},
		{"literal data looks like an announcement", "a X {4+}\r\ny{5}\r\nb NOOP\r\n", []string{`a OK X" {4+}\r\ny{5}"`, `b OK NOOP""`}},
		{"literal data has lines", "a X {10+}\r\nb NOOP\r\n{5\r\n", []string{`a OK X" {10+}\r\nb NOOP\r\n{5"`}},
		{"announcement inside the line", "a X {5} y\r\nb NOOP\r\n", []string{`a OK X" {5} y"`, `b OK NOOP""`}},
		{"negative size is no announcement", "a X {-1}\r\nb NOOP\r\n", []string{`a OK X" {-1}"`, `b OK NOOP""`}},
		{"line too long", "a X " + long + "\r\nb NOOP\r\n", []string{"a BAD Command line too long", `b OK NOOP""`}},
		{"line too long and literal behind", "a X " + long + " {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"a BAD Command line too long", `c OK NOOP""`}},
		{"lines of a command count together", "a X {1+}\r\ny" + long[:60] + " {1+}\r\ny" + long[:60] + "\r\nb NOOP\r\n", []string{"a BAD Command line too long", `b OK NOOP""`}},
		{"line beyond all bounds", "a " + strings.Repeat("x", 1000), []string{"end: Line too long"}},
		{"sync literal too big gets no prompt", "a X {41}\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"sync literal above int64", "a X {99999999999999999999}\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"non-sync literal too big is swallowed", "a X {41+}\r\n" + strings.Repeat("b NOOP\r\n", 5) + "y\r\nc NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `c OK NOOP""`}},
		{"non-sync literal far too big", "a X {999999999+}\r\nb NOOP\r\n", []string{"end: Literal too large"}},
		{"non-sync literal above int64", "a X {99999999999999999999+}\r\nb NOOP\r\n", []string{"end: Literal too large"}},
		{"too many literals", "a X {1+}\r\n1 {1+}\r\n2 {1+}\r\n3 {1+}\r\n4\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Too many literals", `b OK NOOP""`}},
		{"literals together too big", "a X {40+}\r\n" + long[:40] + " {40+}\r\n" + long[:40] + "\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"bad tag in front of non-sync literal", "* X {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"* BAD Invalid tag", `c OK NOOP""`}},
		{"bad tag in front of sync literal", "* X {8}\r\nb NOOP\r\n", []string{"* BAD Invalid tag", `b OK NOOP""`}},
		{"open quote in front of non-sync literal", "a X \"y {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"a BAD Unterminated quoted string", `c OK NOOP""`}},
		{"empty line with literals behind", " {3+}\r\nb X {4+}\r\nNOOP\r\nc NOOP\r\n", []string{"* BAD Invalid tag", `c OK NOOP""`}},
		{"error between two literals", "a X {1+}\r\n1 \"{8+}\r\nb NOOP\r\n {8}\r\nc NOOP\r\n", []string{"a BAD Unterminated quoted string", `c OK NOOP""`}},
		{"end in a line", "a NOO", []string{"end: unexpected EOF"}},
		{"end in a literal", "a X {5+}\r\nyy", []string{"end: unexpected EOF"}},
		{"append", "a APPEND in {3}\r\nabc\r\nb NOOP\r\n", []string{"+", `a OK APPEND in "abc"`, `b OK NOOP""`}},
		{"append, mailbox as literal", "a APPEND {2}\r\nin {3}\r\nabc\r\nb NOOP\r\n", []string{"+", "+", `a OK APPEND in "abc"`, `b OK NOOP""`}},
		{"append, mailbox literal too big", "a APPEND {41+}\r\n" + long[:41] + " {3+}\r\nabc\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"multiappend", "a APPEND in {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n", []string{`a OK APPEND in "abc" "de"`, `b OK NOOP""`}},
		{"multiappend of more than the literals limit", "a APPEND in" + strings.Repeat(" {1+}\r\nx", 6) + "\r\nb NOOP\r\n", []string{`a OK APPEND in "x" "x" "x" "x" "x" "x"`, `b OK NOOP""`}},
		{"append without literal", "a APPEND in x\r\nb NOOP\r\n", []string{"a BAD Missing literal", `b OK NOOP""`}},
		{"append refused, sync", "a APPEND nowhere {3}\r\nb NOOP\r\n", []string{"a NO nowhere", `b OK NOOP""`}},
		{"append refused, non-sync", "a APPEND nowhere {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"a NO nowhere", `c OK NOOP""`}},
		{"append refused, two literals", "a APPEND nowhere {8+}\r\nb NOOP\r\n {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"a NO nowhere", `c OK NOOP""`}},
		{"append with junk behind", "a APPEND in {3+}\r\nabcJUNK\r\nb NOOP\r\n", []string{"a BAD Syntax error: space expected at character 1 of the arguments", `b OK NOOP""`}},
		{"append too big, sync", "a APPEND in {81}\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"append too big, non-sync", "a APPEND in {81+}\r\n" + long[:81] + "\r\nb NOOP\r\n", []string{"a NO [TOOBIG] Literal too large", `b OK NOOP""`}},
		{"append far too big, non-sync", "a APPEND in {181+}\r\n" + long, []string{"a NO [TOOBIG] Literal too large", "end: Literal too large"}},
		{"append, second line bad", "a APPEND in {1+}\r\nx \"{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", []string{"a BAD Unterminated quoted string", `c OK NOOP""`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if !strings.HasPrefix(want[len(want)-1], "end: ") {
				want = append(want, "end: EOF")
			}
			if diff := cmp.Diff(want, transcript(strings.NewReader(tt.in), small)); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, transcript(iotest.OneByteReader(strings.NewReader(tt.in)), small)); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	long := strings.Repeat("1,", 32000)
	got := transcript(strings.NewReader("a UID FETCH "+long+"1 FLAGS\r\nb X {65536+}\r\n"+strings.Repeat("x", 65536)+"\r\n"), Limits{})
	if len(got) != 3 || !strings.HasPrefix(got[0], "a OK") || !strings.HasPrefix(got[1], "b OK") {
		t.Errorf("a line and a literal of 64 KiB are not taken: %.80q", got)
	}
}

// A literal is announced with its size, but memory is only taken for what
// comes.
func TestLiteralMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in := strings.NewReader("a X {1000000000000+}\r\nabc")
	rd := NewReader(bufio.NewReader(in), nil, Limits{Literal: 1 << 40, Total: 1 << 40})
	if _, err := rd.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d octets allocated for a literal of which 3 octets came", n)
	}
}

func TestCommandOutlivesNext(t *testing.T) {
	rd := NewReader(bufio.NewReaderSize(strings.NewReader("a X first\r\nb X other\r\n"), 16), nil, Limits{})
	cmd, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rd.Next(); err != nil {
		t.Fatal(err)
	}
	if got := string(cmd.Raw); got != "a X first" {
		t.Errorf("Raw became %q", got)
	}
}

// Next itself discards a streamed command that nobody discarded.
func TestNextDiscards(t *testing.T) {
	rd := NewReader(bufio.NewReader(strings.NewReader("a APPEND in {8+}\r\nx NOOP\r\n\r\nb NOOP\r\n")), nil, Limits{})
	if _, err := rd.Next(); err != nil {
		t.Fatal(err)
	}
	cmd, err := rd.Next()
	if err != nil || cmd.Tag != "b" {
		t.Errorf("got %+v, %v", cmd, err)
	}
}

func TestStaleLiteral(t *testing.T) {
	rd := NewReader(bufio.NewReader(strings.NewReader("a APPEND in {3+}\r\nabc\r\nb NOOP\r\n")), nil, Limits{})
	cmd, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{cmd.Args.SP, func() error { _, err := cmd.Args.Mailbox(); return err }, cmd.Args.SP} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	lit, err := cmd.Literal()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := lit.Read(make([]byte, 1)); !errors.Is(err, errStale) {
		t.Errorf("got %v", err)
	}
	if err := cmd.More(); !errors.Is(err, errNotBegun) {
		t.Errorf("More: got %v", err)
	}
}

func TestStreamNames(t *testing.T) {
	rd := NewReader(bufio.NewReader(strings.NewReader("a APPEND in {3+}\r\nabc\r\n")), nil, Limits{})
	rd.Stream()
	cmd, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	if want, got := "a APPEND in {3+}\r\nabc", string(cmd.Raw); want != got {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := cmd.Literal(); err == nil {
		t.Error("Literal of a command in memory")
	}
}

func TestPromptError(t *testing.T) {
	broken := errors.New("broken")
	rd := NewReader(bufio.NewReader(strings.NewReader("a X {3}\r\nabc\r\n")), func(string) error { return broken }, Limits{})
	for range 2 {
		if _, err := rd.Next(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if !errors.Is(rd.Err(), broken) {
		t.Errorf("Err: got %v", rd.Err())
	}
}

func TestLine(t *testing.T) {
	rd := NewReader(bufio.NewReaderSize(strings.NewReader("done\r\n12345678901\r\n\nx NOOP\r\n"), 16), nil, Limits{})
	if b, err := rd.Line(10); err != nil || string(b) != "done" {
		t.Errorf("got %q, %v", b, err)
	}
	if b, err := rd.Line(10); err == nil || isStreamError(err) {
		t.Errorf("got %q, %v; want a SyntaxError", b, err)
	}
	if b, err := rd.Line(10); err != nil || len(b) != 0 {
		t.Errorf("got %q, %v", b, err)
	}
	if cmd, err := rd.Next(); err != nil || cmd.Tag != "x" {
		t.Errorf("got %v, %v", cmd, err)
	}
	if _, err := rd.Line(10); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// chunks delivers at most sizes[i] octets with the i-th Read.
type chunks struct {
	r     io.Reader
	sizes []byte
	i     int
}

func (c *chunks) Read(p []byte) (int, error) {
	n := len(p)
	if len(c.sizes) > 0 {
		n = min(n, 1+int(c.sizes[c.i%len(c.sizes)]))
		c.i++
	}
	return c.r.Read(p[:n])
}

// FuzzReader: how the octets arrive does not change what is framed, and every
// frame is answered once under a valid tag or untagged.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a NOOP\r\nb LOGIN {1+}\r\nu {2}\r\npw\r\n"), []byte{0})
	f.Add([]byte("a APPEND in {3+}\r\nabc (x) {2}\r\nde\r\n\r\n* X\r\n"), []byte{2, 0})
	f.Add([]byte("a APPEND in {3+}\r\n"), []byte{1})
	f.Add([]byte("a X \"{9+}\r\n123456789 {4+}\r\nabc\r\nd NOOP\n"), []byte{1, 5})
	f.Add([]byte("a "+strings.Repeat("y", 150)+"{7+}\r\nb NOOP\r\nc NOOP\r\n"), []byte{30})
	f.Add([]byte("a X {0+}\r\n{0+}\r\n{00}\r\n~{1+}\r\n\x00\r\nc UID\n"), []byte{0, 0, 3})
	f.Fuzz(func(t *testing.T, in, sizes []byte) {
		whole := transcript(bytes.NewReader(in), small)
		parts := transcript(&chunks{r: bytes.NewReader(in), sizes: sizes}, small)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Fatalf("chunks change the frames:\n%s", diff)
		}
		if lines := bytes.Count(in, []byte("\n")); len(whole) > 2*lines+2 {
			t.Fatalf("%d answers to %d lines", len(whole), lines)
		}
		for _, line := range whole[:len(whole)-1] {
			tag, rest, _ := strings.Cut(line, " ")
			if line != "+" && (tag != "*" && span([]byte(tag), isTagChar) != len(tag) || rest == "") {
				t.Fatalf("not an answer: %q", line)
			}
		}
	})
}
