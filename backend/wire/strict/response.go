package strict

import "strings"

// kind is what a response is, for what the Checker does about it.
type kind struct {
	tag  string // of a tagged response; "+" of a continuation request, "*" of all others
	name string // OK, EXISTS, FETCH...
	code string // of a status response
	n    uint64 // the number before EXISTS, EXPUNGE and FETCH; how many VANISHED
	data []string
}

// response parses one whole response.
func (p *parser) response() kind {
	k := p.anyResponse()
	p.end()
	return k
}

func (p *parser) anyResponse() kind {
	if p.take("+") {
		p.sp()
		k := kind{tag: "+"}
		if p.pos < len(p.text) { // the empty challenge of a SASL mechanism has no text
			k.code = p.respText()
			k.name = "text"
		}
		return k
	}
	if !p.take("* ") {
		k := kind{tag: p.while("tag", isTagChar)}
		p.sp()
		if k.name = p.word(); k.name != "OK" && k.name != "NO" && k.name != "BAD" {
			p.fail("tagged answer %s is none of OK, NO and BAD", k.name)
		}
		p.sp()
		k.code = p.respText()
		return k
	}
	if isDigit(p.peek()) {
		return p.numbered()
	}
	k := kind{tag: "*", name: p.word()}
	p.untagged(&k)
	return k
}

// numbered is a response that begins with a number.
func (p *parser) numbered() kind {
	zero := p.peek() == '0'
	k := kind{tag: "*", n: uint64(p.number())}
	p.sp()
	k.name = p.word()
	switch k.name {
	case "EXISTS", "RECENT":
		return k
	case "EXPUNGE":
	case "FETCH", "UIDFETCH":
		p.sp()
		p.messageData()
	default:
		p.fail("%s does not follow a number", k.name)
	}
	if zero {
		p.fail("%s of message 0", k.name)
	}
	return k
}

func (p *parser) untagged(k *kind) {
	switch k.name { // those that may end here
	case "SEARCH", "SORT":
		p.numbers()
		return
	case "ESEARCH":
		p.extendedSearch()
		return
	case "THREAD":
		p.threads()
		return
	case "ENABLED":
		for p.take(" ") {
			k.data = append(k.data, p.word())
		}
		return
	}
	p.sp()
	switch k.name {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		k.code = p.respText()
	case "CAPABILITY":
		p.capabilities()
	case "FLAGS":
		p.flags("")
	case "LIST", "LSUB":
		p.mailboxList()
	case "STATUS":
		p.status()
	case "NAMESPACE":
		p.namespaces()
	case "VANISHED":
		k.n = p.vanished()
	case "ID":
		p.id()
	case "QUOTA":
		p.quota()
	case "QUOTAROOT":
		p.quotaRoots()
	case "ACL":
		p.accessList()
	case "LISTRIGHTS":
		p.listRights()
	case "MYRIGHTS":
		p.myRights()
	case "METADATA":
		p.metadata()
	default:
		p.fail("response %s is not known", strings.ToUpper(k.name))
	}
}
