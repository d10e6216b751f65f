package mboxstore

import "bytes"

// The lines of a header.
//
// A header goes from the separator to the first blank line; a From_ line in it is a header line like others. Some
// lines are internal: the status headers, in which UW and its successors keep what belongs to the mailbox and not to
// the mail. They are hidden from clients. So are lines that only look like them (other case, a blank before the
// colon) and continuations of any of these: those are bogus, that is, hidden without being believed.
//
// CRs do not exist: c-client drops them when it shows a header and when it rewrites one. So a line is judged as it is
// without its CRs, or else a rewrite could turn "Sta\rtus: R" into a status header, and a line of nothing but CRs
// into the end of the header. That a line of two CRs is blank is stricter than c-client.

type lineKind uint8

const (
	lineRetained lineKind = iota
	lineBlank
	lineBogus // from here on: internal
	lineStatus
	lineXStatus
	lineKeywords
	lineUID
	lineXIMAP
	lineBase
)

func (k lineKind) internal() bool { return k >= lineBogus }

// A header without end must not fill the memory: it is closed before the line that would make its retained lines
// longer than maxHeader; the rest is body. Status headers do not count, so that the block that we add does not move
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
	inside   bool // the last line was internal
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
	l.inside = kind.internal()
	if l.inside {
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
	case isBlank(c) && l.inside:
		return lineBogus
	case c|' ' == 's', c|' ' == 'x':
		return internalName(line)
	}
	return lineRetained
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

const longestInternal = len("x-keywords")

// internalName says which status header a line is. A NUL in it ends the name, like a blank (UW makes it one).
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
			if !exact || c != ':' || spelled != string(line[:n]) {
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
