package session

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// ListRequest is a LIST (RFC 3501 §6.3.8, RFC 5258).
type ListRequest struct {
	Reference string
	Patterns  []string

	Subscribed     bool // only subscribed names, whether or not there is a mailbox
	SpecialUse     bool // only mailboxes with a special use (RFC 6154)
	Remote         bool // also mailboxes that are on other servers (RFC 2193)
	RecursiveMatch bool // and names that have a selected one below them

	ReturnSubscribed bool
}

// ListEntry is one answer.
type ListEntry struct {
	Name      string
	Attrs     []string
	ChildInfo []string // the selection options that a name below it meets (CHILDINFO)
	Mailbox   bool     // can be selected
}

// maxDepth bounds the levels that LIST goes down, as spool.Tree does.
const maxDepth = 64

// lister is one LIST as it runs.
type lister struct {
	s        *Session
	req      ListRequest
	patterns []*pattern
	f        func(ListEntry) error

	subscribed []string            // sorted
	uses       map[string][]string // special uses of mailboxes
	selected   []string            // what the selection options select, sorted
	parents    map[string]bool     // have a selected name below them; true: one that this LIST does not return itself
	told       map[string]bool     // of selected names and parents
}

// ListFolders calls f for every name that a LIST returns. The file system is read only where a pattern can match, and
// never outside the user's mail. What f waits in FolderStatus is limited for all of them together.
func (s *Session) ListFolders(ctx context.Context, req ListRequest, f func(ListEntry) error) error {
	s.listing = s.newPatience()
	defer func() { s.listing = nil }()
	l := &lister{s: s, req: req, f: f}
	for _, text := range req.Patterns {
		if p := newPattern(req.Reference, text); !p.outside() {
			l.patterns = append(l.patterns, p)
		}
	}
	if len(l.patterns) == 0 {
		return nil
	}
	if err := l.load(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(l.patterns, (*pattern).matchInbox) {
		if err := l.found(Folder{Name: inbox}, inbox); err != nil {
			return err
		}
	}
	dir, err := s.OnDisk(l.dir())
	if err != nil {
		return err
	}
	if err := l.walk(ctx, dir, 0); err != nil {
		return err
	}
	if err := l.remote(); err != nil {
		return err
	}
	return l.missing()
}

// load finds out what the selection options select, and what is told of the mailboxes that are found.
func (l *lister) load(ctx context.Context) error {
	l.uses = l.s.specialUses(ctx)
	if l.req.Subscribed || l.req.ReturnSubscribed {
		if err := l.loadSubscribed(); err != nil {
			return err
		}
	}
	switch {
	case l.req.Subscribed && l.req.SpecialUse:
		l.selected = slices.DeleteFunc(slices.Clone(l.subscribed), func(name string) bool { return l.uses[name] == nil })
	case l.req.Subscribed:
		l.selected = l.subscribed
	case l.req.SpecialUse:
		l.selected = slices.Sorted(maps.Keys(l.uses))
	}
	l.findParents()
	return nil
}

// loadSubscribed reads the subscriptions.
func (l *lister) loadSubscribed() error {
	names, err := l.s.cfg.Subscriptions.List()
	if err != nil {
		return err
	}
	for i := range names {
		names[i] = canonical(names[i])
	}
	slices.Sort(names)
	l.subscribed = slices.Compact(names)
	return nil
}

// findParents finds what is above the selected names.
func (l *lister) findParents() {
	l.parents, l.told = map[string]bool{}, map[string]bool{}
	if !l.req.RecursiveMatch {
		return
	}
	for _, name := range l.selected {
		returned := l.matches(name)
		for i := strings.LastIndexByte(name, delimiter); i > 0; i = strings.LastIndexByte(name[:i], delimiter) {
			l.parents[name[:i]] = l.parents[name[:i]] || !returned
		}
	}
}

func (l *lister) isSubscribed(name string) bool {
	_, ok := slices.BinarySearch(l.subscribed, name)
	return ok
}

// criteria are the selection options by which names are selected, as CHILDINFO tells them (RFC 5258 §3.5).
func (l *lister) criteria() []string {
	var c []string
	if l.req.Subscribed {
		c = append(c, "SUBSCRIBED")
	}
	if l.req.SpecialUse {
		c = append(c, "SPECIAL-USE")
	}
	return c
}

func (l *lister) matches(name string) bool {
	if name == inbox {
		return slices.ContainsFunc(l.patterns, (*pattern).matchInbox)
	}
	name = l.s.Shown(name)
	return slices.ContainsFunc(l.patterns, func(p *pattern) bool { return p.match(name) })
}

// dir is where all patterns begin.
func (l *lister) dir() string {
	dir := l.patterns[0].dir()
	for _, p := range l.patterns[1:] {
		for other := p.dir(); dir != "" && other != dir && !strings.HasPrefix(other, dir+"/"); {
			dir = dir[:max(strings.LastIndexByte(dir, delimiter), 0)]
		}
	}
	return dir
}

// walk looks at one directory and at those below it that can hold a match.
func (l *lister) walk(ctx context.Context, dir string, depth int) error {
	if depth == maxDepth || !isPath(dir) {
		return nil
	}
	var below []string
	err := l.s.cfg.Store.Walk(ctx, dir, false, func(f Folder) error {
		shown := l.s.Shown(f.Name)
		if f.HasChildren && slices.ContainsFunc(l.patterns, func(p *pattern) bool { return p.matchBelow(shown) }) {
			below = append(below, f.Name)
		}
		switch {
		case l.matches(f.Name):
			return l.found(f, f.Name)
		case f.Dir && slices.ContainsFunc(l.patterns, func(p *pattern) bool { return p.matchDir(shown) }):
			return l.found(f, f.Name+"/")
		}
		return nil
	})
	if err != nil {
		return ignoreMissing(err)
	}
	for _, d := range below {
		if err := l.walk(ctx, d, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// isPath reports whether a directory taken from a pattern is the name of one that can be listed.
func isPath(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if part == "." || part == ".." || part == "" && dir != "" {
			return false
		}
	}
	return true
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoMailbox) || errors.Is(err, ErrBadName) {
		return nil
	}
	return err
}

// found tells one folder that matches, if it is selected by the request; name may have a delimiter at the end.
func (l *lister) found(f Folder, name string) error {
	_, selected := slices.BinarySearch(l.selected, f.Name)
	hidden, parent := l.parents[f.Name]
	criteria := l.criteria()
	if len(criteria) > 0 && !selected && !hidden {
		return nil
	}
	l.told[f.Name] = true
	e := ListEntry{Name: name, Attrs: attributes(f), Mailbox: !f.Dir}
	if parent && (selected || hidden) {
		e.ChildInfo = criteria
	}
	if l.isSubscribed(f.Name) {
		e.Attrs = append(e.Attrs, `\Subscribed`)
	}
	if !f.Dir {
		e.Attrs = append(e.Attrs, l.uses[f.Name]...)
	}
	return l.f(e)
}

// attributes of a folder in the layout where a file holds mail and a directory holds folders.
func attributes(f Folder) []string {
	var attrs []string
	if f.Dir {
		attrs = append(attrs, `\Noselect`)
	} else {
		attrs = append(attrs, `\NoInferiors`)
	}
	if f.HasChildren {
		attrs = append(attrs, `\HasChildren`)
	} else {
		attrs = append(attrs, `\HasNoChildren`)
	}
	switch {
	case f.Dir, f.Name == inbox: // Walk does not know INBOX
	case f.Marked:
		attrs = append(attrs, `\Marked`)
	default:
		attrs = append(attrs, `\Unmarked`)
	}
	return attrs
}

// missing tells the subscribed names, and those above them, for which there is nothing on disk.
func (l *lister) missing() error {
	if !l.req.Subscribed {
		return nil
	}
	names := slices.Clone(l.selected)
	for name, hidden := range l.parents {
		if hidden {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if l.told[name] || !l.matches(name) || l.s.isRemote(name) {
			continue
		}
		e := ListEntry{Name: name, Attrs: []string{`\NonExistent`}}
		if _, parent := l.parents[name]; parent {
			e.ChildInfo = l.criteria()
		}
		if l.isSubscribed(name) {
			e.Attrs = append(e.Attrs, `\Subscribed`)
		}
		if err := l.f(e); err != nil {
			return err
		}
	}
	return nil
}

// ListSubscribed is LSUB: the subscribed names that match, and, where the pattern ends a name above one, that name once
// as \Noselect (RFC 3501 §6.3.9). It does not ask whether there is a mailbox, but those that are on other servers are
// left out unless remote is true (RFC 2193 §4.2).
func (s *Session) ListSubscribed(reference, text string, remote bool, f func(ListEntry) error) error {
	p := newPattern(reference, text)
	if p.outside() {
		return nil
	}
	l := &lister{s: s, patterns: []*pattern{p}, req: ListRequest{RecursiveMatch: strings.Contains(text, "%")}}
	if err := l.loadSubscribed(); err != nil {
		return err
	}
	l.selected = l.subscribed
	l.findParents()
	names := slices.Clone(l.subscribed)
	for name := range l.parents {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !l.matches(name) || !remote && s.isRemote(name) {
			continue
		}
		e := ListEntry{Name: name, Mailbox: l.isSubscribed(name)}
		switch {
		case name == inbox:
			e.Attrs = []string{`\NoInferiors`}
		case !e.Mailbox:
			e.Attrs = []string{`\Noselect`}
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}
