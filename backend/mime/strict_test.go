package mime

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"spoold/backend/wire"
)

// strict reads what a client reads: body and envelope of RFC 9051 section 9,
// with quoted strings of 7-bit text only, as RFC 3501 has them. It panics with
// a strictError at the first byte that the grammar does not allow there.
type strict struct {
	b []byte
	i int
}

type strictError string

func (s *strict) fail(want string) {
	end := min(s.i+30, len(s.b))
	panic(strictError(fmt.Sprintf("at %d (%q): want %s", s.i, s.b[s.i:end], want)))
}

// checkStrict returns an error unless read reads all of b.
func checkStrict(b []byte, read func(*strict)) (err error) {
	s := &strict{b: b}
	defer func() {
		if e, ok := recover().(strictError); ok {
			err = fmt.Errorf("%s", string(e))
		}
	}()
	read(s)
	if s.i != len(b) {
		s.fail("the end")
	}
	return nil
}

func (s *strict) at(lit string) bool { return bytes.HasPrefix(s.b[s.i:], []byte(lit)) }

func (s *strict) want(lit string) {
	if !s.at(lit) {
		s.fail(strconv.Quote(lit))
	}
	s.i += len(lit)
}

func (s *strict) number() int {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	n, err := strconv.Atoi(string(s.b[start:s.i]))
	if err != nil {
		s.fail("number")
	}
	return n
}

func (s *strict) nstring() (value string, isNil bool) {
	if s.at("NIL") {
		s.i += 3
		return "", true
	}
	return s.str(), false
}

func (s *strict) str() string {
	if s.at("{") {
		return s.literal()
	}
	s.want(`"`)
	var v strings.Builder
	for !s.at(`"`) {
		if s.at(`\`) {
			s.i++
			if !s.at(`\`) && !s.at(`"`) {
				s.fail("quoted-specials")
			}
		}
		if s.i >= len(s.b) || s.b[s.i] == 0 || s.b[s.i] == '\r' || s.b[s.i] == '\n' || s.b[s.i] > 0x7f {
			s.fail("QUOTED-CHAR")
		}
		v.WriteByte(s.b[s.i])
		s.i++
	}
	s.i++
	return v.String()
}

func (s *strict) literal() string {
	s.want("{")
	n := s.number()
	s.want("}\r\n")
	if s.i+n > len(s.b) || bytes.IndexByte(s.b[s.i:s.i+n], 0) >= 0 {
		s.fail("octets without NUL")
	}
	s.i += n
	return string(s.b[s.i-n : s.i])
}

func (s *strict) envelope() {
	s.want("(")
	s.nstring()
	s.want(" ")
	s.nstring()
	for range 6 {
		s.want(" ")
		s.addresses()
	}
	s.want(" ")
	s.nstring()
	s.want(" ")
	s.nstring()
	s.want(")")
}

// addresses also wants groups to begin, end and not nest.
func (s *strict) addresses() {
	if s.at("NIL") {
		s.i += 3
		return
	}
	group := false
	s.want("(")
	for first := true; first || !s.at(")"); first = false {
		group = s.address(group)
	}
	s.want(")")
	if group {
		s.fail("end of group before")
	}
}

func (s *strict) address(group bool) bool {
	s.want("(")
	_, noName := s.nstring()
	s.want(" ")
	_, noAdl := s.nstring()
	s.want(" ")
	_, noMailbox := s.nstring()
	s.want(" ")
	_, noHost := s.nstring()
	s.want(")")
	if !noHost {
		if noMailbox {
			s.fail("mailbox with a host before")
		}
		return group
	}
	if !noName || !noAdl || group != noMailbox {
		s.fail("proper group before")
	}
	return !noMailbox
}

func (s *strict) body(extended bool) {
	s.want("(")
	if s.at("(") {
		s.multipart(extended)
	} else {
		s.onePart(extended)
	}
	s.want(")")
}

func (s *strict) multipart(extended bool) {
	for s.at("(") {
		s.body(extended)
	}
	s.want(" ")
	s.str()
	if extended {
		s.want(" ")
		s.params()
		s.extension()
	}
}

func (s *strict) onePart(extended bool) {
	typ := s.str()
	s.want(" ")
	sub := s.str()
	s.want(" ")
	s.params()
	s.want(" ")
	s.nstring()
	s.want(" ")
	s.nstring()
	s.want(" ")
	s.str()
	s.want(" ")
	s.number()
	switch typ + "/" + sub {
	case "MESSAGE/RFC822", "MESSAGE/GLOBAL":
		s.want(" ")
		s.envelope()
		s.want(" ")
		s.body(extended)
		s.want(" ")
		s.number()
	default:
		if typ == "TEXT" {
			s.want(" ")
			s.number()
		} else if typ == "" || sub == "" || typ == "MULTIPART" {
			s.fail("another type than " + typ + "/" + sub + " before")
		}
	}
	if extended {
		s.want(" ")
		s.nstring()
		s.extension()
	}
}

func (s *strict) extension() {
	s.want(" ")
	if s.at("(") {
		s.want("(")
		s.str()
		s.want(" ")
		s.params()
		s.want(")")
	} else {
		s.want("NIL")
	}
	s.want(" ")
	if s.at("(") {
		s.strings()
	} else {
		s.nstring()
	}
	s.want(" ")
	s.nstring()
}

func (s *strict) params() {
	if s.at("NIL") {
		s.i += 3
		return
	}
	if s.strings()%2 != 0 {
		s.fail("pairs before")
	}
}

func (s *strict) strings() (n int) {
	s.want("(")
	for n = 1; ; n++ {
		s.str()
		if s.at(")") {
			s.i++
			return n
		}
		s.want(" ")
	}
}

// written returns what f writes.
func written(f func(*wire.Writer)) []byte {
	var buf bytes.Buffer
	w := wire.NewWriter(&buf)
	f(w)
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func TestStrictRefuses(t *testing.T) {
	env := func(s *strict) { s.envelope() }
	body := func(s *strict) { s.body(true) }
	tests := []struct {
		name, in string
		read     func(*strict)
	}{
		{"empty address list", `(NIL NIL () NIL NIL NIL NIL NIL NIL NIL)`, env},
		{"open group", `(NIL NIL ((NIL NIL "g" NIL)) NIL NIL NIL NIL NIL NIL NIL)`, env},
		{"host without mailbox", `(NIL NIL ((NIL NIL NIL "h")) NIL NIL NIL NIL NIL NIL NIL)`, env},
		{"short envelope", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL)`, env},
		{"8-bit in quotes", "(\"\xe9\" NIL NIL NIL NIL NIL NIL NIL NIL NIL)", env},
		{"multipart without parts", `( "MIXED" NIL NIL NIL NIL)`, body},
		{"text without lines", `("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 NIL NIL NIL NIL)`, body},
		{"odd parameters", `("IMAGE" "PNG" ("A") NIL NIL "7BIT" 1 NIL NIL NIL NIL)`, body},
		{"trailing bytes", `("IMAGE" "PNG" NIL NIL NIL "7BIT" 1 NIL NIL NIL NIL))`, body},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if checkStrict([]byte(tt.in), tt.read) == nil {
				t.Error("accepted")
			}
		})
	}
}
