package search

import (
	"bytes"
	"strings"

	"spoold/backend/mime"
)

// matchText looks into the header and the body of the message.
func (m *matcher) matchText(s *step) bool {
	return m.load() && (m.inHeader(m.root.Header, s.phrase) || m.inBody(m.root, s.needle, s.phrase))
}

// matchBody looks into the body only.
func (m *matcher) matchBody(s *step) bool {
	return m.load() && m.inBody(m.root, s.needle, nil)
}

// inBody looks into the body of p: for needle in the texts in it and, unless phrase is nil, for that in the headers of
// its parts, where the names of attachments are.
func (m *matcher) inBody(p *mime.Part, needle, phrase []byte) bool {
	if len(needle) == 0 {
		return true
	}
	for _, c := range p.Children {
		if m.inHeader(c.Header, phrase) || m.inBody(c, needle, phrase) {
			return true
		}
	}
	if p.Message != nil {
		return m.inHeader(p.Message.Header, phrase) || m.inBody(p.Message, needle, phrase)
	}
	return p.Type == "TEXT" && m.inLeaf(p, needle)
}

// inLeaf looks into a text part. Text that is ASCII and not encoded, as most
// is, is searched without being decoded.
func (m *matcher) inLeaf(p *mime.Part, needle []byte) bool {
	charset, encoding := string(p.Param("CHARSET")), string(p.Encoding)
	b := p.Body.Of(m.text)
	if mime.IsIdentity(encoding) && mime.IsASCIICompatible(charset) {
		if found, ascii := m.containsASCII(b, needle); found || ascii {
			return found
		}
	}
	decoded, err := mime.DecodeTransfer(encoding, b)
	if err != nil {
		decoded = b // of an unknown encoding the bytes are all there is
	}
	return m.contains(toUTF8(charset, decoded), needle)
}

// toUTF8 returns text as UTF-8, or as it is when the charset is unknown.
func toUTF8(charset string, b []byte) []byte {
	if mime.IsASCIICompatible(charset) && isASCII(b) || strings.EqualFold(charset, "utf-8") {
		return b
	}
	if s, err := mime.DecodeCharset(charset, b); err == nil {
		return []byte(s)
	}
	return b
}

// window is how much is folded at a time: it should stay in the processor's
// cache until it has been searched.
const window = 16 << 10

// containsASCII looks for needle as long as b is ASCII.
func (m *matcher) containsASCII(b, needle []byte) (found, ascii bool) {
	for {
		end := min(window+len(needle), len(b))
		m.folded, ascii = appendFoldASCII(m.folded[:0], b[:end])
		if bytes.Contains(m.folded, needle) {
			return true, ascii
		}
		if !ascii || end == len(b) {
			return false, ascii
		}
		b = b[window:]
	}
}

// inHeader looks into a whole header, its folds undone; nil is in none.
func (m *matcher) inHeader(s mime.Span, phrase []byte) bool {
	if phrase == nil {
		return false
	}
	m.unfolded = mime.AppendUnfolded(m.unfolded[:0], s.Of(m.text))
	return m.inHeaderText(m.unfolded, phrase)
}

// inHeaderText looks into unfolded header text as it stands and as it is meant.
func (m *matcher) inHeaderText(b, phrase []byte) bool {
	if m.containsPhrase(b, phrase) {
		return true
	}
	words := bytes.Contains(b, []byte("=?"))
	if !words && isASCII(b) {
		return false
	}
	text := b
	if words {
		text = []byte(mime.DecodeWords(b))
	}
	return m.containsPhrase(toUTF8("", text), phrase)
}

// containsPhrase takes blanks in a row for one space: where a header is folded, and with what blanks, is of no meaning.
func (m *matcher) containsPhrase(b, phrase []byte) bool {
	m.spaced = appendSpaced(m.spaced[:0], b)
	return m.contains(m.spaced, phrase)
}

// appendSpaced appends text with one space for each row of blanks.
func appendSpaced(dst, b []byte) []byte {
	for i, c := range b {
		if c != ' ' && c != '\t' {
			dst = append(dst, c)
		} else if i == 0 || b[i-1] != ' ' && b[i-1] != '\t' {
			dst = append(dst, ' ')
		}
	}
	return dst
}

func (m *matcher) contains(b, needle []byte) bool {
	m.folded = appendFold(m.folded[:0], b)
	return bytes.Contains(m.folded, needle)
}
