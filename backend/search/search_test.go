package search

import (
	"errors"
	"testing"
	"time"

	"spoold/mboxstore"

	"github.com/google/go-cmp/cmp"
)

// target is a message made up for a test.
type target struct {
	seq     uint32
	msg     mboxstore.Message
	recent  bool
	header  string
	body    string
	headers int // calls
	texts   int
	err     error
}

func (t *target) Seq() uint32                 { return t.seq }
func (t *target) Message() *mboxstore.Message { return &t.msg }
func (t *target) Recent() bool                { return t.recent }

func (t *target) Header() ([]byte, error) {
	t.headers++
	return crlf(t.header), t.err
}

func (t *target) Text() ([]byte, error) {
	t.texts++
	return crlf(t.header + t.body), t.err
}

var now = time.Date(2025, time.January, 14, 12, 0, 0, 0, time.UTC)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func match(t testing.TB, n Node, to Target) bool {
	t.Helper()
	ok, err := Compile(n, now).Match(to)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestIndexKeys(t *testing.T) {
	msg := &target{seq: 3, msg: mboxstore.Message{UID: 30, Flags: mboxstore.FlagSeen | mboxstore.FlagDraft, Keywords: []string{"$Junk"}, Size: 1000, ModSeq: 7}}
	fresh := &target{seq: 4, recent: true}
	tests := []struct {
		name       string
		n          Node
		msg, fresh bool
	}{
		{"ALL", All(), true, true},
		{"AND of nothing", And(), true, true},
		{"SEEN", Flag(mboxstore.FlagSeen, true), true, false},
		{"UNSEEN", Flag(mboxstore.FlagSeen, false), false, true},
		{"DRAFT", Flag(mboxstore.FlagDraft, true), true, false},
		{"UNDELETED", Flag(mboxstore.FlagDeleted, false), true, true},
		{"KEYWORD", Keyword("$junk", true), true, false},
		{"UNKEYWORD", Keyword("$Junk", false), false, true},
		{"RECENT", Recent(), false, true},
		{"OLD", Old(), true, false},
		{"NEW", New(), false, true},
		{"LARGER", Larger(999), true, false},
		{"LARGER, edge", Larger(1000), false, false},
		{"SMALLER", Smaller(1001), true, true},
		{"SMALLER, edge", Smaller(1000), false, true},
		{"MODSEQ", ModSeq(7), true, false},
		{"MODSEQ, above", ModSeq(8), false, false},
		{"MODSEQ 0", ModSeq(0), true, true},
		{"LARGER and SMALLER", And(Larger(10), Smaller(10)), false, false},
		{"numbers", SeqSet([]Range{{9, 9}, {5, 4}, {1, 3}, {2, 2}}), true, true},
		{"other numbers", SeqSet([]Range{{1, 2}, {5, 4294967295}}), false, false},
		{"no numbers", SeqSet(nil), false, false},
		{"UID", UIDSet([]Range{{20, 30}}), true, false},
		{"OR", Or(Recent(), Larger(1)), true, true},
		{"NOT", Not(Larger(1)), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := match(t, tt.n, msg); got != tt.msg {
				t.Errorf("msg: %v", got)
			}
			if got := match(t, tt.n, fresh); got != tt.fresh {
				t.Errorf("fresh: %v", got)
			}
			if msg.headers+msg.texts+fresh.headers+fresh.texts > 0 {
				t.Error("read a message")
			}
		})
	}
}

func TestSentKeys(t *testing.T) {
	const late = "Tue, 14 Jan 2025 23:30:00 -0800" // the 15th in UTC
	tests := []struct {
		name, header string
		n            Node
		want         bool
	}{
		{"on its day", "Date: " + late, SentOn(day(2025, 1, 14)), true},
		{"on the day in UTC", "Date: " + late, SentOn(day(2025, 1, 15)), false},
		{"since its day", "Date: " + late, SentSince(day(2025, 1, 14)), true},
		{"since the next day", "Date: " + late, SentSince(day(2025, 1, 15)), false},
		{"before its day", "Date: " + late, SentBefore(day(2025, 1, 14)), false},
		{"before the next day", "Date: " + late, SentBefore(day(2025, 1, 15)), true},
		{"year end", "Date: 31 Dec 99 00:00 GMT", SentBefore(day(2000, 1, 1)), true},
		{"unreadable", "Date: yesterday", Or(SentSince(day(1, 1, 1)), SentBefore(day(9999, 1, 1))), false},
		{"absent", "Subject: a", Or(SentSince(day(1, 1, 1)), SentBefore(day(9999, 1, 1))), false},
		{"day in the program's zone", "Date: " + late, SentOn(time.Date(2025, 1, 14, 23, 0, 0, 0, time.FixedZone("", 9*3600))), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := match(t, tt.n, &target{header: tt.header + "\n\n"}); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHeaderKeys(t *testing.T) {
	const header = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from =?iso-8859-1?q?K=F6?=\n =?iso-8859-1?q?ln?=\n" +
		"From: J\xf6rg <joerg@example.org>\nTo: \"Doe, Jane\" <jane@example.org>,\n\tfolks:;\nX-Empty:\ncc: a@b\nCC: c@d\n\n"
	tests := []struct {
		name string
		n    Node
		want bool
	}{
		{"encoded words", Subject("gr\u00fc\u00dfe FROM k\u00f6ln"), true},
		{"without the diacritic", Subject("Grusse"), false},
		{"as it stands", Subject("=?UTF-8?Q?gr=c3"), true},
		{"not there", Subject("Bonn"), false},
		{"raw 8-bit", From("J\u00d6RG"), true},
		{"folded", To("<jane@example.org>,\tfolks"), true},
		{"folded, as one space", To("<jane@example.org>, folks"), true},
		{"more blanks", To("doe,  jane\" \t<"), true},
		{"no blank", To("doe,jane"), false},
		{"second field", Cc("C@D"), true},
		{"no field", Bcc("a"), false},
		{"field there", Header("x-empty", ""), true},
		{"field there but empty", Header("x-empty", "a"), false},
		{"field not there", Header("x-none", ""), false},
		{"name is no prefix", Header("x-empt", ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := &target{header: header}
			if got := match(t, tt.n, msg); got != tt.want {
				t.Errorf("got %v", got)
			}
			if msg.texts > 0 {
				t.Error("read the text")
			}
		})
	}
}

func TestTextKeys(t *testing.T) {
	const multi = "Subject: top\nContent-Type: multipart/mixed; boundary=b\n\n"
	const parts = "preamble\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n" +
		"Gr=FC=\n=DFe\n--b\nContent-Type: application/pdf; name=\"=?utf-8?q?Bericht?=\"\n\npdfcode\n" +
		"--b\nContent-Type: message/rfc822\n\nSubject: =?utf-8?b?w7ZsdMO8cm0=?=\nX-Fold: one\n two\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSGVsbG8g4oKs\n" +
		"--b\nContent-Type: text/plain; charset=x-none\n\nraw \xe4text\n--b\nContent-Transfer-Encoding: x-none\n\nodd code\n" +
		"--b\nContent-Type: text/plain; charset=utf-7\n\n+AOQ-h\n--b--\nepilogue\n"
	tests := []struct {
		name, header, body string
		text               string
		inBody, inText     bool
	}{
		{"plain", "Subject: a\n\n", "One\nTwo\n", "tWO", true, true},
		{"across lines", "Subject: a\n\n", "One\nTwo\n", "one\r\ntwo", true, true},
		{"header only", "Subject: a b\n\n", "One\n", "A B", false, true},
		{"folded header", "X: a\n b\n\n", "One\n", "a b", false, true},
		{"folded header with a tab", "X: a\n\t b\n\n", "a\tb\n", "A B", false, true},
		{"tab in the body", "X: c\n\n", "a\tb\n", "a\tB", true, true},
		{"header encoded", "Subject: =?utf-8?q?=C3=A4?=\n\n", "One\n", "\u00c4", false, true},
		{"8-bit text in ASCII", "Subject: a\n\n", "na\xefve\n", "NA\u00cfVE", true, true},
		{"UTF-8 in ASCII", "Subject: a\n\n", "na\u00efve\n", "NA\u00cfVE", true, true},
		{"not there", "Subject: a\n\n", "One\n", "three", false, false},
		{"empty", "Subject: a\n\n", "", "", true, true},
		{"not text", "Content-Type: image/png\n\n", "One\n", "one", false, false},
		{"top header", multi, parts, "subject: TOP", false, true},
		{"quoted-printable", multi, parts, "GR\u00dc\u00dfe", true, true},
		{"not decoded", multi, parts, "gr=fc", false, false},
		{"name of an attachment", multi, parts, "bericht", false, true},
		{"attachment", multi, parts, "pdfcode", false, false},
		{"header in a message", multi, parts, "\u00d6LT\u00dcRM", false, true},
		{"folded header in a message", multi, parts, "one two", false, true},
		{"text in a message", multi, parts, "hello \u20ac", true, true},
		{"unknown charset", multi, parts, "TEXT\r", false, false},
		{"unknown charset, raw", multi, parts, "RAW \xe4te", true, true},
		{"unknown encoding", multi, parts, "odd code", true, true},
		{"UTF-7", multi, parts, "\u00c4H", true, true},
		{"preamble", multi, parts, "preamble", false, false},
		{"epilogue", multi, parts, "epilogue", false, false},
		{"delimiter", multi, parts, "--b", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := &target{header: tt.header, body: tt.body}
			if got := match(t, Body(tt.text), msg); got != tt.inBody {
				t.Errorf("BODY: %v", got)
			}
			if got := match(t, Text(tt.text), msg); got != tt.inText {
				t.Errorf("TEXT: %v", got)
			}
		})
	}
}

// Text is searched in windows: a string must be found wherever it lies.
func TestWindows(t *testing.T) {
	for _, at := range []int{0, window - 3, window - 2, window - 1, window, window + 1, 2*window - 1, 3 * window} {
		body := make([]byte, 3*window+6)
		for i := range body {
			body[i] = 'x'
		}
		copy(body[at:], "Needle")
		if !match(t, Body("nEEDLE"), &target{header: "\n", body: string(body)}) {
			t.Errorf("not found at %d", at)
		}
		if match(t, Body("needles"), &target{header: "\n", body: string(body)}) {
			t.Errorf("found what is not there at %d", at)
		}
	}
}

func TestCheapFirst(t *testing.T) {
	tests := []struct {
		name           string
		n              Node
		want           bool
		headers, texts int
	}{
		{"flag decides AND", And(Text("x"), Subject("x"), Flag(mboxstore.FlagSeen, true)), false, 0, 0},
		{"header decides AND", And(Text("x"), Subject("x"), Flag(mboxstore.FlagSeen, false)), false, 1, 0},
		{"flag decides OR", Or(Text("x"), Flag(mboxstore.FlagSeen, false)), true, 0, 0},
		{"size decides NOT", And(Not(Text("x")), Larger(5)), false, 0, 0},
		{"deep", And(Or(Text("x"), And(Text("x"), Recent())), Not(Flag(mboxstore.FlagSeen, false))), false, 0, 0},
		{"all are read", Or(Text("x"), Subject("x")), false, 1, 1},
		{"read once", Or(Or(Text("x"), Body("y")), Or(Subject("x"), From("y"))), false, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := &target{header: "Subject: a\n\n", body: "b\n"}
			got := match(t, tt.n, msg)
			if got != tt.want || msg.headers != tt.headers || msg.texts != tt.texts {
				t.Errorf("got %v after %d headers, %d texts", got, msg.headers, msg.texts)
			}
		})
	}
}

func TestMatchError(t *testing.T) {
	broken := errors.New("expunged")
	for _, n := range []Node{Subject("a"), Text("a"), Not(Body("a")), Not(SentOn(now)), Or(All(), Not(Subject("a")))} {
		msg := &target{header: "\n", err: broken}
		got, err := Compile(n, now).Match(msg)
		if msg.headers+msg.texts == 0 { // decided without reading
			continue
		}
		if got || !errors.Is(err, broken) {
			t.Errorf("%v: %v %v", n, got, err)
		}
	}
}

func TestInterrupt(t *testing.T) {
	enough := errors.New("enough")
	calls := 0
	p := Compile(And(Larger(-1), Subject("a"), Not(Text("x")), Text("y"), Text("z")), now)
	p.Interrupt = func() error {
		if calls++; calls == 3 {
			return enough
		}
		return nil
	}
	if ok, err := p.Match(&target{header: "Subject: a\n\n", body: "y z\n"}); ok || !errors.Is(err, enough) || calls != 3 {
		t.Errorf("%v %v after %d calls", ok, err, calls)
	}
	if ok, err := p.Match(&target{header: "Subject: a\n\n", body: "y z\n"}); !ok || err != nil || calls != 7 {
		t.Errorf("%v %v after %d calls", ok, err, calls)
	}
}

func TestDecodeCharsetString(t *testing.T) {
	got, err := DecodeCharsetString("ISO-8859-1", []byte("K\xf6ln"))
	if diff := cmp.Diff("K\u00f6ln", got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for charset, b := range map[string]string{"UTF-8": "\xc3(", "EUC-JP": "\xff", "ISO-2022-JP": "\x1b$Bx"} {
		if s, err := DecodeCharsetString(charset, []byte(b)); !errors.Is(err, ErrBadString) {
			t.Errorf("%s: %q %v", charset, s, err)
		}
	}
	if got, err := DecodeCharsetString("", []byte("K\xf6ln")); got != "K\u00f6ln" || err != nil {
		t.Error(got, err)
	}
	for _, b := range [][]byte{nil, []byte("a")} {
		if _, err := DecodeCharsetString("X-NONE", b); !errors.Is(err, ErrBadCharset) {
			t.Errorf("X-NONE: %v", err)
		}
	}
}
