package mboxstore

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"spoold/mboxstore/mboxtest"
)

var storedTable = []struct{ name, msg, want string }{
	{"empty", "", "\n"},
	{"CRLF", "A: b\r\n\r\nhi\r\n", "A: b\n\nhi\n"},
	{"LF", "A: b\n\nhi\n", "A: b\n\nhi\n"},
	{"bare CRs", "A: \rb\r\r\n\r\nh\ri\r\r\n", "A: b\n\nhi\n"},
	{"NUL", "A: \x00b\n\n\x00\n", "A: \x80b\n\n\x80\n"},
	{"no line end", "A: b\n\nhi", "A: b\n\nhi\n"},
	{"only a header", "A: b\r\n\r\n", "A: b\n\n"},
	{"header without blank line", "A: b\r\n", "A: b\n\n"},
	{"header without line end", "A: b", "A: b\n\n"},
	{"no header", "\r\nhi\r\n", "\nhi\n"},
	{"blank lines at the end stay", "A: b\n\nhi\n\n\n", "A: b\n\nhi\n\n\n"},
	{"From_ in the body", "A: b\n\nFrom here\r\nFrom\r\n>From x\nfrom y\n From z\nFrom\tq\n", "A: b\n\n>From here\nFrom\n>From x\nfrom y\n From z\nFrom\tq\n"},
	{"From_ in the header", sep + "A: b\n\n", ">" + sep + "A: b\n\n"},
	{"From_ right behind the header", "A: b\n\nFrom x", "A: b\n\n>From x\n"},
	{"From_ with CRs and NULs", "\n\rF\rrom x\nFrom\x00x\n", "\n>From x\nFrom\x80x\n"},
	{"start of From_ at the end", "\nFrom", "\nFrom\n"},
	{"From_ and nothing else", "\nFrom ", "\n>From \n"},
	{
		"status headers", "Status: R\r\nX-Status: D\nX-Keywords: a\nX-UID: 1\nX-IMAP: 1 2\nX-IMAPbase: 1 2\n\nStatus: R\n",
		"X-Original-Status: R\nX-Original-X-Status: D\nX-Original-X-Keywords: a\nX-Original-X-UID: 1\n" +
			"X-Original-X-IMAP: 1 2\nX-Original-X-IMAPbase: 1 2\n\nStatus: R\n",
	},
	{"UW forgets the second X-header", "X-Mailer: m\nX-Status: D\n\n", "X-Mailer: m\nX-Original-X-Status: D\n\n"},
	{"any case", "sTATUS: R\nx-uid : 1\n\n", "X-Original-sTATUS: R\nX-Original-x-uid : 1\n\n"},
	{"CR in a name", "Sta\rtus: R\n\n", "X-Original-Status: R\n\n"},
	{"NUL behind a name", "Status\x00: R\n\n", "Status\x80: R\n\n"},
	{"other names", "Statu: R\nStatus-X: R\nX-IMAPb: x\nX-\nX-UID\nXY\n\n", "Statu: R\nStatus-X: R\nX-IMAPb: x\nX-\nX-UID\nXY\n\n"},
	{"continuation", "X-UID: 1\n 2\nA: b\n\n", "X-Original-X-UID: 1\n 2\nA: b\n\n"},
	{"name at the end", "X-UID", "X-UID\n\n"},
}

func TestAppendStored(t *testing.T) {
	for _, c := range storedTable {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendStored([]byte("x"), []byte(c.msg))); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			checkStored(t, []byte(c.msg), 1)
		})
	}
}

// checkStored asserts that pieces make no difference, that what is stored is one message, which means what the given
// one did, and that storing it again changes only its quoting.
func checkStored(t *testing.T, msg []byte, piece int) {
	t.Helper()
	stored := AppendStored(nil, msg)
	var out bytes.Buffer
	w := NewStoredWriter(&out)
	for rest := msg; len(rest) > 0; {
		n := min(piece, len(rest))
		if m, err := w.Write(rest[:n]); m != n || err != nil {
			t.Fatalf("Write: %d, %v", m, err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), stored) {
		t.Errorf("%q in pieces of %d: %q, at once %q: %v", msg, piece, out.Bytes(), stored, err)
	}
	file := append(append([]byte(sep), stored...), "\n"+sep+"\n"...)
	list, _, err := scanShots(t, file, 0, scanBuffer)
	if err != nil || len(list) != 2 || list[0].End != int64(len(sep)+len(stored)) {
		t.Fatalf("%q stored as %q: %+v, %v", msg, stored, list, err)
	}
	if h := ParseHeader(stored); h.InternalEnd != 0 || h.CRLF || !h.HasBlank {
		t.Errorf("%q stored with %+v", msg, h)
	}
	if again := AppendStored(nil, stored); !bytes.Equal(again, stored) {
		t.Errorf("%q stored %q, and again %q", msg, stored, again)
	}
	plain := bytes.ReplaceAll(bytes.ReplaceAll(stored, []byte(quoteMark+fromPrefix), []byte(fromPrefix)), []byte(originalPrefix), nil)
	want := bytes.ReplaceAll(bytes.ReplaceAll(msg, []byte("\r"), nil), []byte{0}, []byte{0x80})
	want = bytes.ReplaceAll(bytes.ReplaceAll(want, []byte(quoteMark+fromPrefix), []byte(fromPrefix)), []byte(originalPrefix), nil)
	if !bytes.HasPrefix(plain, want) || len(plain) > len(want)+2 {
		t.Errorf("%q stored as %q", msg, stored)
	}
}

func FuzzStoredWriter(f *testing.F) {
	for i, c := range storedTable {
		f.Add([]byte(c.msg), i+1)
	}
	f.Fuzz(func(t *testing.T, msg []byte, piece int) {
		checkStored(t, msg, max(piece, 1))
	})
}

// Made mail comes back unchanged.
func TestStoredMail(t *testing.T) {
	for _, m := range mboxtest.New(mboxtest.Options{Messages: 40}).Messages {
		sent := AppendServedBody(nil, m.Stored)
		if name, err := mboxtest.Verify(AppendStored(nil, sent)); name != m.Name || err != nil {
			t.Errorf("%s came out as %s: %v", m.Name, name, err)
		}
	}
}

// fullDisk takes n octets.
type fullDisk struct{ n int }

var errFull = errors.New("disk full")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.n -= len(p); d.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestStoredWriterErrors(t *testing.T) {
	msg := strings.Repeat("A: b\r\n", 50_000)
	if _, err := io.Copy(NewStoredWriter(&fullDisk{n: 100_000}), strings.NewReader(msg)); err != errFull {
		t.Errorf("Write: %v", err)
	}
	w := NewStoredWriter(&fullDisk{n: 2})
	if _, err := w.Write([]byte("A: b")); err != nil {
		t.Errorf("Write before the buffer is full: %v", err)
	}
	if err := w.Close(); err != errFull {
		t.Errorf("Close: %v", err)
	}
}

func BenchmarkStoredWriter(b *testing.B) {
	msg := []byte("A: b\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog, and once more for good measure.\r\n", 10_000))
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		w := NewStoredWriter(io.Discard)
		if _, err := w.Write(msg); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
