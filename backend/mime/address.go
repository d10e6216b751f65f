package mime

import "bytes"

// The address parser is made for what is in mailboxes, not for what RFC 5322
// allows: it never refuses, it only decides. Words are collected until the next
// special says what they were:
//
//	<  the display name; an address in angles follows
//	@  the local part (with a name before it, perhaps); a domain follows
//	:  the name of a group
//	,  ;  or the end: a local part without a domain
//
// No step goes back, and a quote that nothing closes is looked for only once,
// so time is linear in the size of the field.

// maxAddresses bounds one address field (CVE-2024-23184: huge address headers).
const maxAddresses = 10000

// Address is one element of an address list in an envelope. A nil field is
// NIL. Host nil and Mailbox set starts the group of that name, all nil ends a
// group (RFC 9051 section 7.5.2).
type Address struct{ Name, Adl, Mailbox, Host []byte }

// ParseAddresses returns the addresses in the value of an address field, which
// may still be folded.
func ParseAddresses(value []byte) []Address { return appendAddresses(nil, value) }

func appendAddresses(out []Address, value []byte) []Address {
	p := addressParser{b: value, out: out, limit: len(out) + maxAddresses}
	p.list()
	return p.out
}

type addressParser struct {
	b       []byte
	i       int
	out     []Address
	limit   int
	group   bool   // inside a group
	junk    bool   // no comma since the last address: bare words are leftovers
	unpair  bool   // nothing closes a quote: quotes are plain bytes from there on
	comment []byte // the last comment of this address

	// The last run of words: all of them, and the same cut where the last one
	// begins that could be a local part.
	before, last, all text
}

func (p *addressParser) list() {
	for p.skip(); p.i < len(p.b) && len(p.out) < p.limit; p.skip() {
		switch p.b[p.i] {
		case ',':
			p.i++
			p.junk = false
		case ';':
			p.i++
			p.endGroup()
		case ':', '>', ')':
			p.i++
		default:
			p.element()
		}
	}
	p.endGroup()
}

// element reads one mailbox or the head of a group.
func (p *addressParser) element() {
	p.comment = nil
	if !p.usual() {
		p.general()
	}
}

func (p *addressParser) general() {
	p.words()
	switch p.peek() {
	case '<':
		p.i++
		p.angle(p.all.b)
	case '@':
		a := Address{Name: p.before.b}
		p.addrSpec(&a, &p.last)
		p.add(&a)
	case ':':
		p.i++
		p.startGroup(p.all.b)
	default:
		if !p.junk {
			p.add(&Address{Mailbox: p.all.b})
		}
	}
}

// usual reads an address in the form that nearly all have, with nothing odd in
// it: joe@example.org, or that in angles with a name of words or one quoted
// string before it. Of anything else it reads nothing, and what it reads it
// reads as general does; it is there because listing a mailbox means hundreds
// of thousands of addresses.
func (p *addressParser) usual() bool {
	start := p.i
	name, i := p.usualName()
	at := atomEnd(p.b, i)
	if at == i || at >= len(p.b)-1 || p.b[at] != '@' || p.b[at+1] == '[' {
		return false
	}
	end := atomEnd(p.b, at+1)
	a := Address{Name: name, Mailbox: p.b[i:at:at], Host: p.b[at+1 : end : end]}
	if i > start {
		if end == len(p.b) || p.b[end] != '>' {
			return false
		}
		p.i = end + 1
		p.skip()
	} else {
		p.i = end
		p.skip()
		if c := p.peek(); p.i < len(p.b) && c != ',' && c != ';' {
			p.i, p.comment = start, nil
			return false
		}
	}
	if end == at+1 {
		a.Host = nil
	}
	p.add(&a)
	return true
}

// usualName returns what stands before a "<", and the offset behind that; or
// the current offset when there is something else.
func (p *addressParser) usualName() (name []byte, i int) {
	b, i := p.b, p.i
	if b[i] == '"' {
		end, plain := quoteEnd(b, i+1)
		if !plain || p.unpair || len(b) < end+3 || string(b[end:end+3]) != "\" <" {
			return nil, p.i
		}
		return b[i+1 : end : end], end + 3
	}
	for i < len(b) && b[i] != '<' {
		if i = atomEnd(b, i); i == len(b) || b[i] != ' ' && b[i] != '<' {
			return nil, p.i
		}
		if b[i] == ' ' {
			if i++; i == len(b) || isSpace(b[i]) {
				return nil, p.i
			}
		}
	}
	if i == len(b) {
		return nil, p.i
	}
	name = bytes.TrimSuffix(b[p.i:i], []byte(" "))
	return name[:len(name):len(name)], i + 1
}

func (p *addressParser) startGroup(name []byte) {
	if p.group || name == nil {
		return
	}
	p.group, p.junk = true, false
	p.out = append(p.out, Address{Mailbox: name})
}

func (p *addressParser) endGroup() {
	if p.group {
		p.out = append(p.out, Address{})
	}
	p.group, p.junk = false, false
}

// angle reads what follows a "<".
func (p *addressParser) angle(name []byte) {
	a := Address{Name: name}
	p.skip()
	if p.peek() == '@' {
		a.Adl = p.route()
	}
	p.words()
	local := &p.last
	if p.before.b != nil { // <joe doe@example.org>
		local = &p.all
	}
	p.addrSpec(&a, local)
	p.closeAngle()
	p.skip()
	p.add(&a)
}

// addrSpec completes an address at the "@" behind its local part, if there is
// one.
func (p *addressParser) addrSpec(a *Address, local *text) {
	for p.peek() == '@' {
		if a.Host != nil { // user@host@relay: the last one is the host
			local.add(p.b, append([]byte("@"), a.Host...), -1, false)
		}
		p.i++
		a.Host = p.domain()
	}
	a.Mailbox = local.b
}

// add appends an address. A comment is the name of one that has no other (RFC
// 5322 section 3.4 calls it the old form).
func (p *addressParser) add(a *Address) {
	if len(a.Name) == 0 && p.comment != nil {
		a.Name = unquote(trim(p.comment))
	}
	if len(a.Name) == 0 {
		a.Name = nil
	}
	if a.Mailbox == nil {
		a.Mailbox = []byte("MISSING_MAILBOX")
	}
	if a.Host == nil {
		a.Host = []byte("MISSING_DOMAIN")
	}
	p.out = append(p.out, *a)
	p.junk = true
}

// words reads a run of words and the blanks behind it.
func (p *addressParser) words() {
	p.before, p.last, p.all = text{}, text{}, text{}
	dot := false
	for {
		gap := p.skip()
		piece, start := p.word()
		if piece == nil {
			return
		}
		// RFC 5322 section 4.4 allows blanks around the dots of a local part.
		if gap && p.last.b != nil && !dot && (len(piece) == 0 || piece[0] != '.') {
			p.before, p.last = p.all, text{}
		}
		dot = len(piece) > 0 && piece[len(piece)-1] == '.'
		p.last.add(p.b, piece, start, false)
		p.all.add(p.b, piece, start, gap)
	}
}

// word reads an atom (dots and any 8-bit bytes are part of it) or a quoted
// string. It returns nil at a special, and a start of -1 for a piece that does
// not stand so in the input.
func (p *addressParser) word() (piece []byte, start int) {
	if p.peek() == '"' && !p.unpair {
		if piece, start, ok := p.quoted(); ok {
			return piece, start
		}
	}
	start = p.i
	p.i = atomEnd(p.b, start)
	for p.unpair && p.peek() == '"' {
		p.i = atomEnd(p.b, p.i+1)
	}
	if p.i == start {
		return nil, 0
	}
	return p.b[start:p.i], start
}

// quoted reads a quoted string. Without a closing quote it reads nothing.
func (p *addressParser) quoted() (piece []byte, start int, ok bool) {
	start = p.i + 1
	end, plain := quoteEnd(p.b, start)
	if end == len(p.b) {
		p.unpair = true
		return nil, 0, false
	}
	p.i = end + 1
	if plain {
		return p.b[start:end], start, true
	}
	return unquote(p.b[start:end]), -1, true
}

// route reads a source route "@a,@b:" and nothing when no colon ends it.
func (p *addressParser) route() []byte {
	for j := p.i; j < len(p.b); j++ {
		switch p.b[j] {
		case ':':
			adl := p.b[p.i:j:j]
			p.i = j + 1
			return withoutSpace(adl)
		case '<', '>', '"', '(':
			return nil
		}
	}
	return nil
}

// domain reads the dotted atoms or the literal behind an "@".
func (p *addressParser) domain() []byte {
	p.skip()
	if p.peek() == '[' {
		if j := bytes.IndexAny(p.b[p.i:], "]<>,;\"@"); j >= 0 && p.b[p.i+j] == ']' {
			literal := p.b[p.i : p.i+j+1 : p.i+j+1]
			p.i += j + 1
			return withoutSpace(literal)
		}
	}
	var d text
	for dot := true; dot || p.peek() == '.'; p.skip() {
		start := p.i
		if p.i = atomEnd(p.b, start); p.i == start {
			break
		}
		d.add(p.b, p.b[start:p.i], start, false)
		dot = p.b[p.i-1] == '.'
	}
	return d.b
}

// closeAngle goes behind the ">" of the address, or to the separator when
// there is none.
func (p *addressParser) closeAngle() {
	for ; p.i < len(p.b); p.skip() {
		switch p.b[p.i] {
		case '>':
			p.i++
			return
		case ',', ';', '<', ':':
			return
		}
		if piece, _ := p.word(); piece == nil {
			p.i++
		}
	}
}

func (p *addressParser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// skip goes over blanks, line breaks and comments and says whether there were
// any. It keeps the last comment.
func (p *addressParser) skip() bool {
	if p.i < len(p.b) && p.b[p.i] > '(' {
		return false
	}
	return p.skipCFWS()
}

func (p *addressParser) skipCFWS() bool {
	start := p.i
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case isSpace(c):
			p.i++
		case c == '(':
			end := commentEnd(p.b, p.i)
			p.comment = bytes.TrimSuffix(p.b[p.i+1:end], []byte(")"))
			p.i = end
		default:
			return p.i > start
		}
	}
	return p.i > start
}
