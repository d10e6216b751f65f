package mime

import "spoold/backend/wire"

// Write writes the part as a body of RFC 9051 section 9: BODYSTRUCTURE when
// extended, else BODY.
func (p *Part) Write(w *wire.Writer, extended bool) {
	w.Raw("(")
	if p.IsMultipart() {
		p.writeMultipart(w, extended)
	} else {
		p.writeSingle(w, extended)
	}
	w.Raw(")")
}

func (p *Part) writeMultipart(w *wire.Writer, extended bool) {
	for _, c := range p.Children {
		c.Write(w, extended)
	}
	w.SP()
	writeString(w, p.Subtype)
	if extended {
		w.SP()
		writeParams(w, p.Params)
		p.writeExtension(w)
	}
}

func (p *Part) writeSingle(w *wire.Writer, extended bool) {
	writeString(w, p.Type)
	w.SP()
	writeString(w, p.Subtype)
	w.SP()
	writeParams(w, p.Params)
	w.SP()
	w.NString(p.ID)
	w.SP()
	w.NString(p.Description)
	w.SP()
	w.String(p.Encoding)
	w.SP()
	w.Num(uint64(p.Body.Len()))
	if p.isMessage() {
		w.SP()
		p.Envelope.Write(w)
		w.SP()
		p.Message.Write(w, extended)
	}
	if p.isMessage() || p.Type == "TEXT" {
		w.SP()
		w.Num(uint64(p.Lines))
	}
	if extended {
		w.SP()
		w.NString(p.MD5)
		p.writeExtension(w)
	}
}

// writeExtension writes what single parts and multiparts both end with.
func (p *Part) writeExtension(w *wire.Writer) {
	w.SP()
	if d := p.Disposition; d != nil {
		w.Raw("(")
		writeString(w, d.Type)
		w.SP()
		writeParams(w, d.Params)
		w.Raw(")")
	} else {
		w.Raw("NIL")
	}
	w.SP()
	if len(p.Language) > 0 {
		w.List(len(p.Language), func(i int) { w.String(p.Language[i]) })
	} else {
		w.Raw("NIL")
	}
	w.SP()
	w.NString(p.Location)
}

func writeParams(w *wire.Writer, params []Param) {
	if len(params) == 0 {
		w.Raw("NIL")
		return
	}
	w.Raw("(")
	for i := range params {
		if i > 0 {
			w.SP()
		}
		writeString(w, params[i].Name)
		w.SP()
		w.String(params[i].Value)
	}
	w.Raw(")")
}

// writeString writes a token: its bytes need no escape.
func writeString(w *wire.Writer, token string) {
	w.Raw(`"`)
	w.Raw(token)
	w.Raw(`"`)
}
