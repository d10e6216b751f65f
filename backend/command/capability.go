package command

import (
	"slices"
	"strings"

	"spoold/backend/session"
	"spoold/backend/wire"
)

// capabilities are what a client may use after login. A name stands here only when the whole of its RFC works; the page
// doc/imap.md of cmd/spoold has a line for each.
var capabilities = []string{
	"IMAP4rev1",
	"LITERAL+",
	"SASL-IR",
	"IDLE",
	"UIDPLUS",
	"NAMESPACE",
	"CHILDREN",
	"UNSELECT",
	"MOVE",
	"ENABLE",
	"ID",
	"LIST-EXTENDED",
	"LIST-STATUS",
	"STATUS=SIZE",
	"SPECIAL-USE",
	"CREATE-SPECIAL-USE",
	"METADATA",
	"MAILBOX-REFERRALS",
	"SCAN",
	"MULTIAPPEND",
	"CATENATE",
	"REPLACE",
	"APPENDLIMIT",
	"ESEARCH",
	"SEARCHRES",
	"WITHIN",
	"I18NLEVEL=1",
	"INPROGRESS",
	"PARTIAL",
	"CONTEXT=SEARCH",
	"SORT",
	"SORT=DISPLAY",
	"ESORT",
	"THREAD=ORDEREDSUBJECT",
	"THREAD=REFERENCES",
	"THREAD=REFS",
	"COMPRESS=DEFLATE",
	"QUOTA",
	"QUOTA=RES-STORAGE",
	"UTF8=ACCEPT",
}

// Capabilities lists what is announced to the user of a session: all but what the configuration hides.
func Capabilities(cfg *session.Config) []string {
	names := slices.DeleteFunc(slices.Clone(capabilities), func(name string) bool { return cfg.Hides(name) })
	if i := slices.Index(names, "APPENDLIMIT"); i >= 0 && cfg.AppendLimit > 0 {
		names[i] += "=" + appendLimit(cfg) // RFC 7889: the same for all mailboxes
	}
	return names
}

// CanHide reports whether name is a capability that may be hidden. Without IMAP4rev1 this is no IMAP server.
func CanHide(name string) bool {
	return !strings.EqualFold(name, "IMAP4rev1") && slices.ContainsFunc(capabilities, func(c string) bool { return strings.EqualFold(c, name) })
}

func capability(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	r.w.Raw("* CAPABILITY " + strings.Join(Capabilities(r.s.Config()), " "))
	r.w.CRLF()
	return r.done("")
}

// enabling is what can be enabled. The first two change mailbox names to UTF-8 (RFC 9755 §3, RFC 9051 §5.1); METADATA asks
// to be told what others note (RFC 5464 §4.1).
var enabling = []string{"UTF8=ACCEPT", "IMAP4REV2", "METADATA"}

// enable is RFC 5161. Asking for what is not there, or has been enabled before, is no mistake.
func enable(r *request) error {
	p := r.cmd.Args
	var names []string
	for first := true; first || !p.AtEnd(); first = false {
		if err := p.SP(); err != nil {
			return err
		}
		name, err := p.Keyword()
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	var enabled []string
	for _, name := range names {
		if !slices.Contains(enabling, name) || r.s.Config().Hides(name) || !r.s.Enable(name) {
			continue
		}
		r.c.Names(r.s.OnDisk, r.s.Shown)
		if name == "IMAP4REV2" {
			name = "IMAP4rev2" // as everybody writes it
		}
		enabled = append(enabled, name)
	}
	r.w.Raw(strings.Join(append([]string{"* ENABLED"}, enabled...), " "))
	r.w.CRLF()
	return r.done("")
}

// namespace is RFC 2342: one personal namespace, and none of others.
func namespace(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	r.w.Raw(`* NAMESPACE (("" "/")) NIL NIL`)
	r.w.CRLF()
	return r.done("")
}

// id is RFC 2971. What the client says of itself goes to the log and has no other effect.
func id(r *request) error {
	said, err := parseID(r.cmd.Args)
	if err != nil {
		return err
	}
	r.c.Logger().Debug("client id", "id", said)
	r.w.Raw(`* ID ("name" "spoold"`)
	if v := r.s.Config().Version; v != "" {
		r.w.Raw(` "version" `)
		r.w.String([]byte(v))
	}
	r.w.Raw(")")
	r.w.CRLF()
	return r.done("")
}

// parseID reads NIL or a list of fields and values; some clients send an empty list.
func parseID(p *wire.Parser) (map[string]string, error) {
	if err := p.SP(); err != nil {
		return nil, err
	}
	said := map[string]string{}
	if p.Peek() != '(' {
		if _, isNil, err := p.NString(); err != nil || !isNil {
			return nil, &wire.SyntaxError{Text: "ID takes a list or NIL"}
		}
		return said, p.End()
	}
	err := p.List(func() error {
		field, err := p.String()
		if err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
		value, _, err := p.NString()
		said[string(field)] = string(value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return said, p.End()
}
