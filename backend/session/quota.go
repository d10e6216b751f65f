package session

import (
	"context"
	"sync"
	"time"
)

// Quota is what a user may store (RFC 9208), shared by his sessions. There is a quota root for what the configuration
// says, and one for each of the file systems that keeps a quota itself. Only the first is enforced here, on what clients
// add: a delivery never is refused, and the file systems enforce their own.
type Quota struct {
	Storage int64                                // octets that the configuration allows; 0: there is no such root
	Usage   func(context.Context) (int64, error) // octets of all mailboxes
	Disks   []DiskQuota
	Now     func() time.Time // nil: time.Now

	mu       sync.Mutex
	used     int64 // when it was last counted, and what was added since
	counted  time.Time
	took     time.Duration // to count
	reserved int64         // by commands that run
}

// DiskQuota is a file system's quota. Ask is false when it has none, or none for the user.
type DiskQuota struct {
	Root           string // its name
	Inbox, Folders bool   // what lies there
	Ask            func() (used, limit int64, ok bool)
}

// QuotaRoot is one quota root with its only resource, STORAGE in octets.
type QuotaRoot struct {
	Name        string
	Used, Limit int64
}

// storageRoot is the name of the configuration's quota root. Clients show it to users.
const storageRoot = "mail"

// Counting costs a look at each file. So what takes long is counted seldom: at most a twentieth of the time goes into it.
const (
	soonCounted = 10 * time.Millisecond
	countShare  = 20
	longCounted = time.Minute
)

var errOverQuota = &Refusal{Code: "OVERQUOTA", Text: "Not enough room left in the quota"}

func (q *Quota) now() time.Time {
	if q.Now == nil {
		return time.Now()
	}
	return q.Now()
}

// usage is what is stored. The caller holds mu, so that no two sessions count at once.
func (q *Quota) usage(ctx context.Context) (int64, error) {
	start := q.now()
	if q.took > soonCounted && start.Sub(q.counted) < min(countShare*q.took, longCounted) {
		return q.used, nil
	}
	used, err := q.Usage(ctx)
	if err != nil {
		return 0, err
	}
	q.used, q.counted = used, q.now()
	q.took = q.counted.Sub(start)
	return used, nil
}

// reserve makes sure that n octets more may be stored, until release is called; done says how many have been.
func (q *Quota) reserve(ctx context.Context, n int64) (release func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	used, err := q.usage(ctx)
	if err != nil {
		return nil, err
	}
	if free := q.Storage - used - q.reserved; n > free {
		return nil, errOverQuota
	}
	q.reserved += n
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.reserved -= n
		q.used += n // a guess that the next count corrects
	}, nil
}

func (q *Quota) storage(ctx context.Context) (QuotaRoot, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	used, err := q.usage(ctx)
	return QuotaRoot{storageRoot, used, q.Storage}, err
}

// roots are those that want takes.
func (q *Quota) roots(ctx context.Context, wantStorage bool, want func(*DiskQuota) bool) ([]QuotaRoot, error) {
	if q == nil {
		return nil, nil
	}
	var roots []QuotaRoot
	if wantStorage && q.Storage > 0 {
		r, err := q.storage(ctx)
		if err != nil {
			return nil, err
		}
		roots = append(roots, r)
	}
	for i := range q.Disks {
		d := &q.Disks[i]
		if !want(d) {
			continue
		}
		if used, limit, ok := d.Ask(); ok {
			roots = append(roots, QuotaRoot{d.Root, used, limit})
		}
	}
	return roots, nil
}

// QuotaRoots are those of a mailbox, which need not exist: it may be about to be made (RFC 9208 §4.1.2).
func (s *Session) QuotaRoots(ctx context.Context, mailbox string) ([]QuotaRoot, error) {
	return s.cfg.Quota.roots(ctx, true, func(d *DiskQuota) bool {
		return mailbox == inbox && d.Inbox || mailbox != inbox && d.Folders
	})
}

// QuotaRoot is the quota root of that name.
func (s *Session) QuotaRoot(ctx context.Context, name string) (QuotaRoot, error) {
	roots, err := s.cfg.Quota.roots(ctx, name == storageRoot, func(d *DiskQuota) bool { return d.Root == name })
	if err != nil {
		return QuotaRoot{}, err
	}
	if len(roots) == 0 {
		return QuotaRoot{}, &Refusal{Code: "NONEXISTENT", Text: "No such quota root"}
	}
	return roots[0], nil
}

// Reserve makes sure that the user may store that many octets more, until the command ends. The answer is [OVERQUOTA]
// when not.
func (s *Session) Reserve(ctx context.Context, octets int64) error {
	q := s.cfg.Quota
	if q == nil || q.Storage == 0 {
		return nil
	}
	release, err := q.reserve(ctx, octets)
	if err == nil {
		s.reserved = append(s.reserved, release)
	}
	return err
}

// Release ends what the command has reserved.
func (s *Session) Release() {
	for _, release := range s.reserved {
		release()
	}
	s.reserved = nil
}
