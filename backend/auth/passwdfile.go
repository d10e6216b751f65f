package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"spoold/backend/privsep"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
)

// System is the host's own user database, which fills in what a passwd line leaves out.
type System interface {
	// User returns the system user of that name; fs.ErrNotExist when there is none.
	User(name string) (privsep.Identity, error)
}

// PasswdFile is a source that reads a passwd-file, again whenever it has changed.
type PasswdFile struct {
	path    string
	system  System
	log     *slog.Logger
	decoder *crypt.Decoder

	mu    sync.Mutex
	stamp stamp
	users map[string]line
	decoy algorithm.Digest
}

// stamp is what a changed file differs in.
type stamp struct {
	size    int64
	modTime time.Time
}

// maxFile is far more than any host has users.
const maxFile = 64 << 20

// OpenPasswdFile reads the file at path; a malformed line is an error that names its number.
func OpenPasswdFile(path string, system System, log *slog.Logger) (*PasswdFile, error) {
	d, err := newDecoder()
	if err != nil {
		return nil, err
	}
	f := &PasswdFile{path: path, system: system, log: log, decoder: d}
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// Lookup finds name in the file as it is now. A file that cannot be read any more, or that is
// malformed, is told in the log, and what was read before stays valid.
func (f *PasswdFile) Lookup(name string) (Entry, bool) {
	f.mu.Lock()
	if err := f.load(); err != nil {
		f.log.Error("Password file not read again", "err", err)
	}
	l, known := f.users[name]
	f.mu.Unlock()
	if !known {
		return Entry{}, false
	}
	return Entry{l.digest, func() (privsep.Identity, error) { return l.identity(f.system) }}, true
}

// Decoy returns a hash of the file.
func (f *PasswdFile) Decoy() algorithm.Digest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.decoy
}

// load reads the file if it is not as it was at the last time.
func (f *PasswdFile) load() (err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("passwd-file: %w", err)
	}
	now := stamp{info.Size(), info.ModTime()}
	if now == f.stamp {
		return nil
	}
	text, err := readBounded(f.path)
	if err != nil {
		return fmt.Errorf("passwd-file: %w", err)
	}
	f.stamp = now // also of a malformed file: it is complained about once
	users, decoy, err := parsePasswd(f.decoder, text)
	if err != nil {
		return fmt.Errorf("passwd-file %s: %w", f.path, err)
	}
	f.users, f.decoy = users, decoy
	return nil
}

func readBounded(path string) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return text, err
}

// line is a parsed line; uid and gid are -1 when it leaves them out.
type line struct {
	name, home string
	uid, gid   int64
	digest     algorithm.Digest // nil: locked
}

// parsePasswd reads a whole file, and picks a decoy: the first hash of all.
func parsePasswd(d *crypt.Decoder, text []byte) (map[string]line, algorithm.Digest, error) {
	users := make(map[string]line)
	var decoy algorithm.Digest
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		s := strings.TrimRight(string(raw), "\r\n")
		if s == "" || s[0] == '#' {
			continue
		}
		l, err := parseLine(d, s)
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", number, err)
		}
		if _, twice := users[l.name]; twice {
			return nil, nil, fmt.Errorf("line %d: user %s a second time", number, l.name)
		}
		users[l.name] = l
		if decoy == nil {
			decoy = l.digest
		}
	}
	return users, decoy, nil
}

// parseLine reads `user:hash:uid:gid:gecos:home:shell:`; fields may be missing at the end.
func parseLine(d *crypt.Decoder, s string) (line, error) {
	f := strings.Split(s, ":")
	if len(f) < 2 {
		return line{}, errors.New("no hash")
	}
	f = append(f, make([]string, 6)...)
	l := line{name: f[0], home: f[5]}
	if err := privsep.CheckName(l.name); err != nil {
		return line{}, err
	}
	var err error
	if l.digest, err = parseHash(d, f[1]); err != nil && !errors.Is(err, errLocked) {
		return line{}, fmt.Errorf("user %s: %w", l.name, err)
	}
	uid, errUID := parseID(f[2])
	gid, errGID := parseID(f[3])
	if err := errors.Join(errUID, errGID); err != nil {
		return line{}, fmt.Errorf("user %s: %w", l.name, err)
	}
	if l.home != "" && l.home[0] != '/' {
		return line{}, fmt.Errorf("user %s: home %q is not an absolute path", l.name, l.home)
	}
	l.uid, l.gid = uid, gid
	return l, nil
}

// parseID reads a uid or gid. 4294967295 is the kernel's "no change" and nobody's number.
func parseID(s string) (int64, error) {
	if s == "" {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("uid or gid %q", s)
	}
	return int64(n), nil
}

// identity fills in from the system what the line leaves out. Supplementary groups are the
// system's, and only for the system's user: another uid under the same name has none of them.
func (l line) identity(system System) (privsep.Identity, error) {
	sys, err := system.User(l.name)
	missing := l.uid < 0 || l.gid < 0 || l.home == ""
	if err != nil && (missing || !errors.Is(err, fs.ErrNotExist)) {
		return privsep.Identity{}, err
	}
	known := err == nil
	id := privsep.Identity{Name: l.name, UID: sys.UID, GID: sys.GID, Home: sys.Home}
	if l.uid >= 0 {
		id.UID = uint32(l.uid)
	}
	if l.gid >= 0 {
		id.GID = uint32(l.gid)
	}
	if l.home != "" {
		id.Home = l.home
	}
	if known && id.UID == sys.UID {
		id.Groups = sys.Groups
	}
	return id, nil
}

// Host is the System of this host: passwd(5) through os/user and group(5) read here.
type Host struct{}

// User implements System.
func (Host) User(name string) (privsep.Identity, error) {
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return privsep.Identity{}, fmt.Errorf("not in the system's user database: %w", fs.ErrNotExist)
	}
	if err != nil {
		return privsep.Identity{}, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return privsep.Identity{}, err
	}
	id := privsep.Identity{Name: name, UID: uint32(uid), GID: uint32(gid), Home: u.HomeDir}
	id.Groups, err = groupsOf(name, id.GID)
	return id, err
}

func groupsOf(name string, primary uint32) (gids []uint32, err error) {
	file, err := os.Open("/etc/group")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return privsep.ParseGroups(file, name, primary)
}
