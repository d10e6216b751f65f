package session

import (
	"slices"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// numbering maps a client's message sequence numbers to UIDs: number n is uids[n-1].
//
// A message that another session removed keeps its number until the client is told, as RFC 3501 §7.4.1 demands;
// until then it is also in gone.
type numbering struct {
	uids []mboxstore.UID // ascending; shared with the mailbox until owned
	own  bool
	gone []mboxstore.UID // ascending
}

func (n *numbering) len() int { return len(n.uids) }

// find tells the number of a message, 0 when it has none.
func (n *numbering) find(uid mboxstore.UID) uint32 {
	i, ok := slices.BinarySearch(n.uids, uid)
	if !ok {
		return 0
	}
	return uint32(i + 1)
}

// last is the highest UID that the client may know, 0 in an empty mailbox.
func (n *numbering) last() mboxstore.UID {
	if len(n.uids) == 0 {
		return 0
	}
	return n.uids[len(n.uids)-1]
}

// add numbers new messages at the end, and returns those that it numbered. UIDs ascend in a mailbox, so one that is
// not above all others is none that a client could be told of.
func (n *numbering) add(uids []mboxstore.UID) []mboxstore.UID {
	from, known := slices.BinarySearch(uids, n.last())
	if known {
		from++
	}
	uids = uids[from:]
	switch {
	case len(uids) == 0:
	case len(n.uids) == 0:
		n.uids, n.own = uids, false
	case !n.own:
		n.uids, n.own = append(slices.Clip(n.uids), uids...), true
	default:
		n.uids = append(n.uids, uids...)
	}
	return uids
}

// lose remembers messages that are no longer there. Those that never had a number are nobody's news.
func (n *numbering) lose(uids []mboxstore.UID) {
	before := len(n.gone)
	for _, uid := range uids {
		if n.find(uid) != 0 {
			n.gone = append(n.gone, uid)
		}
	}
	if before > 0 && len(n.gone) > before {
		slices.Sort(n.gone)
		n.gone = slices.Compact(n.gone)
	}
}

// tell takes the gone messages out and returns the numbers to send as EXPUNGE, highest first, so that each is right
// on its own line.
func (n *numbering) tell() []uint32 {
	if len(n.gone) == 0 {
		return nil
	}
	told := make([]uint32, 0, len(n.gone))
	left := make([]mboxstore.UID, 0, len(n.uids)-len(n.gone))
	gone := n.gone
	for i, uid := range n.uids {
		if len(gone) > 0 && gone[0] == uid {
			told = append(told, uint32(i+1))
			gone = gone[1:]
			continue
		}
		left = append(left, uid)
	}
	n.uids, n.own, n.gone = left, true, nil
	slices.Reverse(told)
	return told
}

// resolve turns a set of numbers or UIDs of a command into numbers. UIDs that nobody has are left out (RFC 3501
// §6.4.8); a number that no message has is the client's mistake, but for a range up to "*" of an empty mailbox, which
// clients send before they look at EXISTS.
func (n *numbering) resolve(set wire.Set, uid bool) (wire.Set, error) {
	if uid {
		return n.resolveUIDs(set.Resolve(n.last())), nil
	}
	top := uint32(n.len())
	for _, r := range set {
		if r.Start > top || r.Stop > top {
			if top == 0 && (r.Start == 0 || r.Stop == 0) {
				continue
			}
			return nil, &Refusal{Bad: true, Text: "Message sequence number out of range"}
		}
	}
	if top == 0 {
		return nil, nil
	}
	return set.Resolve(top), nil
}

func (n *numbering) resolveUIDs(set wire.Set) wire.Set {
	var nums wire.Set
	for _, r := range set {
		from, _ := slices.BinarySearch(n.uids, r.Start)
		to, known := slices.BinarySearch(n.uids, r.Stop)
		if known {
			to++
		}
		if from < to {
			nums = append(nums, wire.Range{Start: uint32(from + 1), Stop: uint32(to)})
		}
	}
	return nums
}

// list makes the UIDs of resolved numbers. The slice may be shared.
func (n *numbering) list(nums wire.Set) []mboxstore.UID {
	if len(nums) == 1 {
		return n.uids[nums[0].Start-1 : nums[0].Stop]
	}
	var uids []mboxstore.UID
	for _, r := range nums {
		uids = append(uids, n.uids[r.Start-1:r.Stop]...)
	}
	return uids
}
