package session

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Mailboxes on other servers (RFC 2193). The administrator names them; a mailbox that is here, and has such a name, is
// served from here.

// referral is the URL of a mailbox that is on another server, or below one; empty when it is not.
func (s *Session) referral(name string) string {
	if len(s.cfg.Referrals) == 0 || name == inbox {
		return ""
	}
	for above := strings.TrimSuffix(name, "/"); above != ""; above = above[:max(strings.LastIndexByte(above, delimiter), 0)] {
		if to := s.cfg.Referrals[above]; to != "" && !s.cfg.Store.Has(name) {
			return to + (&url.URL{Path: name[len(above):]}).EscapedPath()
		}
	}
	return ""
}

func (s *Session) isRemote(name string) bool { return s.referral(name) != "" }

// Refer tells the client where to go, when mailboxes of a command are on other servers.
func (s *Session) Refer(names ...string) error {
	var urls []string
	for _, name := range names {
		if to := s.referral(name); to != "" {
			urls = append(urls, to)
		}
	}
	switch len(urls) {
	case 0:
		return nil
	case len(names):
		return &Refusal{Code: "REFERRAL " + strings.Join(urls, " "), Text: "The mailbox is on another server"}
	}
	return ErrCannot("One of the mailboxes is on another server")
}

// remote tells the mailboxes on other servers, in a LIST that asks for them.
func (l *lister) remote() error {
	if !l.req.Remote || l.req.SpecialUse {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(l.s.cfg.Referrals)) {
		subscribed := l.isSubscribed(name)
		if !l.matches(name) || !l.s.isRemote(name) || l.req.Subscribed && !subscribed {
			continue
		}
		e := ListEntry{Name: name, Attrs: []string{`\Remote`}}
		if subscribed {
			e.Attrs = append(e.Attrs, `\Subscribed`)
		}
		if err := l.f(e); err != nil {
			return err
		}
	}
	return nil
}
