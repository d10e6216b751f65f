package mboxstore

import "bytes"

// The lines of a header.
//
// A header goes from the separator to the first blank line; a From_ line in it is a header line like others. Some
// lines are internal: the status headers, in which UW and its successors keep what belongs to the mailbox and not to
// the mail. They are hidden from clients. So are lines that only look like them (other case, a blank before the
// colon) and continuations of any of these: those are bogus, that is, hidden without being believed.
//
// Length lines are internal, too: Content-Length:, and Lines: behind it, which mutt and Dovecot write into the header of
// any message that they write back. They are no status headers, for an MDA may have put them elsewhere in the header,
// where they are left alone. A Lines: header without Content-Length: before it is the sender's. Status headers between
// the two do not count, nor another Lines:, or else what a line is would change when those are rewritten.
//
// CRs do not exist: c-client drops them when it shows a header and when it rewrites one. So a line is judged as it is
// without its CRs, or else a rewrite could turn "Sta\rtus: R" into a status header, and a line of nothing but CRs
// into the end of the header. That a line of two CRs is blank is stricter than c-client.

type lineKind uint8

const (
	lineRetained lineKind = iota
	lineBlank
	lineLength // from here on: internal
	lineBogus  // from here on: status headers
	lineStatus
	lineXStatus
	lineKeywords
	lineUID
	lineXIMAP
	lineBase
)

func (k lineKind) internal() bool { return k >= lineLength }
func (k lineKind) status() bool   { return k >= lineBogus }

// A header without end must not fill the memory: it is closed before the line that would make its retained lines
// longer than maxHeader; the rest is body. Internal lines do not count, so that the block that we add does not move
// that place; but they have a bound of their own.
const (
	maxHeader   = 16 << 20
	maxInternal = 1 << 20
)

// headerLines goes through the lines of a header. The zero value with text set is ready.
type headerLines struct {
	text []byte
	more bool // bytes follow text, so an unterminated last line is not the last line

	at       int  // start of the line that next will look at
	closed   bool // a blank line or the limit has been met
	limit    bool // it was the limit
	internal int  // octets of internal lines so far
	last     lineKind
	lengths  bool // Content-Length is among the internal lines up to the last line
}

// next gives the next line with its line end, and what it is. The blank line is given, too, and is the last one.
// Without ok the text ended, or the header at its limit.
func (l *headerLines) next() (line []byte, kind lineKind, ok bool) {
	rest := l.text[l.at:]
	if l.closed || len(rest) == 0 {
		return nil, 0, false
	}
	line = rest[:bytes.IndexByte(rest, '\n')+1]
	ended := len(line) > 0
	if !ended {
		line = rest
	}
	if !ended && l.more { // what it is cannot be known, only that it is too long whatever it is
		l.limit = l.at-l.internal+len(line) > maxHeader+maxInternal
		l.closed = l.limit
		return nil, 0, false
	}
	kind = l.classify(line)
	if l.tooLong(line, kind) {
		l.closed, l.limit = true, true
		return nil, 0, false
	}
	if !ended && kind == lineBlank {
		return nil, 0, false // CRs at the end of the file are nothing
	}
	l.at += len(line)
	l.closed = kind == lineBlank
	l.last = kind
	l.lengths = kind == lineLength || l.lengths && kind.status()
	if kind.internal() {
		l.internal += len(line)
	}
	return line, kind, true
}

func (l *headerLines) tooLong(line []byte, kind lineKind) bool {
	switch {
	case kind.internal():
		return l.internal+len(line) > maxInternal
	case kind == lineBlank && len(line) <= len("\r\n"):
		return false
	}
	return l.at-l.internal+len(line) > maxHeader
}

func (l *headerLines) classify(line []byte) lineKind {
	i := 0
	for i < len(line) && line[i] == '\r' {
		i++
	}
	if i == len(line) || line[i] == '\n' {
		return lineBlank
	}
	switch c := line[i]; {
	case isBlank(c) && l.last == lineLength:
		return lineLength
	case isBlank(c) && l.last.status():
		return lineBogus
	case c|' ' == 's', c|' ' == 'x', c|' ' == 'c', c|' ' == 'l' && l.lengths:
		return internalName(line)
	}
	return lineRetained
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

const longestInternal = len("content-length")

// internalName says which internal line a line is, of Lines: as if Content-Length: were before it. A NUL in it ends the
// name, like a blank (UW makes it one).
func internalName(line []byte) lineKind {
	var name [longestInternal]byte
	n, exact := 0, true
	for i, c := range line {
		switch {
		case c == '\r':
			exact = false
			continue
		case c == ':' || c == '\n' || c == 0 || isBlank(c):
			kind, spelled := lookUpInternal(name[:n])
			if kind == lineRetained || !colonFollows(line[i:]) {
				return lineRetained
			}
			if kind.status() && (!exact || c != ':' || spelled != string(line[:n])) {
				return lineBogus
			}
			return kind
		case n == longestInternal:
			return lineRetained
		}
		name[n] = c
		if c >= 'A' && c <= 'Z' {
			name[n] += 'a' - 'A'
		}
		n++
	}
	return lineRetained
}

func lookUpInternal(lower []byte) (lineKind, string) {
	switch string(lower) {
	case "status":
		return lineStatus, "Status"
	case "x-status":
		return lineXStatus, "X-Status"
	case "x-keywords":
		return lineKeywords, "X-Keywords"
	case "x-uid":
		return lineUID, "X-UID"
	case "x-imap":
		return lineXIMAP, "X-IMAP"
	case "x-imapbase":
		return lineBase, "X-IMAPbase"
	case "content-length", "lines":
		return lineLength, ""
	}
	return lineRetained, ""
}

// colonFollows skips what may stand between a name and its colon. UW does not ask for the colon and so loses prose
// that happens to stand in a header ("Status of the project").
func colonFollows(b []byte) bool {
	for _, c := range b {
		if !isBlank(c) && c != '\r' && c != 0 {
			return c == ':'
		}
	}
	return false
}

// lineValue is what follows the first colon, without the line's end.
func lineValue(line []byte) []byte {
	return bytes.TrimRight(line[bytes.IndexByte(line, ':')+1:], " \t\r\n")
}
