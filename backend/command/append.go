package command

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// APPEND (RFC 3501 §6.3.11) of any number of messages (RFC 3502), all or none, with APPENDUID (RFC 4315 §3). Each
// message is a literal, a literal8 (RFC 3516), or put together from parts (RFC 4469). What is known to be wrong with it
// is said before the client is asked for its octets, which then go straight to the store's file; the mailbox is
// touched when the whole command has come.

// maxMessages bounds what is kept in memory of the messages of one command, some 300 octets of each.
const maxMessages = 100_000

// appendMessages is APPEND.
func appendMessages(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	msg, err := r.parseAppend()
	if err != nil {
		return err
	}
	t, err := r.s.OpenTarget(r.ctx, name)
	if err != nil {
		return err
	}
	defer t.Close()
	a := newAppender(r, t)
	defer a.close()
	for {
		if err := a.take(msg); err != nil {
			return err
		}
		if r.cmd.Args.TryEnd() {
			break
		}
		if msg, err = r.parseAppend(); err != nil {
			return err
		}
	}
	validity, uids, err := a.in.Commit(r.ctx)
	if err != nil {
		return err
	}
	return r.done(appendUID(validity, uids...))
}

func appendUID(validity uint32, uids ...mboxstore.UID) string {
	return "APPENDUID " + strconv.FormatUint(uint64(validity), 10) + " " + wire.SetOf(uids).String()
}

// form is how the octets of a message come.
type form int

const (
	literalForm   form = iota // a literal or literal8
	utf8Form                  // UTF8 (literal8)
	catenatedForm             // CATENATE (parts)
)

// appended is what a command says of a message before its octets.
type appended struct {
	mboxstore.NewMessage
	form form
}

// parseAppend reads what stands in front of a message, and of which form it is.
func (r *request) parseAppend() (msg appended, err error) {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return msg, err
	}
	if p.Peek() == '(' {
		names, err := p.FlagList()
		if err != nil {
			return msg, err
		}
		if msg.Flags, msg.Keywords, err = session.ParseFlags(names); err != nil {
			return msg, err
		}
		if err := p.SP(); err != nil {
			return msg, err
		}
	}
	if p.Peek() == '"' {
		if msg.Date, err = p.DateTime(); err != nil {
			return msg, err
		}
		msg.Date = nonZero(msg.Date)
		if err := p.SP(); err != nil {
			return msg, err
		}
	}
	msg.form, err = r.parseForm()
	return msg, err
}

var errNoLiteral = &wire.SyntaxError{Text: "Missing literal with the message"}

// parseForm reads the word in front of the octets, if there is one. By UTF8 clients of RFC 6855 say that the header is
// UTF-8. RFC 9755 has taken that away: any message may be so.
func (r *request) parseForm() (form, error) {
	p := r.cmd.Args
	switch {
	case p.LiteralAhead():
		return literalForm, nil
	case p.TryKeyword("CATENATE"):
		if err := p.SP(); err != nil {
			return 0, err
		}
		return catenatedForm, p.Byte('(')
	case r.s.Enabled("UTF8=ACCEPT") && p.TryKeyword("UTF8"):
		return utf8Form, r.openUTF8()
	}
	return 0, errNoLiteral
}

// openUTF8 reads " (" and looks for a literal8.
func (r *request) openUTF8() error {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return err
	}
	if err := p.Byte('('); err != nil {
		return err
	}
	if p.Peek() != '~' || !p.LiteralAhead() {
		return errNoLiteral
	}
	return nil
}

// nonZero keeps a client's year 1 from meaning "now" to the store.
func nonZero(t time.Time) time.Time {
	if t.IsZero() {
		return t.Add(time.Second)
	}
	return t
}

var (
	errEmpty    = &session.Refusal{Text: "Empty message to APPEND"}
	errLarge    = &session.Refusal{Code: "TOOBIG", Text: "The message is larger than this server takes"}
	errTotal    = &session.Refusal{Code: "TOOBIG", Text: "The messages are together more than this server takes at once"}
	errMessages = &session.Refusal{Code: "LIMIT", Text: "More messages than this server takes at once"}
	errNUL      = &session.Refusal{Code: "UNKNOWN-CTE", Text: "A mailbox in mbox format cannot hold NULs"}
)

// appender takes the messages of one command.
type appender struct {
	r      *request
	in     *mboxstore.Incoming
	total  int64 // octets of the messages before
	size   int64 // and of the one at hand
	urls   int
	source source
}

func newAppender(r *request, t *session.Target) *appender { return &appender{r: r, in: t.Receive()} }

func (a *appender) close() {
	a.source.close()
	a.in.Close()
}

// take takes the message at which the arguments stand.
func (a *appender) take(msg appended) error {
	if a.in.Len() == maxMessages {
		return errMessages
	}
	a.total, a.size = a.total+a.size, 0
	return a.in.Add(&msg.NewMessage, func(w io.Writer) error {
		switch msg.form {
		case catenatedForm:
			if err := a.parts(w); err != nil {
				return err
			}
		case utf8Form:
			if err := a.utf8Text(w, true); err != nil {
				return err
			}
		default:
			if err := a.literal(w, true); err != nil {
				return err
			}
		}
		if a.size == 0 {
			return errEmpty
		}
		return nil
	})
}

// utf8Text is a literal8 and its ")".
func (a *appender) utf8Text(w io.Writer, whole bool) error {
	if err := a.literal(w, whole); err != nil {
		return err
	}
	return a.r.cmd.Args.Byte(')')
}

// literal asks for a literal, unless it is refused at once, and goes on behind it. An empty one that is a whole message
// is how a client takes the command back (RFC 3502).
func (a *appender) literal(w io.Writer, whole bool) error {
	size, ok := a.r.cmd.Announced()
	if !ok {
		return errNoLiteral
	}
	if size == 0 && whole {
		return errEmpty
	}
	if err := a.fits(size); err != nil {
		return err
	}
	if err := a.r.s.Reserve(a.r.ctx, size); err != nil {
		return err
	}
	lit, err := a.r.cmd.Literal()
	if err != nil {
		return err
	}
	if lit.Binary {
		w = withoutNUL{w}
	}
	if _, err := io.Copy(w, lit); err != nil {
		return err
	}
	a.size += size
	return a.r.cmd.More()
}

// fits says whether n octets more of the message at hand may come.
func (a *appender) fits(n int64) error {
	cfg := a.r.s.Config()
	switch {
	case cfg.AppendLimit > 0 && n > cfg.AppendLimit-a.size:
		return errLarge
	case cfg.AppendTotal > 0 && n > cfg.AppendTotal-a.total-a.size:
		return errTotal
	}
	return nil
}

// withoutNUL refuses what no mailbox can give back as it came (RFC 3516 §4.4). In an ordinary literal, where no NUL may
// be, the store makes 0x80 of it, as UW does.
type withoutNUL struct{ w io.Writer }

func (n withoutNUL) Write(p []byte) (int, error) {
	if bytes.IndexByte(p, 0) >= 0 {
		return 0, errNUL
	}
	return n.w.Write(p)
}
