package strict

import (
	"slices"
	"strings"
)

// respText is resp-text of RFC 3501, where text is never empty. Empty text after a code, and text that ends in a space,
// break clients also where RFC 9051 allows them.
func (p *parser) respText() (code string) {
	if p.take("[") {
		code = p.code()
		p.want("]")
		p.sp()
	}
	start := p.pos
	for p.err == nil && p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == 0 || c == '\r' || c == '\n':
			p.fail("NUL, CR or LF in text")
		case c >= 0x80:
			p.rune("text")
		default:
			p.pos++
		}
	}
	switch {
	case p.err != nil:
	case p.pos == start:
		p.fail("empty text")
	case strings.HasSuffix(p.text, " "):
		p.fail("text that ends in a space")
	}
	return code
}

// plainCodes are the response codes without arguments: RFC 3501, 4315, 4467, 5182, 5255, 5464 to 5466, 5530, 6154, 6203,
// 7162, 8474, 9051, 9586.
var plainCodes = strings.Fields(`ALERT PARSE READ-ONLY READ-WRITE TRYCREATE UIDNOTSTICKY NOTSAVED CLOSED NOMODSEQ
	UNAVAILABLE AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED PRIVACYREQUIRED CONTACTADMIN NOPERM INUSE EXPUNGEISSUED
	CORRUPTION SERVERBUG CLIENTBUG CANNOT LIMIT OVERQUOTA ALREADYEXISTS NONEXISTENT HASCHILDREN UNKNOWN-CTE TOOBIG
	NOTIFICATIONOVERFLOW USEATTR COMPRESSIONACTIVE UIDREQUIRED BADCOMPARATOR`)

// code is resp-text-code without its brackets.
func (p *parser) code() string {
	name := p.word()
	if slices.Contains(plainCodes, name) || p.err != nil {
		return name
	}
	switch name {
	case "BADCHARSET":
		if p.take(" ") {
			p.list(1, p.charset)
		}
	case "INPROGRESS":
		if p.take(" ") {
			p.inProgress()
		}
	default:
		p.sp()
		p.codeArguments(name)
	}
	return name
}

func (p *parser) codeArguments(name string) {
	switch name {
	case "CAPABILITY":
		p.capabilities()
	case "PERMANENTFLAGS":
		p.flags(`\*`)
	case "UIDNEXT", "UIDVALIDITY", "UNSEEN":
		p.nzNumber()
	case "APPENDUID":
		p.nzNumber()
		p.sp()
		p.set()
	case "COPYUID":
		p.nzNumber()
		p.sp()
		from := p.set()
		p.sp()
		if to := p.set(); from != to {
			p.fail("COPYUID with %d UIDs for %d", to, from)
		}
	case "HIGHESTMODSEQ":
		p.modSeq()
	case "MODIFIED":
		p.set()
	case "MAILBOXID":
		p.objectID()
	case "MESSAGELIMIT":
		p.number()
		if p.take(" ") {
			p.nzNumber()
		}
	case "METADATA":
		p.metadataCode()
	case "BADEVENT":
		p.list(1, func() { p.atom() })
	case "NOUPDATE":
		p.quoted()
	case "BADURL":
		p.url()
	case "REFERRAL": // RFC 2193 section 6 and RFC 2221 section 5
		for p.url(); p.take(" "); {
			p.url()
		}
	default:
		p.fail("unknown response code %s before", name)
	}
}

func (p *parser) url() {
	p.while("URL", func(c byte) bool { return c > ' ' && c < 0x7f && c != ']' })
}

func (p *parser) charset() {
	if p.peek() == '"' {
		p.quoted()
		return
	}
	p.atom()
}

// metadataCode is RFC 5464 section 4.2.1 and 4.3.
func (p *parser) metadataCode() {
	switch name := p.word(); name {
	case "TOOMANY", "NOPRIVATE":
	case "LONGENTRIES", "MAXSIZE":
		p.sp()
		p.number()
	default:
		p.fail("METADATA %s is not known", name)
	}
}

// inProgress is RFC 9585: the tag, how much is done, and of how much.
func (p *parser) inProgress() {
	p.want("(")
	if !p.takeNil() {
		p.quoted()
	}
	p.sp()
	var done uint64
	known := !p.takeNil()
	if known {
		done = uint64(p.number())
	}
	p.sp()
	if !p.takeNil() {
		if goal := uint64(p.nzNumber()); !known || done > goal {
			p.fail("progress beyond the goal %d, or none to it", goal)
		}
	}
	p.want(")")
}

// capabilities is capability-data behind its name.
func (p *parser) capabilities() {
	seen := map[string]bool{}
	for again := true; again && p.err == nil; again = p.take(" ") {
		name := p.word()
		if seen[name] {
			p.fail("capability %s twice", name)
		}
		if name == "AUTH=" {
			p.fail("AUTH= without a mechanism")
		}
		seen[name] = true
	}
	if !seen["IMAP4REV1"] && !seen["IMAP4REV2"] {
		p.fail("capabilities without IMAP4rev1 and IMAP4rev2")
	}
}
