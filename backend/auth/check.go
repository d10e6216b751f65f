package auth

import (
	"context"
	"fmt"
	"strings"

	"spoold/backend/privsep"

	"github.com/go-crypt/crypt/algorithm"
)

// An Entry is what a source knows of a user. Who he is on this host is looked up only when the
// password was right: a name must not be recognised by the time that this takes.
type Entry struct {
	digest   algorithm.Digest // nil: no password is right
	identify func() (privsep.Identity, error)
}

// A Source knows users. Lookup reports whether it knows name. Decoy returns some entry's hash, to
// be checked in place of one that is missing; nil when it has none.
type Source interface {
	Lookup(name string) (Entry, bool)
	Decoy() algorithm.Digest
}

// Checker checks passwords against its sources.
type Checker struct {
	sources []Source
	slots   chan struct{} // one for each check that may run
}

// NewChecker asks sources in their order and checks at most parallel passwords at once.
func NewChecker(parallel int, sources ...Source) *Checker {
	return &Checker{sources: sources, slots: make(chan struct{}, max(1, parallel))}
}

// Check returns who user is when password is his. Errors: privsep.ErrDenied, ctx's, or what
// is wrong with the user's line, which is for the log and not for the client.
func (c *Checker) Check(ctx context.Context, user, password string) (privsep.Identity, error) {
	entry := c.lookup(user)
	digest := entry.digest
	if digest == nil {
		digest = c.decoy()
	}
	right, err := c.match(ctx, digest, password)
	if err != nil {
		return privsep.Identity{}, err
	}
	if !right || entry.digest == nil {
		return privsep.Identity{}, privsep.ErrDenied
	}
	return entry.who(user)
}

// Identify returns who name is, whom a source knows by exactly this name, for what is done without him.
// Error: privsep.ErrDenied when none does.
func (c *Checker) Identify(name string) (privsep.Identity, error) {
	for _, s := range c.sources {
		if e, known := s.Lookup(name); known {
			return e.who(name)
		}
	}
	return privsep.Identity{}, fmt.Errorf("user %s: %w", name, privsep.ErrDenied)
}

// who is checked, for what the source says may be for nobody.
func (e Entry) who(user string) (privsep.Identity, error) {
	id, err := e.identify()
	if err == nil {
		err = id.Check()
	}
	if err != nil {
		return privsep.Identity{}, fmt.Errorf("user %s: %w", user, err)
	}
	return id, nil
}

// lookup finds user as typed, or in lower case as UW-IMAP does: phones capitalise what is typed first.
func (c *Checker) lookup(user string) Entry {
	for _, name := range []string{user, strings.ToLower(user)} {
		for _, s := range c.sources {
			if e, known := s.Lookup(name); known {
				return e
			}
		}
	}
	return Entry{}
}

func (c *Checker) decoy() algorithm.Digest {
	for _, s := range c.sources {
		if d := s.Decoy(); d != nil {
			return d
		}
	}
	return nil
}

// match does the work of a check, whatever the result is used for.
func (c *Checker) match(ctx context.Context, d algorithm.Digest, password string) (bool, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return false, fmt.Errorf("password check: %w", ctx.Err())
	}
	return d != nil && checkPassword(password) == nil && d.Match(password), nil
}
