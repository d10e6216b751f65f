package mboxstore

import (
	"strings"
	"testing"
)

func TestServedBody(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty", "", ""},
		{"LF", "a\n\nb\n", "a\r\n\r\nb\r\n"},
		{"CRLF", "a\r\nb\r\n", "a\r\nb\r\n"},
		{"no line end", "a\nb", "a\r\nb\r\n"},
		{"CR without LF", "a\rb\r\r\nc\r", "ab\r\nc\r\n"},
		{"NUL", "a\x00\n\x00", "a\x80\r\n\x80\r\n"},
		{"8-bit", "gr\xfc\xdfe\n", "gr\xfc\xdfe\r\n"},
		{"blank line", "\n", "\r\n"},
		{"quoted", ">From a\n", ">From a\r\n"},
		{"status header", "Status: RO\n", "Status: RO\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendServedBody([]byte("\x00"), []byte(c.body))); got != "\x00"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := ServedBodySize([]byte(c.body)); n != int64(len(c.want)) {
				t.Errorf("size %d, want %d", n, len(c.want))
			}
		})
	}
}

func BenchmarkServedBody(b *testing.B) {
	for name, end := range map[string]string{"lf": "\n", "crlf": "\r\n"} {
		b.Run(name, func(b *testing.B) {
			text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog, and once more for good measure."+end, 10_000))
			b.SetBytes(int64(len(text)))
			var dst []byte
			for b.Loop() {
				dst = AppendServedBody(dst[:0], text)
			}
		})
	}
}
