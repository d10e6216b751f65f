package command

import (
	"net/url"
	"strconv"
	"strings"

	"spoold/backend/mime"
	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// messageURL is an IMAP URL (RFC 5092) of a message, or a part of one, in a mailbox of the user: an absolute path,
// "/mailbox;UIDVALIDITY=1/;UID=2/;SECTION=1.2/;PARTIAL=0.1024", or one that begins with the message, in the selected
// mailbox. URLs with a server or with URLAUTH are others'.
type messageURL struct {
	mailbox  string // UTF-8; "": the selected one
	validity uint32 // 0: any
	uid      mboxstore.UID
	section  mime.Section
	partial  *session.Partial
}

func (u messageURL) sameMessage(v messageURL) bool {
	return u.mailbox == v.mailbox && u.validity == v.validity && u.uid == v.uid
}

// parseMessageURL reads a URL; ok is false when it is none of those that can be used.
func parseMessageURL(text string) (u messageURL, ok bool) {
	rest := text
	if strings.HasPrefix(text, "/") {
		at := indexFold(text, "/;uid=")
		if at < 1 || !u.parseMailbox(text[1:at]) {
			return u, false
		}
		rest = text[at+1:]
	}
	uid, rest, _ := strings.Cut(rest, "/")
	uid, found := cutFold(uid, ";uid=")
	if !found || !nzNumber(uid, &u.uid) {
		return u, false
	}
	if section, found := cutFold(rest, ";section="); found {
		section, rest, _ = strings.Cut(section, "/")
		if !u.parseSection(section) {
			return u, false
		}
	}
	if partial, found := cutFold(rest, ";partial="); found {
		rest = ""
		if !u.parsePartial(partial) {
			return u, false
		}
	}
	return u, rest == "" && !strings.HasSuffix(text, "/")
}

// parseMailbox reads a name and the UIDVALIDITY behind it.
func (u *messageURL) parseMailbox(text string) bool {
	if at := indexFold(text, ";uidvalidity="); at >= 0 {
		if !nzNumber(text[at+len(";uidvalidity="):], &u.validity) {
			return false
		}
		text = text[:at]
	}
	if strings.Contains(text, ";") {
		return false
	}
	name, err := url.PathUnescape(text)
	u.mailbox = name
	return err == nil && name != ""
}

// parseSection reads what FETCH has between its brackets, with escapes.
func (u *messageURL) parseSection(text string) bool {
	text, err := url.PathUnescape(text)
	if err != nil || text == "" || strings.ContainsAny(text, "]\r\n\x00") {
		return false
	}
	p := wire.NewParser([]byte(text+"]"), wire.Limits{})
	u.section, err = mime.ParseSection(p)
	return err == nil && p.AtEnd()
}

// parsePartial reads an offset and, if it is there, a length.
func (u *messageURL) parsePartial(text string) bool {
	offset, length, cut := strings.Cut(text, ".")
	var from, n uint32
	if !number(offset, &from) || cut && !nzNumber(length, &n) {
		return false
	}
	u.partial = &session.Partial{Off: int64(from), Len: int64(n)}
	if !cut {
		u.partial.Len = 1<<63 - 1 // up to the end
	}
	return true
}

func nzNumber(text string, n *uint32) bool { return number(text, n) && *n > 0 }

func number(text string, n *uint32) bool {
	v, err := strconv.ParseUint(text, 10, 32)
	*n = uint32(v)
	return err == nil && text[0] != '+'
}

// indexFold is strings.Index for a lower-case ASCII word in any case.
func indexFold(s, word string) int {
	for i := 0; i+len(word) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}

func cutFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
