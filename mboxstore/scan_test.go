package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spoold/mboxstore/mboxtest"
)

const sep = "From a@b Thu Nov 29 22:33:52 2001\n"

// shot is what a test keeps of a Span.
type shot struct {
	Off, Body, End, Next int64
	Size                 int64
	From                 string
}

func scanShots(t testing.TB, file []byte, off int64, piece int) ([]shot, ScanEnd, error) {
	t.Helper()
	var list []shot
	s := scanner{r: bytes.NewReader(file), size: int64(len(file)), base: off, piece: piece, last: -1, unended: -1, wide: off > 0 && isWide(file)}
	end, err := s.scan(off, func(sp Span) error {
		body := sp.Off + int64(sp.FromLen) + int64(sp.HeaderLen)
		list = append(list, shot{sp.Off, body, sp.End, sp.Next, sp.ServedSize, string(sp.FromLine)})
		header := file[sp.Off+int64(sp.FromLen) : body]
		served := AppendServedHeader(nil, header)
		if len(served) != int(sp.Header.ServedSize) {
			t.Errorf("message at %d: header size %d, served %q", sp.Off, sp.Header.ServedSize, served)
		}
		if n := len(AppendServedBody(served, file[body:sp.End])); n != int(sp.ServedSize) {
			t.Errorf("message at %d: size %d, served %d octets", sp.Off, sp.ServedSize, n)
		}
		return nil
	})
	return list, end, err
}

// isWide reports whether the first line of a file is a separator to Dovecot only.
func isWide(file []byte) bool {
	first := bytes.TrimLeft(file, " \t\r\n")
	if _, narrow := ParseFromLine(first); narrow {
		return false
	}
	_, ok := normalFrom(first)
	return ok
}

// modelScan is the grammar read line by line, on a file in memory: what Scan must find.
func modelScan(file []byte) (list []shot, ok bool) {
	text := bytes.TrimRight(file, "\x00")
	rest := bytes.TrimLeft(text, " \t\r\n")
	off := len(text) - len(rest)
	if len(rest) == 0 {
		return nil, true
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if off > 0 && text[off-1] != '\n' || off+len(line)+1 > firstLine {
		return nil, false
	}
	const inHeader, inBody = 1, 2
	where, lines := inBody, []int{}
	closeLast := func(next int) {
		if len(list) == 0 {
			return
		}
		s := &list[len(list)-1]
		if where == inHeader {
			s.Body = int64(next)
		}
		s.Next, s.End = int64(next), int64(next)
		if n := len(lines); n > 0 && len(bytes.Trim(text[lines[n-1]:next], "\r\n")) == 0 {
			s.End = int64(lines[n-1])
		}
	}
	for at := off; at < len(text); {
		line := text[at:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		blank := len(bytes.TrimLeft(line, "\r")) == 1 && line[len(line)-1] == '\n'
		_, separator := parseFrom(line, isWide(file))
		switch {
		case where == inBody && separator:
			closeLast(at)
			list = append(list, shot{Off: int64(at), From: string(line)})
			where, lines = inHeader, lines[:0]
		case len(list) == 0:
			return nil, false
		case where == inHeader && blank:
			where = inBody
			list[len(list)-1].Body = int64(at + len(line))
		case where == inBody:
			lines = append(lines, at)
		}
		at += len(line)
	}
	closeLast(len(text))
	for i := range list {
		s := &list[i]
		header := file[s.Off+int64(len(s.From)) : s.Body]
		s.Size = int64(len(AppendServedBody(AppendServedHeader(nil, header), file[s.Body:s.End])))
	}
	list[len(list)-1].Next = int64(len(file))
	return list, true
}

var scanTable = []struct {
	name, file string
	sizes      []int64 // nil: not a mailbox
	glue       string
}{
	{"empty", "", []int64{}, ""},
	{"blank lines", "\n \n\n", []int64{}, ""},
	{"blanks", "\n  ", []int64{}, "\n"},
	{"only NULs", "\x00\x00", []int64{}, ""},
	{"NULs first", "\x00" + sep + "\n", nil, ""},
	{"one", sep + "A: b\n\nhi\n\n", []int64{12}, ""},
	{"two", sep + "A: b\n\nhi\n\n" + sep + "A: bc\n\nhi\n\n", []int64{12, 13}, ""},
	{"no blank line between", sep + "A: b\n\nhi\n" + sep + "A: bc\n\nhi\n", []int64{12, 13}, "\n"},
	{"blank lines before", "\n\r\n \t\n" + sep + "A: b\n\nhi\n\n", []int64{12}, ""},
	{"indented separator", "\n " + sep + "\n", nil, ""},
	{"nobody's first line", "From a Dec 2\n", nil, ""},
	{"Dovecot's lines", "From a Wed Dec 2 05:53:22 1992\nA: b\n\nhi\n\n" + sep + "A: b\n\nFrom a Wed Dec 2 05:53 1992\n\n", []int64{12, 8, 2}, ""},
	{"text first", "hello\n" + sep + "\n", nil, ""},
	{"header first", "A: b\n\nhi\n", nil, ""},
	{"separator without LF", sep[:len(sep)-1], nil, ""},
	{"separator behind 1023 octets", strings.Repeat("\n", 1023-len(sep)+1) + sep + "\n", nil, ""},
	{"separator within 1023 octets", strings.Repeat("\n", 1023-len(sep)) + sep + "\n", []int64{2}, ""},
	{"BOM", "\ufeff" + sep + "\n", nil, ""},

	{"only a separator", sep, []int64{2}, "\n"},
	{"empty header", sep + "\n", []int64{2}, ""},
	{"empty header and body", sep + "\n\n", []int64{2}, ""},
	{"body of one blank line", sep + "\n\n\n", []int64{4}, ""},
	{"header without blank line", sep + "A: b\n", []int64{8}, "\n"},
	{"header without line end", sep + "A: b", []int64{8}, "\n\n"},
	{"header ends in CR", sep + "A: b\r", []int64{8}, "\n\n"},
	{"header ends in CR of a blank line", sep + "A: b\n\r", []int64{8}, "\n"},
	{"body without line end", sep + "A: b\n\nhi", []int64{12}, "\n\n"},
	{"body ends in CR of a blank line", sep + "A: b\n\nhi\n\r", []int64{12}, "\n"},
	{"NULs at the end", sep + "A: b\n\nhi\n\x00\x00\x00", []int64{12}, "\n"},
	{"NULs within", sep + "A: b\n\nh\x00i\n\n", []int64{13}, ""},
	{"separator behind NUL", sep + "\nhi\n\x00" + sep + "\n", []int64{42}, ""},

	{"From_ in header", sep + "A: b\n" + sep + "\nhi\n\n", []int64{47}, ""},
	{"header swallows separator", sep + "A: b\n" + sep + "C: d\n\n" + sep + "\n\n", []int64{49, 2}, ""},
	{"separator right behind header", sep + "A: b\n\n" + sep + "\n\n", []int64{8, 2}, ""},
	{"unfinished From_ at the end", sep + "\n" + sep[:len(sep)-1], []int64{2 + 35}, "\r\r\n\n"},
	{
		"unfinished remote From_ at the end", sep + "\n" + sep[:len(sep)-1] + " remote from x",
		[]int64{2 + 35 + 14},
		strings.Repeat("\r", maxFromLine) + "\n\n",
	},
	{"quoted", sep + "\n>" + sep + "\n", []int64{2 + 36}, ""},
	{"not valid", sep + "\nFrom here\nFrom there\n\n", []int64{2 + 23}, ""},
	{"Content-Length too long", sep + "Content-Length: 999\n\nhi\n\n" + sep + "\n\n", []int64{6, 2}, ""},
	{"Content-Length too short", sep + "Content-Length: 1\n\nhi\n\n" + sep + "\n\n", []int64{6, 2}, ""},

	{"CRLF", sep + "A: b\r\n\r\nhi\r\n\r\n" + sep + "A: b\r\n\r\nhi\r\n", []int64{12, 12}, "\n"},
	{"bare CRs", sep + "A: b\r\r\n\nh\ri\r\n\n", []int64{12}, ""},
	{"CRCRLF", sep + "A: b\r\r\n\r\r\nhi\r\r\n\r\r\n", []int64{12}, ""},
	{"internal lines", sep + "A: b\nStatus: RO\nX-UID: 1\n\nhi\n\n", []int64{12}, ""},
	{"only internal lines", sep + "Status: RO\n\nhi\n\n", []int64{6}, ""},
}

func TestScan(t *testing.T) {
	for _, c := range scanTable {
		t.Run(c.name, func(t *testing.T) {
			list, end, err := scanShots(t, []byte(c.file), 0, scanBuffer)
			if c.sizes == nil {
				if fe := (*FormatError)(nil); !errors.As(err, &fe) || !errors.Is(err, ErrNotMbox) {
					t.Errorf("error %v, want a FormatError", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sizes := []int64{}
			for _, s := range list {
				sizes = append(sizes, s.Size)
			}
			if d := cmp.Diff(c.sizes, sizes); d != "" {
				t.Error(d)
			}
			if end.Glue != c.glue {
				t.Errorf("glue %q, want %q", end.Glue, c.glue)
			}
		})
	}
}

// checkScan asserts what must hold of any bytes.
func checkScan(t *testing.T, file []byte) {
	t.Helper()
	want, valid := modelScan(file)
	list, end, err := scanShots(t, file, 0, scanBuffer)
	if valid != (err == nil) {
		t.Fatalf("error %v; the model finds a mailbox: %v", err, valid)
	}
	if err != nil {
		return
	}
	if d := cmp.Diff(want, list); d != "" {
		t.Fatalf("not as the model: %s", d)
	}
	for _, piece := range []int{16, 100} {
		pieces, pend, err := scanShots(t, file, 0, piece)
		if d := cmp.Diff(list, pieces); d != "" || err != nil || pend != end {
			t.Fatalf("pieces of %d: %v, %v instead of %v: %s", piece, err, pend, end, d)
		}
	}
	for i, s := range list {
		next := int64(len(file))
		if i+1 < len(list) {
			next = list[i+1].Off
		}
		if s.Next != next || s.End > s.Next || s.Body > s.End {
			t.Errorf("message %d: %+v, but the next is at %d", i, s, next)
		}
		rest, rend, err := scanShots(t, file, s.Off, scanBuffer)
		if d := cmp.Diff(list[i:], rest); d != "" || err != nil || rend != end {
			t.Errorf("resumed at %d: %v, %v instead of %v: %s", s.Off, err, rend, end, d)
		}
	}
	if !end.Wide { // nothing is appended before it has the usual form
		checkAppend(t, file, list, end)
	}
}

// checkAppend puts a message behind the others, which must not notice.
func checkAppend(t *testing.T, file []byte, before []shot, end ScanEnd) {
	t.Helper()
	more := append(bytes.Clone(file[:end.Off]), end.Glue...)
	if len(before) == 0 && len(more)+len(sep) > firstLine {
		return
	}
	at := int64(len(more))
	more = append(more, sep+"A: b\n\nhi\n\n"...)
	list, _, err := scanShots(t, more, 0, scanBuffer)
	if err != nil || len(list) != len(before)+1 || list[len(before)].Off != at || list[len(before)].Size != 12 {
		t.Fatalf("appended with %q: %v: %+v", end.Glue, err, list)
	}
	for i, s := range before {
		if list[i].Size != s.Size || list[i].Off != s.Off || list[i].Body != s.Body && end.Last != s.Off {
			t.Errorf("message %d was %+v, is %+v", i, s, list[i])
		}
	}
	tail, _, err := scanShots(t, more, end.Resume, scanBuffer)
	from := len(before)
	if end.Resume == end.Last {
		from--
	}
	if d := cmp.Diff(list[from:], tail); d != "" || err != nil {
		t.Errorf("resumed at %d: %v: %s", end.Resume, err, d)
	}
}

func TestScanProperties(t *testing.T) {
	for _, c := range scanTable {
		t.Run(c.name, func(t *testing.T) { checkScan(t, []byte(c.file)) })
	}
	for style := mboxtest.Delivered; style <= mboxtest.Mutt; style++ {
		for _, crlf := range []bool{false, true} {
			t.Run(fmt.Sprintf("style %d, CRLF %v", style, crlf), func(t *testing.T) {
				checkScan(t, mboxtest.New(mboxtest.Options{Seed: 3, Messages: 12, Style: style, CRLF: crlf}).Bytes)
			})
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, c := range scanTable {
		f.Add([]byte(c.file))
	}
	f.Add(mboxtest.New(mboxtest.Options{Messages: 2, Style: mboxtest.UW, MaxBody: 50}).Bytes)
	f.Fuzz(func(t *testing.T, file []byte) {
		checkScan(t, file)
		checkScan(t, append([]byte(sep), file...))
		checkScan(t, append([]byte(sep+"\n"), file...))
	})
}

// Every made message is found with its date, flags, UID and keywords, and is served without a changed octet.
func TestScanMailboxes(t *testing.T) {
	for style := mboxtest.Delivered; style <= mboxtest.Mutt; style++ {
		for _, crlf := range []bool{false, true} {
			t.Run(fmt.Sprintf("style %d, CRLF %v", style, crlf), func(t *testing.T) {
				box := mboxtest.New(mboxtest.Options{Seed: 11, Messages: 60, Style: style, CRLF: crlf})
				scanMade(t, box, style)
			})
		}
	}
}

// A delivery is found by a scan of nothing but its bytes.
func TestScanDelivery(t *testing.T) {
	box := mboxtest.New(mboxtest.Options{Messages: 5, Style: mboxtest.UW, CRLF: true})
	_, end, err := scanShots(t, box.Bytes, 0, scanBuffer)
	if err != nil || end.Resume != int64(len(box.Bytes)) || end.Glue != "" {
		t.Fatalf("%+v, %v", end, err)
	}
	name, mail := mboxtest.Deliver(99)
	list, _, err := scanShots(t, append(box.Bytes, mail...), end.Resume, scanBuffer)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	stored := mail[len(list[0].From) : list[0].End-list[0].Off]
	if got, err := mboxtest.Verify(stored); got != name || err != nil {
		t.Errorf("found %q: %v", got, err)
	}
}

func scanMade(t *testing.T, box *mboxtest.Mailbox, style mboxtest.Style) {
	i := 0
	_, err := Scan(bytes.NewReader(box.Bytes), 0, int64(len(box.Bytes)), func(sp Span) error {
		if sp.Pseudo && sp.Off == 0 && style == mboxtest.UWPseudo {
			return nil
		}
		m := box.Messages[i]
		i++
		body := int(sp.Off) + int(sp.FromLen) + int(sp.HeaderLen)
		served := AppendServedHeader(nil, box.Bytes[int(sp.Off)+int(sp.FromLen):body])
		served = AppendServedBody(served, box.Bytes[body:sp.End])
		if name, err := mboxtest.Verify(served); err != nil || name != m.Name {
			t.Errorf("got %s, want %s: %v", name, m.Name, err)
		}
		when, ok := sp.From.Time(nil)
		if string(sp.From.Sender) != m.Sender || !ok || !when.Equal(m.Date) {
			t.Errorf("%s: sender %q, date %v, want %q, %v", m.Name, sp.From.Sender, when, m.Sender, m.Date)
		}
		s := sp.Header.Status
		if got := string(s.Flags.appendLetters(nil, "ADFORT")); got != m.Flags || s.UID != m.UID {
			t.Errorf("%s: flags %q, UID %d, want %q, %d", m.Name, got, s.UID, m.Flags, m.UID)
		}
		if d := cmp.Diff(m.Words, s.Keywords); d != "" {
			t.Errorf("%s: %s", m.Name, d)
		}
		return nil
	})
	if err != nil || i != len(box.Messages) {
		t.Errorf("found %d of %d messages: %v", i, len(box.Messages), err)
	}
}

func TestScanResumed(t *testing.T) {
	for _, c := range []struct {
		name, old, tail string
		first           int64 // offset of the new message in tail, -1: an error
	}{
		{"at once", sep + "\nhi\n\n", sep + "\n", 0},
		{"blank lines", sep + "\nhi\n\n", "\n\r\n" + sep + "\n", 3},
		{"NULs", sep + "\nhi\n", "\x00\x00\x00" + sep + "\n", 3},
		{"NULs and lines", sep + "\nhi\n", "\x00\n\x00\n" + sep + "\n", 4},
		{"indented", sep + "\nhi\n", " " + sep + "\n", -1},
		{"text", sep + "\nhi\n", "more\n" + sep + "\n", -1},
		{"far behind", sep + "\nhi\n", strings.Repeat("\n", 5000) + sep + "\n", 5000},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, end, err := scanShots(t, []byte(c.old+c.tail), int64(len(c.old)), 16)
			if c.first < 0 {
				if !errors.Is(err, ErrNotMbox) {
					t.Errorf("error %v", err)
				}
				return
			}
			at := int64(len(c.old)) + c.first
			if err != nil || len(list) != 1 || list[0].Off != at || end.Last != at {
				t.Errorf("%v: %+v, %+v", err, list, end)
			}
		})
	}
}

// shortReader ends before the size that Scan is told.
func TestScanErrors(t *testing.T) {
	file := []byte(sep + "A: b\n\nhi\n\n")
	nothing := func(Span) error { return nil }
	if _, err := Scan(bytes.NewReader(file), 0, int64(len(file)+1), nothing); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that shrank: %v", err)
	}
	stop := errors.New("stop")
	if _, err := Scan(bytes.NewReader(file), 0, int64(len(file)), func(Span) error { return stop }); err != stop {
		t.Errorf("the callback's error came back as %v", err)
	}
	_, err := Scan(strings.NewReader("x\n"), 0, 2, nothing)
	if err == nil || err.Error() != "offset 0: no From_ line where a message must begin" {
		t.Errorf("error %v", err)
	}
	err = &FormatError{Path: "/m", Offset: 3, Reason: "why"}
	if err.Error() != "/m: offset 3: why" {
		t.Errorf("error %v", err)
	}
}

// bigFile is a file of head, then unit over and over, then tail, that is never in memory.
type bigFile struct {
	head, unit, tail string
	units            int64
}

func (b bigFile) size() int64 {
	return int64(len(b.head)) + int64(len(b.unit))*b.units + int64(len(b.tail))
}

func (b bigFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		mid := at - int64(len(b.head))
		end := mid - int64(len(b.unit))*b.units
		switch {
		case mid < 0:
			n += copy(p[n:], b.head[at:])
		case end < 0:
			n += copy(p[n:], b.unit[mid%int64(len(b.unit)):])
		case end < int64(len(b.tail)):
			n += copy(p[n:], b.tail[end:])
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

func TestScanHostile(t *testing.T) {
	const mib = 1 << 20
	block := strings.Repeat("x", 1<<16)
	for _, c := range []struct {
		name string
		file bigFile
		n    int // messages
		size int64
	}{
		{"a line of 256 MiB", bigFile{sep + "\n", block, "\n", 4096}, 1, 2 + 256*mib + 2},
		{"a header line of 64 MiB", bigFile{sep + "A: ", block, "\n\nhi\n", 1024}, 1, 2 + 3 + 64*mib + 2 + 2 + 4},
		{"a header without end", bigFile{sep, "A: " + strings.Repeat("b", 60) + "\n", "", mib}, 1, 2 + 65*mib},
		{
			"internal lines without end",
			bigFile{sep, "Status: " + strings.Repeat("R", 55) + "\n", "", 1 << 18},
			1,
			2 + 65*((1<<18)-(1<<14)),
		},
		{"a From_ line of 64 MiB", bigFile{sep + "\nFrom ", block, " Thu Nov 29 22:33:52 2001\n", 1024}, 1, 2 + 5 + 64*mib + 25 + 2},
		{"64 MiB of NULs", bigFile{sep + "\nhi\n", strings.Repeat("\x00", 1<<16), "", 1024}, 1, 6},
		{"64 MiB of CRs", bigFile{sep + "\nhi\n", strings.Repeat("\r", 1<<16), "\n", 1024}, 1, 6},
		{"64 MiB of blank lines", bigFile{sep + "\n", strings.Repeat("\n", 1<<16), "", 1024}, 1, 2 + 2*(64*mib-1)},
		{"a million separators", bigFile{sep, "\n" + sep, "", mib}, mib + 1, 2},
		{"a million near separators", bigFile{sep + "\n", "From a Thu Nov 29 22:33\n", "", mib}, 1, 2 + 25*mib},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, size := 0, int64(-1)
			_, err := Scan(c.file, 0, c.file.size(), func(sp Span) error {
				if n == 0 {
					size = sp.ServedSize
				}
				n++
				return nil
			})
			runtime.ReadMemStats(&after)
			if err != nil || n != c.n || size != c.size {
				t.Errorf("%d messages, the first of %d octets, want %d, %d: %v", n, size, c.n, c.size, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 6*maxHeader {
				t.Errorf("allocated %d MiB", used/mib)
			}
		})
	}
}

// A header that is cut at its limit serves everything, and a rewrite of its status headers changes neither what is
// served nor where it is cut.
func TestScanHeaderLimit(t *testing.T) {
	lines := strings.Repeat("A: "+strings.Repeat("b", 1020)+"\n", maxHeader/1024+5)
	for name, header := range map[string]string{
		"lines":                lines,
		"status headers":       "Status: RO\nX-UID: 7\n" + lines,
		"a long line":          "A: b\nStatus: R\nC: " + strings.Repeat("d", maxHeader) + "\n",
		"nothing but the line": strings.Repeat("d", maxHeader+1),
	} {
		t.Run(name, func(t *testing.T) {
			file := []byte(sep + header + "\n\nbody\n\n")
			var first Span
			served := serveFirst(t, file, &first)
			h := file[len(sep):][:first.HeaderLen]
			if !first.Header.HasBlank || first.Header.Contiguous || first.Header.Canonical {
				t.Errorf("header is %+v", first.Header)
			}
			st := first.Header.Status
			st.UID, st.Keywords = 99, []string{"work"}
			again := AppendStatusBlock(AppendRetained([]byte(sep), h), st, -1)
			again = append(again, file[len(sep)+len(h):]...)
			var second Span
			if got := serveFirst(t, again, &second); !bytes.Equal(got, served) {
				t.Errorf("served %d octets before, %d after", len(served), len(got))
			}
			if second.Header.Digest != first.Header.Digest || second.ServedSize != first.ServedSize {
				t.Errorf("was %+v, is %+v", first.Header, second.Header)
			}
		})
	}
}

func serveFirst(t *testing.T, file []byte, sp *Span) (served []byte) {
	t.Helper()
	_, err := Scan(bytes.NewReader(file), 0, int64(len(file)), func(s Span) error {
		if s.Off == 0 {
			*sp = s
			body := s.FromLen + s.HeaderLen
			served = AppendServedBody(AppendServedHeader(nil, file[s.FromLen:body]), file[body:s.End])
		}
		return nil
	})
	if err != nil || int64(len(served)) != sp.ServedSize {
		t.Errorf("served %d octets, size is %d: %v", len(served), sp.ServedSize, err)
	}
	return served
}

// The scan of a mailbox whose messages are alike allocates nothing per message.
func TestScanAllocations(t *testing.T) {
	one := sep + "A: b\nStatus: RO\nX-Status: \nX-Keywords: work NonJunk\nX-UID: 1\n\nhi\n\n"
	scan := func(n int) float64 {
		file := strings.NewReader(strings.Repeat(one, n))
		return testing.AllocsPerRun(5, func() {
			if _, err := Scan(file, 0, file.Size(), func(Span) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	if few, many := scan(10), scan(1000); many > few+5 {
		t.Errorf("%v allocations for 10 messages, %v for 1000", few, many)
	}
}

func BenchmarkScan(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and once more for good measure.\n", 1300)
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"bodies", []byte(strings.Repeat(sep+"A: b\n\n"+text+"\n", 300))},
		{"crlf", []byte(strings.ReplaceAll(strings.Repeat(sep+"A: b\n\n"+text+"\n", 300), "\n", "\r\n"))},
		{"mail", mboxtest.New(mboxtest.Options{Messages: 3000, Style: mboxtest.UW}).Bytes},
		{"small", []byte(strings.Repeat(sep+"A: b\n\n\n", 300_000))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.file)))
			b.ReportAllocs()
			for b.Loop() {
				r := bytes.NewReader(c.file)
				if _, err := Scan(r, 0, r.Size(), func(Span) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
