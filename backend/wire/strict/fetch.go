package strict

import (
	"slices"
	"strings"
	"time"
)

// onceItems are the items of FETCH that have one value only.
var onceItems = strings.Fields("FLAGS ENVELOPE INTERNALDATE RFC822.SIZE UID MODSEQ EMAILID THREADID SAVEDATE PREVIEW BODYSTRUCTURE")

// messageData is msg-att: what follows FETCH and UIDFETCH.
func (p *parser) messageData() {
	var seen []string
	p.list(1, func() {
		name := strings.ToUpper(p.while("item", func(c byte) bool { return isAtomChar(c) && c != '[' && c != '<' }))
		if slices.Contains(onceItems, name) && slices.Contains(seen, name) {
			p.fail("%s twice in FETCH", name)
		}
		seen = append(seen, name)
		if p.peek() == '[' {
			p.sectionData(name)
			return
		}
		p.sp()
		p.item(name)
	})
}

func (p *parser) item(name string) {
	switch name {
	case "FLAGS":
		p.flags(`\Recent`)
	case "ENVELOPE":
		p.envelope()
	case "INTERNALDATE":
		p.dateTime()
	case "SAVEDATE":
		if !p.takeNil() {
			p.dateTime()
		}
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT", "PREVIEW":
		p.nstring()
	case "RFC822.SIZE":
		p.number64()
	case "UID":
		p.nzNumber()
	case "BODY", "BODYSTRUCTURE":
		p.body(name == "BODYSTRUCTURE")
	case "MODSEQ":
		p.want("(")
		p.modSeq()
		p.want(")")
	case "EMAILID":
		p.objectID()
	case "THREADID":
		if !p.takeNil() {
			p.objectID()
		}
	default:
		p.fail("%s is no FETCH item", name)
	}
}

// sectionData is an item with a section: BODY[...]<n>, BINARY[...]<n> and BINARY.SIZE[...].
func (p *parser) sectionData(name string) {
	p.want("[")
	switch name {
	case "BODY":
		p.section()
	case "BINARY", "BINARY.SIZE":
		if p.peek() != ']' {
			p.part()
		}
	default:
		p.fail("%s has no section", name)
	}
	p.want("]")
	if name != "BINARY.SIZE" && p.take("<") {
		p.number64() // RFC 9051 lets clients ask for that much, and the answer says what was asked for
		p.want(">")
	}
	p.sp()
	switch {
	case name == "BINARY.SIZE":
		p.number()
	case name == "BINARY" && p.peek() == '~':
		p.literal(true)
	default:
		p.nstring()
	}
}

// part is section-part: it stops before what is no number.
func (p *parser) part() {
	for p.nzNumber(); p.err == nil && p.peek() == '.' && p.pos+1 < len(p.text) && isDigit(p.text[p.pos+1]); p.nzNumber() {
		p.pos++
	}
}

func (p *parser) section() {
	if p.peek() == ']' {
		return
	}
	inPart := isDigit(p.peek())
	if inPart {
		p.part()
		if !p.take(".") {
			return
		}
	}
	switch {
	case p.take("HEADER.FIELDS.NOT"), p.take("HEADER.FIELDS"):
		p.sp()
		p.list(1, func() { p.astring() })
	case p.take("HEADER"), p.take("TEXT"), inPart && p.take("MIME"):
	default:
		p.fail("section expected")
	}
}

// dateTime is date-time, and a date that exists.
func (p *parser) dateTime() {
	s := p.quoted()
	if p.err != nil {
		return
	}
	const layout = "_2-Jan-2006 15:04:05 -0700"
	if _, err := time.Parse(layout, s); err != nil || len(s) != len(layout) {
		p.fail("%q is no date-time", s)
	}
}

// envelope is RFC 3501 section 7.4.2. Sender and Reply-To are told as From when the message has none.
func (p *parser) envelope() {
	p.want("(")
	p.nstring() // date
	p.sp()
	p.nstring() // subject
	p.sp()
	var empty [6]bool
	for i := range empty { // from, sender, reply-to, to, cc, bcc
		empty[i] = p.addresses()
		p.sp()
	}
	if !empty[0] && (empty[1] || empty[2]) {
		p.fail("From, but no Sender or no Reply-To")
	}
	p.nstring() // in-reply-to
	p.sp()
	p.nstring() // message-id
	p.want(")")
}

// addresses is 1*address in parentheses, or NIL. Groups begin and end within it.
func (p *parser) addresses() (isNil bool) {
	if p.takeNil() {
		return true
	}
	inGroup := false
	p.want("(")
	for more := true; more && p.err == nil; more = p.peek() == '(' {
		p.want("(")
		p.nstring() // name
		p.sp()
		p.nstring() // route
		p.sp()
		_, noBox := p.nstring()
		p.sp()
		_, noHost := p.nstring()
		p.want(")")
		if noBox && !noHost {
			p.fail("address with a host and no mailbox")
		}
		if noHost && noBox != inGroup {
			p.fail("group in a group, or the end of none")
		}
		if noHost {
			inGroup = !inGroup
		}
	}
	p.want(")")
	if inGroup {
		p.fail("group without an end")
	}
	return false
}
