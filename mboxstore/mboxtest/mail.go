package mboxtest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// mail makes the mail itself, with LF lines, without separator and status headers.
func (g *generator) mail(i int, date time.Time) []byte {
	var b strings.Builder
	g.trace(&b, date)
	fmt.Fprintf(&b, "From: %s\n", pick(g, "Ann <ann@example.org>", "=?utf-8?B?SsO8cmdlbg==?= <j@example.de>",
		"bob@example.net (Bob)", "\"Doe, Jane\" <jane@example.com>"))
	fmt.Fprintf(&b, "To: user@host.example%s\n", pick(g, "", ",\n other@host.example", ",\n\tlist: a@b.example;"))
	fmt.Fprintf(&b, "Subject: %s\n", g.subject(i))
	fmt.Fprintf(&b, "Date: %s\n", date.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "Message-ID: <%d.%d.%d@example.org>\n", g.o.Seed, i, g.r.Uint32())
	if i > 0 && g.r.IntN(3) == 0 {
		fmt.Fprintf(&b, "In-Reply-To: <%d.%d@example.org>\n", g.o.Seed, i-1)
	}
	pick(g, g.plain, g.plain, g.latin1, g.multipart, g.forwarded, g.empty)(&b)
	return []byte(b.String())
}

func (g *generator) trace(b *strings.Builder, date time.Time) {
	for range 1 + g.r.IntN(4) {
		fmt.Fprintf(b, "Received: from mx%d.example.com (mx%d.example.com [192.0.2.%d])\n\tby host.example with ESMTP id %x;\n\t%s\n",
			g.r.IntN(9), g.r.IntN(9), g.r.IntN(256), g.r.Uint64(), date.Format(time.RFC1123Z))
	}
}

func (g *generator) subject(i int) string {
	return pick(g,
		fmt.Sprintf("Message %d", i),
		"=?iso-8859-1?Q?Gr=FC=DFe?=",
		"Re: a subject that is so long that\n it is continued in a second line",
		"caf\xe9 in raw Latin-1",
		"")
}

// text makes lines of prose, some of which look like something else.
func (g *generator) text(b *strings.Builder) {
	for n := g.r.IntN(g.o.MaxBody); n > 0; {
		line := pick(g, g.prose, g.prose, g.prose, g.trap)()
		n -= len(line)
		b.WriteString(line)
	}
}

func (g *generator) prose() string {
	var line []string
	for range 1 + g.r.IntN(14) {
		line = append(line, pick(g, "mail", "of", "the", "spool", "and", "every", "message", "is", "there", "once"))
	}
	return strings.Join(line, " ") + "\n"
}

func (g *generator) trap() string {
	return pick(g,
		"\n", "\n\n", ">From the start of the line\n", "From here on it is prose, not a separator\n",
		" From x Thu Nov 29 22:33:52 2001\n", ">From x Thu Nov 29 22:33:52 2001\n", "Status: RO\n", "X-UID: 4294967295\n",
		"gr\xfc\xdfe in Latin-1\n", "grüße in UTF-8\n", strings.Repeat("long ", 300)+"\n", ".\n", "--\n", "\t\n")
}

func (g *generator) plain(b *strings.Builder) {
	b.WriteString("\n")
	g.text(b)
}

func (g *generator) empty(b *strings.Builder) { b.WriteString("\n") }

func (g *generator) latin1(b *strings.Builder) {
	b.WriteString("MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n")
	g.text(b)
}

func (g *generator) multipart(b *strings.Builder) {
	mark := fmt.Sprintf("=_%x", g.r.Uint64())
	fmt.Fprintf(b, "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=%q\n\nThis is MIME.\n--%s\n", mark, mark)
	b.WriteString("Content-Type: text/plain; charset=utf-8\n\n")
	g.text(b)
	fmt.Fprintf(b, "--%s\nContent-Type: application/octet-stream; name=\"a.bin\"\nContent-Transfer-Encoding: base64\n\n", mark)
	data := make([]byte, g.r.IntN(g.o.MaxBody))
	for i := range data {
		data[i] = byte(g.r.Uint32())
	}
	code := base64.StdEncoding.EncodeToString(data)
	for len(code) > 0 {
		n := min(76, len(code))
		b.WriteString(code[:n] + "\n")
		code = code[n:]
	}
	fmt.Fprintf(b, "--%s--\n", mark)
}

func (g *generator) forwarded(b *strings.Builder) {
	b.WriteString("MIME-Version: 1.0\nContent-Type: message/rfc822\n\nFrom: inner@example.org\nSubject: inner\nStatus: RO\n\n")
	g.text(b)
}
