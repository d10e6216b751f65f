package wire

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Set is a sequence set as the client wrote it, or after Resolve. Its length
// is bounded by the text it was parsed from, never by the numbers in it.
type Set []Range

// Range is Start to Stop, both included; 0 stands for "*". As parsed, Start is
// the smaller number, "*" counting as the largest.
type Range struct{ Start, Stop uint32 }

// savedMark as Stop, with Start 0, is the set "$": no parsed range has a "*"
// in front of a number.
const savedMark = 1

func isSetChar(c byte) bool { return isDigit(c) || c == ':' || c == ',' || c == '*' || c == '$' }

// ParseSet parses a sequence set (RFC 9051 section 9) or "$" (RFC 5182).
func ParseSet(s string) (Set, error) {
	if s == "$" {
		return Set{{0, savedMark}}, nil
	}
	set := make(Set, 0, strings.Count(s, ",")+1)
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, ":")
		a, ok := setNumber(first)
		b := a
		if ok && isRange {
			b, ok = setNumber(last)
		}
		if !ok {
			return nil, syntax("Invalid sequence set")
		}
		if b != 0 && (a == 0 || a > b) {
			a, b = b, a // RFC 9051: 4:2 is 2:4, *:4 is 4:*
		}
		set = append(set, Range{a, b})
	}
	return set, nil
}

func setNumber(s string) (uint32, bool) {
	if s == "*" {
		return 0, true
	}
	if s == "" || !isDigit(s[0]) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n > 0
}

// SetOf returns the set of some numbers in ascending order.
func SetOf(nums []uint32) Set {
	var s Set
	for _, n := range nums {
		if last := len(s) - 1; last >= 0 && s[last].Stop+1 == n {
			s[last].Stop = n
		} else if last < 0 || s[last].Stop != n {
			s = append(s, Range{n, n})
		}
	}
	return s
}

// IsSaved says whether the set is "$", the result of an earlier SEARCH.
func (s Set) IsSaved() bool { return len(s) == 1 && s[0] == Range{0, savedMark} }

// Resolve replaces "*" by the largest number in use (0: there is none) and
// sorts and merges. "5:*" with a smaller largest number is that number alone:
// RFC 9051 section 9 wants the last message to be in it.
func (s Set) Resolve(largest uint32) Set {
	if s.IsSaved() {
		return nil
	}
	out := make(Set, 0, len(s))
	for _, r := range s {
		if r.Stop == 0 {
			if largest == 0 {
				continue
			}
			r.Stop = largest
			if r.Start == 0 || r.Start > largest {
				r.Start = largest
			}
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
	return out.merge()
}

// merge joins ranges that overlap or touch, in place.
func (s Set) merge() Set {
	if len(s) == 0 {
		return s
	}
	out := s[:1]
	for _, r := range s[1:] {
		last := &out[len(out)-1]
		if last.Stop == math.MaxUint32 || r.Start <= last.Stop+1 {
			last.Stop = max(last.Stop, r.Stop)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// Contains says whether n is in a resolved set.
func (s Set) Contains(n uint32) bool {
	i, _ := slices.BinarySearchFunc(s, n, func(r Range, n uint32) int { return cmp.Compare(r.Stop, n) })
	return i < len(s) && s[i].Start <= n
}

// String is the set as it is written on the wire; "" for an empty set, which
// has no such form.
func (s Set) String() string {
	if s.IsSaved() {
		return "$"
	}
	var b []byte
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSetNumber(b, r.Start)
		if r.Stop != r.Start {
			b = appendSetNumber(append(b, ':'), r.Stop)
		}
	}
	return string(b)
}

func appendSetNumber(b []byte, n uint32) []byte {
	if n == 0 {
		return append(b, '*')
	}
	return strconv.AppendUint(b, uint64(n), 10)
}
