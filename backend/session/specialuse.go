package session

import (
	"context"
	"slices"
	"strings"
)

// Special uses of mailboxes (RFC 6154).
//
// The user gives them, by CREATE or as an annotation. A use that he has given to no mailbox goes to the first of those
// that the configuration names for it, unless he has noted that this one has none.

// Uses are the special uses that a mailbox can be given here. There is no mailbox of all messages, or of the flagged ones.
var Uses = []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}

var errNoUse = &Refusal{Code: "USEATTR", Text: `Only mailboxes can be used for something, which is \Archive, \Drafts, \Junk, \Sent or \Trash`}

// parseUses spells special uses as everybody does, each once and in order.
func parseUses(words []string) ([]string, error) {
	var uses []string
	for _, w := range words {
		i := slices.IndexFunc(Uses, func(u string) bool { return strings.EqualFold(u, w) })
		if i < 0 {
			return nil, errNoUse
		}
		uses = append(uses, Uses[i])
	}
	slices.Sort(uses)
	return slices.Compact(uses), nil
}

// specialUses returns the special uses of each mailbox that has one.
func (s *Session) specialUses(ctx context.Context) map[string][]string {
	if s.cfg.Hides("SPECIAL-USE") {
		return nil
	}
	noted := s.notedUses()
	var candidates []string
	for name := range noted {
		candidates = append(candidates, name)
	}
	for _, use := range Uses {
		candidates = append(candidates, s.cfg.SpecialUse[use]...)
	}
	exists := s.existing(ctx, candidates)
	uses, given := map[string][]string{}, map[string]bool{}
	for name, list := range noted {
		if exists[name] && len(list) > 0 {
			uses[name] = list
			for _, use := range list {
				given[use] = true
			}
		}
	}
	for _, use := range Uses {
		i := slices.IndexFunc(s.cfg.SpecialUse[use], func(name string) bool {
			_, decided := noted[name]
			return exists[name] && !decided
		})
		if i >= 0 && !given[use] {
			name := s.cfg.SpecialUse[use][i]
			uses[name] = append(uses[name], use)
		}
	}
	return uses
}

// notedUses are those that the user has given; a mailbox may have been given none.
func (s *Session) notedUses() map[string][]string {
	if s.cfg.Annotations == nil {
		return nil
	}
	noted := map[string][]string{}
	for name, value := range s.cfg.Annotations.Having(specialUseEntry) {
		uses, err := parseUses(strings.Fields(string(value)))
		if err != nil {
			s.log.Warn("special use not known", "mailbox", name, "value", string(value))
		}
		noted[name] = uses
	}
	return noted
}

func (s *Session) hasDefaultUse(name string) bool {
	for _, names := range s.cfg.SpecialUse {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// existing tells which of these are mailboxes. Directories are read only where one of the names is.
func (s *Session) existing(ctx context.Context, names []string) map[string]bool {
	found, dirs := map[string]bool{inbox: true}, map[string]bool{}
	for _, name := range names {
		if name != inbox && s.cfg.Store.Has(name) {
			dirs[name[:max(strings.LastIndexByte(name, delimiter), 0)]] = true
		}
	}
	for dir := range dirs {
		err := s.cfg.Store.Walk(ctx, dir, false, func(f Folder) error {
			if !f.Dir && slices.Contains(names, f.Name) {
				found[f.Name] = true
			}
			return nil
		})
		if err != nil {
			s.log.Info("special uses not told", "directory", dir, "err", err)
		}
	}
	return found
}
