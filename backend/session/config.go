package session

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"spoold/backend/annotation"
	"spoold/mboxstore"
)

// Config is what a session is given by the worker. User, Store and Subscriptions are required.
type Config struct {
	User, Hostname string
	Store          Store
	Subscriptions  Subscriptions
	ReadOnly       bool         // every mailbox is selected read-only, and nothing is created, deleted or renamed
	Log            *slog.Logger // nil: nothing is logged
	AppendLimit    int64        // octets of one message; 0: no limit but the connection's own
	AppendTotal    int64        // octets of all messages of one APPEND; 0: no limit

	// StatusWait is how long STATUS, or all of a LIST that tells it, waits for mailboxes that are locked; 0: 2 s.
	StatusWait time.Duration

	// Explain says how errors of the layers below mboxstore are answered (spool.ErrLocked is INUSE), which this package
	// does not know by name. Nil, or a nil answer: [SERVERBUG].
	Explain func(error) *Refusal
	// Version is told by ID (RFC 2971) when it is not empty.
	Version string
	// Login says whether a password is right. It is asked only on a plain imapserver.Server: spoold's own
	// connections arrive authenticated. Nil: every login is refused.
	Login func(user, password string) error
	// Bye ends the connection with an untagged BYE. It is used only on a plain imapserver.Server, which has no
	// other way (imapserver.Conn.Bye fits). Nil: the connection ends without a word.
	Bye func(text string) error
	// SearchTime is how long one search may take; 0: 5 min.
	SearchTime time.Duration
	// Quota is what the user may store; nil: as much as there is room for.
	Quota *Quota
	// Now is the clock that relative searches use, and that tells how long they take; nil: time.Now.
	Now func() time.Time
	// Hidden are capabilities that are not announced to this user.
	Hidden []string

	// Annotations is where METADATA and CREATE with a special use are kept; nil: nowhere, and they are refused.
	Annotations *annotation.Book
	// SpecialUse names, for each special use ("\\Sent"), the mailboxes that have it when the user has given it to none: the
	// first of them that exists.
	SpecialUse map[string][]string
	// Comment and Admin are what METADATA tells of the server; Admin is a URI.
	Comment, Admin string
	// Referrals are the URLs of mailboxes that are on other servers (RFC 2193), by their names here.
	Referrals map[string]string
}

// Store is the user's mailboxes by name. Names are raw bytes, '/' separated; the inbox is "INBOX".
//
// They answer with the errors of this package, wrapped or not; what they cannot express with those becomes
// ErrCannot(sentence), or stays what the operating system said.
// Open returns ErrNoMailbox for what cannot be selected; the mailbox stays open until release is called.
// With create a missing INBOX is made; other mailboxes are never made by Open.
// Walk tells the folders below dir ("" is the top), sorted, without INBOX, as spool.Tree.Walk does; a dir that does
// not exist is no error.
// Has reports whether there is a mailbox or directory of a name, at the cost of one look.
// Raw opens the file of a mailbox to be read as it is, without a lock and without a trace.
// Create makes a mailbox, or a directory when the name ends in '/'; Rename moves a mailbox or a directory with
// what is below it.
type Store interface {
	Open(ctx context.Context, name string, create bool) (m *mboxstore.Mailbox, release func(), err error)
	Walk(ctx context.Context, dir string, deep bool, f func(Folder) error) error
	Has(name string) bool
	Raw(name string) (io.ReadCloser, error)
	Create(ctx context.Context, name string) error
	Delete(ctx context.Context, name string) error
	Rename(ctx context.Context, from, to string) error
}

// Folder is what Store.Walk tells of one name.
type Folder struct {
	Name        string // from the top, '/' separated
	Dir         bool   // holds folders, no mail
	HasChildren bool
	Marked      bool // new mail since it was last read
}

// Subscriptions is the user's list of subscribed names. Add of a listed name and Remove of a missing one are no errors.
type Subscriptions interface {
	List() ([]string, error)
	Add(name string) error
	Remove(name string) error
}

// Hides reports whether a capability is not announced to this user.
func (c *Config) Hides(capability string) bool {
	return slices.ContainsFunc(c.Hidden, func(h string) bool { return strings.EqualFold(h, capability) })
}
