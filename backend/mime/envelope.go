package mime

import "spoold/backend/wire"

// Envelope is what RFC 9051 section 7.5.2 wants to be told about a message, as
// raw header text. A nil string or list is NIL; a string field that is there
// without a value is empty.
type Envelope struct {
	Date, Subject                      []byte
	From, Sender, ReplyTo, To, Cc, Bcc []Address
	InReplyTo, MessageID               []byte

	room [6]Address // where the lists of an ordinary message lie
}

// ParseEnvelope reads the envelope from a header. Sender and Reply-To are From
// when they are absent or empty.
func ParseEnvelope(header []byte) *Envelope {
	e := new(Envelope)
	room := e.room[:0]
	s := fieldScanner{h: header}
	for s.next() {
		if dst := e.stringField(&s); dst != nil {
			if *dst == nil {
				*dst = s.text()
			}
		} else if dst := e.listField(&s); dst != nil && *dst == nil {
			from := len(room)
			room = appendAddresses(room, s.raw())
			*dst = list(room[from:])
		}
	}
	if e.Sender == nil {
		e.Sender = e.From
	}
	if e.ReplyTo == nil {
		e.ReplyTo = e.From
	}
	return e
}

// list is nil for no addresses: RFC 9051 allows no empty list, and a field
// without addresses is told like an absent one.
func list(a []Address) []Address {
	if len(a) == 0 {
		return nil
	}
	return a[:len(a):len(a)]
}

// stringField returns where the current field's text belongs, if it does.
func (e *Envelope) stringField(s *fieldScanner) *[]byte {
	switch s.name - s.start {
	case 4:
		if s.is("date") {
			return &e.Date
		}
	case 7:
		if s.is("subject") {
			return &e.Subject
		}
	case 10:
		if s.is("message-id") {
			return &e.MessageID
		}
	case 11:
		if s.is("in-reply-to") {
			return &e.InReplyTo
		}
	}
	return nil
}

// listField returns where the current field's addresses belong, if they do.
func (e *Envelope) listField(s *fieldScanner) *[]Address {
	switch s.name - s.start {
	case 2:
		if s.is("to") {
			return &e.To
		} else if s.is("cc") {
			return &e.Cc
		}
	case 3:
		if s.is("bcc") {
			return &e.Bcc
		}
	case 4:
		if s.is("from") {
			return &e.From
		}
	case 6:
		if s.is("sender") {
			return &e.Sender
		}
	case 8:
		if s.is("reply-to") {
			return &e.ReplyTo
		}
	}
	return nil
}

// Write writes the envelope with its parentheses.
func (e *Envelope) Write(w *wire.Writer) {
	w.Raw("(")
	w.NString(e.Date)
	w.SP()
	w.NString(e.Subject)
	for _, l := range [...][]Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
		w.SP()
		writeAddresses(w, l)
	}
	w.SP()
	w.NString(e.InReplyTo)
	w.SP()
	w.NString(e.MessageID)
	w.Raw(")")
}

func writeAddresses(w *wire.Writer, list []Address) {
	if len(list) == 0 {
		w.Raw("NIL")
		return
	}
	w.Raw("(")
	for i := range list {
		a := &list[i]
		w.Raw("(")
		w.NString(a.Name)
		w.SP()
		w.NString(a.Adl)
		w.SP()
		w.NString(a.Mailbox)
		w.SP()
		w.NString(a.Host)
		w.Raw(")")
	}
	w.Raw(")")
}
