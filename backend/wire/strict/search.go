package strict

import "slices"

// numbers is what follows SEARCH and SORT: message numbers, and in the end the highest mod-sequence among them.
func (p *parser) numbers() {
	for p.take(" ") {
		if p.peek() == '(' {
			p.want("(MODSEQ ")
			p.modSeq()
			p.want(")")
			return
		}
		p.nzNumber()
	}
}

// extendedSearch is ESEARCH of RFC 4731 with what RFC 5267 and RFC 9394 add.
func (p *parser) extendedSearch() {
	if p.take(" (TAG ") {
		p.string()
		p.want(")")
	}
	if p.take(" UID") && p.peek() != ' ' && p.peek() != 0 {
		p.fail("search return data expected")
	}
	var seen []string
	for p.take(" ") {
		name := p.word()
		if slices.Contains(seen, name) && name != "ADDTO" && name != "REMOVEFROM" {
			p.fail("%s twice in ESEARCH", name)
		}
		seen = append(seen, name)
		p.sp()
		switch name {
		case "MIN", "MAX":
			p.nzNumber()
		case "ALL":
			p.set()
		case "COUNT":
			p.number()
		case "MODSEQ":
			p.modSeq()
		case "PARTIAL":
			p.partial()
		case "ADDTO", "REMOVEFROM":
			p.list(2, p.update())
		default:
			p.fail("%s is no search return data", name)
		}
	}
}

// partial is "(" range SP (set / NIL) ")"; RFC 9394 counts from the end with "-".
func (p *parser) partial() {
	p.want("(")
	minus := p.take("-")
	p.nzNumber()
	p.want(":")
	if minus {
		p.want("-")
	}
	p.nzNumber()
	p.sp()
	if !p.takeNil() {
		p.set()
	}
	p.want(")")
}

// update reads the position and the set of ADDTO and REMOVEFROM in turn.
func (p *parser) update() func() {
	position := false
	return func() {
		if position = !position; position {
			p.number()
			if p.peek() != ' ' {
				p.fail("position without a set")
			}
			return
		}
		p.set()
	}
}

// threads is what follows THREAD.
func (p *parser) threads() {
	if !p.take(" ") {
		return
	}
	for more := true; more && p.err == nil; more = p.peek() == '(' {
		p.thread()
	}
}

// thread is thread-list: numbers one below the other, then nothing or two threads at least.
func (p *parser) thread() {
	p.want("(")
	members := 0
	for ; isDigit(p.peek()); members++ {
		p.nzNumber()
		if p.peek() != ' ' {
			p.want(")")
			return
		}
		p.sp()
	}
	branches := 0
	for ; p.err == nil && p.peek() == '('; branches++ {
		p.thread()
	}
	if branches < 2 {
		p.fail("%d branches below %d members of a thread", branches, members)
	}
	p.want(")")
}

// vanished is RFC 7162 section 3.2.10. It returns how many messages are gone now.
func (p *parser) vanished() uint64 {
	earlier := p.take("(EARLIER) ")
	n := p.set()
	if earlier {
		return 0
	}
	return n
}
