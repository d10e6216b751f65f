package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// CATENATE (RFC 4469): a message put together from literals and from parts of messages that are here already, in the
// order in which they come. A part is read when its turn is; what is stored under a UID never changes, so it
// does not matter what others do to the mailbox meanwhile, unless the message goes: then nothing is appended.

// maxURLs bounds the parts that one command may have read for it.
const maxURLs = 1000

// maxURL is longer than any URL that means something here.
const maxURL = 4096

// parts reads the parts of a message up to the ")".
func (a *appender) parts(w io.Writer) error {
	p := a.r.cmd.Args
	for first := true; ; first = false {
		if !first {
			if p.TryByte(')') {
				return nil
			}
			if err := p.SP(); err != nil {
				return err
			}
		}
		if err := a.part(w); err != nil {
			return err
		}
	}
}

func (a *appender) part(w io.Writer) error {
	p := a.r.cmd.Args
	switch {
	case p.TryKeyword("TEXT"):
		if err := p.SP(); err != nil {
			return err
		}
		return a.literal(w, false)
	case a.r.s.Enabled("UTF8=ACCEPT") && p.TryKeyword("UTF8"):
		if err := a.r.openUTF8(); err != nil {
			return err
		}
		return a.utf8Text(w, false)
	case p.TryKeyword("URL"):
		if err := p.SP(); err != nil {
			return err
		}
		url, err := p.AString()
		if err != nil {
			return err
		}
		return a.url(w, string(url))
	}
	return &wire.SyntaxError{Text: "CATENATE takes TEXT and URL"}
}

// url writes the part that a URL names.
func (a *appender) url(w io.Writer, text string) error {
	if a.urls++; a.urls > maxURLs {
		return &session.Refusal{Code: "LIMIT", Text: fmt.Sprintf("More than %d URLs in one command", maxURLs)}
	}
	if len(text) > maxURL {
		return &session.Refusal{Code: "LIMIT", Text: "The URL is too long"}
	}
	u, ok := parseMessageURL(text)
	if !ok {
		return badURL(text, "This is no URL of a message of this server")
	}
	src, err := a.source.open(a.r, u)
	before := a.size
	if err == nil {
		ok, err = src.Write(&measured{a, w}, u.section, u.partial)
	}
	if err == nil {
		err = a.r.s.Reserve(a.r.ctx, a.size-before)
	}
	var refusal *session.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, session.ErrNoMailbox), errors.Is(err, session.ErrBadName), errors.Is(err, errNoneSelected):
		return badURL(text, "The mailbox of the URL is not there")
	case errors.Is(err, mboxstore.ErrExpunged):
		return badURL(text, "The message of the URL is not there")
	case err == nil && !ok:
		return badURL(text, "The message of the URL has no such part")
	}
	return err
}

// measured counts what is written against the limits.
type measured struct {
	a *appender
	w io.Writer
}

func (m *measured) Write(p []byte) (int, error) {
	if err := m.a.fits(int64(len(p))); err != nil {
		return 0, err
	}
	n, err := m.w.Write(p)
	m.a.size += int64(n)
	return n, err
}

// badURL is the refusal that shows the URL, as it was sent but for what cannot stand in a response code.
func badURL(url, text string) error {
	var b strings.Builder
	for i := range len(url) {
		if c := url[i]; c <= ' ' || c >= 0x7f || c == ']' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	if b.Len() == 0 {
		return &session.Refusal{Text: text} // the code cannot be without one
	}
	return &session.Refusal{Code: "BADURL " + b.String(), Text: text}
}

// errNoneSelected: a URL is relative, to nothing.
var errNoneSelected = errors.New("no mailbox is selected")

// source keeps the last message that was read from: a message is often put together from parts of one other.
type source struct {
	of  messageURL
	src *session.Source
}

func (s *source) open(r *request, u messageURL) (*session.Source, error) {
	if s.src != nil && s.of.sameMessage(u) {
		return s.src, nil
	}
	s.close()
	name := r.s.SelectedName()
	if u.mailbox != "" {
		name = r.s.Named(u.mailbox)
	}
	if name == "" {
		return nil, errNoneSelected
	}
	src, err := r.s.OpenSource(r.ctx, name, u.validity, u.uid)
	if err != nil {
		return nil, err
	}
	s.of, s.src = u, src
	return src, nil
}

func (s *source) close() {
	if s.src != nil {
		s.src.Close()
		s.src = nil
	}
}
