package wire

import "bytes"

// maxFlat keeps clear of the 50 KiB at which imapserver loses its place.
const maxFlat = 48 << 10

// Flatten returns the command as one line without literals, and without its
// tag and line end: every literal becomes a quoted string. It fails with a
// *SyntaxError when an argument holds CR, LF or NUL, when the line would be
// longer than 48 KiB, or when it contains what a decoder could take for the
// start of a literal.
func Flatten(c *Command) ([]byte, error) {
	var out []byte
	if c.UID {
		out = append(out, "UID "...)
	}
	out = append(out, c.Name...)
	p := &Parser{b: c.Args.b, lim: c.Args.lim} // whatever a handler has parsed already
	for rest := p.rest(); len(rest) > 0; rest = p.rest() {
		var err error
		switch {
		case rest[0] == '"':
			out, err = p.flatString(out)
		case p.LiteralAhead():
			out, err = p.flatString(out)
		case rest[0] == '{' || rest[0] < 0x20 || rest[0] == 0x7f:
			err = p.expected("argument")
		default:
			out = append(out, rest[0])
			p.pos++
		}
		if err != nil {
			return nil, err
		}
		if len(out) > maxFlat {
			return nil, syntax("Command line too long")
		}
	}
	return out, nil
}

// flatString reads a string and appends it quoted.
func (p *Parser) flatString(out []byte) ([]byte, error) {
	b, err := p.String()
	if err != nil {
		return nil, err
	}
	if bytes.ContainsAny(b, "\r\n\x00") {
		return nil, syntax("Line end or NUL in argument")
	}
	return appendQuoted(out, b), nil
}

func appendQuoted(out, b []byte) []byte {
	out = append(out, '"')
	for _, c := range b {
		if c == '"' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return append(out, '"')
}
