package auth

import (
	"spoold/backend/privsep"

	"github.com/go-crypt/crypt/algorithm"
)

// Static is a source of one user, for a server that an ordinary user starts for himself.
type Static struct {
	name  string
	entry Entry
}

// NewStatic is the source of id, whose password has that hash.
func NewStatic(id privsep.Identity, hash string) (*Static, error) {
	d, err := newDecoder()
	if err != nil {
		return nil, err
	}
	digest, err := parseHash(d, hash)
	if err != nil {
		return nil, err
	}
	identify := func() (privsep.Identity, error) { return id, nil }
	return &Static{id.Name, Entry{digest, identify}}, nil
}

// Lookup implements Source.
func (s *Static) Lookup(name string) (Entry, bool) {
	if name != s.name {
		return Entry{}, false
	}
	return s.entry, true
}

// Decoy implements Source.
func (s *Static) Decoy() algorithm.Digest { return s.entry.digest }
