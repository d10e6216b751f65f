package mime

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeTransfer(t *testing.T) {
	tests := []struct{ name, encoding, in, want string }{
		{"none", "", "a=\n", "a=\n"},
		{"7bit", "7bit", "a=\n", "a=\n"},
		{"8BIT", "8BIT", "\xe9", "\xe9"},
		{"binary", "Binary", "\x00\n", "\x00\n"},
		{"base64", "BASE64", "YWJj\r\nZGU=\r\n", "abcde"},
		{"base64 without padding", "base64", "YWJjZGU", "abcde"},
		{"base64 with rubbish", "base64", "Y-W\xffJj!\r\nZ GU=\r\n-- \r\n", "abcde"},
		{"base64 twice", "base64", "YQ==\r\nYg==\r\n", "ab"},
		{"base64 torn", "base64", "YWJjZ", "abc"},
		{"quoted-printable", "quoted-printable", "a=3D=c3=A9\r\nb\r\n", "a=\u00e9\r\nb\r\n"},
		{"soft line breaks", "quoted-printable", "a=\r\nb= \t\r\nc", "abc"},
		{"blanks at the end of a line", "quoted-printable", "a \t\r\nb  ", "a\r\nb"},
		{"no escapes", "quoted-printable", "=zz=4=\r\n==41=", "=zz=4=A"},
		{"LF", "quoted-printable", "a=\nb\n", "ab\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeTransfer(tt.encoding, []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if identity := tt.in == tt.want; identity != IsIdentity(tt.encoding) {
				t.Errorf("IsIdentity is %v", !identity)
			}
		})
	}
	if _, err := DecodeTransfer("x-uuencode", nil); !errors.Is(err, ErrEncoding) {
		t.Errorf("x-uuencode: %v", err)
	}
}

func TestDecodeWords(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a b", "a b"},
		{"Q", "=?iso-8859-1?q?J=F6e_P?=", "J\u00f6e P"},
		{"B", "=?UTF-8?B?SsO2ZQ==?= x", "J\u00f6e x"},
		{"RFC 2047 section 8", "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
		{"adjacent over a fold", "=?utf-8?q?a?=\r\n\t=?utf-8?q?b?=  c", "ab  c"},
		{"text between", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
		{"character cut in two", "=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "\u00f6"},
		{"cut between encodings", "=?utf-8?q?=C3?= =?UTF-8?b?tg==?=", "\u00f6"},
		{"language", "=?us-ascii*en?q?hi?=", "hi"},
		{"inside of a word", "a=?utf-8?q?b?=c", "abc"},
		{"blank in it", "=?utf-8?q?a b?=", "a b"},
		{"unknown charset", "=?x-none?q?a?= =?x-none?q?b?= =?utf-8?q?c?=", "=?x-none?q?a?= =?x-none?q?b?=c"},
		{"unknown encoding", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"torn", "=?utf-8?q?a =? =?x? =?utf-8?q?b?=", "=?utf-8?q?a =? =?x? b"},
		{"empty", "=?utf-8?q??=x", "x"},
		{"ISO-2022-JP", "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, DecodeWords([]byte(tt.in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeCharset(t *testing.T) {
	tests := []struct{ charset, in, want string }{
		{"utf-8", "J\u00f6e\xff", "J\u00f6e\uFFFD"},
		{"us-ascii", "J\u00f6e", "J\u00f6e"},
		{"us-ascii", "J\xf6e", "J\u00f6e"},
		{" \"ISO-8859-15\" ", "\xa4", "\u20ac"},
		{"windows-1251", "\xe4\xe0", "\u0434\u0430"},
		{"koi8-r", "\xc4\xc1", "\u0434\u0430"},
		{"Shift_JIS", "\x93\xfa\x96\x7b", "\u65e5\u672c"},
		{"cp936", "\xc4\xe3", "\u4f60"},
		{"cp949", "\xb0\xa1", "\uac00"},
		{"cp950", "\xa7\x41", "\u4f60"},
		{"cp932", "\x93\xfa", "\u65e5"},
		{"hz-gb-2312", "~{Dc~}", "\u4f60"},
		{"utf-16be", "\x00a\x20\xac", "a\u20ac"},
		{"utf-7", "Hi Mom +Jjo-!+-+AGEAYg", "Hi Mom \u263a!+ab"},
		{"utf-7", "+ +!", "+ +!"},
		{"cp850", "\x94", "\u00f6"},
	}
	for _, tt := range tests {
		t.Run(tt.charset, func(t *testing.T) {
			got, err := DecodeCharset(tt.charset, []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, unknown := range []string{"x-none", "replacement", "iso-2022-kr"} {
		if _, err := DecodeCharset(unknown, []byte("a")); !errors.Is(err, ErrCharset) {
			t.Errorf("%s: %v", unknown, err)
		}
	}
}

// Every charset that is said to be so must leave printable ASCII alone, as
// SEARCH relies on it.
func TestIsASCIICompatible(t *testing.T) {
	var ascii []byte
	for c := byte(' '); c < 0x7f; c++ {
		ascii = append(ascii, c)
	}
	for _, charset := range []string{"", "US-ASCII", "utf-8", "ISO-8859-1", "iso-8859-8-i", "windows-1256", "koi8-u", "euc-jp", "euc-kr", "gb2312", "gbk", "utf-7", "utf-16", "iso-2022-jp", "hz-gb-2312", "shift_jis", "cp037"} {
		got, err := DecodeCharset(charset, ascii)
		if want := err == nil && got == string(ascii); IsASCIICompatible(charset) && !want {
			t.Errorf("%s is not: %q", charset, got)
		}
	}
	if !IsASCIICompatible("UTF-8") || IsASCIICompatible("utf-7") || IsASCIICompatible("iso-2022-jp") {
		t.Error("wrong about UTF-8, UTF-7 or ISO-2022-JP")
	}
}

func TestParseDate(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"RFC 5322", "Tue, 14 Jan 2025 09:26:53 +0100", "2025-01-14T09:26:53+01:00"},
		{"comments", "(x) Tue (y), 14 Jan(z)2025 09:26:53 -0330 (NST)", "2025-01-14T09:26:53-03:30"},
		{"folded", "Tue,\r\n 14 Jan 2025\r\n 09:26:53 +0000", "2025-01-14T09:26:53Z"},
		{"no day name, no seconds", "1 feb 2025 9:26 GMT", "2025-02-01T09:26:00Z"},
		{"two-digit years", "Fri, 31 Dec 99 23:59:60 EST", "2000-01-01T00:00:00-05:00"},
		{"two-digit year of this century", "31 Dec 24 00:00 pdt", "2024-12-31T00:00:00-07:00"},
		{"three-digit year", "31 Dec 103 00:00 UT", "2003-12-31T00:00:00Z"},
		{"hyphens", "14-Jan-2025 09:26:53 +0100", "2025-01-14T09:26:53+01:00"},
		{"ctime", "Tue Jan  4 09:26:53 2025", "2025-01-04T09:26:53Z"},
		{"date(1)", "Tue Jan 14 09:26:53 CST 2025", "2025-01-14T09:26:53-06:00"},
		{"ISO 8601", "2025-01-14T09:26:53+01:00", "2025-01-14T09:26:53+01:00"},
		{"ISO 8601 with a blank", "2025-01-14 09:26:53.123Z", "2025-01-14T09:26:53Z"},
		{"12 hours", "Tuesday, January 14, 2025 9:26 PM", "2025-01-14T21:26:00Z"},
		{"midnight", "January 14, 2025 12:26 am", "2025-01-14T00:26:00Z"},
		{"no time", "14 Jan 2025", "2025-01-14T00:00:00Z"},
		{"time that is none", "14 Jan 2025 25:61:99 +9999", "2025-01-14T00:00:00Z"},
		{"no year", "Tue, 14 Jan", ""},
		{"no month", "14 2025 09:26", ""},
		{"no day", "Jan 2025", ""},
		{"rubbish", "-/-, +:+ 2025-99-99 : -", ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDate([]byte(tt.in))
			if ok != (tt.want != "") {
				t.Fatalf("%v %v", got, ok)
			}
			if ok && got.Format(time.RFC3339) != tt.want {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), tt.want)
			}
		})
	}
}

// FuzzDecode: base64 that encoding/base64 wrote comes back, with whatever line
// breaks; words and charsets yield what does not decode to more than the bytes
// can hold; dates are dates.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("=?utf-8?b?YQ==?= =?gbk?q?=?= =?x?y?z"))
	f.Add([]byte("Tue, 14 Jan 2025 09:26:53 +0100"))
	f.Add([]byte("+AGE- a=\r\n=3D="))
	f.Fuzz(func(t *testing.T, b []byte) {
		encoded := base64.StdEncoding.EncodeToString(b)
		if len(encoded) > 5 {
			encoded = encoded[:5] + "\r\n\t-" + encoded[5:]
		}
		if got, err := DecodeTransfer("base64", []byte(encoded)); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("base64: %q %v", got, err)
		}
		qp, err := DecodeTransfer("quoted-printable", b)
		if err != nil || len(qp) > 2*len(b) {
			t.Fatalf("quoted-printable: %q %v", qp, err)
		}
		DecodeWords(b)
		for _, charset := range []string{"us-ascii", "utf-7", "shift_jis", "utf-16"} {
			if s, err := DecodeCharset(charset, b); err != nil || !utf8.ValidString(s) || len(s) > 3*len(b)+3 {
				t.Fatalf("%s: %q %v", charset, s, err)
			}
		}
		if when, ok := ParseDate(b); ok && (when.Year() < -1 || when.Year() > 10000) {
			t.Fatalf("date: %v", when)
		}
	})
}

func TestDecodeHostile(t *testing.T) {
	for _, unit := range []string{"=?", "=?a?q?", "=?a?q?b?", "=?utf-8?q?a?= ", "=?utf-8?q?=?=", "(", "1-", "+A"} {
		in := []byte(strings.Repeat(unit, 1<<19/len(unit)))
		if got := DecodeWords(in); len(got) > len(in) {
			t.Errorf("%q grew", unit)
		}
		if _, ok := ParseDate(in); ok {
			t.Errorf("%q is a date", unit)
		}
		decodeUTF7(in)
	}
}
