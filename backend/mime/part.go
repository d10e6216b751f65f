package mime

// Bounds on what one message may make of itself.
const (
	maxDepth  = 100
	maxParts  = 10000
	maxParams = 1000
)

// Span is a half-open range of offsets in a message.
type Span struct{ Start, End int }

// Of returns the bytes of msg in the span.
func (s Span) Of(msg []byte) []byte { return msg[s.Start:s.End:s.End] }

// Len is the number of octets.
func (s Span) Len() int { return s.End - s.Start }

// Param is one parameter of a Content-Type or Content-Disposition, in the
// order and the RFC 2231 form in which the mail has it. Name is in upper case.
type Param struct {
	Name  string
	Value []byte
}

// Disposition is a Content-Disposition field (RFC 2183); Type is in upper case.
type Disposition struct {
	Type   string
	Params []Param
}

// Part is one entity of a message: the message itself, a part of a multipart,
// or the message inside a message/rfc822.
type Part struct {
	Header Span // the fields and the blank line
	Body   Span

	Type, Subtype   string // upper case
	Params          []Param
	ID, Description []byte
	Encoding        []byte // upper case, "7BIT" when the mail says nothing
	MD5             []byte
	Disposition     *Disposition
	Language        [][]byte
	Location        []byte

	Lines    int     // of a text or message body
	Children []*Part // of a multipart; never empty there

	// Of a message/rfc822 or message/global: the message, and its envelope.
	Message  *Part
	Envelope *Envelope
}

// IsMultipart says whether the part consists of Children.
func (p *Part) IsMultipart() bool { return p.Type == "MULTIPART" }

// Param returns the value of the parameter of this upper-case name, or nil.
func (p *Part) Param(name string) []byte {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return p.Params[i].Value
		}
	}
	return nil
}

func (p *Part) isMessage() bool {
	return p.Type == "MESSAGE" && (p.Subtype == "RFC822" || p.Subtype == "GLOBAL")
}

// setText makes the part a plain text: what RFC 2045 section 5.2 says of a part
// that does not say what it is.
func (p *Part) setText() {
	p.Type, p.Subtype = "TEXT", "PLAIN"
	p.Params = usASCII()
}

// emptyText is the part that a multipart without parts is given.
func emptyText(at int) *Part {
	p := &Part{Header: Span{at, at}, Body: Span{at, at}, Encoding: sevenBit()}
	p.setText()
	return p
}

func usASCII() []Param { return []Param{{"CHARSET", []byte("US-ASCII")}} }

func sevenBit() []byte { return []byte("7BIT") }
