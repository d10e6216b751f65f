package sortthread

import (
	"cmp"
	"slices"
)

// Field is a sort key of RFC 5256 section 3 or RFC 5957.
type Field uint8

// The sort keys.
const (
	Arrival Field = iota
	Cc
	Date
	From
	Size
	Subject
	To
	DisplayFrom
	DisplayTo
)

// Key is a sort criterion.
type Key struct {
	By      Field
	Reverse bool
}

// Sort tells the messages' numbers in the order of the first key, and of the
// next where that finds no difference; messages without a difference keep
// their order, under REVERSE too.
func Sort(msgs []Message, keys []Key) []uint32 {
	order := indices(len(msgs))
	slices.SortFunc(order, func(a, b int32) int {
		for _, k := range keys {
			c := compare(k.By, &msgs[a], &msgs[b])
			if k.Reverse {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	nums := make([]uint32, len(order))
	for i, m := range order {
		nums[i] = msgs[m].Num
	}
	return nums
}

func indices(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

func compare(by Field, a, b *Message) int {
	switch by {
	case Arrival:
		return cmp.Compare(a.Arrival, b.Arrival)
	case Cc:
		return cmp.Compare(a.Cc, b.Cc)
	case Date:
		return cmp.Compare(a.Sent, b.Sent)
	case From:
		return cmp.Compare(a.From, b.From)
	case Size:
		return cmp.Compare(a.Size, b.Size)
	case Subject:
		return cmp.Compare(a.Subject, b.Subject)
	case To:
		return cmp.Compare(a.To, b.To)
	case DisplayFrom:
		return cmp.Compare(a.DisplayFrom, b.DisplayFrom)
	default:
		return cmp.Compare(a.DisplayTo, b.DisplayTo)
	}
}
