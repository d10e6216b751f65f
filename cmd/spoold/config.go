package main

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/command"
	"spoold/backend/login"
	"spoold/backend/wire"
)

// hostConfig is the configuration of a host.
const hostConfig = "/etc/spoold/spoold.toml"

// config is a configuration that has been checked.
type config struct {
	Listen []address // nil: the default of who we are
	Mail   mailConfig
	Lock   lockConfig
	Auth   authConfig
	Serve  serveConfig
	Limits limitsConfig
	IMAP   imapConfig
	Quota  quotaConfig
	// Folders says which mailboxes have a special use by their name, for each use.
	Folders map[string][]string
}

type mailConfig struct {
	Inbox, Root, State pathTemplate
	Flush              time.Duration // from a flag change to the file
	Compact            int           // percent of blanks at which a quiet mailbox is compacted; less than 0: never
}

type lockConfig struct {
	Methods        []string
	Timeout, Stale time.Duration
}

type authConfig struct {
	Files     []string // passwd-files, in the order in which they are asked
	Plaintext login.Plaintext
	Referrals map[string]string // URLs of the servers of users who are not served here
}

type serveConfig struct{ ReadOnly bool }

// limitsConfig: 0 is the default of whoever keeps the limit.
type limitsConfig struct {
	Connections  int           // not logged in
	PerAddress   int           // not logged in, from one address
	Sessions     int           // of one user
	Message      int64         // octets of a message to APPEND
	AppendTotal  int64         // octets of all messages of one APPEND
	LoginTimeout time.Duration // from connection to login
	WorkerIdle   time.Duration // without session until a worker ends
	SearchTime   time.Duration // of one search
	Idle         time.Duration // between two commands
	Reading      time.Duration // for a client to take 32 KiB
	Command      wire.Limits   // of one command
	Annotations  annotation.Limits
}

// parseLine is for the length of command lines: clients rely on 8192 octets (RFC 7162 §4).
func parseLine(n int) (int, error) {
	if n < 8192 {
		return 0, fmt.Errorf("%d is below 8192", n)
	}
	return n, nil
}

// parseIdle is for the time between commands: clients rely on 30 minutes (RFC 9051 §5.4).
func parseIdle(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && d < 30*time.Minute {
		err = fmt.Errorf("%s is below 30m", s)
	}
	return d, err
}

// parseAtLeast is for what clients rely on having so much of.
func parseAtLeast(least int) func(int) (int, error) {
	return func(n int) (int, error) {
		if n < least {
			return 0, fmt.Errorf("%d is below %d", n, least)
		}
		return n, nil
	}
}

// quotaConfig says how many octets users may store; 0: no limit.
type quotaConfig struct {
	Storage    int64
	StorageFor map[string]int64 // of a user
}

func (c *quotaConfig) storage(user string) int64 {
	if n, ok := c.StorageFor[user]; ok {
		return n
	}
	return c.Storage
}

// parseSize reads octets, with K, M, G or T behind them: powers of 1024. "0" is no limit.
func parseSize(s string) (int64, error) {
	number, shift := s, 0
	for i, unit := range "KMGT" {
		if rest, ok := strings.CutSuffix(s, string(unit)); ok {
			number, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || n < 0 || n > math.MaxInt64>>shift:
		return 0, fmt.Errorf("%q is no size such as \"500M\" or \"1G\"", s)
	case n > 0 && n<<shift < 1024:
		return 0, fmt.Errorf("%q is less than 1K", s)
	}
	return n << shift, nil
}

// imapConfig says which capabilities are not announced, and what is told of the server.
type imapConfig struct {
	Disable        []string            // to nobody
	DisableFor     map[string][]string // to a user
	Comment, Admin string              // by METADATA
	Referrals      map[string]string   // URLs of mailboxes on other servers
}

// parseIMAPURL takes what clients are referred to; code is what may stand in a response code.
func parseIMAPURL(s string) (string, error) {
	u, err := url.Parse(s)
	code := strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == ']' }) < 0
	if err != nil || !code || u.Host == "" || u.Scheme != "imap" && u.Scheme != "imaps" {
		return "", fmt.Errorf("%q is no URL such as imap://imap.example.org/", s)
	}
	return s, nil
}

// parseURI takes what METADATA may tell as the way to the administrator (RFC 5464 §3.2.1.1).
func parseURI(s string) (string, error) {
	if u, err := url.Parse(s); err != nil || u.Scheme == "" {
		return "", fmt.Errorf("%q is no URI such as mailto:postmaster@example.org", s)
	}
	return s, nil
}

// defaultUses are the names that alpine, mutt, Thunderbird and Outlook give to their mailboxes.
func defaultUses() map[string][]string {
	return map[string][]string{
		`\Archive`: {"Archive", "Archives"},
		`\Drafts`:  {"Drafts", "drafts", "postponed-msgs", "postponed"},
		`\Junk`:    {"Junk", "Spam", "junk", "spam", "Junk E-mail"},
		`\Sent`:    {"Sent", "sent-mail", "sent", "Sent Items", "Sent Messages"},
		`\Trash`:   {"Trash", "trash", "Deleted Items", "Deleted Messages"},
	}
}

// hidden is what is not announced to a user.
func (c *imapConfig) hidden(user string) []string {
	return slices.Concat(c.Disable, c.DisableFor[user])
}

func parseCapability(s string) (string, error) {
	if !command.CanHide(s) {
		return "", fmt.Errorf("%q is not a capability that can be disabled", s)
	}
	return strings.ToUpper(s), nil
}

// defaults are those of a host.
func defaults() config {
	return config{
		Mail:   mailConfig{Inbox: "/var/spool/mail/%u", Root: "%h/mail", State: "/var/lib/spoold/%u", Flush: 500 * time.Millisecond, Compact: 10},
		Lock:   lockConfig{Methods: lockMethods(), Timeout: 30 * time.Second, Stale: 5 * time.Minute},
		Auth:   authConfig{Plaintext: login.PlaintextLoopback},
		Limits: limitsConfig{Message: 64 << 20, AppendTotal: 1 << 30},

		Folders: defaultUses(),
	}
}

func lockMethods() []string { return []string{"fcntl", "dotlock", "flock"} }

// readConfig reads a configuration file over the defaults.
func readConfig(path string) (config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return config{}, &exitError{exConfig, err}
	}
	c, err := parseConfig(text)
	if err != nil {
		return config{}, &exitError{exConfig, fmt.Errorf("%s: %w", path, err)}
	}
	return c, nil
}

// address is host:port.
type address string

func parseAddress(s string) (address, error) {
	if _, _, err := net.SplitHostPort(s); err != nil {
		return "", fmt.Errorf("%q is not host:port", s)
	}
	return address(s), nil
}

// checkTLS reads how TLS is used on a listener. There is none yet.
func checkTLS(s string) error {
	switch s {
	case "none":
		return nil
	case "starttls", "implicit":
		return fmt.Errorf("%q is not available in this version; only \"none\" is", s)
	}
	return fmt.Errorf("%q is not none, starttls or implicit", s)
}

func parseLockMethod(s string) (string, error) {
	if !slices.Contains(lockMethods(), s) {
		return "", fmt.Errorf("%q is not fcntl, dotlock or flock", s)
	}
	return s, nil
}

// parseSource reads where passwords are checked, and returns the passwd-file.
func parseSource(s string) (string, error) {
	path, ok := strings.CutPrefix(s, "passwd-file:")
	if !ok {
		return "", fmt.Errorf("%q is not available in this version; only passwd-file:PATH is", s)
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%q needs an absolute path", s)
	}
	return path, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no duration such as \"30s\" or \"5m\"", s)
	}
	return d, nil
}

// parsePercent takes 0 for never.
func parsePercent(n int) (int, error) {
	switch {
	case n < 0 || n > 100:
		return 0, fmt.Errorf("%d is not a percentage from 0 (never) to 100", n)
	case n == 0:
		return -1, nil
	}
	return n, nil
}

// parseFlush bounds the delay: what a client was told is to be where other programs see it.
func parseFlush(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && (d < 10*time.Millisecond || d > time.Minute) {
		err = fmt.Errorf("%q is not between 10ms and 1m", s)
	}
	return d, err
}

func parseCount[T int | int64](n T) (T, error) {
	if n <= 0 {
		return 0, fmt.Errorf("%d is not above 0", n)
	}
	return n, nil
}

// pathTemplate is an absolute path with %u for the user's name and %h for his home, which it may begin with.
type pathTemplate string

func parseTemplate(s string) (pathTemplate, error) {
	rest := strings.NewReplacer("%u", "", "%h", "", "%%", "").Replace(s)
	switch {
	case strings.Contains(rest, "%"):
		return "", fmt.Errorf("path %q: only %%u, %%h and %%%% are replaced", s)
	case !filepath.IsAbs(s) && !strings.HasPrefix(s, "%h"):
		return "", fmt.Errorf("path %q is neither absolute nor begins with %%h", s)
	case strings.ContainsRune(s, 0):
		return "", fmt.Errorf("path %q has a NUL", s)
	}
	return pathTemplate(s), nil
}

// parseOwnTemplate is parseTemplate for what no two users may have in common.
func parseOwnTemplate(s string) (pathTemplate, error) {
	t, err := parseTemplate(s)
	if err == nil && !hasUser(s) {
		err = fmt.Errorf("path %q has neither %%u nor %%h: all users would share it", s)
	}
	return t, err
}

// hasUser says whether a template differs from user to user.
func hasUser(template string) bool {
	rest := strings.ReplaceAll(template, "%%", "")
	return strings.Contains(rest, "%u") || strings.Contains(rest, "%h")
}

// expand puts a user in. The name is one that privsep.CheckName accepts.
func (t pathTemplate) expand(user, home string) string {
	return filepath.Clean(strings.NewReplacer("%u", user, "%h", home, "%%", "%").Replace(string(t)))
}

// user is the inverse of expand for a template that is not personal: whose this name in its directory is.
func (t pathTemplate) user(name string) (string, bool) {
	before, after, ok := strings.Cut(filepath.Base(string(t)), "%u")
	user, hasBefore := strings.CutPrefix(name, strings.ReplaceAll(before, "%%", "%"))
	user, hasAfter := strings.CutSuffix(user, strings.ReplaceAll(after, "%%", "%"))
	return user, ok && hasBefore && hasAfter && filepath.Base(t.expand(user, "")) == name
}

// personal says whether the user has a say in what directory this names.
func (t pathTemplate) personal() bool { return hasUser(filepath.Dir(string(t))) }
