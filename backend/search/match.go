package search

import (
	"slices"
	"strings"

	"spoold/backend/mime"
	"spoold/mboxstore"
)

// Target is a message to be matched. Header and Text are called when, and only
// when, a key needs them; they return served bytes, which Match does not keep.
type Target interface {
	Seq() uint32
	Message() *mboxstore.Message
	Recent() bool
	Header() ([]byte, error)
	Text() ([]byte, error)
}

// Match says whether the program selects the message. An error comes from the
// Target, or from Interrupt.
func (p *Program) Match(t Target) (bool, error) {
	p.m.begin(t)
	p.m.interrupt = p.Interrupt
	ok := p.m.eval(&p.root)
	err := p.m.err
	p.m.begin(nil)
	return ok && err == nil, err
}

// matcher evaluates steps for one message.
type matcher struct {
	Target
	err error // the first of the Target or of interrupt: the result does not count then

	interrupt func() error

	header []byte
	text   []byte
	root   *mime.Part

	folded, unfolded, spaced []byte // scratch, kept from message to message
}

// keepScratch is the scratch space that one large message may leave behind.
const keepScratch = 1 << 20

func (m *matcher) begin(t Target) {
	*m = matcher{Target: t, folded: m.folded, unfolded: m.unfolded, spaced: m.spaced}
	if cap(m.folded)+cap(m.unfolded)+cap(m.spaced) > keepScratch {
		m.folded, m.unfolded, m.spaced = nil, nil, nil
	}
}

func (m *matcher) eval(s *step) bool {
	if s.kids == nil && s.cost >= costHeader && !m.proceed() {
		return false
	}
	switch s.op {
	case opAll:
		return true
	case opAnd:
		return m.any(s.kids, false) == nil
	case opOr:
		return m.any(s.kids, true) != nil
	case opNot:
		return !m.eval(&s.kids[0])
	case opSeq:
		return contains(s.set, m.Seq())
	case opUID:
		return contains(s.set, m.Message().UID)
	case opFlag:
		return (m.Message().Flags&s.flag != 0) == s.want
	case opKeyword:
		return m.hasKeyword(s.Node.text) == s.want
	case opRecent:
		return m.Recent()
	case opNew:
		return m.Recent() && m.Message().Flags&mboxstore.FlagSeen == 0
	case opLarger:
		return m.Message().Size > s.num
	case opSmaller:
		return m.Message().Size < s.num
	case opModSeq:
		return m.Message().ModSeq >= uint64(s.num)
	case opBefore, opOn, opSince, opOlder, opYounger:
		return m.matchDate(s)
	case opSentBefore, opSentOn, opSentSince:
		return m.matchSent(s)
	case opHeader:
		return m.matchHeader(s)
	case opBody:
		return m.matchBody(s)
	default:
		return m.matchText(s)
	}
}

// proceed says whether to go on with reading.
func (m *matcher) proceed() bool {
	if m.err == nil && m.interrupt != nil {
		m.err = m.interrupt()
	}
	return m.err == nil
}

// any returns the first key with this result, or nil.
func (m *matcher) any(kids []step, result bool) *step {
	for i := range kids {
		if m.eval(&kids[i]) == result {
			return &kids[i]
		}
	}
	return nil
}

func (m *matcher) hasKeyword(name string) bool {
	return slices.ContainsFunc(m.Message().Keywords, func(k string) bool { return strings.EqualFold(k, name) })
}

func (m *matcher) matchDate(s *step) bool {
	date := m.Message().InternalDate()
	switch s.op {
	case opBefore:
		return dayOf(date) < s.num
	case opOn:
		return dayOf(date) == s.num
	case opSince:
		return dayOf(date) >= s.num
	case opOlder: // RFC 5032 section 2: the edge belongs to both
		return !date.After(s.edge)
	default:
		return !date.Before(s.edge)
	}
}

func (m *matcher) matchSent(s *step) bool {
	value, ok := mime.HeaderValue(m.headerBytes(), "Date")
	if !ok {
		return false
	}
	date, ok := mime.ParseDate(value)
	if !ok {
		return false
	}
	switch s.op {
	case opSentBefore:
		return dayOf(date) < s.num
	case opSentOn:
		return dayOf(date) == s.num
	default:
		return dayOf(date) >= s.num
	}
}

func (m *matcher) matchHeader(s *step) bool {
	for value := range mime.EachValue(m.headerBytes(), s.field) {
		if len(s.phrase) == 0 || m.inHeaderText(value, s.phrase) {
			return true
		}
	}
	return false
}

// headerBytes is the header of the message; empty after an error.
func (m *matcher) headerBytes() []byte {
	if m.header == nil && m.err == nil {
		m.header, m.err = m.Header()
	}
	return m.header
}

// load makes text and root available and says whether they are.
func (m *matcher) load() bool {
	if m.root == nil && m.err == nil {
		if m.text, m.err = m.Text(); m.err == nil {
			m.root = mime.Parse(m.text)
		}
	}
	return m.root != nil
}
