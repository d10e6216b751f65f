package wire

import (
	"bytes"
	"math"
	"strconv"
)

// Parser walks over the arguments of a command. Its methods return
// *SyntaxError, except that one on a streamed command may meet an error of the
// stream.
type Parser struct {
	b     []byte
	pos   int
	depth int
	lim   Limits
	more  func() ([]byte, error)       // reads the literal announced at the end of b
	names func(string) (string, error) // what Mailbox makes of a name; nil: nothing
}

// NewParser returns a Parser over b, in which literals stand as on the wire:
// "{5}" CRLF and five octets.
func NewParser(b []byte, lim Limits) *Parser {
	return &Parser{b: b, lim: lim.withDefaults()}
}

func (p *Parser) rest() []byte { return p.b[p.pos:] }

func (p *Parser) expected(what string) error {
	if p.AtEnd() {
		return syntax("Syntax error: " + what + " expected at the end")
	}
	return syntax("Syntax error: " + what + " expected at character " + strconv.Itoa(p.pos+1) + " of the arguments")
}

// AtEnd says whether nothing is left.
func (p *Parser) AtEnd() bool { return p.pos >= len(p.b) }

// Peek returns the next octet without using it, 0 at the end.
func (p *Parser) Peek() byte {
	if p.AtEnd() {
		return 0
	}
	return p.b[p.pos]
}

// PeekSecond returns the octet behind the next one, 0 if there is none.
func (p *Parser) PeekSecond() byte {
	if p.pos+1 >= len(p.b) {
		return 0
	}
	return p.b[p.pos+1]
}

// End demands the end of the command. Blanks in front of it are tolerated:
// some clients send them.
func (p *Parser) End() error {
	for p.TryByte(' ') {
	}
	if !p.AtEnd() {
		return p.expected("end of command")
	}
	return nil
}

// TryEnd says whether nothing but blanks is left, as End demands it.
func (p *Parser) TryEnd() bool { return len(bytes.TrimLeft(p.rest(), " ")) == 0 }

// SP reads a space; more of them count as one, as in UW.
func (p *Parser) SP() error {
	if err := p.Byte(' '); err != nil {
		return err
	}
	for p.TryByte(' ') {
	}
	return nil
}

// Byte reads the octet c.
func (p *Parser) Byte(c byte) error {
	if p.TryByte(c) {
		return nil
	}
	if c == ' ' {
		return p.expected("space")
	}
	return p.expected(strconv.QuoteRune(rune(c)))
}

// TryByte reads the octet c if it is next.
func (p *Parser) TryByte(c byte) bool {
	if p.AtEnd() || p.b[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

// take reads the longest run of a class; it may be empty.
func (p *Parser) take(class func(byte) bool) []byte {
	n := span(p.rest(), class)
	p.pos += n
	return p.b[p.pos-n : p.pos : p.pos]
}

func (p *Parser) some(class func(byte) bool, what string) ([]byte, error) {
	b := p.take(class)
	if len(b) == 0 {
		return nil, p.expected(what)
	}
	return b, nil
}

// Atom reads an atom.
func (p *Parser) Atom() (string, error) {
	b, err := p.some(isAtomChar, "atom")
	return string(b), err
}

// Keyword reads an atom and returns it in upper case.
func (p *Parser) Keyword() (string, error) {
	b, err := p.some(isAtomChar, "keyword")
	return upper(b), err
}

// TryKeyword reads an atom if it is this one, in any case.
func (p *Parser) TryKeyword(name string) bool {
	n := span(p.rest(), isAtomChar)
	if !equalFold(p.rest()[:n], name) {
		return false
	}
	p.pos += n
	return true
}

// Word reads the name of a data item in upper case: it ends before "[".
func (p *Parser) Word() (string, error) {
	b, err := p.some(isWordChar, "name")
	return upper(b), err
}

// Number reads a number of 32 bits.
func (p *Parser) Number() (uint32, error) {
	n, err := p.number(math.MaxUint32)
	return uint32(n), err
}

// NZNumber is Number without zero.
func (p *Parser) NZNumber() (uint32, error) {
	start := p.pos
	n, err := p.Number()
	if err == nil && n == 0 {
		p.pos = start
		return 0, p.expected("non-zero number")
	}
	return n, err
}

// Number64 reads a number of 63 bits (RFC 9051 number64, RFC 7162
// mod-sequences).
func (p *Parser) Number64() (int64, error) { return p.number(math.MaxInt64) }

func (p *Parser) number(limit int64) (int64, error) {
	start := p.pos
	digits, err := p.some(isDigit, "number")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n > limit {
		p.pos = start
		return 0, p.expected("smaller number")
	}
	return n, nil
}

// Set reads a sequence set or "$".
func (p *Parser) Set() (Set, error) {
	start := p.pos
	b, err := p.some(isSetChar, "sequence set")
	if err != nil {
		return nil, err
	}
	if bytes.Count(b, []byte(",")) >= p.lim.Ranges {
		return nil, &SyntaxError{Text: "Sequence set with too many ranges", Code: "LIMIT", No: true}
	}
	s, err := ParseSet(string(b))
	if err != nil {
		p.pos = start
		return nil, p.expected("valid sequence set")
	}
	return s, nil
}

// List reads a parenthesised list, possibly empty, and calls f for each
// element.
func (p *Parser) List(f func() error) error {
	if err := p.Byte('('); err != nil {
		return err
	}
	if p.depth++; p.depth > p.lim.Nesting {
		return syntax("Too many nested parentheses")
	}
	defer func() { p.depth-- }()
	for !p.TryByte(')') {
		if err := f(); err != nil {
			return err
		}
		if p.Peek() != ')' {
			if err := p.SP(); err != nil {
				return err
			}
		}
	}
	return nil
}

// LiteralAhead says whether a literal is next.
func (p *Parser) LiteralAhead() bool {
	_, _, ok := leading(p.rest())
	return ok
}

// literal reads a literal into memory.
func (p *Parser) literal() ([]byte, error) {
	a, n, ok := leading(p.rest())
	if !ok {
		return nil, p.expected("string")
	}
	if p.more != nil && p.pos+n == len(p.b) {
		b, err := p.more()
		if err != nil {
			return nil, err
		}
		p.b = b
	}
	if a.size > int64(len(p.b)-p.pos-n) {
		return nil, p.expected("whole literal")
	}
	data := p.b[p.pos+n:][:a.size:a.size]
	if !a.binary && bytes.IndexByte(data, 0) >= 0 {
		return nil, syntax("NUL in literal") // RFC 9051 CHAR8; only literal8 may have it
	}
	p.pos += n + int(a.size)
	return data, nil
}
