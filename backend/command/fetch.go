package command

import (
	"errors"
	"fmt"
	"slices"

	"spoold/backend/mime"
	"spoold/backend/session"
	"spoold/backend/wire"
)

// maxItems bounds what one FETCH may ask of each message, as UW does: a line full of "BODY[]" would be a cheap way to make
// us send thousands of times what the mailbox holds.
const maxItems = 100

// fetch is FETCH (RFC 3501 §6.4.5).
func fetch(r *request) error {
	nums, err := r.set()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	items, err := parseItems(r.cmd.Args)
	if err != nil {
		return err
	}
	modifiers, err := parseFetchModifiers(r.cmd)
	if err != nil {
		return err
	}
	if modifiers.partial != nil {
		nums = modifiers.partial.ofSet(nums)
	}
	if r.cmd.UID && !slices.ContainsFunc(items, func(it item) bool { return it.label == "UID" }) {
		items = slices.Insert(items, 0, item{label: "UID", write: writeUID})
	}
	f := fetcher{w: r.w, items: items}
	rows := &session.Rows{MarkSeen: slices.ContainsFunc(items, func(it item) bool { return it.marks })}
	if err := r.s.FetchRows(r.ctx, nums, rows, f.row); err != nil {
		return err
	}
	if rows.Missing() {
		return r.missing(session.ErrMissing)
	}
	return r.done("")
}

// item is one data item of a FETCH.
type item struct {
	label   string // as it stands in the response
	write   func(*fetcher, *session.Row, *item) error
	marks   bool // sets \Seen
	section mime.Section
	partial *session.Partial
}

// parseItems reads a macro, an item, or a list of items.
func parseItems(p *wire.Parser) ([]item, error) {
	if p.Peek() != '(' {
		name, err := p.Word()
		if err != nil {
			return nil, err
		}
		if macro := expand(name); macro != nil {
			return macro, nil
		}
		it, err := parseItem(p, name)
		return []item{it}, err
	}
	var items []item
	err := p.List(func() error {
		name, err := p.Word()
		if err != nil {
			return err
		}
		it, err := parseItem(p, name)
		if err != nil {
			return err
		}
		if len(items) == maxItems {
			return &wire.SyntaxError{Text: "Too many FETCH data items"}
		}
		if !it.isSection() && slices.ContainsFunc(items, func(other item) bool { return other.label == it.label }) {
			return nil
		}
		items = append(items, it)
		return nil
	})
	if err == nil && len(items) == 0 {
		err = &wire.SyntaxError{Text: "Missing FETCH data items"}
	}
	return items, err
}

func (it *item) isSection() bool { return it.label[len(it.label)-1] == ']' || it.partial != nil }

// expand gives the items of a macro, nil if name is none.
func expand(name string) []item {
	var items []item
	switch name {
	case "FULL":
		items = append(items, simpleItem("BODY"))
		fallthrough
	case "ALL":
		items = append(items, simpleItem("ENVELOPE"))
		fallthrough
	case "FAST":
		items = append(items, simpleItem("RFC822.SIZE"), simpleItem("INTERNALDATE"), simpleItem("FLAGS"))
	}
	slices.Reverse(items)
	return items
}

// simpleItem is an item that is only a name; without write it is none.
func simpleItem(name string) item {
	it := item{label: name}
	switch name {
	case "UID":
		it.write = writeUID
	case "FLAGS":
		it.write = writeFlags
	case "INTERNALDATE":
		it.write = writeInternalDate
	case "RFC822.SIZE":
		it.write = writeSize
	case "ENVELOPE":
		it.write = writeEnvelope
	case "BODY", "BODYSTRUCTURE":
		it.write = writeStructure
	case "RFC822":
		it.write, it.marks = writeSection, true
	case "RFC822.PEEK": // UW's, and so pine's
		it.label, it.write = "RFC822", writeSection
	case "RFC822.HEADER":
		it.write, it.section.Kind = writeSection, mime.HeaderKind
	case "RFC822.TEXT":
		it.write, it.section.Kind, it.marks = writeSection, mime.TextKind, true
	case "RFC822.TEXT.PEEK":
		it.label, it.write, it.section.Kind = "RFC822.TEXT", writeSection, mime.TextKind
	}
	return it
}

func parseItem(p *wire.Parser, name string) (item, error) {
	if p.TryByte('[') {
		return parseSection(p, name)
	}
	it := simpleItem(name)
	if it.write == nil {
		return it, &wire.SyntaxError{Text: "Unknown FETCH data item " + name}
	}
	return it, nil
}

// parseSection reads what follows "BODY[" or "BODY.PEEK[".
func parseSection(p *wire.Parser, name string) (item, error) {
	it := item{write: writeSection, marks: name == "BODY"}
	if name != "BODY" && name != "BODY.PEEK" {
		return it, &wire.SyntaxError{Text: "Unknown FETCH data item " + name}
	}
	var err error
	if it.section, err = mime.ParseSection(p); err != nil {
		return it, err
	}
	it.label = "BODY[" + it.section.String() + "]"
	if p.TryByte('<') {
		if it.partial, err = parsePartial(p); err != nil {
			return it, err
		}
		it.label = fmt.Sprintf("%s<%d>", it.label, it.partial.Off)
	}
	return it, nil
}

func parsePartial(p *wire.Parser) (*session.Partial, error) {
	off, err := p.Number64()
	if err != nil {
		return nil, err
	}
	if err := p.Byte('.'); err != nil {
		return nil, err
	}
	n, err := p.Number64()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, &wire.SyntaxError{Text: "Partial FETCH of nothing"}
	}
	return &session.Partial{Off: off, Len: n}, p.Byte('>')
}

// fetcher writes the responses of one FETCH.
type fetcher struct {
	w       *wire.Writer
	items   []item
	scratch []byte
	told    bool // FLAGS stand in this response
}

// errCutShort: a response cannot be taken back, because a part of it has gone to the client.
var errCutShort = errors.New("message went away while it was sent")

// row writes one message's response, or nothing of it.
func (f *fetcher) row(row *session.Row) error {
	err := f.response(row)
	switch {
	case f.w.Err() != nil:
		return f.w.Err()
	case err != nil && !f.w.Rollback():
		return fmt.Errorf("uid %d: %w: %v", row.Message().UID, errCutShort, err)
	}
	return err
}

func (f *fetcher) response(row *session.Row) error {
	f.told = false
	f.w.Raw("* ")
	f.w.Num(uint64(row.Seq()))
	f.w.Raw(" FETCH (")
	for i := range f.items {
		if i > 0 {
			f.w.Raw(" ")
		}
		it := &f.items[i]
		f.w.Raw(it.label)
		f.w.Raw(" ")
		if err := it.write(f, row, it); err != nil {
			return err
		}
	}
	if row.NewlySeen() && !f.told {
		f.w.Raw(" FLAGS ")
		if err := writeFlags(f, row, nil); err != nil {
			return err
		}
	}
	f.w.Raw(")")
	f.w.CRLF()
	return nil
}
