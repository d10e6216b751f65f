package privsep

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Identity is a mail user as the operating system knows him.
type Identity struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary
	Home   string   `json:"home"`
}

var (
	// ErrIdentity is a user who can never be a mail user.
	ErrIdentity = errors.New("not a mail user")
	// ErrDenied is what auth answers to a wrong name or password. It never says which.
	ErrDenied = errors.New("invalid login credentials")
)

const maxName = 64 // UW-IMAP takes a longer one for a break-in attempt

// Check refuses identities that no worker may have: root, and names that could become another
// path than the one meant when they are put into one.
func (id Identity) Check() error {
	if err := CheckName(id.Name); err != nil {
		return err
	}
	if id.UID == 0 {
		return fmt.Errorf("%w: uid 0", ErrIdentity)
	}
	return nil
}

// CheckName is the part of Check that needs the name only.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty name", ErrIdentity)
	case len(name) > maxName:
		return fmt.Errorf("%w: name of %d bytes", ErrIdentity, len(name))
	case name[0] == '.' || strings.ContainsFunc(name, unfit):
		return fmt.Errorf("%w: name %q", ErrIdentity, name)
	}
	return nil
}

// unfit characters would change the meaning of a path, a passwd line or a log line.
func unfit(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == ':' }

// ParseGroups reads a group(5) file and returns the gids of the groups that name user as a
// member, without primary. os/user could say the same only where it was linked with cgo or by
// calling id(1); this reads the file and nothing else.
func ParseGroups(r io.Reader, user string, primary uint32) ([]uint32, error) {
	var gids []uint32
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20) // a line lists all members
	for sc.Scan() {
		f := strings.Split(sc.Text(), ":")
		if len(f) != 4 || !member(f[3], user) {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && uint32(gid) != primary {
			gids = append(gids, uint32(gid))
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("group file: %w", err)
	}
	return gids, nil
}

func member(list, user string) bool {
	for m := range strings.SplitSeq(list, ",") {
		if user != "" && strings.TrimSpace(m) == user {
			return true
		}
	}
	return false
}
