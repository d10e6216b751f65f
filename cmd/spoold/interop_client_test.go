package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client is a small IMAP client that reports what a server said and judges nothing:
// the same code talks to spoold and to Dovecot. Failing to speak IMAP fails the test.
type client struct {
	t   testing.TB
	r   *bufio.Reader
	w   io.Writer
	end func()
	tag int
	// greeting is the server's first line.
	greeting string
}

// deadline is how long a server may take for one answer.
const deadline = 60 * time.Second

// answer is what came back for one command.
type answer struct {
	status, text string
	lines        []response
}

// response is one untagged response: raw with literals in place, and taken apart.
// A field is a string (atoms, quoted strings, literals), a []any (a list) or nil (NIL).
type response struct {
	raw    string
	fields []any
}

// mail is one message as a reader of the mailbox sees it.
type mail struct {
	Seq    uint32
	UID    uint32
	Flags  []string // sorted, keywords too, without \Recent
	Recent bool
	Date   string
	Size   int
	Text   string
}

// box is a selected mailbox.
type box struct {
	Exists, Recent       int
	UIDValidity, UIDNext uint32
	Mails                []mail
	answer               answer
}

// violation is what to do when a server sends what no client has to take.
func violation(t testing.TB) func(error) {
	return func(err error) { t.Errorf("violation of the grammar: %v", err) }
}

func newClient(t testing.TB, r io.Reader, w io.Writer, end func()) *client {
	t.Helper()
	c := &client{t: t, r: bufio.NewReaderSize(r, 1<<16), w: w, end: end}
	line, err := c.readLine()
	if err != nil {
		end()
		t.Fatalf("no greeting: %v", err)
	}
	c.greeting = line
	return c
}

// close drops the connection.
func (c *client) close() {
	if c.end != nil {
		c.end()
		c.end = nil
	}
}

// logout ends the session as a polite client does.
func (c *client) logout() {
	c.t.Helper()
	c.ok("LOGOUT")
	c.close()
}

// ok sends a command and fails the test when the answer is not OK.
func (c *client) ok(format string, args ...any) answer {
	c.t.Helper()
	a := c.do(format, args...)
	if a.status != "OK" {
		c.t.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), a.status, a.text)
	}
	return a
}

// do sends a command and reads up to its tagged answer.
func (c *client) do(format string, args ...any) answer {
	c.t.Helper()
	return c.must(c.try(fmt.Sprintf(format, args...)))
}

// appendMail is APPEND with a literal that does not wait.
func (c *client) appendMail(mailbox, options, text string) answer {
	c.t.Helper()
	if options != "" {
		options += " "
	}
	return c.must(c.try(fmt.Sprintf("APPEND %s %s{%d+}\r\n%s", mailbox, options, len(text), text)))
}

func (c *client) must(a answer, err error) answer {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// try is do for goroutines other than the test's: it returns what went wrong.
func (c *client) try(command string) (answer, error) {
	c.tag++
	tag := fmt.Sprintf("t%d", c.tag)
	if _, err := io.WriteString(c.w, tag+" "+command+"\r\n"); err != nil {
		return answer{}, fmt.Errorf("%.60q: %w", command, err)
	}
	var a answer
	for {
		line, err := c.readLine()
		if err != nil {
			return a, fmt.Errorf("answer to %.60q: %w", command, err)
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			a.status, a.text, _ = strings.Cut(rest, " ")
			return a, nil
		}
		if strings.HasPrefix(line, "* BYE") && !strings.HasPrefix(command, "LOGOUT") {
			return a, fmt.Errorf("answer to %.60q: %s", command, line)
		}
		a.lines = append(a.lines, parseResponse(line))
	}
}

// readLine reads a response up to a CRLF that no literal continues.
func (c *client) readLine() (string, error) {
	var line bytes.Buffer
	for {
		part, err := c.r.ReadBytes('\n')
		line.Write(part)
		if err != nil {
			return "", fmt.Errorf("after %.200q: %w", line.String(), err)
		}
		n, ok := literalAhead(part)
		if !ok {
			return strings.TrimSuffix(line.String(), "\r\n"), nil
		}
		if _, err := io.CopyN(&line, c.r, n); err != nil {
			return "", fmt.Errorf("literal of %d octets: %w", n, err)
		}
	}
}

// literalAhead says whether a line ends in {n}.
func literalAhead(line []byte) (int64, bool) {
	s, ok := strings.CutSuffix(string(line), "}\r\n")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s[strings.LastIndexByte(s, '{')+1:], 10, 64)
	return n, err == nil
}

func parseResponse(line string) response {
	r := response{raw: line}
	rest := strings.TrimPrefix(line, "* ")
	if word, _, _ := strings.Cut(rest, " "); slices.Contains([]string{"OK", "NO", "BAD", "BYE", "PREAUTH"}, word) {
		return r // the text after it is free
	}
	r.fields, _ = parseFields(rest)
	return r
}

// parseFields takes fields apart up to the end or a closing parenthesis.
func parseFields(s string) (fields []any, rest string) {
	for {
		s = strings.TrimLeft(s, " ")
		switch {
		case s == "":
			return fields, ""
		case s[0] == ')':
			return fields, s[1:]
		case s[0] == '(':
			var list []any
			list, s = parseFields(s[1:])
			fields = append(fields, list)
		case s[0] == '"':
			var q string
			q, s = parseQuoted(s[1:])
			fields = append(fields, q)
		case s[0] == '{':
			size, after, _ := strings.Cut(s[1:], "}\r\n")
			n, err := strconv.Atoi(size)
			if err != nil || n > len(after) {
				return append(fields, s), ""
			}
			fields, s = append(fields, after[:n]), after[n:]
		default:
			n := atomLength(s)
			if atom := s[:n]; atom == "NIL" {
				fields = append(fields, nil)
			} else {
				fields = append(fields, atom)
			}
			s = s[n:]
		}
	}
}

// atomLength counts a section like BODY[HEADER.FIELDS (To)] as one atom.
func atomLength(s string) int {
	inSection := false
	for i := range len(s) {
		switch {
		case s[i] == '[':
			inSection = true
		case s[i] == ']':
			inSection = false
		case !inSection && (s[i] == ' ' || s[i] == '(' && i > 0 || s[i] == ')'):
			return i
		}
	}
	return len(s)
}

func parseQuoted(s string) (text, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// code is the text between the brackets of "OK [code] text", empty without any.
func code(text string) string {
	s, ok := strings.CutPrefix(text, "[")
	if !ok {
		return ""
	}
	return s[:max(strings.IndexByte(s, ']'), 0)]
}

// untagged is the code of an untagged "* OK [NAME rest]" line: its rest.
func (a answer) untagged(name string) (string, bool) {
	for _, l := range a.lines {
		text, ok := strings.CutPrefix(l.raw, "* OK ")
		if !ok {
			continue
		}
		if word, rest, _ := strings.Cut(code(text), " "); strings.EqualFold(word, name) {
			return rest, true
		}
	}
	return "", false
}

// counted is the number n of the last "* n NAME" response.
func (a answer) counted(name string) (int, bool) {
	n, found := 0, false
	for _, l := range a.lines {
		if len(l.fields) == 2 && l.fields[1] == name {
			n, _ = strconv.Atoi(fmt.Sprint(l.fields[0]))
			found = true
		}
	}
	return n, found
}

// named are the responses whose first field is name: LIST, LSUB, SEARCH, STATUS.
func (a answer) named(name string) []response {
	var out []response
	for _, l := range a.lines {
		if len(l.fields) > 0 && l.fields[0] == name {
			out = append(out, l)
		}
	}
	return out
}

// search is the list of numbers of a SEARCH answer.
func (a answer) search() []uint32 {
	var out []uint32
	for _, l := range a.named("SEARCH") {
		for _, f := range l.fields[1:] {
			n, _ := strconv.ParseUint(fmt.Sprint(f), 10, 32)
			out = append(out, uint32(n))
		}
	}
	return out
}

// mails are the FETCH responses.
func (a answer) mails() []mail {
	var out []mail
	for _, l := range a.lines {
		if len(l.fields) == 3 && l.fields[1] == "FETCH" {
			out = append(out, parseFetch(l.fields))
		}
	}
	return out
}

func parseFetch(fields []any) mail {
	var m mail
	m.Seq = number(fields[0])
	items, _ := fields[2].([]any)
	for i := 0; i+1 < len(items); i += 2 {
		name, _ := items[i].(string)
		switch value := items[i+1]; {
		case name == "UID":
			m.UID = number(value)
		case name == "RFC822.SIZE":
			m.Size = int(number(value))
		case name == "INTERNALDATE":
			m.Date = fmt.Sprint(value)
		case name == "FLAGS":
			m.Flags, m.Recent = parseFlags(value)
		case strings.HasPrefix(name, "BODY["):
			m.Text = fmt.Sprint(value)
		}
	}
	return m
}

func number(v any) uint32 {
	n, _ := strconv.ParseUint(fmt.Sprint(v), 10, 32)
	return uint32(n)
}

func parseFlags(v any) (flags []string, recent bool) {
	list, _ := v.([]any)
	for _, f := range list {
		if f == `\Recent` {
			recent = true
		} else {
			flags = append(flags, fmt.Sprint(f))
		}
	}
	slices.Sort(flags)
	return flags, recent
}

// open selects (SELECT or EXAMINE) and keeps the counts.
func (c *client) open(command, mailbox string) box {
	c.t.Helper()
	a := c.ok("%s %q", command, mailbox)
	b := box{answer: a}
	b.Exists, _ = a.counted("EXISTS")
	b.Recent, _ = a.counted("RECENT")
	for name, into := range map[string]*uint32{"UIDVALIDITY": &b.UIDValidity, "UIDNEXT": &b.UIDNext} {
		text, ok := a.untagged(name)
		if !ok {
			c.t.Fatalf("%s %s: no %s", command, mailbox, name)
		}
		*into = number(text)
	}
	return b
}

// read opens a mailbox and fetches all there is.
func (c *client) read(command, mailbox string) box {
	c.t.Helper()
	b := c.open(command, mailbox)
	if b.Exists > 0 {
		b.Mails = c.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").mails()
	}
	return b
}
