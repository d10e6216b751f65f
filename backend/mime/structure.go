package mime

import "bytes"

// The structure is read in one pass from the first byte to the last. The
// scanner stands at the start of a line; the boundaries of all open multiparts
// are in a map, so that a line is looked up once whatever the nesting, and a
// body is crossed by searching for the two hyphens of the next candidate.
//
// A delimiter of an outer multipart ends everything inside it, whether or not
// that was closed. When one boundary is open twice, the inner multipart has it.

// Parse reads the structure of a message.
func Parse(msg []byte) *Part {
	s := scanner{msg: msg}
	return s.entity(false, 0)
}

type scanner struct {
	msg      []byte
	pos      int // start of a line
	parts    int
	levels   int            // open multiparts
	boundary map[string]int // to the level, from 1, of the multipart that it delimits
	longest  int            // length of the longest boundary ever open

	// The delimiter line that ended the last body.
	ended bool // still to be looked at by the multipart that it belongs to
	level int  // 0: end of the message
	line  int  // offset of its start
	close bool

	counted, newlines int // line breaks in msg[:counted]
}

// entity reads a header and its body up to a delimiter.
func (s *scanner) entity(digest bool, depth int) *Part {
	s.parts++
	p := new(Part)
	p.Header = s.header()
	p.readFields(p.Header.Of(s.msg), digest)
	p.Body.Start = p.Header.End
	if depth >= maxDepth && (p.IsMultipart() || p.isMessage()) {
		p.Type, p.Subtype = "APPLICATION", "OCTET-STREAM"
	}
	switch {
	case p.IsMultipart():
		s.multipart(p, depth)
	case p.isMessage():
		before := s.lineBreaks(p.Body.Start)
		s.message(p, depth)
		p.Lines = s.lineBreaks(p.Body.End) - before
	default:
		s.find()
		p.Body.End = s.bodyEnd(p.Body.Start)
		if p.Type == "TEXT" {
			p.Lines = bytes.Count(p.Body.Of(s.msg), []byte("\n"))
		}
	}
	return p
}

// header goes over a header and its blank line. A delimiter ends it, too.
func (s *scanner) header() Span {
	start := s.pos
	if s.ended {
		return Span{s.line, s.line}
	}
	for s.pos < len(s.msg) {
		if s.atDelimiter() {
			return Span{start, s.line}
		}
		blank := isBlankLine(s.msg[s.pos:])
		s.pos = lineEnd(s.msg, s.pos)
		if blank {
			return Span{start, s.pos}
		}
	}
	s.finish()
	return Span{start, len(s.msg)}
}

func (s *scanner) message(p *Part, depth int) {
	p.Message = s.entity(false, depth+1)
	p.Envelope = ParseEnvelope(p.Message.Header.Of(s.msg))
	p.Body.End = max(s.bodyEnd(p.Body.Start), p.Message.Body.End)
}

func (s *scanner) multipart(p *Part, depth int) {
	end := p.Body.Start
	if b := trimRight(p.Param("BOUNDARY")); len(b) > 0 && !s.ended {
		end = s.children(p, string(b), depth)
	} else {
		s.find()
	}
	p.Body.End = max(s.bodyEnd(p.Body.Start), end)
	if p.Children == nil {
		p.Children = []*Part{emptyText(p.Body.Start)}
	}
}

// children reads the parts of a multipart, with what stands before and behind
// them, and returns the end of the last one.
func (s *scanner) children(p *Part, boundary string, depth int) (end int) {
	outer, twice := s.boundary[boundary]
	s.open(boundary)
	level := s.levels
	digest := p.Subtype == "DIGEST"
	for s.find(); s.level == level && !s.close; {
		s.ended = false
		child := s.entity(digest, depth+1)
		p.Children = append(p.Children, child)
		end = child.Body.End
	}
	s.levels--
	if twice {
		s.boundary[boundary] = outer
	} else {
		delete(s.boundary, boundary)
	}
	if s.level == level { // closed: what follows is not for reading
		s.ended = false
		s.find()
	}
	return end
}

func (s *scanner) open(boundary string) {
	if s.boundary == nil {
		s.boundary = make(map[string]int)
	}
	s.levels++
	s.boundary[boundary] = s.levels
	s.longest = max(s.longest, len(boundary))
}

// find goes to the next delimiter of an open multipart, or to the end. It does
// nothing when the scanner stands behind one that nobody has looked at yet.
func (s *scanner) find() {
	for !s.ended {
		if s.levels == 0 || s.parts >= maxParts {
			s.finish()
			return
		}
		if s.atDelimiter() {
			return
		}
		j := bytes.Index(s.msg[s.pos:], []byte("\n--"))
		if j < 0 {
			s.finish()
			return
		}
		s.pos += j + 1
	}
}

func (s *scanner) finish() {
	s.pos = len(s.msg)
	s.ended, s.level, s.line, s.close = true, 0, len(s.msg), false
}

// atDelimiter goes over the line at pos if it is a delimiter. Only blanks may
// follow the boundary: RFC 2046 section 5.1.1 would let anything follow it, but
// then "--a1" of an inner multipart ends an outer one with the boundary "a".
func (s *scanner) atDelimiter() bool {
	if s.levels == 0 || s.parts >= maxParts || !bytes.HasPrefix(s.msg[s.pos:], []byte("--")) {
		return false
	}
	end := lineEnd(s.msg, s.pos)
	text := trimRight(s.msg[s.pos+2 : end])
	if len(text) > s.longest+2 {
		return false
	}
	level, closing := s.boundary[string(text)], false
	if level == 0 {
		text, closing = bytes.CutSuffix(text, []byte("--"))
		level = s.boundary[string(text)]
	}
	if level == 0 {
		return false
	}
	s.ended, s.level, s.line, s.close = true, level, s.pos, closing
	s.pos = end
	return true
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// bodyEnd is the end of a body from start to the current delimiter: the line
// break before a delimiter is part of it (RFC 2046 section 5.1.1).
func (s *scanner) bodyEnd(start int) int {
	end := s.line
	if s.level > 0 && end > start && s.msg[end-1] == '\n' {
		end--
		if end > start && s.msg[end-1] == '\r' {
			end--
		}
	}
	return max(start, end)
}

// lineBreaks counts the line breaks in msg[:pos]. Calls go forward, so that the
// lines of messages in messages are not counted again for each of them.
func (s *scanner) lineBreaks(pos int) int {
	s.newlines += bytes.Count(s.msg[s.counted:pos], []byte("\n"))
	s.counted = pos
	return s.newlines
}
