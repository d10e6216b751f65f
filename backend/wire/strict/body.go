package strict

import "strings"

// body is RFC 3501's body; only extended (BODYSTRUCTURE) may have extension data.
func (p *parser) body(extended bool) {
	p.want("(")
	if p.peek() == '(' {
		p.multipart(extended)
	} else {
		p.single(extended)
	}
	p.want(")")
}

func (p *parser) multipart(extended bool) {
	for p.err == nil && p.peek() == '(' {
		p.body(extended)
	}
	p.sp()
	p.token("media subtype")
	if !p.more(extended) {
		return
	}
	p.parameters()
	p.ending()
}

// more reads the space before extension data when there are any.
func (p *parser) more(extended bool) bool {
	if !p.take(" ") {
		return false
	}
	if !extended {
		p.fail("extension data in BODY")
	}
	return p.err == nil
}

// token is a string that is not empty: the name of something.
func (p *parser) token(what string) string {
	s := p.string()
	if s == "" {
		p.fail("empty %s", what)
	}
	return strings.ToUpper(s)
}

func (p *parser) single(extended bool) {
	typ := p.token("media type")
	p.sp()
	subtype := p.token("media subtype")
	p.sp()
	p.parameters()
	p.sp()
	p.nstring() // id
	p.sp()
	p.nstring() // description
	p.sp()
	p.token("encoding")
	p.sp()
	p.number() // octets
	switch {
	case typ == "MULTIPART":
		p.fail("multipart as a single part")
	case typ == "MESSAGE" && (subtype == "RFC822" || subtype == "GLOBAL" && p.peek() == ' '):
		p.sp()
		p.envelope()
		p.sp()
		p.body(extended)
		p.sp()
		p.number() // lines
	case typ == "TEXT":
		p.sp()
		p.number() // lines
	}
	if !p.more(extended) {
		return
	}
	p.nstring() // MD5
	p.ending()
}

// parameters is body-fld-param: names and values, or NIL.
func (p *parser) parameters() {
	if p.takeNil() {
		return
	}
	p.list(1, func() {
		p.token("parameter name")
		p.sp()
		p.string()
	})
}

// ending is what both kinds of body have at their end: disposition, language, location, and what may come in future.
func (p *parser) ending() {
	if !p.take(" ") {
		return
	}
	if !p.takeNil() {
		p.want("(")
		p.token("disposition")
		p.sp()
		p.parameters()
		p.want(")")
	}
	if !p.take(" ") {
		return
	}
	if p.peek() == '(' {
		p.list(1, func() { p.string() })
	} else {
		p.nstring()
	}
	if !p.take(" ") {
		return
	}
	p.nstring()
	for p.take(" ") {
		p.extension()
	}
}

// extension is body-extension: nstring, number, or a list of them.
func (p *parser) extension() {
	switch {
	case p.peek() == '(':
		p.list(1, p.extension)
	case isDigit(p.peek()):
		p.number64()
	default:
		p.nstring()
	}
}
