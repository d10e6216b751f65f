package search

import (
	"strings"
	"testing"
)

const benchHeader = "Date: Tue, 14 Jan 2025 08:26:47 +0000\nFrom: \"Public, Joe Q.\" <joe.public@example.org>\nTo: Discussion of spools <spool-discuss@lists.example.org>\n" +
	"Subject: Re: [spool-discuss] What to do about a mailbox\nMessage-ID: <20250114082647.GA12345@host.example.org>\nContent-Type: text/plain; charset=utf-8\n\n"

// fixed is a target that costs nothing itself.
type fixed struct {
	target
	h, t []byte
}

func (f *fixed) Header() ([]byte, error) { return f.h, nil }
func (f *fixed) Text() ([]byte, error)   { return f.t, nil }

func newFixed(body string) *fixed {
	return &fixed{h: crlf(benchHeader), t: crlf(benchHeader + body)}
}

func benchmark(b *testing.B, n Node, f *fixed, size int) {
	p := Compile(n, now)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.Match(f); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkTextASCII(b *testing.B) {
	f := newFixed(strings.Repeat("The quick brown fox jumps over the lazy dog, and the dog sleeps on.\n", 1000))
	benchmark(b, Text("the dog wakes"), f, len(f.t))
}

func BenchmarkTextShortASCII(b *testing.B) {
	f := newFixed(strings.Repeat("The quick brown fox jumps over the lazy dog, and the dog sleeps on.\n", 30))
	benchmark(b, Text("the dog wakes"), f, len(f.t))
}

func BenchmarkTextLatin(b *testing.B) {
	f := newFixed(strings.Repeat("Der fl\u00e4mische K\u00f6nig \u00fcberquert den Flu\u00df auf einem m\u00fcden Pferd.\n", 1000))
	benchmark(b, Text("wach"), f, len(f.t))
}

func BenchmarkTextCyrillic(b *testing.B) {
	f := newFixed(strings.Repeat("\u0431\u044b\u0441\u0442\u0440\u0430\u044f \u043b\u0438\u0441\u0430 \u043f\u0440\u044b\u0433\u0430\u0435\u0442 \u0447\u0435\u0440\u0435\u0437 \u0441\u043e\u0431\u0430\u043a\u0443\n", 1000))
	benchmark(b, Text("\u043a\u043e\u0442"), f, len(f.t))
}

func BenchmarkSubject(b *testing.B) {
	f := newFixed("")
	benchmark(b, Subject("nothing like it"), f, len(f.h))
}
