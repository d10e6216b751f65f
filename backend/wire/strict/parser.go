package strict

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// parser reads one response. The first failure stays, and nothing is read after it.
type parser struct {
	text     string // without CRLF at the end; each literal's octets are left out behind its {n} CRLF
	pos      int
	literals []literal
	utf8     bool // after ENABLE of UTF8=ACCEPT or IMAP4rev2
	err      error
}

// literal is what is remembered of a literal: the first octets and what is in the others.
type literal struct {
	size  int64
	begin []byte
	nul   bool
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format+" at %.60q", append(args, p.text[min(p.pos, len(p.text)):])...)
	}
	p.pos = len(p.text)
}

// peek is the next octet, 0 at the end: no response has a NUL outside of literals.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// take reads s, letters in either case, when it is next.
func (p *parser) take(s string) bool {
	if p.err != nil || len(p.text)-p.pos < len(s) || !strings.EqualFold(p.text[p.pos:p.pos+len(s)], s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *parser) want(s string) {
	if !p.take(s) {
		p.fail("%q expected", s)
	}
}

func (p *parser) sp() { p.want(" ") }

func (p *parser) end() {
	if p.err == nil && p.pos < len(p.text) {
		p.fail("end of response expected")
	}
}

// while reads octets as long as is holds, at least one.
func (p *parser) while(what string, is func(byte) bool) string {
	start := p.pos
	for p.pos < len(p.text) && is(p.text[p.pos]) {
		p.pos++
	}
	if p.err == nil && p.pos == start {
		p.fail("%s expected", what)
	}
	return p.text[min(start, p.pos):p.pos]
}

func isAtomChar(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
}

func isAstringChar(c byte) bool { return isAtomChar(c) || c == ']' }

// isTagChar is for tags, and for the names of extended data, which are of the same characters or fewer.
func isTagChar(c byte) bool { return isAstringChar(c) && c != '+' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) atom() string { return p.while("atom", isAtomChar) }

// word is an atom for comparing.
func (p *parser) word() string { return strings.ToUpper(p.atom()) }

func (p *parser) astring() string {
	if c := p.peek(); c == '"' || c == '{' {
		return p.string()
	}
	return p.while("astring", isAstringChar)
}

func (p *parser) isString() bool { c := p.peek(); return c == '"' || c == '{' }

// string is quoted / literal.
func (p *parser) string() string {
	switch p.peek() {
	case '"':
		return p.quoted()
	case '{':
		return p.literal(false)
	}
	p.fail("string expected")
	return ""
}

func (p *parser) nstring() (s string, isNil bool) {
	if p.isString() {
		return p.string(), false
	}
	p.null()
	return "", true
}

// takeNil reads NIL when it is next, and is not the beginning of something else.
func (p *parser) takeNil() bool {
	start := p.pos
	if p.take("NIL") && !isAstringChar(p.peek()) {
		return true
	}
	if p.err == nil {
		p.pos = start
	}
	return false
}

func (p *parser) null() {
	if !p.takeNil() {
		p.fail("NIL or a string expected")
	}
}

func (p *parser) quoted() string {
	p.want(`"`)
	var b strings.Builder
	for p.err == nil {
		c := p.peek()
		switch {
		case c == '"':
			p.pos++
			return b.String()
		case c == 0 || c == '\r' || c == '\n':
			p.fail("quoted string that does not end on its line")
		case c == '\\':
			p.pos++
			if c = p.peek(); c != '"' && c != '\\' {
				p.fail("only quote and backslash are escaped in a quoted string")
				return ""
			}
			b.WriteByte(c)
			p.pos++
		case c >= utf8.RuneSelf:
			b.WriteString(p.rune("quoted string"))
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
	return ""
}

// rune is one character of more than one octet.
func (p *parser) rune(where string) string {
	r, n := utf8.DecodeRuneInString(p.text[p.pos:])
	switch {
	case !p.utf8:
		p.fail("8-bit octet in %s without UTF8=ACCEPT", where)
		return ""
	case r == utf8.RuneError && n <= 1:
		p.fail("invalid UTF-8 in %s", where)
		return ""
	}
	p.pos += n
	return p.text[p.pos-n : p.pos]
}

// literal is literal or, when binary, also literal8. It returns the first octets.
func (p *parser) literal(binary bool) string {
	eight := binary && p.take("~")
	p.want("{")
	n := p.number64()
	p.want("}\r\n")
	if p.err != nil {
		return ""
	}
	if len(p.literals) == 0 {
		p.fail("literal of which there is nothing")
		return ""
	}
	l := p.literals[0]
	p.literals = p.literals[1:]
	switch {
	case l.size != n:
		p.fail("literal of %d octets announced as %d", l.size, n)
	case l.nul && !eight:
		p.fail("NUL in a literal that is no literal8")
	}
	return string(l.begin)
}

// digits reads a number up to most.
func (p *parser) digits(what string, most uint64) uint64 {
	var n uint64
	for _, c := range p.while(what, isDigit) {
		d := uint64(c - '0')
		if n > (most-d)/10 {
			p.fail("%s above %d", what, most)
			return 0
		}
		n = 10*n + d
	}
	return n
}

func (p *parser) number() uint32   { return uint32(p.digits("number", math.MaxUint32)) }
func (p *parser) number64() int64  { return int64(p.digits("number64", math.MaxInt64)) }
func (p *parser) nzNumber() uint32 { return uint32(p.nz("nz-number", math.MaxUint32)) }

// nz is digit-nz *DIGIT.
func (p *parser) nz(what string, most uint64) uint64 {
	if p.peek() == '0' {
		p.fail("%s must not begin with 0", what)
	}
	return p.digits(what, most)
}

// modSeq is mod-sequence-value: RFC 7162 has 63 bits.
func (p *parser) modSeq() { p.nz("mod-sequence-value", math.MaxInt64) }

// list is "(" [item *(SP item)] ")" with at least so many items.
func (p *parser) list(least int, item func()) {
	p.want("(")
	n := 0
	for ; p.err == nil && p.peek() != ')'; n++ {
		if n > 0 {
			p.sp()
		}
		item()
	}
	p.want(")")
	if n < least {
		p.fail("a list of %d or more expected", least)
	}
}

// span is one seq-range.
type span struct{ low, high uint32 }

// set is a set of numbers as servers send it, without "*". It returns how many numbers are in it.
func (p *parser) set() uint64 {
	var n uint64
	for _, s := range p.spans() {
		n += uint64(s.high-s.low) + 1
	}
	return n
}

func (p *parser) spans() []span {
	var all []span
	for p.err == nil {
		s := span{low: p.nzNumber()}
		s.high = s.low
		if p.take(":") {
			s.high = p.nzNumber()
		}
		if s.low > s.high {
			s.low, s.high = s.high, s.low
		}
		all = append(all, s)
		if !p.take(",") {
			break
		}
	}
	return all
}
