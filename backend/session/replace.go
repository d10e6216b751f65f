package session

import (
	"context"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// errNothingToReplace is the answer of UID REPLACE with a UID that no message has.
var errNothingToReplace = &Refusal{Code: "NONEXISTENT", Text: "There is no such message to replace"}

// Replaceable is the UID of the one message of nums (from Resolve), which REPLACE may remove. It is asked before the new
// message is sent for.
func (s *Session) Replaceable(nums wire.Set) (mboxstore.UID, error) {
	v := s.view
	if v.readOnly {
		return 0, errReadOnly
	}
	uids := v.num.list(nums)
	if len(uids) == 0 {
		return 0, errNothingToReplace
	}
	if !present(v.box.UIDs(), uids) {
		return 0, ErrMissing
	}
	return uids[0], nil
}

// Replace puts the one message of in into its mailbox and removes old from the selected one, durably (RFC 8508).
func (s *Session) Replace(ctx context.Context, in *mboxstore.Incoming, old mboxstore.UID) (uidValidity uint32, uid mboxstore.UID, err error) {
	return in.Replace(ctx, s.view.box, old)
}
