package imapconn

import (
	"context"
	"log/slog"
	"time"

	"spoold/backend/wire"
)

// Handler runs one command. When it returns nil it has written the tagged
// answer, or used Pass or PassLine as the last thing it did. A
// *wire.SyntaxError is answered BAD and a *Refusal as it says; every other
// error goes through SessionHooks.Classify. A response line that is not
// finished when an error is returned is dropped.
type Handler func(ctx context.Context, c *Conn, cmd *wire.Command) error

// State is the state of the connection. As a set, in an Entry, it says where a
// command is valid: most are in Authenticated|Selected.
type State uint8

// The states after login.
const (
	Authenticated State = 1 << iota
	Selected
)

// Entry says what to do with a command. A nil Run passes it to imapserver.
type Entry struct {
	States State // 0: every state
	Run    Handler
}

// Table has the commands by name: "FETCH" is for FETCH and UID FETCH.
type Table map[string]Entry

// SessionHooks is what the connection asks of the session.
type SessionHooks struct {
	// Classify turns an error of a handler into an answer, nil for one that it
	// does not know.
	Classify func(error) *Refusal
}

// Config of a connection. Zero durations and limits mean their defaults.
type Config struct {
	Table    Table
	Session  SessionHooks
	Greeting func(*Conn) // writes "* PREAUTH" or the tagged OK of LOGIN; nil: a plain PREAUTH
	Unread   []byte      // what the login role read beyond the login command
	Streamed []string    // commands that take their literals as streams; nil: APPEND, REPLACE
	Limits   wire.Limits

	IdleTimeout    time.Duration // between commands and in IDLE: 30 min (RFC 9051 section 5.4)
	LiteralTimeout time.Duration // for some more of a command that has begun: 5 min, as UW
	WriteTimeout   time.Duration // for the client to take 32 KiB: 60 s
	MaxBad         int           // consecutive BADs before BYE: 20

	Log *slog.Logger // nil: slog.Default
}

func (c Config) withDefaults() Config {
	def(&c.IdleTimeout, 30*time.Minute)
	def(&c.LiteralTimeout, 5*time.Minute)
	def(&c.WriteTimeout, time.Minute)
	def(&c.MaxBad, 20)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Greeting == nil {
		c.Greeting = func(c *Conn) { c.W().Untagged("PREAUTH", "", "IMAP server ready") }
	}
	return c
}

func def[T time.Duration | int](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// Refusal is an error that says how a command is to be answered: NO unless Bad
// is set. With Bye the connection ends as well.
type Refusal struct {
	Code, Text string
	Bad, Bye   bool
}

func (r *Refusal) Error() string { return r.Text }

// Decorate edits the completion of a passed command: type, response code
// without brackets, text.
type Decorate func(typ, code, text string) (string, string, string)
