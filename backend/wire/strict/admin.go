package strict

import "strings"

// id is RFC 2971: at most 30 fields, of 30 octets, with values of 1024; none twice.
func (p *parser) id() {
	if p.takeNil() {
		return
	}
	seen := map[string]bool{}
	p.list(0, func() {
		field := strings.ToLower(p.string())
		p.sp()
		value, _ := p.nstring()
		if seen[field] || len(field) > 30 || len(value) > 1024 || len(seen) == 30 {
			p.fail("ID field %q twice, too long, or one too many", field)
		}
		seen[field] = true
	})
}

// quota is RFC 9208: the root, then resources with usage and limit.
func (p *parser) quota() {
	p.astring()
	p.sp()
	p.list(0, func() {
		p.atom()
		p.sp()
		p.number64()
		p.sp()
		p.number64()
	})
}

func (p *parser) quotaRoots() {
	p.mailbox()
	for p.take(" ") {
		p.astring()
	}
}

// rights are RFC 4314's: lower case letters and digits, none twice.
func (p *parser) rights() {
	seen := ""
	for _, c := range p.astring() {
		if c < '0' || c > '9' && c < 'a' || c > 'z' || strings.ContainsRune(seen, c) {
			p.fail("right %q twice or unknown", c)
		}
		seen += string(c)
	}
}

func (p *parser) accessList() {
	p.mailbox()
	for p.take(" ") {
		p.astring()
		p.sp()
		p.rights()
	}
}

func (p *parser) listRights() {
	p.mailbox()
	p.sp()
	p.astring()
	p.sp()
	p.rights()
	for p.take(" ") {
		p.rights()
	}
}

func (p *parser) myRights() {
	p.mailbox()
	p.sp()
	p.rights()
}

// metadata is RFC 5464: entries with values, or the names alone of what changed.
func (p *parser) metadata() {
	p.mailbox()
	p.sp()
	if p.peek() != '(' {
		for p.entry(); p.take(" "); p.entry() {
		}
		return
	}
	p.list(1, func() {
		p.entry()
		p.sp()
		if p.peek() == '~' {
			p.literal(true)
			return
		}
		p.nstring()
	})
}

// entry is the name of an annotation: /private or /shared, no empty component, no wildcards, 7 bits.
func (p *parser) entry() {
	name := strings.ToLower(p.astring())
	bad := func(r rune) bool { return r >= 0x7f || r < ' ' || r == '*' || r == '%' }
	if !strings.HasPrefix(name, "/private/") && !strings.HasPrefix(name, "/shared/") ||
		strings.HasSuffix(name, "/") || strings.Contains(name, "//") || strings.IndexFunc(name, bad) >= 0 {
		p.fail("%q is no name of a METADATA entry", name)
	}
}
