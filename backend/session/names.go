package session

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"spoold/backend/wire"
)

// How names of mailboxes are shown to a client that has enabled UTF8=ACCEPT (RFC 9755) or IMAP4rev2 (RFC 9051 §5.1).
//
// On disk names are octets, by UW's custom in modified UTF-7, and everywhere in this package they are as on disk. Level
// by level, a name that is what modified UTF-7 makes of some text is shown as that text, and text that a client sends
// means that name. But there are others on disks, which some program made as it liked: "R&D", or UTF-8. Such a
// name is shown as it is; text means it when there is no mailbox whose name is the text in modified UTF-7. Where
// there are both, or where the octets are no text, "&", controls and octets above 127 are shown as characters of a range that Unicode
// leaves to private use, so that every mailbox can be reached.

// escapes is where the characters for single octets begin.
const escapes = 0xf700

// maxLookups bounds the levels of a name for which the disk is asked, as spool.Tree bounds those that there are.
const maxLookups = 64

// maxPath is more than the file system takes for a path.
const maxPath = 4096

var errNotUTF8 = &wire.SyntaxError{Text: "Mailbox name is not valid UTF-8"}

// SpeaksUTF8 reports whether the client has enabled UTF-8 in names.
func (s *Session) SpeaksUTF8() bool { return s.Enabled("UTF8=ACCEPT") || s.Rev2() }

// Rev2 reports whether the client has enabled IMAP4rev2.
func (s *Session) Rev2() bool { return s.Enabled("IMAP4REV2") }

// OnDisk is the name that a client means by text.
func (s *Session) OnDisk(text string) (string, error) {
	switch {
	case !s.SpeaksUTF8() || isPlain(text):
		return text, nil
	case !utf8.ValidString(text):
		return "", errNotUTF8
	case len(text) > maxPath:
		return wire.EncodeMUTF7(text), nil
	}
	levels := strings.Split(text, string(delimiter))
	path := make([]byte, 0, 2*len(text))
	for i, level := range levels {
		if i > 0 {
			path = append(path, delimiter)
		}
		name := wire.EncodeMUTF7(level)
		if name != level && i < maxLookups {
			name = s.levelOnDisk(string(path), level)
		}
		path = append(path, name...)
	}
	return string(path), nil
}

// levelOnDisk is OnDisk for one level, whose parents are parent.
func (s *Session) levelOnDisk(parent, text string) string {
	name := wire.EncodeMUTF7(text)
	if !strings.ContainsFunc(text, forbidden) && s.cfg.Store.Has(parent+name) {
		return name
	}
	raw := unescape(text)
	if _, isText := decoded(raw); !isText && s.cfg.Store.Has(parent+raw) {
		return raw
	}
	return name
}

// Shown is how a name is told to the client.
func (s *Session) Shown(name string) string {
	if !s.SpeaksUTF8() || isPlain(name) {
		return name
	}
	shown := make([]byte, 0, len(name))
	start := 0
	for {
		end := strings.IndexByte(name[start:], delimiter)
		if end < 0 {
			return string(append(shown, s.levelShown(name[:start], name[start:])...))
		}
		shown = append(shown, s.levelShown(name[:start], name[start:start+end])...)
		shown = append(shown, delimiter)
		start += end + 1
	}
}

func (s *Session) levelShown(parent, name string) string {
	if isPlain(name) {
		return name
	}
	if text, isText := decoded(name); isText {
		return text
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, forbidden) || s.cfg.Store.Has(parent+wire.EncodeMUTF7(name)) {
		return escape(name)
	}
	return name
}

// isPlain reports whether text is the same in modified UTF-7.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '&' {
			return false
		}
	}
	return true
}

// decoded is the text of a name in modified UTF-7, if it is that, and text that may be shown.
func decoded(name string) (text string, ok bool) {
	text, err := wire.DecodeMUTF7(name)
	return text, err == nil && wire.EncodeMUTF7(text) == name && !strings.ContainsFunc(text, forbidden)
}

// forbidden is what no name may have (RFC 9051 §5.1, RFC 5198 §2), and what means something else here.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || isEscape(r)
}

// isEscape is true of what escape makes.
func isEscape(r rune) bool {
	return r >= escapes && r < escapes+0x100 && !isPlain(string([]byte{byte(r - escapes)}))
}

func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; isPlain(name[i : i+1]) {
			b.WriteByte(c)
		} else {
			b.WriteRune(escapes + rune(c))
		}
	}
	return b.String()
}

// unescape undoes escape.
func unescape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if isEscape(r) {
			b.WriteByte(byte(r - escapes))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
