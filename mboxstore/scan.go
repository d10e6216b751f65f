package mboxstore

import (
	"bytes"
	"io"
	"strings"
)

// Scanning.
//
// The file is separator, header, body, separator, header, body. A separator is looked for in bodies only, at the
// start of each line, with or without a blank line before it; a From_ line in a header is a header line, and a
// header without blank line swallows the separator after it. Content-Length is never looked at. All this is UW's
// reading (unix_parse), which the other programs on the spool share near enough.
//
// NULs at the end of the file are no part of it: they are what a crash or UW's rewriting leaves there. Blank lines
// where a scan begins are skipped as UW does, so that a stray one between the known end and a new separator does no
// harm; they belong to no message. Behind the start of the file NULs are skipped as well, since a delivery may have
// come in behind them.
//
// A body is read once, in large pieces, in which only "\nFrom " is searched and CRs and LFs are counted. A header is
// parsed in the buffer, which grows for a long one up to its limit.

// Span is one message of the file. Its slices are only valid during the call that brings it, except for the keywords.
type Span struct {
	Off                int64 // of the separator
	FromLen, HeaderLen int32 // the header with its blank line
	End                int64 // of the text, without the one blank line that separates it from what follows
	Next               int64 // of the next separator, or the end of the file
	Header             Header
	From               FromLine
	FromLine           []byte // the separator with its LF
	ServedSize         int64  // RFC822.SIZE
	TextDigest         uint32 // for telling messages apart, not against forgers
	Pseudo             bool   // it has the form of a pseudo message: that it is, if it is the first of the file
}

// ScanEnd says how the scanned bytes end.
type ScanEnd struct {
	Off  int64 // the end of what counts: size without the NULs before it; an append goes here
	Last int64 // offset of the last separator; -1: there is none

	// What an append has to write at Off before its separator, so that it is one and no message changes its size: line
	// ends that are missing. It is only known when the scan began at 0 or found a separator.
	Glue string

	// Where the scan of a longer file must begin to read the same as one from the start. It is Off, or else Last: the
	// last message is not closed, and bytes behind it would belong to it.
	Resume int64

	Wide bool // read by the wide grammar (widefrom.go)
}

const (
	scanBuffer  = 256 << 10
	scanHistory = 64   // octets before the current place that stay in the buffer
	firstLine   = 1023 // UW recognises a mailbox by this many octets
)

// Scan reads the messages from off up to size and calls f for each. off is 0, the offset of a separator, or a
// Resume. An error of f ends the scan and is returned as it is. When the first line that is not blank is no
// separator, the error is a *FormatError without Path; a file of blank lines is an empty mailbox.
func Scan(r io.ReaderAt, off, size int64, f func(Span) error) (ScanEnd, error) {
	return scanAs(r, off, size, false, f)
}

// scanAs is Scan of a file that is known to need the wide grammar.
func scanAs(r io.ReaderAt, off, size int64, wide bool, f func(Span) error) (ScanEnd, error) {
	s := scanner{r: r, size: size, base: off, piece: scanBuffer, last: -1, unended: -1, wide: wide}
	return s.scan(off, f)
}

func (s *scanner) scan(off int64, f func(Span) error) (ScanEnd, error) {
	if err := s.findEnd(off); err != nil {
		return ScanEnd{}, err
	}
	at, err := s.findFirst(off)
	for err == nil && at < s.end {
		at, err = s.message(at, f)
	}
	if err != nil {
		return ScanEnd{}, err
	}
	return s.scanEnd(off)
}

type scanner struct {
	r    io.ReaderAt
	size int64
	end  int64 // size without NULs

	buf   []byte // of the file, from base on
	base  int64
	piece int       // octets that buf holds at least
	few   [512]byte // for what the buffer has lost

	words    interner
	fromLine []byte // the separator that was found last, with its LF
	spare    []byte

	last     int64 // the last separator
	lastOpen bool  // its header lacks the blank line
	wide     bool  // the file is read by the wide grammar
	unended  int64 // a From_ line without LF at the end of the file begins here; -1 none
}

// findEnd sets end.
func (s *scanner) findEnd(off int64) error {
	for s.end = max(s.size, off); s.end > off; {
		b, err := s.before(off, s.end)
		if err != nil {
			return err
		}
		kept := len(bytes.TrimRight(b, "\x00"))
		s.end -= int64(len(b) - kept)
		if kept > 0 {
			break
		}
	}
	return nil
}

// findFirst skips blank lines and gives the offset of the first separator, or end.
func (s *scanner) findFirst(off int64) (int64, error) {
	blank := " \t\r\n"
	if off > 0 {
		blank += "\x00"
	}
	at, skipped := off, byte('\n')
	for at < s.end {
		w, err := s.window(at, 1)
		if err != nil {
			return 0, err
		}
		rest := bytes.TrimLeft(w, blank)
		if n := len(w) - len(rest); n > 0 {
			at += int64(n)
			skipped = w[n-1]
		}
		if len(rest) > 0 {
			break
		}
	}
	if at >= s.end {
		return s.end, nil
	}
	ok, err := s.isSeparator(at)
	if err == nil && !ok && off == 0 && !s.wide {
		s.wide = true
		ok, err = s.isSeparator(at)
	}
	switch {
	case err != nil:
		return 0, err
	case !ok, skipped != '\n' && skipped != 0:
		return 0, &FormatError{Offset: at, Reason: "no From_ line where a message must begin"}
	case off == 0 && at+int64(len(s.fromLine)) > firstLine:
		return 0, &FormatError{Offset: at, Reason: "the first From_ line is not within the first 1023 octets"}
	}
	return at, nil
}

// isSeparator looks at the line at off, and keeps it when it is a separator.
func (s *scanner) isSeparator(off int64) (bool, error) {
	w, err := s.window(off, len(fromPrefix))
	if err != nil || !bytes.HasPrefix(w, []byte(fromPrefix)) {
		return false, err
	}
	if bytes.IndexByte(w[:min(len(w), maxFromLine+1)], '\n') < 0 {
		if w, err = s.window(off, maxFromLine+1); err != nil {
			return false, err
		}
	}
	w = w[:min(len(w), maxFromLine+1)]
	end := bytes.IndexByte(w, '\n')
	if end < 0 {
		if off+int64(len(w)) == s.end {
			s.unended = off
		}
		return false, nil
	}
	if _, ok := parseFrom(w[:end+1], s.wide); !ok {
		return false, nil
	}
	s.fromLine = append(s.fromLine[:0], w[:end+1]...)
	return true, nil
}

// message reads the message whose separator is at off and was found last, tells f, and gives the next separator's
// offset, or end.
func (s *scanner) message(off int64, f func(Span) error) (next int64, err error) {
	sp := Span{Off: off, FromLine: s.fromLine, FromLen: int32(len(s.fromLine))}
	s.fromLine, s.spare = s.spare, s.fromLine // the next one must not overwrite this
	sp.From, _ = parseFrom(sp.FromLine, s.wide)
	if err := s.header(&sp); err != nil {
		return 0, err
	}
	s.last, s.lastOpen = off, !sp.Header.HasBlank
	body := off + int64(sp.FromLen) + int64(sp.HeaderLen)
	var n bodyCount
	var d textDigest
	if next, err = s.body(body, func(b []byte) { n.add(b); d.add(b) }); err != nil {
		return 0, err
	}
	blank, err := s.blankLine(body, next)
	if err != nil {
		return 0, err
	}
	if blank > 0 {
		n.dropLine(blank)
	}
	sp.End, sp.Next = next-blank, next
	if next == s.end {
		sp.Next = s.size
	}
	sp.ServedSize, sp.TextDigest = sp.Header.ServedSize+n.served(), d.solid
	return next, f(sp)
}

// header reads the header behind the separator.
func (s *scanner) header(sp *Span) error {
	off := sp.Off + int64(sp.FromLen)
	for want := s.piece / 16; ; want *= 2 {
		w, err := s.window(off, want)
		if err != nil {
			return err
		}
		more := off+int64(len(w)) < s.end
		p := headerParser{lines: headerLines{text: w, more: more}, words: &s.words}
		sp.Header = p.parse()
		n := p.lines.at
		if !p.lines.closed {
			if more {
				continue
			}
			n = len(w)
		}
		sp.HeaderLen = int32(n)
		sp.Pseudo = sp.Header.Status.Pseudo && IsPseudo(sp.From, w[:n])
		return nil
	}
}

// body reads from the start of a body to the next separator, or end, and gives that offset. take gets the body in
// pieces.
func (s *scanner) body(at int64, take func([]byte)) (int64, error) {
	for at < s.end {
		if found, err := s.isSeparator(at); found || err != nil {
			return at, err
		}
		// To the start of the next line that begins with "From ".
		for {
			w, err := s.window(at, scanHistory)
			if err != nil {
				return 0, err
			}
			i := bytes.Index(w, []byte("\n"+fromPrefix))
			if i >= 0 {
				take(w[:i+1])
				at += int64(i + 1)
				break
			}
			if at+int64(len(w)) == s.end {
				take(w)
				return s.end, nil
			}
			seen := len(w) - len(fromPrefix)
			take(w[:seen])
			at += int64(seen)
		}
	}
	return s.end, nil
}

// blankLine gives the length of the last line of [from, to) when it is blank, else 0. At the end of the file the
// line's LF may be missing, but not its CR.
func (s *scanner) blankLine(from, to int64) (int64, error) {
	for at := to; ; {
		if at == from {
			return to - at, nil
		}
		b, err := s.before(from, at)
		if err != nil {
			return 0, err
		}
		i := len(b)
		if at == to && b[i-1] == '\n' {
			i--
		}
		for i > 0 && b[i-1] == '\r' {
			i--
		}
		at -= int64(len(b) - i)
		switch {
		case i == 0:
		case b[i-1] == '\n':
			return to - at, nil
		default:
			return 0, nil
		}
	}
}

func (s *scanner) scanEnd(off int64) (ScanEnd, error) {
	e := ScanEnd{Off: s.end, Last: s.last, Resume: s.end, Wide: s.wide}
	if s.end == off {
		return e, nil
	}
	tail, err := s.before(max(off, s.last), s.end)
	if err != nil {
		return e, err
	}
	ended := tail[len(tail)-1] == '\n'
	switch {
	case s.last >= 0:
		e.Glue, err = s.glue(ended)
	case !ended:
		e.Glue = "\n"
	}
	if s.last < 0 {
		e.Resume = off
	} else if s.lastOpen || !ended {
		e.Resume = s.last
	}
	return e, err
}

// glue closes the last line and the header of the last message, and adds a blank line where there is none.
func (s *scanner) glue(ended bool) (string, error) {
	blank, err := s.blankLine(s.last, s.end)
	switch {
	case err != nil:
		return "", err
	case ended && blank > 0:
		return "", nil
	case ended || blank > 0: // the latter: CRs that lack their LF
		return "\n", nil
	case s.unended < 0:
		return "\n\n", nil
	}
	line := make([]byte, s.end-s.unended)
	if err := s.readAt(line, s.unended); err != nil {
		return "", err
	}
	return lineEndFor(line) + "\n", nil
}

// lineEndFor ends a line of a body such that it does not become a separator. CRs are invisible, and only one of them
// is part of the line end to c-client; a few of them put the date out of its place. Behind " remote from" they are
// part of the host name; then it takes as many as make the line too long for us.
func lineEndFor(line []byte) string {
	for n := range 2 * minFromLine {
		end := strings.Repeat("\r", n) + "\n"
		if _, ok := ParseFromLine(append(bytes.Clone(line), end...)); !ok {
			return end
		}
	}
	return strings.Repeat("\r", maxFromLine) + "\n"
}
