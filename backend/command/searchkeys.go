package command

import (
	"errors"
	"strings"

	"spoold/backend/search"
	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// maxSearchDepth bounds NOT, OR and parentheses in each other, as UW does. Clients make long chains of OR.
const maxSearchDepth = 500

// searchParser reads search keys.
type searchParser struct {
	p       *wire.Parser
	s       *session.Session
	charset string
	depth   int
}

// parseSearch reads [CHARSET name SP] and the keys, to the end of the command.
func parseSearch(s *session.Session, p *wire.Parser) (search.Node, error) {
	if !p.TryKeyword("CHARSET") {
		return parseKeys(s, p, "")
	}
	if s.Enabled("UTF8=ACCEPT") { // RFC 9755 §3
		return search.Node{}, &wire.SyntaxError{Text: "SEARCH has no CHARSET once UTF8=ACCEPT is enabled"}
	}
	if err := p.SP(); err != nil {
		return search.Node{}, err
	}
	charset, err := p.AString()
	if err != nil {
		return search.Node{}, err
	}
	if err := p.SP(); err != nil {
		return search.Node{}, err
	}
	return parseKeys(s, p, string(charset))
}

// parseKeys reads search keys, all of which must hold, to the end of the command. Strings are in the charset.
func parseKeys(s *session.Session, p *wire.Parser, charset string) (search.Node, error) {
	sp := &searchParser{p: p, s: s, charset: charset}
	if _, err := search.DecodeCharsetString(charset, nil); err != nil {
		return search.Node{}, sp.badString(err)
	}
	var keys []search.Node
	for {
		k, err := sp.key()
		if err != nil {
			return search.Node{}, err
		}
		keys = append(keys, k)
		if p.AtEnd() {
			break
		}
		if err := p.SP(); err != nil {
			return search.Node{}, err
		}
		if p.AtEnd() { // some clients send a blank
			break
		}
	}
	return search.And(keys...), nil
}

func isSetStart(c byte) bool { return c >= '0' && c <= '9' || c == '*' || c == '$' }

// key reads one search key.
func (sp *searchParser) key() (search.Node, error) {
	if sp.depth++; sp.depth > maxSearchDepth {
		return search.Node{}, &wire.SyntaxError{Text: "Search keys nested too deeply"}
	}
	defer func() { sp.depth-- }()
	switch c := sp.p.Peek(); {
	case c == '(':
		return sp.group()
	case isSetStart(c):
		set, err := sp.p.Set()
		if err != nil {
			return search.Node{}, err
		}
		return sp.numbers(set)
	}
	word, err := sp.p.Keyword()
	if err != nil {
		return search.Node{}, err
	}
	return sp.named(word)
}

func (sp *searchParser) group() (search.Node, error) {
	var keys []search.Node
	err := sp.p.List(func() error {
		k, err := sp.key()
		keys = append(keys, k)
		return err
	})
	if err == nil && len(keys) == 0 {
		err = &wire.SyntaxError{Text: "Empty parentheses in SEARCH"}
	}
	return search.And(keys...), err
}

// named reads the rest of a key that begins with a word.
func (sp *searchParser) named(word string) (search.Node, error) {
	if n, ok := flagKey(word); ok {
		return n, nil
	}
	if f := textKey(word); f != nil {
		text, err := sp.text()
		return f(text), err
	}
	switch word {
	case "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE":
		return sp.date(word)
	case "LARGER", "SMALLER":
		return sp.size(word)
	case "OLDER", "YOUNGER":
		return sp.interval(word)
	case "MODSEQ":
		return sp.modSeq()
	case "KEYWORD", "UNKEYWORD":
		return sp.keyword(word == "KEYWORD")
	case "HEADER":
		return sp.header()
	case "UID":
		return sp.uid()
	case "NOT":
		n, err := sp.next()
		return search.Not(n), err
	case "OR":
		a, err := sp.next()
		if err != nil {
			return a, err
		}
		b, err := sp.next()
		return search.Or(a, b), err
	}
	return search.Node{}, &wire.SyntaxError{Text: "Unknown search key " + word}
}

// flagKey is a key without argument.
func flagKey(word string) (search.Node, bool) {
	switch word {
	case "ALL":
		return search.All(), true
	case "NEW":
		return search.New(), true
	case "OLD":
		return search.Old(), true
	case "RECENT":
		return search.Recent(), true
	case "ANSWERED", "UNANSWERED":
		return search.Flag(mboxstore.FlagAnswered, word[0] != 'U'), true
	case "DELETED", "UNDELETED":
		return search.Flag(mboxstore.FlagDeleted, word[0] != 'U'), true
	case "DRAFT", "UNDRAFT":
		return search.Flag(mboxstore.FlagDraft, word[0] != 'U'), true
	case "FLAGGED", "UNFLAGGED":
		return search.Flag(mboxstore.FlagFlagged, word[0] != 'U'), true
	case "SEEN", "UNSEEN":
		return search.Flag(mboxstore.FlagSeen, word[0] != 'U'), true
	}
	return search.Node{}, false
}

func textKey(word string) func(string) search.Node {
	switch word {
	case "BCC":
		return search.Bcc
	case "BODY":
		return search.Body
	case "CC":
		return search.Cc
	case "FROM":
		return search.From
	case "SUBJECT":
		return search.Subject
	case "TEXT":
		return search.Text
	case "TO":
		return search.To
	}
	return nil
}

func (sp *searchParser) next() (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	return sp.key()
}

func (sp *searchParser) astring() ([]byte, error) {
	if err := sp.p.SP(); err != nil {
		return nil, err
	}
	return sp.p.AString()
}

// text reads a string in the charset of the command.
func (sp *searchParser) text() (string, error) {
	b, err := sp.astring()
	if err != nil {
		return "", err
	}
	text, err := search.DecodeCharsetString(sp.charset, b)
	return text, sp.badString(err)
}

// badString refuses a charset, or octets that are no text in it.
func (sp *searchParser) badString(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, search.ErrBadCharset):
		return &session.Refusal{Code: "BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R ISO-2022-JP SHIFT_JIS EUC-JP GB18030 BIG5 EUC-KR)", Text: "Unknown charset"}
	}
	return &wire.SyntaxError{Text: "Search string is not valid in its charset"}
}

func (sp *searchParser) date(word string) (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	t, err := sp.p.Date()
	if err != nil {
		return search.Node{}, err
	}
	switch word {
	case "BEFORE":
		return search.Before(t), nil
	case "ON":
		return search.On(t), nil
	case "SINCE":
		return search.Since(t), nil
	case "SENTBEFORE":
		return search.SentBefore(t), nil
	case "SENTON":
		return search.SentOn(t), nil
	}
	return search.SentSince(t), nil
}

func (sp *searchParser) size(word string) (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	n, err := sp.p.Number64()
	if word == "LARGER" {
		return search.Larger(n), err
	}
	return search.Smaller(n), err
}

// interval is a number of seconds (RFC 5032 §3).
func (sp *searchParser) interval(word string) (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	secs, err := sp.p.NZNumber()
	if word == "OLDER" {
		return search.Older(secs), err
	}
	return search.Younger(secs), err
}

// modSeq is RFC 7162 §3.1.5. A mod-sequence is of the whole message here, whichever of its flags is named.
func (sp *searchParser) modSeq() (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	if sp.p.Peek() == '"' {
		if err := sp.metadataEntry(); err != nil {
			return search.Node{}, err
		}
	}
	n, err := sp.p.Number64()
	return search.ModSeq(uint64(n)), err
}

// metadataEntry reads the name of a flag, such as "/flags/\\Seen", and whose it is, with the space behind.
func (sp *searchParser) metadataEntry() error {
	name, err := sp.p.String()
	if err != nil {
		return err
	}
	flag, ok := strings.CutPrefix(strings.ToLower(string(name)), "/flags/")
	if !ok || strings.Trim(flag, "\\") == "" {
		return &wire.SyntaxError{Text: "Only flags have mod-sequences"}
	}
	if err := sp.p.SP(); err != nil {
		return err
	}
	if typ, err := sp.p.Keyword(); err != nil || typ != "PRIV" && typ != "SHARED" && typ != "ALL" {
		return &wire.SyntaxError{Text: "PRIV, SHARED or ALL expected in MODSEQ"}
	}
	return sp.p.SP()
}

func (sp *searchParser) keyword(set bool) (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	name, err := sp.p.Atom()
	return search.Keyword(name, set), err
}

func (sp *searchParser) header() (search.Node, error) {
	field, err := sp.astring()
	if err != nil {
		return search.Node{}, err
	}
	text, err := sp.text()
	return search.Header(string(field), text), err
}

func (sp *searchParser) uid() (search.Node, error) {
	if err := sp.p.SP(); err != nil {
		return search.Node{}, err
	}
	set, err := sp.p.Set()
	if err != nil {
		return search.Node{}, err
	}
	if set.IsSaved() {
		return sp.numbers(set)
	}
	return search.UIDSet(session.SearchRanges(set.Resolve(sp.s.View().LastUID()))), nil
}

// numbers is a set of message numbers, or "$". It is of these messages from now on, whatever becomes of their numbers
// (RFC 5267 §4.3); no UID between two of them is a message that the client knows, or will.
func (sp *searchParser) numbers(set wire.Set) (search.Node, error) {
	nums, err := sp.s.Resolve(set, false)
	if err != nil {
		return search.Node{}, err
	}
	uids := session.SearchRanges(nums)
	for i, r := range uids {
		uids[i] = search.Range{Start: sp.s.View().UID(r.Start), Stop: sp.s.View().UID(r.Stop)}
	}
	return search.UIDSet(uids), nil
}
