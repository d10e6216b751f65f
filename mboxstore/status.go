package mboxstore

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// StatusBlock is what the internal headers of one message say. Whether it is to be believed is for the index to
// decide, which knows the other messages.
type StatusBlock struct {
	Flags    Flags    // all letters of all Status: and X-Status: lines
	Keywords []string // words of the X-Keywords: lines that are keywords to IMAP; shared, not to be changed
	UID      uint32   // of the first X-UID: line; 0 none, or not a number of 32 bits
	UIDDup   bool     // there is more than one
	Base     *Base    // of the first valid X-IMAPbase: or X-IMAP: line
	Pseudo   bool     // that was X-IMAP:
}

// Base is the mailbox's part of the status headers: the numbers and the keywords that have been given away.
type Base struct {
	UIDValidity, LastUID uint32
	Keywords             []string // in slot order
}

func (p *headerParser) addStatus(kind lineKind, line []byte) {
	s := &p.h.Status
	switch kind {
	case lineStatus, lineXStatus:
		s.Flags |= flagLetters(lineValue(line))
	case lineKeywords:
		s.addKeywords(p.words.line(lineValue(line)))
	case lineUID:
		p.uids++
		s.UIDDup = p.uids > 1
		if n, rest, ok := cutNumber(lineValue(line)); ok && len(rest) == 0 && !s.UIDDup {
			s.UID = n
		}
	case lineBase, lineXIMAP:
		if s.Base == nil {
			s.Base = parseBase(lineValue(line))
			s.Pseudo = s.Base != nil && kind == lineXIMAP
		}
	}
}

// addKeywords shares the list of a single line, which is the rule.
func (s *StatusBlock) addKeywords(list []string) {
	switch room := maxListed - len(s.Keywords); {
	case len(s.Keywords) == 0:
		s.Keywords = list
	case len(list) > 0 && room > 0:
		s.Keywords = slices.Concat(s.Keywords, list[:min(len(list), room)])
	}
}

// parseBase takes "validity last[ keyword ...]"; nil when it is not that. UW has no bound for the numbers; here more
// than 32 bits are no number.
func parseBase(value []byte) *Base {
	validity, rest, ok := cutNumber(value)
	if !ok || validity == 0 {
		return nil
	}
	last, rest, ok := cutNumber(rest)
	if !ok || len(rest) > 0 && !isBlank(rest[0]) {
		return nil
	}
	return &Base{UIDValidity: validity, LastUID: last, Keywords: splitKeywords(rest)}
}

// cutNumber reads blanks and decimal digits.
func cutNumber(b []byte) (n uint32, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " \t")
	i, sum := 0, uint64(0)
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if sum = sum*10 + uint64(b[i]-'0'); sum > math.MaxUint32 {
			return 0, nil, false
		}
	}
	return uint32(sum), b[i:], i > 0
}

const (
	longestKeyword = 50   // octets: UW's and Dovecot's bound
	maxListed      = 1000 // keywords of one line that are looked at
)

// splitKeywords takes the words that can be flags in IMAP (RFC 9051 flag-keyword); others could not be told to a
// client without breaking its connection, and none of the known programs writes them.
func splitKeywords(value []byte) (list []string) {
	for word := range bytes.FieldsSeq(value) {
		if len(list) == maxListed {
			break
		}
		if isKeyword(word) {
			list = append(list, string(word))
		}
	}
	return list
}

func isKeyword(word []byte) bool {
	if len(word) == 0 || len(word) > longestKeyword {
		return false
	}
	for _, c := range word {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`(){%*"\]`), c) >= 0 {
			return false
		}
	}
	return true
}

// The octets that UW fills a block to, from its start to the end of X-Keywords:.
const (
	blockRoom     = 50
	blockBaseRoom = 80
)

// AppendStatusBlock appends the status headers in UW's order, and the blank line that ends the header. pad is how
// many blanks follow the keywords; less than 0: as many as UW puts there. Dovecot wants the base's last UID to have
// ten digits; so it can be changed in place, too. The base of a pseudo message is not in a block.
func AppendStatusBlock(dst []byte, s StatusBlock, pad int) []byte {
	start, room := len(dst), blockRoom
	if s.Base != nil && !s.Pseudo {
		room = blockBaseRoom
		dst = append(dst, "X-IMAPbase: "...)
		dst = strconv.AppendUint(dst, uint64(s.Base.UIDValidity), 10)
		dst = appendTenDigits(append(dst, ' '), s.Base.LastUID)
		dst = append(appendKeywords(dst, s.Base.Keywords), '\n')
	}
	dst = s.Flags.appendLetters(append(dst, "Status: "...), "RO")
	dst = s.Flags.appendLetters(append(dst, "\nX-Status: "...), "DFAT")
	dst = appendKeywords(append(dst, "\nX-Keywords:"...), s.Keywords)
	if pad < 0 {
		pad = max(0, room-(len(dst)-start))
	}
	dst = append(append(dst, bytes.Repeat([]byte{' '}, pad)...), '\n')
	if s.UID != 0 {
		dst = strconv.AppendUint(append(dst, "X-UID: "...), uint64(s.UID), 10)
		dst = append(dst, '\n')
	}
	return append(dst, '\n')
}

// appendKeywords writes each word after a blank. A word that is no keyword is left out: it could end the line.
func appendKeywords(dst []byte, words []string) []byte {
	for _, w := range words {
		if isKeyword([]byte(w)) {
			dst = append(append(dst, ' '), w...)
		}
	}
	return dst
}

func appendTenDigits(dst []byte, n uint32) []byte {
	var digits [10]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(n%10)
		n /= 10
	}
	return append(dst, digits[:]...)
}
