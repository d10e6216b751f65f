package login

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"
	"time"

	"spoold/backend/privsep"
)

// Plaintext says where passwords may travel in clear.
type Plaintext string

// The values of auth.plaintext.
const (
	PlaintextTLS      Plaintext = "tls"      // nowhere
	PlaintextLoopback Plaintext = "loopback" // from this host
	PlaintextAlways   Plaintext = "always"
)

// ParsePlaintext reads the configuration's word.
func ParsePlaintext(s string) (Plaintext, error) {
	switch p := Plaintext(s); p {
	case PlaintextTLS, PlaintextLoopback, PlaintextAlways:
		return p, nil
	}
	return "", fmt.Errorf("%q is not tls, loopback or always", s)
}

// allows says whether a client at that address may send a password in clear.
func (p Plaintext) allows(client netip.Addr) bool {
	return p == PlaintextAlways || p == PlaintextLoopback && client.IsLoopback()
}

// Config says who answers the questions of login and where its bounds are. A zero bound means the
// default that its comment tells.
type Config struct {
	Hostname  string
	Plaintext Plaintext
	// Referrals are the URLs of the servers of users who are not served here (RFC 2221).
	Referrals map[string]string
	// Check says who user is when the password is his; privsep.ErrDenied when it is not.
	Check func(ctx context.Context, user, password string) (privsep.Identity, error)
	// Hand gives a connection that has logged in to the user's worker, as a duplicate.
	Hand func(id privsep.Identity, l privsep.Login, conn syscall.Conn) error
	Log  *slog.Logger

	Timeout        time.Duration // until login: 60 s
	FailureDelay   time.Duration // from a login to the answer that it failed: 2 s
	MaxFailures    int           // failed logins of a connection: 3
	MaxBad         int           // commands of a connection that are none: 5
	MaxConnections int           // not logged in: 1000
	MaxPerAddress  int           // not logged in, from an IPv4 address or an IPv6 /64: 50
}

func (c Config) withDefaults() Config {
	setDefault(&c.Timeout, 60*time.Second)
	setDefault(&c.FailureDelay, 2*time.Second)
	setDefault(&c.MaxFailures, 3)
	setDefault(&c.MaxBad, 5)
	setDefault(&c.MaxConnections, 1000)
	setDefault(&c.MaxPerAddress, 50)
	return c
}

func setDefault[T int | time.Duration](p *T, def T) {
	if *p <= 0 {
		*p = def
	}
}
