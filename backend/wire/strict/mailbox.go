package strict

import (
	"slices"
	"strings"
)

var systemFlags = []string{`\ANSWERED`, `\FLAGGED`, `\DELETED`, `\SEEN`, `\DRAFT`}

// flags is flag-list, where also may stand for one flag more.
func (p *parser) flags(also string) {
	var seen []string
	p.list(0, func() {
		f := ""
		if p.take(`\`) {
			f = `\`
		}
		if f != "" && p.take("*") {
			f += "*"
		} else {
			f += p.word()
		}
		if strings.HasPrefix(f, `\`) && !slices.Contains(systemFlags, f) && !strings.EqualFold(f, also) {
			p.fail("flag %s is not for here", f)
		}
		if slices.Contains(seen, f) {
			p.fail("flag %s twice", f)
		}
		seen = append(seen, f)
	})
}

// mailbox is astring; without UTF8=ACCEPT its name has 7 bits only (RFC 3501 section 5.1.3).
func (p *parser) mailbox() string {
	name := p.astring()
	if !p.utf8 && strings.IndexFunc(name, func(r rune) bool { return r >= 0x80 }) >= 0 {
		p.fail("8-bit mailbox name %q without UTF8=ACCEPT", name)
	}
	return name
}

func (p *parser) delimiter() {
	if p.peek() != '"' {
		p.null()
		return
	}
	if d := p.quoted(); len([]rune(d)) != 1 {
		p.fail("hierarchy delimiter of one character expected, not %q", d)
	}
}

// listFlags are those of RFC 3501, 3348, 5258 and 6154.
var listFlags = strings.Fields(`\NOINFERIORS \NOSELECT \MARKED \UNMARKED \NONEXISTENT \HASCHILDREN \HASNOCHILDREN
	\SUBSCRIBED \REMOTE \ALL \ARCHIVE \DRAFTS \FLAGGED \JUNK \SENT \TRASH \IMPORTANT`)

// contradictions are attributes that RFC 3501 and RFC 5258 do not allow beside each other.
var contradictions = [][2]string{
	{`\MARKED`, `\UNMARKED`},
	{`\HASCHILDREN`, `\HASNOCHILDREN`},
	{`\HASCHILDREN`, `\NOINFERIORS`},
	{`\NOSELECT`, `\MARKED`},
	{`\NOSELECT`, `\UNMARKED`},
}

// mailboxList is what follows LIST and LSUB.
func (p *parser) mailboxList() {
	var seen []string
	p.list(0, func() {
		p.want(`\`)
		f := `\` + p.word()
		if !slices.Contains(listFlags, f) || slices.Contains(seen, f) {
			p.fail("mailbox attribute %s twice or unknown", f)
		}
		seen = append(seen, f)
	})
	for _, c := range contradictions {
		if slices.Contains(seen, c[0]) && slices.Contains(seen, c[1]) {
			p.fail("mailbox attributes %s and %s", c[0], c[1])
		}
	}
	p.sp()
	p.delimiter()
	p.sp()
	p.mailbox()
	if p.take(" ") {
		p.list(0, p.extendedItem)
	}
}

// extendedItem is mbox-list-extended-item of RFC 5258.
func (p *parser) extendedItem() {
	switch name := strings.ToUpper(p.astring()); name {
	case "CHILDINFO":
		p.sp()
		p.list(1, func() { p.astring() })
	case "OLDNAME":
		p.sp()
		p.want("(")
		p.mailbox()
		p.want(")")
	default:
		p.fail("extended list data %q before", name)
	}
}

// status is STATUS of RFC 3501 and of the extensions that add to it.
func (p *parser) status() {
	p.mailbox()
	p.sp()
	var seen []string
	p.list(0, func() {
		name := p.word()
		if slices.Contains(seen, name) {
			p.fail("%s twice in STATUS", name)
		}
		seen = append(seen, name)
		p.sp()
		switch name {
		case "MESSAGES", "RECENT", "UNSEEN", "DELETED":
			p.number()
		case "UIDNEXT", "UIDVALIDITY":
			p.nzNumber()
		case "SIZE", "DELETED-STORAGE", "HIGHESTMODSEQ":
			p.number64()
		case "APPENDLIMIT":
			if !p.takeNil() {
				p.number()
			}
		case "MAILBOXID":
			p.objectID()
		default:
			p.fail("%s is no STATUS item", name)
		}
	})
}

// namespaces is RFC 2342.
func (p *parser) namespaces() {
	for i := range 3 {
		if i > 0 {
			p.sp()
		}
		if p.takeNil() {
			continue
		}
		p.want("(")
		for more := true; more && p.err == nil; more = p.peek() == '(' {
			p.namespace()
		}
		p.want(")")
	}
}

func (p *parser) namespace() {
	p.want("(")
	p.string()
	p.sp()
	p.delimiter()
	for p.take(" ") {
		p.string()
		p.sp()
		p.list(1, func() { p.string() })
	}
	p.want(")")
}

// objectID is RFC 8474: 1 to 255 letters, digits, "_" and "-" in parentheses.
func (p *parser) objectID() {
	p.want("(")
	id := p.while("objectid", func(c byte) bool {
		return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '-'
	})
	if len(id) > 255 {
		p.fail("objectid of %d octets", len(id))
	}
	p.want(")")
}
