package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writes records what each Write brought.
type writes struct {
	sizes []int
	all   bytes.Buffer
	err   error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.sizes = append(w.sizes, len(p))
	return w.all.Write(p)
}

func written(t *testing.T, f func(w *Writer)) string {
	t.Helper()
	var out writes
	w := NewWriter(&out)
	f(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.all.String()
}

func TestWriter(t *testing.T) {
	zone := time.FixedZone("", -(3*3600 + 1800))
	for _, tt := range []struct {
		name string
		f    func(w *Writer)
		want string
	}{
		{"string", func(w *Writer) { w.String([]byte("a b")) }, `"a b"`},
		{"string empty", func(w *Writer) { w.String(nil) }, `""`},
		{"string escaped", func(w *Writer) { w.String([]byte(`a"\`)) }, `"a\"\\"`},
		{"string 8-bit", func(w *Writer) { w.String([]byte("\xfc")) }, "{1}\r\n\xfc"},
		{"string tab", func(w *Writer) { w.String([]byte("\t")) }, "{1}\r\n\t"},
		{"string long", func(w *Writer) { w.String(bytes.Repeat([]byte("x"), 1001)) }, "{1001}\r\n" + strings.Repeat("x", 1001)},
		{"nstring", func(w *Writer) { w.NString(nil); w.SP(); w.NString([]byte{}) }, `NIL ""`},
		{"literal", func(w *Writer) { w.Literal([]byte("a\r\n")) }, "{3}\r\na\r\n"},
		{"flag", func(w *Writer) { w.Flag(`\Seen`); w.SP(); w.Flag("$x"); w.SP(); w.Flag(`\*`) }, `\Seen $x \*`},
		{"flag that is none", func(w *Writer) { w.Flag("a b]\xfc\r\n*"); w.SP(); w.Flag(""); w.SP(); w.Flag(`\`) }, `a_b_____ _ \_`},
		{"list", func(w *Writer) { w.List(3, func(i int) { w.Num(uint64(i)) }); w.List(0, nil) }, "(0 1 2)()"},
		{"mailbox atom", func(w *Writer) { w.Mailbox("INBOX"); w.SP(); w.Mailbox("&U,BTFw-/~x") }, "INBOX &U,BTFw-/~x"},
		{"mailbox quoted", func(w *Writer) {
			w.Mailbox("a b")
			w.SP()
			w.Mailbox("")
			w.SP()
			w.Mailbox("nil")
			w.SP()
			w.Mailbox("x]")
		}, `"a b" "" "nil" "x]"`},
		{"mailbox 8-bit", func(w *Writer) { w.Mailbox("\xfc") }, "{1}\r\n\xfc"},
		{"date-time", func(w *Writer) { w.DateTime(time.Date(2024, 2, 3, 4, 5, 6, 7, zone)) }, `" 3-Feb-2024 04:05:06 -0330"`},
		{"date-time absurd", func(w *Writer) { w.DateTime(time.Date(20000, 2, 3, 4, 5, 6, 7, zone)) }, `" 1-Jan-1970 00:00:00 +0000"`},
		{"tagged", func(w *Writer) { w.Tagged("a", "OK", "READ-ONLY", "SELECT completed") }, "a OK [READ-ONLY] SELECT completed\r\n"},
		{"untagged", func(w *Writer) { w.Untagged("BYE", "", "bye") }, "* BYE bye\r\n"},
		{"text empty", func(w *Writer) { w.Untagged("OK", "X", "") }, "* OK [X] Done\r\n"},
		{"text blank", func(w *Writer) { w.Untagged("OK", "", " \r\n ") }, "* OK Done\r\n"},
		{"text with trailing space", func(w *Writer) { w.Untagged("OK", "", "x  ") }, "* OK x\r\n"},
		{"text with line end", func(w *Writer) { w.Tagged("a", "NO", "", "x\r\na OK y\x00\xfc") }, "a NO x  a OK y ?\r\n"},
		{"text like a code", func(w *Writer) { w.Tagged("a", "NO", "", "[ALERT] x") }, "a NO (ALERT] x\r\n"},
		{"text long", func(w *Writer) { w.Tagged("a", "NO", "", strings.Repeat("x", 5000)) }, "a NO " + strings.Repeat("x", 1000) + "\r\n"},
		{"code long", func(w *Writer) { w.Tagged("a", "OK", strings.Repeat("x", 5000), "y") }, "a OK [" + strings.Repeat("x", 5000) + "] y\r\n"},
		{"continue", func(w *Writer) { w.Continue("idling"); w.Continue("") }, "+ idling\r\n+ \r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, written(t, tt.f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriterCoalesces(t *testing.T) {
	var out writes
	w := NewWriter(&out)
	for range 10000 {
		w.Raw("* 1 EXPUNGE")
		w.CRLF()
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := len(out.sizes); out.all.Len() != 130000 || n > 8 {
		t.Errorf("%d octets in %d writes", out.all.Len(), n)
	}
}

func TestWriterBufferIsBounded(t *testing.T) {
	var out writes
	w := NewWriter(&out)
	for i := range 100000 {
		w.SP()
		w.Num(uint64(i))
		if len(w.buf) > keepBuffer {
			t.Fatalf("%d octets wait", len(w.buf))
		}
	}
	w.Literal(make([]byte, 1<<20))
	if len(w.buf) > keepBuffer {
		t.Fatalf("%d octets wait", len(w.buf))
	}
	if err := w.Flush(); err != nil || cap(w.buf) > idleBuffer {
		t.Errorf("%d octets kept, err %v", cap(w.buf), err)
	}
}

func TestWriterErrorIsSticky(t *testing.T) {
	broken := errors.New("broken")
	out := writes{err: broken}
	w := NewWriter(&out)
	w.Untagged("OK", "", "x")
	if err := w.Flush(); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	out.err = nil
	w.Untagged("OK", "", "x")
	if err := w.Flush(); !errors.Is(err, broken) || !errors.Is(w.Err(), broken) || out.all.Len() > 0 {
		t.Errorf("got %v, %q written", err, out.all.String())
	}
}

func TestRollback(t *testing.T) {
	big := make([]byte, handOver)
	for _, tt := range []struct {
		name string
		f    func(w *Writer)
		ok   bool
		want string
	}{
		{"nothing", func(*Writer) {}, true, ""},
		{"whole lines stay", func(w *Writer) { w.Untagged("OK", "", "x"); w.Raw("* 1 FET") }, true, "* OK x\r\n"},
		{"after a flush", func(w *Writer) { w.Untagged("OK", "", "x"); _ = w.Flush(); w.Raw("* 1 FET") }, true, "* OK x\r\n"},
		{"part is out", func(w *Writer) { w.Raw("* 1 FET"); _ = w.Flush(); w.Raw("CH") }, false, "* 1 FETCH"},
		{"part is out with a literal", func(w *Writer) { w.Raw("* "); w.Bytes(big) }, false, "* " + string(big)},
		{"line end heals", func(w *Writer) { w.Bytes(big); w.CRLF(); w.Raw("x") }, true, string(big) + "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := written(t, func(w *Writer) {
				tt.f(w)
				if ok := w.Rollback(); ok != tt.ok {
					t.Errorf("Rollback = %v", ok)
				}
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLiteralStream(t *testing.T) {
	failed := errors.New("failed")
	bytesOf := func(n int) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(make([]byte, n))
			return err
		}
	}
	for _, tt := range []struct {
		name   string
		n      int64
		f      func(io.Writer) error
		want   error
		broken bool
	}{
		{"right", 3, bytesOf(3), nil, false},
		{"large", 1 << 20, bytesOf(1 << 20), nil, false},
		{"too short", 3, bytesOf(2), ErrShortLiteral, false},
		{"too long", 3, bytesOf(4), ErrShortLiteral, false},
		{"large and too short", 1 << 20, bytesOf(1<<20 - 1), ErrShortLiteral, true},
		{"fails", 3, func(io.Writer) error { return failed }, failed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out writes
			w := NewWriter(&out)
			w.Untagged("OK", "", "x")
			w.Raw("* 1 FETCH (BODY[] ")
			if err := w.LiteralStream(tt.n, tt.f); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if broken := w.Err() != nil; broken != tt.broken {
				t.Errorf("Err is %v", w.Err())
			}
			if tt.want == nil || tt.broken {
				return
			}
			if err := w.Flush(); err != nil || out.all.String() != "* OK x\r\n" {
				t.Errorf("%q written, err %v", out.all.String(), err)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	w := NewWriter(io.Discard)
	w.Untagged("OK", "", "x")
	w.Tagged("a", "OK", "", "x")
	if w.Answers() != 1 {
		t.Errorf("got %d", w.Answers())
	}
}
