package session

import (
	"slices"

	"spoold/backend/wire"
)

// SaveResult makes the messages of these numbers, in any order, what "$" stands for (RFC 5182). It is kept as UIDs, so
// that neither expunges nor new messages change its meaning, and ends with the selection of the mailbox.
func (s *Session) SaveResult(nums []uint32) {
	if s.view == nil {
		return
	}
	uids := make([]uint32, len(nums))
	for i, n := range nums {
		uids[i] = s.view.UID(n)
	}
	slices.Sort(uids)
	s.view.saved = wire.SetOf(uids)
}

// savedNums are the numbers that "$" stands for. A message is no longer one of them as soon as it has been removed,
// also when the client has not been told yet (RFC 5182 §2.1): it did not name it.
func (v *View) savedNums() wire.Set {
	var nums []uint32
	present := v.box.UIDs()
	for _, r := range v.saved {
		from, _ := slices.BinarySearch(present, r.Start)
		for _, uid := range present[from:] {
			if uid > r.Stop {
				break
			}
			if n := v.num.find(uid); n != 0 {
				nums = append(nums, n)
			}
		}
	}
	return wire.SetOf(nums)
}
