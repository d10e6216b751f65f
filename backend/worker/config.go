package worker

import (
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/wire"
	"spoold/spool"
)

// Config is what the supervisor tells a worker, or stdio itself. It travels as JSON.
type Config struct {
	User     string
	UID      uint32
	Home     string
	Hostname string
	Version  string

	Inbox string // file
	Root  string // directory of the folders
	State string // state directory; "" = none

	LockMethods []string
	LockTimeout time.Duration
	LockStale   time.Duration
	StatusWait  time.Duration // for locks, in STATUS and LIST; 0: 2 s

	CompactAt  int           // percent of blanks at which a quiet mailbox is compacted; 0: 10, less: never
	FlushDelay time.Duration // from a flag change to the file; 0: 500 ms

	Delegate    bool // the supervisor makes the inbox and its lock where the user may not
	ReadOnly    bool // nothing is written to any mailbox
	Debug       bool // log more
	MaxSessions int  // 0: 100
	AppendLimit int64
	AppendTotal int64
	SearchTime  time.Duration // for one search; 0: 5 min

	Limits  wire.Limits   // of one command; Append is AppendLimit
	Idle    time.Duration // between commands until a session ends; 0: 30 min
	Reading time.Duration // for a client to read 32 KiB; 0: 1 min

	Storage int64 // octets that the user may store; 0: no limit of ours

	Hidden []string // capabilities that are not announced

	SpecialUse     map[string][]string // mailboxes that have a special use by their name
	Comment, Admin string              // what METADATA tells of the server
	Annotations    annotation.Limits
	Referrals      map[string]string // URLs of mailboxes on other servers

	IdleExit time.Duration // without session until the worker ends: 10 min
	KeepOpen time.Duration // a mailbox stays open after its last use: 1 min
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxSessions, 100)
	setDefault(&c.IdleExit, 10*time.Minute)
	setDefault(&c.KeepOpen, time.Minute)
	return c
}

func setDefault[T int | time.Duration](p *T, def T) {
	if *p <= 0 {
		*p = def
	}
}

// MailboxState is the part of the state directory that is mboxstore's.
const MailboxState = "mailboxes"

// LockPolicy says how this user's mailboxes are locked.
func (c Config) LockPolicy(log *slog.Logger) spool.LockPolicy {
	return spool.LockPolicy{Methods: c.methods(), Timeout: c.LockTimeout, Stale: c.LockStale, Log: log}
}

func (c Config) methods() []spool.Method {
	m := make([]spool.Method, len(c.LockMethods))
	for i, s := range c.LockMethods {
		m[i] = spool.Method(s)
	}
	return m
}

// prefix is what .mailboxlist has in front of our folder names: its names are relative to the home.
func (c Config) prefix() string {
	rel, err := filepath.Rel(c.Home, c.Root)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return ""
	}
	return rel + "/"
}
