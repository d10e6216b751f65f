package command

import (
	"spoold/backend/mime"
	"spoold/backend/search"
	"spoold/backend/sortthread"
)

// needs says which parts of a record are wanted: bit n for sortthread.Field n, and one for the reply links.
type needs uint16

const needLinks needs = 1 << 15

// maxLinks bounds how many identifiers of one References field count, as many as addresses in an address field. Those
// nearest to the message are at the end.
const maxLinks = 10_000

// maxSortText bounds what one message keeps in memory while others are read; two texts that are the same so far are
// the same to any reader.
const maxSortText = 16 << 10

// recordReader reads out of headers what messages are sorted and threaded by.
type recordReader struct {
	need needs
	ids  sortthread.IDs
}

func (rr *recordReader) needs(f sortthread.Field) bool { return rr.need&(1<<f) != 0 }

// fill completes a record, which keeps nothing of the header.
func (rr *recordReader) fill(m *sortthread.Message, header []byte) {
	if rr.needs(sortthread.Date) {
		m.Sent = sentDate(header, m.Arrival)
	}
	if rr.needs(sortthread.Subject) {
		value, _ := mime.HeaderValue(header, "Subject")
		var base string
		base, m.Reply = sortthread.BaseSubject(mime.DecodeWords(value))
		m.Subject = sortText(base)
	}
	for _, a := range [...]struct {
		by      sortthread.Field
		field   string
		into    *string
		display bool
	}{
		{sortthread.Cc, "Cc", &m.Cc, false},
		{sortthread.From, "From", &m.From, false},
		{sortthread.To, "To", &m.To, false},
		{sortthread.DisplayFrom, "From", &m.DisplayFrom, true},
		{sortthread.DisplayTo, "To", &m.DisplayTo, true},
	} {
		if rr.needs(a.by) {
			*a.into = addressText(header, a.field, a.display)
		}
	}
	if rr.need&needLinks != 0 {
		rr.links(m, header)
	}
}

// sentDate is RFC 5256 §2.2.
func sentDate(header []byte, arrival int64) int64 {
	if value, ok := mime.HeaderValue(header, "Date"); ok {
		if date, ok := mime.ParseDate(value); ok {
			return date.Unix()
		}
	}
	return arrival
}

// sortText is the form in which texts are compared.
func sortText(s string) string {
	folded := search.Fold(s[:min(len(s), maxSortText)])
	return folded[:min(len(folded), maxSortText)]
}

// addressText is the addr-mailbox of the first address in a field, or what a client displays of it (RFC 5957 §3).
func addressText(header []byte, field string, display bool) string {
	value, _ := mime.HeaderValue(header, field)
	list := mime.ParseAddresses(value)
	if len(list) == 0 {
		return ""
	}
	a := &list[0]
	switch {
	case !display, a.Name == nil && a.Host == nil: // a group is displayed by its name, which is there
		return sortText(string(a.Mailbox))
	case a.Name != nil:
		return sortText(mime.DecodeWords(a.Name))
	}
	return sortText(string(a.Mailbox) + "@" + string(a.Host))
}

// links reads Message-ID, and References or, when that has no identifier, the first one of In-Reply-To.
func (rr *recordReader) links(m *sortthread.Message, header []byte) {
	value, _ := mime.HeaderValue(header, "Message-ID")
	for id := range sortthread.EachID(value) {
		m.ID = rr.ids.Of(id)
		break
	}
	value, _ = mime.HeaderValue(header, "References")
	for id := range sortthread.EachID(value) {
		m.Refs = append(m.Refs, rr.ids.Of(id))
	}
	m.Refs = m.Refs[max(0, len(m.Refs)-maxLinks):]
	if len(m.Refs) > 0 {
		return
	}
	value, _ = mime.HeaderValue(header, "In-Reply-To")
	for id := range sortthread.EachID(value) {
		m.Refs = append(m.Refs, rr.ids.Of(id))
		break
	}
}
