package wire

import "bytes"

// String reads a quoted string or a literal.
func (p *Parser) String() ([]byte, error) {
	switch p.Peek() {
	case '"':
		return p.quoted()
	case '{', '~':
		return p.literal()
	}
	return nil, p.expected("string")
}

// AString reads an atom (in which "]" and octets above 127 are allowed), a
// quoted string or a literal.
func (p *Parser) AString() ([]byte, error) {
	if c := p.Peek(); c == '"' || c == '{' || c == '~' && p.LiteralAhead() {
		return p.String()
	}
	return p.some(isAStringChar, "string")
}

// NString reads a string or NIL.
func (p *Parser) NString() (b []byte, isNil bool, err error) {
	if n := span(p.rest(), isAtomChar); equalFold(p.rest()[:n], "NIL") {
		p.pos += n
		return nil, true, nil
	}
	b, err = p.String()
	return b, false, err
}

// quoted reads a quoted string. Octets above 127 pass: passwords have them.
// RFC 9051 section 9: only DQUOTE and backslash may be escaped.
func (p *Parser) quoted() ([]byte, error) {
	text := p.b[p.pos+1:]
	plain := bytes.IndexAny(text, "\"\\\r\n\x00")
	if plain >= 0 && text[plain] == '"' {
		p.pos += plain + 2
		return text[:plain:plain], nil
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			p.pos += i + 2
			return out, nil
		case 0, '\r', '\n':
			return nil, syntax("Line end or NUL in quoted string")
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return nil, syntax("Invalid escape in quoted string")
			}
		}
		out = append(out, text[i])
	}
	return nil, syntax("Unterminated quoted string")
}

// Mailbox reads a mailbox name and returns its octets as they came, or what
// Reader.Names makes of them; INBOX in any case becomes "INBOX". CR, LF and NUL
// are refused: no mailbox has them.
func (p *Parser) Mailbox() (string, error) {
	name, err := p.name(isAStringChar)
	if err != nil || p.names == nil {
		return name, err
	}
	return p.names(name)
}

// Reference reads the reference of a LIST, which is the beginning of a pattern.
func (p *Parser) Reference() (string, error) { return p.name(isAStringChar) }

// Pattern reads a LIST pattern, which may contain wildcards unquoted.
func (p *Parser) Pattern() (string, error) { return p.name(isListChar) }

func (p *Parser) name(class func(byte) bool) (string, error) {
	var b []byte
	var err error
	if c := p.Peek(); c == '"' || c == '{' {
		b, err = p.String()
	} else {
		b, err = p.some(class, "mailbox name")
	}
	switch {
	case err != nil:
		return "", err
	case bytes.ContainsAny(b, "\r\n\x00"):
		return "", syntax("Invalid character in mailbox name")
	case equalFold(b, "INBOX"):
		return "INBOX", nil
	}
	return string(b), nil
}

// Flag reads a flag or keyword. The flags of RFC 9051 section 2.3.2 get their
// usual spelling, since their case does not matter.
func (p *Parser) Flag() (string, error) {
	if !p.TryByte('\\') {
		b, err := p.some(isAtomChar, "flag")
		return string(b), err
	}
	b, err := p.some(isAtomChar, "flag")
	if err != nil {
		return "", err
	}
	for _, known := range []string{"Seen", "Answered", "Flagged", "Deleted", "Draft", "Recent"} {
		if bytes.EqualFold(b, []byte(known)) {
			return "\\" + known, nil
		}
	}
	return "\\" + string(b), nil
}

// FlagList reads a parenthesised list of flags.
func (p *Parser) FlagList() ([]string, error) {
	var flags []string
	err := p.List(func() error {
		f, err := p.Flag()
		flags = append(flags, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return flags, nil
}
