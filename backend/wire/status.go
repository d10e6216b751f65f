package wire

// maxText bounds the human-readable text of a response.
const maxText = 1000

// Tagged writes the completion of a command: typ is OK, NO or BAD, code a
// response code without brackets or "".
func (w *Writer) Tagged(tag, typ, code, text string) {
	w.answers++
	w.status(tag, typ, code, text)
}

// Untagged writes "* typ [code] text".
func (w *Writer) Untagged(typ, code, text string) { w.status("*", typ, code, text) }

// Continue writes a command continuation request, "+ text". The space is there
// also without text: clients look for it.
func (w *Writer) Continue(text string) {
	w.Raw("+ ")
	w.buf = appendText(w.buf, text)
	w.CRLF()
}

// Answers is how many times Tagged was called.
func (w *Writer) Answers() int { return w.answers }

func (w *Writer) status(tag, typ, code, text string) {
	w.Raw(tag)
	w.SP()
	w.Raw(typ)
	w.SP()
	if code != "" {
		w.Raw("[")
		w.buf = appendPrintable(w.buf, code)
		w.Raw("] ")
	} else if len(text) > 0 && text[0] == '[' {
		text = "(" + text[1:] // it would be read as a response code
	}
	start := len(w.buf)
	w.buf = appendText(w.buf, text)
	for len(w.buf) > start && w.buf[len(w.buf)-1] == ' ' {
		w.buf = w.buf[:len(w.buf)-1]
	}
	if len(w.buf) == start {
		w.Raw("Done") // RFC 3501 section 9: text is never empty
	}
	w.CRLF()
}

func appendText(b []byte, s string) []byte {
	return appendPrintable(b, s[:min(len(s), maxText)])
}

// appendPrintable makes one line of printable ASCII of s (RFC 3501 section 9,
// TEXT-CHAR).
func appendPrintable(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20 || c == 0x7f:
			b = append(b, ' ')
		case c >= 0x80:
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return b
}
