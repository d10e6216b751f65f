package mime

import (
	"strconv"
	"strings"

	"spoold/backend/wire"
)

// Kind says what of an entity a section is.
type Kind int

const (
	All        Kind = iota // no text: the whole of it
	HeaderKind             // HEADER
	Fields                 // HEADER.FIELDS
	FieldsNot              // HEADER.FIELDS.NOT
	TextKind               // TEXT
	MIMEKind               // MIME
)

// Section is what stands between the brackets of BODY[...]: a part number,
// empty for the message itself, and what of that part.
type Section struct {
	Path   []int
	Kind   Kind
	Fields []string // of Fields and FieldsNot, as the client wrote them
}

// ParseSection reads a section and its "]", after the "[".
func ParseSection(p *wire.Parser) (Section, error) {
	var s Section
	if p.TryByte(']') {
		return s, nil
	}
	done, err := s.parsePath(p)
	if err == nil && !done {
		err = s.parseText(p)
	}
	if err == nil {
		err = p.Byte(']')
	}
	return s, err
}

// parsePath reads the part number. done: no text follows it.
func (s *Section) parsePath(p *wire.Parser) (done bool, err error) {
	for c := p.Peek(); '0' <= c && c <= '9'; c = p.Peek() {
		n, err := p.NZNumber()
		if err != nil {
			return false, err
		}
		s.Path = append(s.Path, int(n))
		if !p.TryByte('.') {
			return true, nil
		}
	}
	return false, nil
}

func (s *Section) parseText(p *wire.Parser) error {
	name, err := p.Keyword()
	if err != nil {
		return err
	}
	switch name {
	case "HEADER":
		s.Kind = HeaderKind
	case "HEADER.FIELDS":
		s.Kind = Fields
		return s.parseFields(p)
	case "HEADER.FIELDS.NOT":
		s.Kind = FieldsNot
		return s.parseFields(p)
	case "TEXT":
		s.Kind = TextKind
	case "MIME":
		s.Kind = MIMEKind
		if len(s.Path) == 0 {
			return &wire.SyntaxError{Text: "MIME needs a part number"}
		}
	default:
		return &wire.SyntaxError{Text: "Unknown section text"}
	}
	return nil
}

func (s *Section) parseFields(p *wire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	err := p.List(func() error {
		name, err := p.AString()
		if err == nil && !isPrintable(name) {
			err = &wire.SyntaxError{Text: "Field name is not printable ASCII"}
		}
		s.Fields = append(s.Fields, string(name))
		return err
	})
	if err == nil && len(s.Fields) == 0 {
		err = &wire.SyntaxError{Text: "Missing field names"}
	}
	return err
}

// isPrintable keeps out what the response could not repeat in a quoted string.
func isPrintable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// String is the section as it stands between the brackets of the response.
func (s Section) String() string {
	if len(s.Path) == 0 && s.Kind != Fields && s.Kind != FieldsNot {
		return s.Kind.String()
	}
	var b strings.Builder
	for i, n := range s.Path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(n))
	}
	if len(s.Path) > 0 && s.Kind != All {
		b.WriteByte('.')
	}
	b.WriteString(s.Kind.String())
	if s.Kind == Fields || s.Kind == FieldsNot {
		s.writeFields(&b)
	}
	return b.String()
}

func (k Kind) String() string {
	return [...]string{"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"}[k]
}

func (s Section) writeFields(b *strings.Builder) {
	for i, name := range s.Fields {
		if i == 0 {
			b.WriteString(" (")
		} else {
			b.WriteByte(' ')
		}
		if isPlainName(name) {
			b.WriteString(name)
		} else {
			b.WriteString(quote(name))
		}
	}
	b.WriteByte(')')
}

// isPlainName says whether a field name can be sent as an atom. No field name
// in use needs more than these bytes; NIL would be something else.
func isPlainName(name string) bool {
	for i := range len(name) {
		c := lowerByte(name[i])
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return name != "" && !strings.EqualFold(name, "NIL")
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// HeaderOnly says whether the header of the message is enough for Extract.
func (s Section) HeaderOnly() bool {
	return len(s.Path) == 0 && (s.Kind == HeaderKind || s.Kind == Fields || s.Kind == FieldsNot)
}

// Extract returns the section of msg; for a section that is HeaderOnly, the
// header is enough of it. root, which returns Parse(msg), is called for a part
// number only. ok is false when there is no such part: the answer is NIL.
func (s Section) Extract(msg []byte, root func() *Part) (b []byte, ok bool) {
	if len(s.Path) == 0 {
		end := HeaderEnd(msg)
		return s.cut(msg, Span{0, end}, Span{end, len(msg)}), true
	}
	p := root().Find(s.Path)
	if p == nil {
		return nil, false
	}
	switch s.Kind {
	case All:
		return p.Body.Of(msg), true
	case MIMEKind:
		return p.Header.Of(msg), true
	}
	// RFC 9051 section 6.4.5.1: the others need a message/rfc822 part.
	if p.Message == nil {
		return nil, false
	}
	return s.cut(msg, p.Message.Header, p.Message.Body), true
}

// cut takes the section's kind from a message that lies so in msg.
func (s Section) cut(msg []byte, header, body Span) []byte {
	switch s.Kind {
	case HeaderKind:
		return header.Of(msg)
	case TextKind:
		return body.Of(msg)
	case Fields, FieldsNot:
		return s.AppendFields(nil, header.Of(msg))
	}
	return Span{header.Start, body.End}.Of(msg)
}

// AppendFields appends those fields of the header that the section, of kind
// Fields or FieldsNot, names or does not name, and a blank line.
func (s Section) AppendFields(dst, header []byte) []byte {
	if dst == nil {
		dst = make([]byte, 0, s.sizeHint(len(header)))
	}
	f := fieldScanner{h: header}
	for f.next() {
		if s.names(header[f.start:f.name]) == (s.Kind == Fields) {
			dst = append(dst, header[f.start:f.end]...)
		}
	}
	if n := len(dst); n > 0 && dst[n-1] != '\n' { // the last line of a cut header
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func (s Section) sizeHint(header int) int {
	if s.Kind == FieldsNot {
		return header + 4
	}
	return min(header+4, 64+80*len(s.Fields))
}

func (s Section) names(field []byte) bool {
	for _, name := range s.Fields {
		if nameIs(field, name) {
			return true
		}
	}
	return false
}

// Find returns the part with this number (RFC 9051 section 6.4.5.1), or nil.
// Part 1 of a message that is no multipart is the message itself, of which
// then only the body and the MIME header are meant.
func (p *Part) Find(path []int) *Part {
	message := true // p stands for a message, not for a part of one
	for _, n := range path {
		if !message && p.Message != nil {
			p, message = p.Message, true
		}
		switch {
		case p.IsMultipart():
			if n < 1 || n > len(p.Children) {
				return nil
			}
			p = p.Children[n-1]
		case !message || n != 1:
			return nil
		}
		message = false
	}
	return p
}
