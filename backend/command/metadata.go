package command

import (
	"bytes"
	"strconv"
	"strings"

	"spoold/backend/annotation"
	"spoold/backend/session"
	"spoold/backend/wire"
)

// metadataOptions are those of GETMETADATA (RFC 5464 §4.2.1, §4.2.2).
type metadataOptions struct {
	maxSize int64 // less than 0: none
	depth   int   // levels below the entry that are returned; less than 0: all
}

// getMetadata is GETMETADATA. The options may stand before the mailbox, as the RFC's grammar has it, or behind it, as in
// its examples.
func getMetadata(r *request) error {
	p := r.cmd.Args
	opt := metadataOptions{maxSize: -1}
	if err := p.SP(); err != nil {
		return err
	}
	if p.Peek() == '(' {
		if err := opt.parse(p); err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
	}
	name, err := p.Mailbox()
	if err != nil {
		return err
	}
	paths, err := opt.parseEntries(p)
	if err != nil {
		return err
	}
	entries, err := r.s.Metadata(r.ctx, name)
	if err != nil {
		return err
	}
	found, longest := opt.choose(entries, paths)
	r.metadata(name, found)
	if longest > 0 {
		return r.done("METADATA LONGENTRIES " + strconv.Itoa(longest))
	}
	return r.done("")
}

// parse reads the options.
func (o *metadataOptions) parse(p *wire.Parser) error {
	return p.List(func() error {
		word, err := p.Keyword()
		if err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
		switch word {
		case "MAXSIZE":
			n, err := p.Number()
			o.maxSize = int64(n)
			return err
		case "DEPTH":
			return o.parseDepth(p)
		}
		return &wire.SyntaxError{Text: "Unknown GETMETADATA option " + word}
	})
}

func (o *metadataOptions) parseDepth(p *wire.Parser) error {
	word, err := p.Keyword()
	switch word {
	case "0":
		o.depth = 0
	case "1":
		o.depth = 1
	case "INFINITY":
		o.depth = -1
	default:
		return &wire.SyntaxError{Text: "DEPTH is 0, 1 or infinity"}
	}
	return err
}

// parseEntries reads what is behind the mailbox: options, if they did not come before, and the names of entries. Those
// need no parentheses: the RFC has an example without.
func (o *metadataOptions) parseEntries(p *wire.Parser) (paths []string, err error) {
	if err := p.SP(); err != nil {
		return nil, err
	}
	one := func() error {
		path, err := parseEntry(p, session.CheckEntryPath)
		paths = append(paths, path)
		return err
	}
	if c := p.PeekSecond() | 0x20; p.Peek() == '(' && c >= 'a' && c <= 'z' {
		if err := o.parse(p); err != nil {
			return nil, err
		}
		if err := p.SP(); err != nil {
			return nil, err
		}
	}
	if p.Peek() == '(' {
		err = p.List(one)
	} else {
		for err = one(); err == nil && p.TryByte(' '); err = one() {
		}
	}
	if err == nil && len(paths) == 0 {
		err = &wire.SyntaxError{Text: "Missing name of an entry"}
	}
	if err != nil {
		return nil, err
	}
	return paths, p.End()
}

// parseEntry reads the name of an entry, whose case does not matter.
func parseEntry(p *wire.Parser, check func(string) bool) (string, error) {
	b, err := p.AString()
	if err != nil {
		return "", err
	}
	name := strings.ToLower(string(b))
	if !check(name) {
		return "", &wire.SyntaxError{Text: "That is not the name of an annotation"}
	}
	return name, nil
}

// choose returns the entries that are asked for, each once, and the size of the largest that is too large. What is asked
// for by its name, and is not there, is told without a value.
func (o *metadataOptions) choose(entries []annotation.Entry, paths []string) (found []annotation.Entry, longest int) {
	told := map[string]bool{}
	for _, path := range paths {
		if told[path] && o.depth == 0 {
			continue
		}
		there := false
		for _, e := range entries {
			if !o.covers(path, e.Name) {
				continue
			}
			there = true
			switch {
			case told[e.Name]:
			case o.maxSize >= 0 && int64(len(e.Value)) > o.maxSize:
				longest = max(longest, len(e.Value))
			default:
				found = append(found, e)
			}
			told[e.Name] = true
		}
		if !there && o.depth == 0 && session.CheckEntry(path) {
			found = append(found, annotation.Entry{Name: path})
			told[path] = true
		}
	}
	return found, longest
}

func (o *metadataOptions) covers(path, name string) bool {
	below, isBelow := strings.CutPrefix(name, path+"/")
	switch {
	case name == path:
		return true
	case !isBelow || o.depth == 0:
		return false
	}
	return o.depth < 0 || !strings.Contains(below, "/")
}

// metadata writes the METADATA response with values.
func (r *request) metadata(mailbox string, entries []annotation.Entry) {
	if len(entries) == 0 {
		return
	}
	r.w.Raw("* METADATA ")
	r.w.Mailbox(mailbox)
	r.w.SP()
	r.w.List(len(entries), func(i int) {
		r.w.AString([]byte(entries[i].Name))
		r.w.SP()
		if bytes.IndexByte(entries[i].Value, 0) >= 0 {
			r.w.Raw("~")
			r.w.Literal(entries[i].Value)
			return
		}
		r.w.NString(entries[i].Value)
	})
	r.w.CRLF()
}

// setMetadata is SETMETADATA.
func setMetadata(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	entries, err := parseEntryValues(r.cmd.Args)
	if err != nil {
		return err
	}
	if err := r.s.SetMetadata(r.ctx, name, entries); err != nil {
		return err
	}
	return r.done("")
}

func parseEntryValues(p *wire.Parser) ([]annotation.Entry, error) {
	var entries []annotation.Entry
	err := p.List(func() error {
		name, err := parseEntry(p, session.CheckEntry)
		if err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
		value, isNil, err := p.NString()
		if !isNil && value == nil {
			value = []byte{} // which is a value
		}
		entries = append(entries, annotation.Entry{Name: name, Value: value})
		return err
	})
	if err == nil && len(entries) == 0 {
		err = &wire.SyntaxError{Text: "Missing entries"}
	}
	if err != nil {
		return nil, err
	}
	return entries, p.End()
}
