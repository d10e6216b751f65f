package mime

import (
	"bytes"
	"strings"
	"testing"

	"spoold/backend/wire"

	"github.com/google/go-cmp/cmp"
)

// crlf makes served text of a literal.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// served maps what the store never serves to what it serves instead.
func served(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, []byte{0x80}) }

func writeEnvelope(header []byte) string {
	return string(written(ParseEnvelope(header).Write))
}

func TestParseAddresses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "joe@example.org", `((NIL NIL "joe" "example.org"))`},
		{"angles", "<joe@example.org>", `((NIL NIL "joe" "example.org"))`},
		{"phrase", "Joe Q. Public <joe@example.org>", `(("Joe Q. Public" NIL "joe" "example.org"))`},
		{"quoted phrase", `"Public, Joe" <joe@example.org>`, `(("Public, Joe" NIL "joe" "example.org"))`},
		{"quoted pairs", `"Joe \"The Man\" \\o/" <joe@example.org>`, `(("Joe \"The Man\" \\o/" NIL "joe" "example.org"))`},
		{"mixed phrase", `Joe "X Y"  Public <joe@example.org>`, `(("Joe X Y Public" NIL "joe" "example.org"))`},
		{"folded phrase", "Joe\r\n Public\r\n\t<joe@example.org>", `(("Joe Public" NIL "joe" "example.org"))`},
		{"folded quoted phrase", "\"Joe\r\n Public\" <joe@example.org>", `(("Joe Public" NIL "joe" "example.org"))`},
		{"empty phrase", `"" <joe@example.org>`, `((NIL NIL "joe" "example.org"))`},
		{"encoded words stay", "=?utf-8?q?J=C3=B6?= =?utf-8?q?e?= <joe@example.org>", `(("=?utf-8?q?J=C3=B6?= =?utf-8?q?e?=" NIL "joe" "example.org"))`},
		{"comment as name", "joe@example.org (Joe Public)", `(("Joe Public" NIL "joe" "example.org"))`},
		{"comment behind angles", "<joe@example.org> (Joe)", `(("Joe" NIL "joe" "example.org"))`},
		{"comment beside phrase", "Joe <joe@example.org> (home)", `(("Joe" NIL "joe" "example.org"))`},
		{"nested comment", `joe@example.org (Joe (the \) man))`, `(("Joe (the ) man)" NIL "joe" "example.org"))`},
		{"open comment", "joe@example.org (Joe", `(("Joe" NIL "joe" "example.org"))`},
		{"comments everywhere", "(a)joe(b)@(c)example(d).(e)org(f)", `(("f" NIL "joe" "example.org"))`},
		{"RFC 5322 A.5", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", `(("Pete" NIL "pete" "silly.test"))`},
		{"route", "Joe <@a.example,@b.example:joe@example.org>", `(("Joe" "@a.example,@b.example" "joe" "example.org"))`},
		{"folded route", "<@a.example,\r\n @b.example:joe@example.org>", `((NIL "@a.example,@b.example" "joe" "example.org"))`},
		{"blanks around dots", "joe . q . public @ example . org", `((NIL NIL "joe.q.public" "example.org"))`},
		{"quoted local part", `"joe public"@example.org`, `((NIL NIL "joe public" "example.org"))`},
		{"half-quoted local part", `joe."q p".public@example.org`, `((NIL NIL "joe.q p.public" "example.org"))`},
		{"domain literal", "<joe@[192.0.2.1]>", `((NIL NIL "joe" "[192.0.2.1]"))`},
		{"open domain literal", "<joe@[192.0.2.1>, a@b", `((NIL NIL "joe" "[192.0.2.1") (NIL NIL "a" "b"))`},
		{"list", "a@x, , b@y,", `((NIL NIL "a" "x") (NIL NIL "b" "y"))`},
		{"no comma", "a@x b@y <c@z>", `((NIL NIL "a" "x") (NIL NIL "b" "y") (NIL NIL "c" "z"))`},
		{"words behind", "<a@x> said so, b@y", `((NIL NIL "a" "x") (NIL NIL "b" "y"))`},
		{"name without angles", "Joe Public joe@example.org", `(("Joe Public" NIL "joe" "example.org"))`},
		{"unclosed angle", "Joe <joe@example.org, a@x", `(("Joe" NIL "joe" "example.org") (NIL NIL "a" "x"))`},
		{"angle in angle", "<a@x <b@y>", `((NIL NIL "a" "x") (NIL NIL "b" "y"))`},
		{"unclosed quote", `"Joe <joe@example.org>, a@x`, `(("\"Joe" NIL "joe" "example.org") (NIL NIL "a" "x"))`},
		{"blank in angles", "<joe public@example.org>", `((NIL NIL "joe public" "example.org"))`},
		{"two ats", "joe@example.org@relay.example", `((NIL NIL "joe@example.org" "relay.example"))`},
		{"no domain", "root", `((NIL NIL "root" "MISSING_DOMAIN"))`},
		{"no domain, comment", "root (Charlie Root)", `(("Charlie Root" NIL "root" "MISSING_DOMAIN"))`},
		{"no domain in angles", "Root <root>", `(("Root" NIL "root" "MISSING_DOMAIN"))`},
		{"no local part", "<@example.org>", `((NIL NIL "MISSING_MAILBOX" "example.org"))`},
		{"at only", "@", `((NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))`},
		{"empty angles", "Bounce <>", `(("Bounce" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))`},
		{"group", "Friends: a@x, Bea <b@y>;", `((NIL NIL "Friends" NIL) (NIL NIL "a" "x") ("Bea" NIL "b" "y") (NIL NIL NIL NIL))`},
		{"empty group", "Undisclosed recipients:;", `((NIL NIL "Undisclosed recipients" NIL) (NIL NIL NIL NIL))`},
		{"group and more", "A:a@x;, b@y", `((NIL NIL "A" NIL) (NIL NIL "a" "x") (NIL NIL NIL NIL) (NIL NIL "b" "y"))`},
		{"open group", "A: a@x", `((NIL NIL "A" NIL) (NIL NIL "a" "x") (NIL NIL NIL NIL))`},
		{"group in group", "A: B: a@x;", `((NIL NIL "A" NIL) (NIL NIL "a" "x") (NIL NIL NIL NIL))`},
		{"RFC 5322 A.6.3", "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example", `(("Mary Smith" "@node.test" "mary" "example.net") (NIL NIL "jdoe" "test.example"))`},
		{"8-bit", "J\xf6e <joe@example.org>", "(({3}\r\nJ\xf6e NIL \"joe\" \"example.org\"))"},
		{"nothing", " \r\n", `NIL`},
		{"rubbish", ":;>,)", `NIL`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := written(func(w *wire.Writer) { writeAddresses(w, ParseAddresses([]byte(tt.in))) })
			want := strings.ReplaceAll(tt.want, ") (", ")(")
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAddressLimit(t *testing.T) {
	in := "g:" + strings.Repeat("a@b,", 3*maxAddresses)
	got := ParseAddresses([]byte(in))
	if len(got) != maxAddresses+1 {
		t.Fatalf("%d addresses", len(got))
	}
	if last := got[len(got)-1]; last.Mailbox != nil {
		t.Errorf("group is not ended but with %q", last.Mailbox)
	}
}

func TestEnvelope(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{
			"RFC 9051 section 7.5.2",
			"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\n" +
				"From: Terry Gray <gray@cac.washington.edu>\n" +
				"Subject: IMAP4rev2 WG mtg summary and minutes\n" +
				"To: imap@cac.washington.edu\n" +
				"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n" +
				"Message-Id: <B27397-0100000@cac.washington.ed>\n\n",
			`("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" ` +
				`(("Terry Gray" NIL "gray" "cac.washington.edu"))(("Terry Gray" NIL "gray" "cac.washington.edu"))` +
				`(("Terry Gray" NIL "gray" "cac.washington.edu"))((NIL NIL "imap" "cac.washington.edu"))` +
				`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL ` +
				`"<B27397-0100000@cac.washington.ed>")`,
		},
		{"nothing", "\n", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"empty strings, empty lists", "Date:\nSubject: \nFrom:\nTo: \nMessage-ID:\nIn-Reply-To:\n\n", `("" "" NIL NIL NIL NIL NIL NIL "" "")`},
		{"sender and reply-to", "From: a@x\nSender: b@y\nReply-To: c@z\n\n", `(NIL NIL ((NIL NIL "a" "x"))((NIL NIL "b" "y"))((NIL NIL "c" "z")) NIL NIL NIL NIL NIL)`},
		{"empty sender", "Sender:\nFrom: a@x\n\n", `(NIL NIL ((NIL NIL "a" "x"))((NIL NIL "a" "x"))((NIL NIL "a" "x")) NIL NIL NIL NIL NIL)`},
		{"folded subject", "Subject: one\n two\n\tthree \n\n", "(NIL {13}\r\none two\tthree NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"date that is none", "Date: yesterday\n\n", `("yesterday" NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"first counts", "Subject: a\nSubject: b\nFrom: a@x\nFrom: b@y\n\n", `(NIL "a" ((NIL NIL "a" "x"))((NIL NIL "a" "x"))((NIL NIL "a" "x")) NIL NIL NIL NIL NIL)`},
		{"name's case, blank before colon", "SUBJECT : a\ntO:a@x\n\n", `(NIL "a" NIL NIL NIL ((NIL NIL "a" "x")) NIL NIL NIL NIL)`},
		{"body is not read", "Subject: a\n\nTo: a@x\n", `(NIL "a" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"lines that are no fields", "From joe Sat Jan  3 01:05:34 1996\n>From x\n folded\nSubject: a\nrubbish\nTo: a@x\n", `(NIL "a" NIL NIL NIL ((NIL NIL "a" "x")) NIL NIL NIL NIL)`},
		{"quotes and backslashes", "Subject: \"a\\b\"\n\n", `(NIL "\"a\\b\"" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"8-bit subject", "Subject: \xe9\n\n", "(NIL {1}\r\n\xe9 NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"many lists", "From: a@x\nTo: b@x, c@x, d@x\nCc: e@x, f@x, g@x\nBcc: h@x\nIn-Reply-To: <1@x>\n  <2@x>\n\n", `(NIL NIL ((NIL NIL "a" "x"))((NIL NIL "a" "x"))((NIL NIL "a" "x"))((NIL NIL "b" "x")(NIL NIL "c" "x")(NIL NIL "d" "x"))((NIL NIL "e" "x")(NIL NIL "f" "x")(NIL NIL "g" "x"))((NIL NIL "h" "x")) "<1@x>  <2@x>" NIL)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.ReplaceAll(tt.want, "))((", ")) ((")
			if diff := cmp.Diff(want, writeEnvelope(crlf(tt.in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("From: a@x\r\nTo: g: \"b\\\" c\" <@r:d@[e]>;\r\n f (g)@h\r\n\r\n"))
	f.Add([]byte("To:<@a,@b\r\nCc:\"\\\r\n\" @ (\r\nBcc : ((\\\r\n\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		header = served(header)
		out := written(ParseEnvelope(header).Write)
		if err := checkStrict(out, func(s *strict) { s.envelope() }); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
	})
}

// FuzzUsualAddress: the short way of reading an address has no opinion of its
// own.
func FuzzUsualAddress(f *testing.F) {
	for _, seed := range []string{"Joe Q. Public <joe@example.org> (x)", `"Joe" <joe@example.org>`, "joe@example.org (Joe),", "a@b c@d", "<a@b>", "a@", "a <b>@c", "a@[b]", "a. b@c", `"" <a@b>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		start := skipCFWS(value, 0)
		if start == len(value) || bytes.IndexByte([]byte(",;:>)"), value[start]) >= 0 {
			return // list does not come here with these
		}
		short, long := addressParser{b: value, i: start}, addressParser{b: value, i: start}
		if !short.usual() {
			if short.i != start || short.out != nil || short.comment != nil {
				t.Fatalf("read up to %d: %q", short.i, short.out)
			}
			return
		}
		long.general()
		if diff := cmp.Diff(long.out, short.out); diff != "" {
			t.Fatal(diff)
		}
		short.list()
		long.list()
		if diff := cmp.Diff(long.out, short.out); diff != "" {
			t.Fatal(diff)
		}
	})
}

// typicalHeader is 1.5 KB as a mailing list makes it.
var typicalHeader = crlf(`Return-Path: <bounce-12345@lists.example.org>
Received: from mx1.example.net (mx1.example.net [192.0.2.10])
	by spool.example.com (8.17.1/8.17.1) with ESMTPS id 4AB1c2d3e4f5
	(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=OK)
	for <joe@example.com>; Tue, 14 Jan 2025 09:26:53 +0100
Received: from lists.example.org (localhost [127.0.0.1])
	by mx1.example.net (Postfix) with ESMTP id 6C1A220E4B
	for <joe@example.com>; Tue, 14 Jan 2025 09:26:51 +0100 (CET)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;
	s=mail; t=1736843211; h=from:to:subject:date:message-id;
	bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
	b=ZmFrZSBzaWduYXR1cmUgdGhhdCBpcyBsb25nIGVub3VnaCB0byBmb2xkIG92
	 ZXIgbW9yZSB0aGFuIG9uZSBsaW5lIG9mIHRoZSBoZWFkZXI=
Date: Tue, 14 Jan 2025 08:26:47 +0000
From: "Public, Joe Q." <joe.public@example.org>
Reply-To: Discussion of spools <spool-discuss@lists.example.org>
To: Discussion of spools <spool-discuss@lists.example.org>
Cc: Ann Example <ann@example.net>, bob@example.net (Bob)
Subject: Re: [spool-discuss] What to do about a mailbox that two programs
	rewrite at once
Message-ID: <20250114082647.GA12345@host.example.org>
In-Reply-To: <20250113220114.7c6f@other.example.net>
References: <20250113201510.1@one.example> <20250113220114.7c6f@other.example.net>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
List-Id: <spool-discuss.lists.example.org>
X-Mailer: Example 1.0

`)

func BenchmarkEnvelope(b *testing.B) {
	w := wire.NewWriter(discard{})
	b.SetBytes(int64(len(typicalHeader)))
	b.ReportAllocs()
	for b.Loop() {
		ParseEnvelope(typicalHeader).Write(w)
		w.CRLF()
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
