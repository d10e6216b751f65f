package mboxstore

import (
	"bytes"
	"hash/crc64"
	"slices"
	"strings"
)

// contentKey tells messages apart by all of their bytes but the internal lines.
type contentKey struct {
	digest uint64 // of the retained header
	sum    uint64 // of separator and text
	size   int64
}

// checkedMessage is where a message was seen.
type checkedMessage struct {
	off int64
	uid UID
	key contentKey
}

// checkMessage is called for each message in file order.
func (c *checker) checkMessage(sp Span) error {
	first := c.messages == 0 && c.pseudo == nil
	if first && sp.Off > 0 {
		c.add(0, "leading-bytes", "%d blank bytes before the first message", sp.Off)
	}
	h := make([]byte, sp.HeaderLen)
	if err := readFull(c.text, h, sp.Off+int64(sp.FromLen)); err != nil {
		return err
	}
	c.ends.line(sp.FromLine, sp.Off)
	c.checkHeader(&sp, h, first)
	sum, err := c.checkBytes(&sp)
	if err != nil {
		return err
	}
	r := newRecord(&sp, &c.words)
	if first && sp.Pseudo {
		c.pseudo = &r
		return nil
	}
	c.messages++
	c.records = append(c.records, r)
	c.checkUID(checkedMessage{sp.Off, r.onFile.uid, contentKey{sp.Header.Digest, sum, sp.ServedSize}}, &sp.Header.Status)
	if sp.Next < c.size && sp.End == sp.Next {
		c.add(sp.Next, "no-blank-line", "no blank line before the separator")
	}
	return nil
}

// checkBytes looks for NULs, and sums up what is no header.
func (c *checker) checkBytes(sp *Span) (sum uint64, err error) {
	var n nulCount
	body := sp.Off + int64(sp.FromLen) + int64(sp.HeaderLen)
	sum = crc64.Checksum(sp.FromLine, crc64Table)
	err = eachPiece(c.text, extent{sp.Off, sp.End - sp.Off}, 0, pieceSize, func(off int64, b []byte) error {
		n.add(off, b)
		if skip := body - off; skip < int64(len(b)) {
			sum = crc64.Update(sum, crc64Table, b[max(skip, 0):])
		}
		return nil
	})
	switch {
	case n.longest >= sectorSize:
		c.add(n.longestAt, "nul-block", "%d NULs in a row in the message at %d: bytes are lost", n.longest, sp.Off)
	case n.count > 0:
		c.add(n.first, "nul-bytes", "%d NULs in the message at %d", n.count, sp.Off)
	}
	return sum, err
}

// nulCount counts NULs in bytes that come in pieces.
type nulCount struct {
	first, count       int64
	longest, longestAt int64
	run, next          int64 // the run at the end of what came, and the offset behind it
}

func (n *nulCount) add(off int64, b []byte) {
	for at := 0; at < len(b); {
		i := bytes.IndexByte(b[at:], 0)
		if i < 0 {
			return
		}
		at += i
		k := len(b[at:]) - len(bytes.TrimLeft(b[at:], "\x00"))
		from := off + int64(at)
		if from != n.next {
			n.run = 0
		}
		if n.count == 0 {
			n.first = from
		}
		n.count += int64(k)
		n.run += int64(k)
		n.next = from + int64(k)
		if n.run > n.longest {
			n.longest, n.longestAt = n.run, n.next-n.run
		}
		at += k
	}
}

// lineEnds notices files whose separators and headers end their lines in two ways.
type lineEnds struct {
	lines [2]int // LF, CRLF
	first int
	other int64 // where the first line is that ends in the other way
}

func (e *lineEnds) line(b []byte, off int64) {
	kind := 0
	if bytes.HasSuffix(b, []byte("\r\n")) {
		kind = 1
	}
	if e.lines[0]+e.lines[1] == 0 {
		e.first = kind
	}
	if e.lines[kind]++; kind != e.first && e.lines[kind] == 1 {
		e.other = off
	}
}

func (e *lineEnds) tell(r *report) {
	if e.lines[0] > 0 && e.lines[1] > 0 {
		r.add(e.other, "line-ends", "%d header lines end in LF, %d in CRLF", e.lines[0], e.lines[1])
	}
}

// checkHeader goes through the lines of one header.
func (c *checker) checkHeader(sp *Span, h []byte, first bool) {
	at := sp.Off + int64(sp.FromLen)
	seen := map[lineKind]int{}
	for l := (headerLines{text: h}); ; {
		off := at + int64(l.at)
		line, kind, ok := l.next()
		if !ok {
			break
		}
		if bytes.HasSuffix(line, []byte{'\n'}) {
			c.ends.line(line, off)
		}
		if kind == lineBase || kind == lineXIMAP {
			seen[lineBase]++
			c.checkBase(off, line, kind, sp, first && seen[lineBase] == 1, first)
			continue
		}
		if kind.status() {
			seen[kind]++
			c.checkStatusLine(off, line, kind, seen[kind] > 1)
		}
	}
	if !sp.Header.HasBlank {
		c.add(at+int64(len(h)), "header-open", "no blank line ends the header")
	}
	if !sp.Header.Contiguous && seen[lineBogus] == 0 {
		c.add(at+int64(sp.Header.InternalStart), "status-split", "status headers stand in several places")
	}
	c.checkKeywords(at, &sp.Header)
}

// mostPadding is how many blanks the X-Keywords line may have at its end: more is not proven harmless to other readers.
const mostPadding = 900

func (c *checker) checkStatusLine(off int64, line []byte, kind lineKind, again bool) {
	switch {
	case kind == lineBogus && isBlank(line[0]):
		c.add(off, "status-continued", "continuation line of a status header")
	case kind == lineBogus:
		name, _, _ := bytes.Cut(line[:min(len(line), 40)], []byte{':'})
		c.add(off, "status-case", "%q is not believed: other case, or no colon behind it", name)
	case kind == lineUID && again:
		c.add(off, "uid-lines", "one more X-UID line: none of them is believed")
	case again:
		c.add(off, "status-lines", "the same status header once more")
	case kind == lineUID:
		if n, rest, ok := cutNumber(lineValue(line)); !ok || n == 0 || len(rest) > 0 {
			c.add(off, "uid-invalid", "X-UID %.40q is no UID", lineValue(line))
		}
	case kind == lineKeywords:
		line = bytes.TrimRight(line, "\r\n")
		if pad := len(line) - len(bytes.TrimRight(line, " ")); pad > mostPadding {
			c.add(off, "padding", "%d blanks in an X-Keywords line", pad)
		}
	}
}

// checkBase judges a line with the mailbox's numbers. counts: it is the one that is believed.
func (c *checker) checkBase(off int64, line []byte, kind lineKind, sp *Span, counts, first bool) {
	value := lineValue(line)
	b := parseBase(value)
	validity, _, number := cutNumber(value)
	switch {
	case !first:
		c.add(off, "base-later", "base line in a message that is not the first")
	case !counts:
		c.add(off, "base-lines", "one more base line")
	case kind == lineXIMAP && !sp.Pseudo:
		c.add(off, "ximap-form", "X-IMAP in a message that is no pseudo message: not believed")
	case b == nil && number && validity == 0:
		c.add(off, "base-bounds", "UIDVALIDITY is 0")
	case b == nil:
		c.add(off, "base-invalid", "base line %.40q is not two numbers", value)
	case b.LastUID > maxLastUID:
		c.base, c.baseOff = b, off
		c.add(off, "base-bounds", "last UID %d leaves no room for more", b.LastUID)
	default:
		c.base, c.baseOff = b, off
	}
}

func (c *checker) checkKeywords(at int64, h *Header) {
	var unknown []string
	for _, w := range h.Status.Keywords {
		if c.base == nil || !slices.ContainsFunc(c.base.Keywords, func(k string) bool { return strings.EqualFold(k, w) }) {
			unknown = append(unknown, w)
		}
	}
	if len(unknown) > 0 {
		c.add(at+int64(h.InternalStart), "keyword-unknown", "the base line does not name %.200q", unknown)
	}
}

// checkedUIDs is what is known of the UIDs so far.
type checkedUIDs struct {
	seen    map[UID]checkedMessage
	highest UID
	missing checkedMessage // the first of a run without
	without int            // how many are in that run
}

func (c *checker) checkUID(m checkedMessage, s *StatusBlock) {
	u := &c.uids
	if m.uid == 0 {
		if !s.UIDDup { // that was told already
			if u.without == 0 {
				u.missing = m
			}
			u.without++
		}
		c.checkSame(m)
		return
	}
	c.flushMissing()
	before, again := u.seen[m.uid]
	switch {
	case again && before.key == m.key:
		c.add(m.off, "duplicate", "the message at %d once more, with the same X-UID %d", before.off, m.uid)
		return
	case again:
		c.add(m.off, "uid-duplicate", "X-UID %d is that of the message at %d, too", m.uid, before.off)
		return
	case m.uid < u.highest:
		c.add(m.off, "uid-order", "X-UID %d after %d", m.uid, u.highest)
	case c.base != nil && m.uid > c.base.LastUID:
		c.add(m.off, "uid-above-last", "X-UID %d is above the last UID %d of the base line", m.uid, c.base.LastUID)
	}
	u.seen[m.uid] = m
	u.highest = max(u.highest, m.uid)
	c.checkSame(m)
}

// checkSame notices messages that are there twice, if X-UIDs do not say that they are two.
func (c *checker) checkSame(m checkedMessage) {
	before, there := c.content[m.key]
	if there && (before.uid == 0 || m.uid == 0) {
		c.add(m.off, "same-bytes", "the same bytes as the message at %d", before.off)
	}
	if !there || before.uid == 0 {
		c.content[m.key] = m
	}
}

func (c *checker) flushMissing() {
	if u := &c.uids; u.without > 0 {
		c.add(u.missing.off, "uid-missing", "%d messages from here on without X-UID", u.without)
		u.without = 0
	}
}

func (c *checker) checkBaseLast() {
	if c.base != nil && c.base.LastUID < c.uids.highest {
		c.add(c.baseOff, "base-last", "last UID %d is below %d, which is in use", c.base.LastUID, c.uids.highest)
	}
}
