package mime

import "bytes"

// readFields takes the Content-* fields of the part's header. digest says that
// the part stands in a multipart/digest, whose parts are messages unless they
// say otherwise (RFC 2046 section 5.1.5).
func (p *Part) readFields(header []byte, digest bool) {
	var seen bool
	s := fieldScanner{h: header}
	for s.next() {
		if n := s.name - s.start; n < len("content-id") || lowerByte(header[s.start]) != 'c' ||
			!equalFold(header[s.start:s.start+len("content-")], "content-") {
			continue
		}
		if s.is("content-type") {
			if !seen {
				p.setType(s.raw())
			}
			seen = true
			continue
		}
		p.setField(&s)
	}
	switch {
	case seen:
	case digest:
		p.Type, p.Subtype = "MESSAGE", "RFC822"
	default:
		p.setText()
	}
	if len(p.Encoding) == 0 {
		p.Encoding = sevenBit()
	}
}

// setField takes a Content-* field other than the type, if it is the first of
// its name.
func (p *Part) setField(s *fieldScanner) {
	switch {
	case s.is("content-transfer-encoding"):
		if p.Encoding == nil {
			p.Encoding = encodingName(s.raw())
		}
	case s.is("content-disposition"):
		if p.Disposition == nil {
			p.Disposition = parseDisposition(s.raw())
		}
	case s.is("content-id"):
		keepFirst(&p.ID, s)
	case s.is("content-description"):
		keepFirst(&p.Description, s)
	case s.is("content-md5"):
		keepFirst(&p.MD5, s)
	case s.is("content-location"):
		keepFirst(&p.Location, s)
	case s.is("content-language"):
		if p.Language == nil {
			p.Language = parseLanguage(s.raw())
		}
	}
}

func keepFirst(dst *[]byte, s *fieldScanner) {
	if *dst == nil {
		*dst = s.text()
	}
}

// setType reads a Content-Type. What is not even a type is text/plain (RFC
// 2045 section 5.2).
func (p *Part) setType(v []byte) {
	i := skipCFWS(v, 0)
	end := tokenEnd(v, i)
	p.Type = upper(v[i:end])
	if i = skipCFWS(v, end); i < len(v) && v[i] == '/' {
		i = skipCFWS(v, i+1)
		end = tokenEnd(v, i)
		p.Subtype = upper(v[i:end])
	}
	switch {
	case p.Type == "MULTIPART" && p.Subtype == "":
		p.Subtype = "MIXED"
	case p.Type == "TEXT" && p.Subtype == "":
		p.Subtype = "PLAIN"
	case p.Type == "" || p.Subtype == "":
		p.setText()
		return
	}
	p.Params = parseParams(v[end:])
	if p.Type == "TEXT" && p.Params == nil {
		p.Params = usASCII()
	}
}

func encodingName(v []byte) []byte {
	i := skipCFWS(v, 0)
	name := v[i:tokenEnd(v, i)]
	for _, c := range name {
		if 'a' <= c && c <= 'z' {
			return bytes.ToUpper(name)
		}
	}
	return name
}

// parseDisposition returns nil for a field without a disposition.
func parseDisposition(v []byte) *Disposition {
	i := skipCFWS(v, 0)
	end := tokenEnd(v, i)
	if end == i {
		return nil
	}
	return &Disposition{Type: upper(v[i:end]), Params: parseParams(v[end:])}
}

// parseLanguage reads the tags of RFC 3282.
func parseLanguage(v []byte) [][]byte {
	var tags [][]byte
	for i := skipCFWS(v, 0); i < len(v) && len(tags) < maxParams; i = skipCFWS(v, i) {
		end := tokenEnd(v, i)
		if end > i {
			tags = append(tags, v[i:end:end])
		}
		i = max(end, i+1)
	}
	return tags
}

// parseParams reads the parameters behind a type or disposition. It is lenient:
// the semicolon may be missing, and a value without quotes may have blanks and
// specials (`name=my file.pdf`), as it is found in mail.
func parseParams(v []byte) []Param {
	var params []Param
	for i := 0; i < len(v) && len(params) < maxParams; {
		i = skipCFWS(v, i)
		end := tokenEnd(v, i)
		if end == i { // a semicolon, or rubbish
			i++
			continue
		}
		name := v[i:end]
		if i = skipCFWS(v, end); i == len(v) || v[i] != '=' {
			continue
		}
		var value []byte
		value, i = paramValue(v, i+1)
		if params == nil {
			params = make([]Param, 0, 2)
		}
		params = append(params, Param{upper(name), value})
	}
	return params
}

// paramValue reads a value at i and returns the offset behind it.
func paramValue(v []byte, i int) ([]byte, int) {
	if i = skipCFWS(v, i); i < len(v) && v[i] == '"' {
		end, plain := quoteEnd(v, i+1)
		value := v[i+1 : end : end]
		if !plain {
			value = unquote(value)
		}
		return value, min(end+1, len(v))
	}
	start, end := i, i
	for i < len(v) && v[i] != ';' {
		if !isSpace(v[i]) {
			i++
			end = i
			continue
		}
		if i = skipCFWS(v, i); startsParam(v, i) {
			break
		}
	}
	return unfold(v[start:end:end]), i
}

// startsParam says whether a name and "=" stand at i.
func startsParam(v []byte, i int) bool {
	end := tokenEnd(v, i)
	return end > i && end < len(v) && v[end] == '='
}

// upper is the upper-case form of a token, without a copy for the usual ones.
func upper(b []byte) string {
	var room [24]byte
	if len(b) > len(room) {
		return string(bytes.ToUpper(b))
	}
	u := room[:len(b)]
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		u[i] = c
	}
	return intern(u)
}

func intern(u []byte) string {
	switch string(u) {
	case "TEXT":
		return "TEXT"
	case "PLAIN":
		return "PLAIN"
	case "HTML":
		return "HTML"
	case "MULTIPART":
		return "MULTIPART"
	case "MIXED":
		return "MIXED"
	case "ALTERNATIVE":
		return "ALTERNATIVE"
	case "RELATED":
		return "RELATED"
	case "MESSAGE":
		return "MESSAGE"
	case "RFC822":
		return "RFC822"
	case "APPLICATION":
		return "APPLICATION"
	case "IMAGE":
		return "IMAGE"
	case "CHARSET":
		return "CHARSET"
	case "BOUNDARY":
		return "BOUNDARY"
	case "NAME":
		return "NAME"
	case "FILENAME":
		return "FILENAME"
	case "FORMAT":
		return "FORMAT"
	case "ATTACHMENT":
		return "ATTACHMENT"
	case "INLINE":
		return "INLINE"
	}
	return string(u)
}
