package session

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"spoold/backend/mime"
	"spoold/backend/search"
)

// From and to the types of go-imap, for a plain imapserver.Server. They are poorer than ours: imap.Envelope has decoded
// text and no routes, imap.BodyStructure one value for each parameter, imap.SearchCriteria no order.

// writeRow sends what was asked of one message.
func writeRow(w *imapserver.FetchWriter, r *Row, options *imap.FetchOptions) error {
	parts, err := r.bodySections(options)
	if err != nil {
		return err
	}
	var envelope *imap.Envelope
	if options.Envelope {
		h, err := r.Header()
		if err != nil {
			return err
		}
		envelope = imapEnvelope(mime.ParseEnvelope(h))
	}
	var root *mime.Part
	if options.BodyStructure != nil {
		if root, err = r.Root(); err != nil {
			return err
		}
	}
	m := w.CreateMessage(r.num)
	if options.UID {
		m.WriteUID(imap.UID(r.msg.UID))
	}
	if options.Flags || r.seen {
		r.v.know(r.msg.UID, r.msg.ModSeq)
		m.WriteFlags(messageFlags(&r.msg, r.Recent()))
	}
	if options.InternalDate {
		m.WriteInternalDate(r.msg.InternalDate())
	}
	if options.RFC822Size {
		m.WriteRFC822Size(r.msg.Size)
	}
	if envelope != nil {
		m.WriteEnvelope(envelope)
	}
	if root != nil {
		m.WriteBodyStructure(r.bodyStructure(root))
	}
	for i, b := range options.BodySection {
		if err := writeSection(m, b, parts[i]); err != nil {
			return err
		}
	}
	return m.Close()
}

func writeSection(m *imapserver.FetchResponseWriter, b *imap.FetchItemBodySection, data []byte) error {
	w := m.WriteBodySection(b, int64(len(data)))
	_, err := w.Write(data)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// bodySections reads everything before the first octet is sent: imapserver cannot take back what it has begun.
func (r *Row) bodySections(options *imap.FetchOptions) ([][]byte, error) {
	var all [][]byte
	for _, b := range options.BodySection {
		var p *Partial
		if b.Partial != nil {
			p = &Partial{b.Partial.Offset, b.Partial.Size}
		}
		data, err := r.Section(mimeSection(b), p)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func mimeSection(b *imap.FetchItemBodySection) mime.Section {
	s := mime.Section{Path: b.Part}
	switch b.Specifier {
	case imap.PartSpecifierMIME:
		s.Kind = mime.MIMEKind
	case imap.PartSpecifierText:
		s.Kind = mime.TextKind
	case imap.PartSpecifierHeader:
		s.Kind = mime.HeaderKind
		if len(b.HeaderFields) > 0 {
			s.Kind, s.Fields = mime.Fields, b.HeaderFields
		} else if len(b.HeaderFieldsNot) > 0 {
			s.Kind, s.Fields = mime.FieldsNot, b.HeaderFieldsNot
		}
	}
	return s
}

func imapEnvelope(e *mime.Envelope) *imap.Envelope {
	date, _ := mime.ParseDate(e.Date) // a date that is none is told as NIL
	return &imap.Envelope{
		Date: date, Subject: mime.DecodeWords(e.Subject),
		From: imapAddresses(e.From), Sender: imapAddresses(e.Sender), ReplyTo: imapAddresses(e.ReplyTo),
		To: imapAddresses(e.To), Cc: imapAddresses(e.Cc), Bcc: imapAddresses(e.Bcc),
		InReplyTo: messageIDs(e.InReplyTo), MessageID: strings.Join(messageIDs(e.MessageID), ""),
	}
}

func messageIDs(b []byte) []string {
	ids := strings.Fields(string(b))
	for i, id := range ids {
		ids[i] = strings.Trim(id, "<>")
	}
	return ids
}

func imapAddresses(list []mime.Address) []imap.Address {
	var out []imap.Address
	for _, a := range list {
		out = append(out, imap.Address{Name: mime.DecodeWords(a.Name), Mailbox: string(a.Mailbox), Host: string(a.Host)})
	}
	return out
}

func (r *Row) bodyStructure(p *mime.Part) imap.BodyStructure {
	if p.IsMultipart() {
		m := &imap.BodyStructureMultiPart{Subtype: p.Subtype, Extended: &imap.BodyStructureMultiPartExt{
			Params: imapParams(p.Params), Disposition: disposition(p), Language: languages(p), Location: string(p.Location),
		}}
		for _, c := range p.Children {
			m.Children = append(m.Children, r.bodyStructure(c))
		}
		return m
	}
	s := &imap.BodyStructureSinglePart{
		Type: p.Type, Subtype: p.Subtype, Params: imapParams(p.Params), ID: string(p.ID),
		Description: string(p.Description), Encoding: string(p.Encoding), Size: uint32(p.Body.Len()),
		Extended: &imap.BodyStructureSinglePartExt{
			Disposition: disposition(p), Language: languages(p), Location: string(p.Location),
		},
	}
	switch {
	case p.Message != nil:
		s.MessageRFC822 = &imap.BodyStructureMessageRFC822{
			Envelope: imapEnvelope(p.Envelope), BodyStructure: r.bodyStructure(p.Message), NumLines: int64(p.Lines),
		}
	case p.Type == "TEXT":
		s.Text = &imap.BodyStructureText{NumLines: int64(p.Lines)}
	}
	return s
}

func imapParams(list []mime.Param) map[string]string {
	m := make(map[string]string, len(list))
	for _, p := range list {
		m[p.Name] = string(p.Value)
	}
	return m
}

func disposition(p *mime.Part) *imap.BodyStructureDisposition {
	if p.Disposition == nil {
		return nil
	}
	return &imap.BodyStructureDisposition{Value: p.Disposition.Type, Params: imapParams(p.Disposition.Params)}
}

func languages(p *mime.Part) []string {
	var out []string
	for _, l := range p.Language {
		out = append(out, string(l))
	}
	return out
}

// searchNode translates criteria, all of which must hold.
func (s *Session) searchNode(c *imap.SearchCriteria) (search.Node, error) {
	all, err := s.setNodes(c)
	if err != nil {
		return search.Node{}, err
	}
	all = append(all, flagNodes(c.Flag, true)...)
	all = append(all, flagNodes(c.NotFlag, false)...)
	all = append(all, dateNodes(c)...)
	for _, h := range c.Header {
		all = append(all, search.Header(h.Key, h.Value))
	}
	for _, t := range c.Body {
		all = append(all, search.Body(t))
	}
	for _, t := range c.Text {
		all = append(all, search.Text(t))
	}
	for i := range c.Not {
		n, err := s.searchNode(&c.Not[i])
		if err != nil {
			return search.Node{}, err
		}
		all = append(all, search.Not(n))
	}
	for i := range c.Or {
		a, err := s.searchNode(&c.Or[i][0])
		if err != nil {
			return search.Node{}, err
		}
		b, err := s.searchNode(&c.Or[i][1])
		if err != nil {
			return search.Node{}, err
		}
		all = append(all, search.Or(a, b))
	}
	return search.And(all...), nil
}

func (s *Session) setNodes(c *imap.SearchCriteria) ([]search.Node, error) {
	all := []search.Node{search.All()}
	for _, set := range c.SeqNum {
		nums, err := s.Resolve(seqSet(set), false)
		if err != nil {
			return nil, err
		}
		all = append(all, search.SeqSet(SearchRanges(nums)))
	}
	for _, set := range c.UID {
		all = append(all, search.UIDSet(SearchRanges(uidSet(set).Resolve(s.view.LastUID()))))
	}
	return all, nil
}

func flagNodes(flags []imap.Flag, set bool) []search.Node {
	var all []search.Node
	for _, f := range flags {
		name := string(f)
		switch bit := systemFlag(name); {
		case bit != 0:
			all = append(all, search.Flag(bit, set))
		case !strings.EqualFold(name, recentFlag):
			all = append(all, search.Keyword(name, set))
		case set:
			all = append(all, search.Recent())
		default:
			all = append(all, search.Old())
		}
	}
	return all
}

func dateNodes(c *imap.SearchCriteria) []search.Node {
	var all []search.Node
	if !c.Since.IsZero() {
		all = append(all, search.Since(c.Since))
	}
	if !c.Before.IsZero() {
		all = append(all, search.Before(c.Before))
	}
	if !c.SentSince.IsZero() {
		all = append(all, search.SentSince(c.SentSince))
	}
	if !c.SentBefore.IsZero() {
		all = append(all, search.SentBefore(c.SentBefore))
	}
	if c.Larger > 0 {
		all = append(all, search.Larger(c.Larger))
	}
	if c.Smaller > 0 {
		all = append(all, search.Smaller(c.Smaller))
	}
	return all
}
