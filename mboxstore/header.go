package mboxstore

import (
	"bytes"
	"hash/crc32"
	"math"
)

// Header is what a message's header says and how it is laid out.
type Header struct {
	Status     StatusBlock
	Retained   int64 // octets of the lines that are not internal, in LF form, without the blank line
	ServedSize int64 // octets of the header as served, with the blank line, which is always served

	// The last run of status headers, with the length lines in it and behind it, relative to the header; both 0 when
	// there is none.
	InternalStart, InternalEnd int
	Contiguous                 bool // the header may be edited in that place: no other status headers, not cut at the limit
	Canonical                  bool // the run is exactly UW's block, from Status: or X-IMAPbase: to X-UID:, and the blank line follows

	HasBlank bool   // the header is closed: by its blank line or at the limit; what follows is body
	CRLF     bool   // there are CRs in it
	Digest   uint64 // of the retained lines in LF form; for telling messages apart, not against forgers
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ParseHeader reads a header. h begins after the separator; what follows the blank line is ignored.
func ParseHeader(h []byte) Header {
	p := headerParser{lines: headerLines{text: h}}
	return p.parse()
}

// headerParser collects a Header line by line.
type headerParser struct {
	lines   headerLines
	words   *interner // nil: not shared
	h       Header
	served  int    // retained lines
	uids    int    // X-UID lines
	runs    int    // of status headers
	order   uint32 // kinds of the lines of the last run, four bits each
	plain   bool   // no CR in internal or blank lines
	digests [2]uint32

	plainStart, plainEnd int // retained lines that are not digested yet
}

func (p *headerParser) parse() Header {
	p.plain = true
	for start := 0; ; start = p.lines.at {
		line, kind, ok := p.lines.next()
		if !ok {
			break
		}
		hasCR := bytes.IndexByte(line, '\r') >= 0
		p.h.CRLF = p.h.CRLF || hasCR
		switch {
		case kind == lineRetained && !hasCR && line[len(line)-1] == '\n':
			p.retainPlain(start)
			continue
		case kind == lineRetained:
			p.retain(line)
			continue
		case kind.internal():
			p.addRun(start, kind)
			p.addStatus(kind, line)
		}
		p.plain = p.plain && !hasCR
	}
	return p.finish()
}

// retainPlain takes the line from start to where lines stands. Lines that follow each other are digested in one piece.
func (p *headerParser) retainPlain(start int) {
	p.served++
	if start != p.plainEnd {
		p.digestPlain()
		p.plainStart = start
	}
	p.plainEnd = p.lines.at
}

func (p *headerParser) digestPlain() {
	p.digest(p.lines.text[p.plainStart:p.plainEnd])
	p.plainStart = p.plainEnd
}

// retain takes a line that is not stored in LF form.
func (p *headerParser) retain(line []byte) {
	p.served++
	p.digestPlain()
	for part := range bytes.SplitSeq(line, []byte{'\r'}) {
		p.digest(part)
	}
	if line[len(line)-1] != '\n' {
		p.digest([]byte{'\n'})
	}
}

// digest uses two checksums that processors know, which makes 64 bits at the speed of memory.
func (p *headerParser) digest(b []byte) {
	p.h.Retained += int64(len(b))
	p.digests[0] = crc32.Update(p.digests[0], castagnoli, b)
	p.digests[1] = crc32.Update(p.digests[1], crc32.IEEETable, b)
}

// addRun takes an internal line. A length line begins no run.
func (p *headerParser) addRun(start int, kind lineKind) {
	if p.runs == 0 || start != p.h.InternalEnd {
		if !kind.status() {
			return
		}
		p.runs++
		p.h.InternalStart = start
		p.order = 0
	}
	p.h.InternalEnd = p.lines.at
	if p.order > math.MaxUint32>>4 {
		p.order = math.MaxUint32 // more lines than any block has
		return
	}
	p.order = p.order<<4 | uint32(kind)
}

// What order is for UW's block, without and with the base line.
const (
	blockOrder     = uint32(lineStatus<<4|lineXStatus)<<8 | uint32(lineKeywords<<4|lineUID)
	blockBaseOrder = uint32(lineBase)<<16 | blockOrder
)

func (p *headerParser) finish() Header {
	p.digestPlain()
	h := &p.h
	h.ServedSize = h.Retained + int64(p.served) + 2
	h.Digest = uint64(p.digests[0])<<32 | uint64(p.digests[1])
	h.HasBlank = p.lines.closed
	h.Contiguous = p.runs <= 1 && !p.lines.limit
	h.Canonical = p.runs == 1 && p.plain && (p.order == blockOrder || p.order == blockBaseOrder) &&
		h.HasBlank && !p.lines.limit && h.InternalEnd == p.lines.at-1
	return *h
}

// AppendRetained appends the lines of a header that are not internal, in LF form, without the blank line.
func AppendRetained(dst, h []byte) []byte {
	for l := (headerLines{text: h}); ; {
		line, kind, ok := l.next()
		if !ok {
			return dst
		}
		if kind == lineRetained {
			dst = endLine(appendWithout(dst, line, '\r'))
		}
	}
}

// appendWithout appends b without the octets c.
func appendWithout(dst, b []byte, c byte) []byte {
	for {
		i := bytes.IndexByte(b, c)
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		b = b[i+1:]
	}
}

// endLine closes a line that is not empty and has no LF.
func endLine(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '\n' {
		return append(dst, '\n')
	}
	return dst
}
