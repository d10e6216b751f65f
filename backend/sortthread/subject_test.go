package sortthread_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoold/backend/sortthread"
)

func TestBaseSubject(t *testing.T) {
	for _, tt := range []struct {
		subject, base string
		reply         bool
	}{
		{"Hello", "Hello", false},
		{"", "", false},
		{"  a \t b\r\n c  ", "a b c", false},
		{"Re: hello", "hello", true},
		{"re:re: FWD : hello", "hello", true},
		{"Fw[2]: hello", "hello", true},
		{"Re [list] : hello", "hello", true},
		{"Re[2: hello", "Re[2: hello", false},
		{"Regarding: hello", "Regarding: hello", false},
		{"[list] hello", "hello", false},
		{"[list] [more]hello", "hello", false},
		{"[list] Re: [other] hello", "hello", true},
		{"[list]", "[list]", false},
		{"[list] [more] ", "[more]", false},
		{"Re: [list]", "[list]", true},
		{"[list] Re:", "", true},
		{"hello (fwd)", "hello", true},
		{"hello (FWD) (fwd) ", "hello", true},
		{"(fwd)", "", true},
		{"[Fwd: hello]", "hello", true},
		{"[fwd: [fwd: Re: hello (fwd)]]", "hello", true},
		{"[list] [Fwd: hello]", "hello", true},
		{"[Fwd: hello] [list]", "[list]", false},
		{"[Fwd: hello", "[Fwd: hello", false},
		{"[fwd:]", "", true},
		{"Re: gr\u00fc\u00dfe", "gr\u00fc\u00dfe", true},
		{"[gr\u00fc\u00dfe] Re: x", "x", true},
		{"[a[b] Re: x", "[a[b] Re: x", false},
		{"AW: hello", "AW: hello", false},
		{"Re:", "", true},
		{"re", "re", false},
	} {
		base, reply := sortthread.BaseSubject(tt.subject)
		if base != tt.base || reply != tt.reply {
			t.Errorf("BaseSubject(%q): want %q %v\n got %q %v", tt.subject, tt.base, tt.reply, base, reply)
		}
	}
}

// The grammar of RFC 5256 section 5, on a subject without runs of blanks.
var (
	leader  = regexp.MustCompile(`^(?is:(\[[^][\x00]*\] *)*(re|fwd?) *(\[[^][\x00]*\] *)?:| )`)
	blob    = regexp.MustCompile(`^\[[^][\x00]*\] *`)
	trailer = regexp.MustCompile(`(?i:\(fwd\)| )$`)
	forward = regexp.MustCompile(`^(?is:\[fwd:(.*)\])$`)
	blanks  = regexp.MustCompile(`[ \t\r\n]+`)
)

// plainBase follows the seven steps one match at a time.
func plainBase(s string) (base string, reply bool) {
	s = blanks.ReplaceAllString(s, " ")
	for {
		for m := trailer.FindString(s); m != ""; m = trailer.FindString(s) {
			s, reply = s[:len(s)-len(m)], reply || m != " "
		}
		for {
			before := s
			if m := leader.FindString(s); m != "" {
				s, reply = s[len(m):], reply || m != " "
			}
			if m := blob.FindString(s); m != "" && m != s {
				s = s[len(m):]
			}
			if s == before {
				break
			}
		}
		m := forward.FindStringSubmatch(s)
		if m == nil {
			return s, reply
		}
		s, reply = m[1], true
	}
}

func TestBaseSubjectByTheGrammar(t *testing.T) {
	pieces := []string{"[", "]", "re", "Re:", "fw", "fwd", ":", " ", "\t", "\r\n ", "(fwd)", "[fwd:", "[x]", "y", "\u00e4", "(", "\x00"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		base, reply := sortthread.BaseSubject(s)
		if want, wantReply := plainBase(s); base != want || reply != wantReply {
			t.Fatalf("%q: want %q %v, got %q %v", s, want, wantReply, base, reply)
		}
	})
}

func TestBaseSubjectInLinearTime(t *testing.T) {
	start := time.Now()
	for _, piece := range []string{"[x]", "[", "]", "re:", "re", "re[", "re[x]", "[fwd:", "(fwd)", " \t", "fwd", "[x]re: ", "[re:"} {
		s := strings.Repeat(piece, 1_000_000/len(piece))
		sortthread.BaseSubject(s)
		sortthread.BaseSubject(s + strings.Repeat("]", 100_000))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestEachID(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  []string
	}{
		{"<a@b>", []string{"a@b"}},
		{" <a@b>\r\n\t<c.d@e.f> junk <g@h>", []string{"a@b", "c.d@e.f", "g@h"}},
		{"<a@b><c@d>", []string{"a@b", "c@d"}},
		{`<"01KF8JCEOCBS0045PS"@xxx.yyy.com>`, []string{"01KF8JCEOCBS0045PS@xxx.yyy.com"}},
		{`<"a\"b c"@d>`, []string{`a"b c@d`}},
		{"<a@[1.2.3.4]>", []string{"a@[1.2.3.4]"}},
		{"< a@b >", []string{"a@b"}},
		{"<(remark) a@b (<x@y>)>", []string{"a@b"}},
		{"message of Tuesday from Joe <joe@example.com>", []string{"joe@example.com"}},
		{"<nothing> <a@> <@b> <a@b", nil},
		{"<a@b@c> <d@e>", []string{"d@e"}},
		{"<broken <a@b>", []string{"a@b"}},
		{"<" + strings.Repeat("a", 998) + "@b> <c@d>", []string{"c@d"}},
		{"", nil},
	} {
		if got := slices.Collect(sortthread.EachID([]byte(tt.value))); !slices.Equal(got, tt.want) {
			t.Errorf("%.80q: want %q\n got %q", tt.value, tt.want, got)
		}
	}
	start := time.Now()
	for _, piece := range []string{"<", `<"`, "<(", "<a@", "<a@b>", `<\`, "("} {
		for range sortthread.EachID([]byte(strings.Repeat(piece, 300_000))) {
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("hostile values took %v", took)
	}
}

func TestIDs(t *testing.T) {
	ids := sortthread.IDs{}
	if a, b, c := ids.Of("a@x"), ids.Of("b@x"), ids.Of("a@x"); a != 1 || b != 2 || c != a {
		t.Errorf("numbers %d %d %d", a, b, c)
	}
}
