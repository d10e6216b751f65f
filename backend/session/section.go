package session

import (
	"bytes"
	"io"

	"spoold/backend/mime"
)

// Extent is a run of octets of a message as it is served.
type Extent struct{ Off, Len int64 }

// Partial is the <offset.length> of a section: which octets of it are asked for.
type Partial struct{ Off, Len int64 }

// Cut is the part of a run that the client asked for. A nil Partial asks for all. Both numbers come from the client,
// so nothing is added up before it is known to fit.
func (p *Partial) Cut(e Extent) Extent {
	if p == nil {
		return e
	}
	off := min(max(p.Off, 0), e.Len)
	return Extent{e.Off + off, min(max(p.Len, 0), e.Len-off)}
}

// StreamOver is the length from which a run of octets is not read into memory before it is sent.
const StreamOver = 1 << 20

// Extent tells where in the message a section is, when that is known without reading it: the whole message, its
// header, its text.
func (r *Row) Extent(sec mime.Section) (e Extent, ok bool) {
	if len(sec.Path) > 0 {
		return Extent{}, false
	}
	switch sec.Kind {
	case mime.All:
		return Extent{0, r.msg.Size}, true
	case mime.HeaderKind:
		return Extent{0, r.msg.HeaderSize}, true
	case mime.TextKind:
		return Extent{r.msg.HeaderSize, r.msg.Size - r.msg.HeaderSize}, true
	}
	return Extent{}, false
}

// Octets reads a run, in memory.
func (r *Row) Octets(e Extent) ([]byte, error) {
	if e.Len == 0 {
		return []byte{}, nil
	}
	if e.Off+e.Len <= r.msg.HeaderSize && r.text == nil {
		h, err := r.Header()
		return cut(h, e), err
	}
	if r.text != nil || r.msg.Size <= StreamOver {
		t, err := r.Text()
		return cut(t, e), err
	}
	var b bytes.Buffer
	err := r.WriteOctets(&b, e)
	return b.Bytes(), err
}

// cut never goes beyond what was read, whatever the index said of its size.
func cut(b []byte, e Extent) []byte {
	from := min(e.Off, int64(len(b)))
	return b[from:min(e.Off+e.Len, int64(len(b)))]
}

// WriteOctets writes a run in bounded memory.
func (r *Row) WriteOctets(w io.Writer, e Extent) error {
	return r.v.box.WriteText(r.ctx, r.msg.UID, e.Off, e.Len, w)
}

// Section reads any section. It is nil when the message has no such part.
func (r *Row) Section(sec mime.Section, p *Partial) ([]byte, error) {
	if e, ok := r.Extent(sec); ok {
		return r.Octets(p.Cut(e))
	}
	read := r.Text
	if sec.HeaderOnly() {
		read = r.Header
	}
	msg, err := read()
	if err != nil {
		return nil, err
	}
	var rootErr error
	b, ok := sec.Extract(msg, func() *mime.Part {
		root, err := r.Root()
		rootErr = err
		return root
	})
	if rootErr != nil || !ok {
		return nil, rootErr
	}
	return notNil(cut(b, p.Cut(Extent{0, int64(len(b))}))), nil
}
