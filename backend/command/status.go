package command

import (
	"math"
	"slices"
	"strconv"

	"spoold/backend/session"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// status is STATUS (RFC 3501 §6.3.10) with SIZE (RFC 8438).
func status(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	items, err := parseStatusItems(r.cmd.Args)
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	if err := r.checkStatus(items); err != nil {
		return err
	}
	st, err := r.s.FolderStatus(r.ctx, name)
	if err != nil {
		return err
	}
	r.writeStatus(name, items, st)
	return r.done("")
}

// parseStatusItems reads the list of what is asked.
func parseStatusItems(p *wire.Parser) ([]string, error) {
	var items []string
	err := p.List(func() error {
		name, err := p.Keyword()
		if err != nil {
			return err
		}
		if _, known := statusValue(name, mboxstore.Status{}); !known {
			return &wire.SyntaxError{Text: "Unknown STATUS item " + name}
		}
		if !slices.Contains(items, name) {
			items = append(items, name)
		}
		return nil
	})
	if err == nil && len(items) == 0 {
		err = &wire.SyntaxError{Text: "Missing STATUS items"}
	}
	return items, err
}

// checkStatus refuses what IMAP4rev2 has no more.
func (r *request) checkStatus(items []string) error {
	if r.s.Rev2() && slices.Contains(items, "RECENT") {
		return &wire.SyntaxError{Text: "IMAP4rev2 has no RECENT"}
	}
	return nil
}

func statusValue(item string, st mboxstore.Status) (value uint64, known bool) {
	switch item {
	case "MESSAGES":
		return uint64(st.Messages), true
	case "RECENT":
		return uint64(st.Recent), true
	case "UIDNEXT":
		return uint64(st.UIDNext), true
	case "UIDVALIDITY":
		return uint64(st.UIDValidity), true
	case "UNSEEN":
		return uint64(st.Unseen), true
	case "SIZE":
		return uint64(st.Size), true
	case "DELETED-STORAGE": // RFC 9208 §4.1.4
		return quotaUnits(st.DeletedStored), true
	case "DELETED": // RFC 9051 §6.3.11
		return uint64(st.Deleted), true
	case "APPENDLIMIT": // RFC 7889: one for all mailboxes, see writeStatus
		return 0, true
	}
	return 0, false
}

// appendLimit is the largest message that APPEND takes, as a number of 32 bits, or NIL.
func appendLimit(cfg *session.Config) string {
	if cfg.AppendLimit <= 0 {
		return "NIL"
	}
	return strconv.FormatInt(min(cfg.AppendLimit, math.MaxUint32), 10)
}

// writeStatus writes one STATUS response.
func (r *request) writeStatus(name string, items []string, st mboxstore.Status) {
	r.w.Raw("* STATUS ")
	r.w.Mailbox(name)
	r.w.SP()
	r.w.List(len(items), func(i int) {
		n, _ := statusValue(items[i], st)
		r.w.Raw(items[i])
		r.w.SP()
		if items[i] == "APPENDLIMIT" {
			r.w.Raw(appendLimit(r.s.Config()))
			return
		}
		r.w.Num(n)
	})
	r.w.CRLF()
}
