package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"spoold/mboxstore"
)

// statusWait is how long STATUS waits for a mailbox that others have locked. Clients ask for all their
// mailboxes in a row, and the user waits for the whole of it.
const statusWait = 2 * time.Second

// leastWait is left to each mailbox of a LIST whose time is used up, so that those that nobody has locked are told.
const leastWait = 20 * time.Millisecond

var errBusy = &Refusal{Code: "INUSE", Text: "The mailbox is locked by another program, or busy"}

// patience is the time that a LIST still has to wait for mailboxes that it tells the STATUS of.
type patience struct{ left time.Duration }

// share is what the next mailbox may take: never all, so that one that is locked does not hide the others.
func (p *patience) share() time.Duration { return max(p.left/2, leastWait) }

// used takes a share that was waited out. Time is taken for that only: reading many mailboxes is no waiting.
func (p *patience) used(share time.Duration) { p.left = max(p.left-share, 0) }

func (s *Session) newPatience() *patience {
	if s.cfg.StatusWait > 0 {
		return &patience{s.cfg.StatusWait}
	}
	return &patience{statusWait}
}

// FolderStatus is STATUS. Of the selected mailbox it counts as \Recent what is so in this session, too.
func (s *Session) FolderStatus(ctx context.Context, name string) (mboxstore.Status, error) {
	m, release, err := s.openInTime(ctx, name)
	if err != nil {
		return mboxstore.Status{}, err
	}
	defer release()
	st := m.Status()
	if s.view != nil && s.view.box == m && !s.view.readOnly {
		st.Recent += len(s.view.recent)
	}
	return st, nil
}

// openInTime is openFolder for STATUS, or for one of those in a LIST. What waits are the locks; a mailbox that takes
// long to read is read.
func (s *Session) openInTime(ctx context.Context, name string) (*mboxstore.Mailbox, func(), error) {
	share := s.newPatience().left
	if s.listing != nil {
		share = s.listing.share()
	}
	limited, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	m, release, err := s.openFolder(limited, name)
	if limited.Err() != nil && s.listing != nil {
		s.listing.used(share)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errBusy, err)
	}
	return m, release, err
}
