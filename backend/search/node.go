package search

import (
	"slices"
	"time"

	"spoold/mboxstore"
)

// Node is a search key or a combination of keys. The zero Node is All.
type Node struct {
	op    op
	kids  []Node
	set   []Range
	flag  mboxstore.Flags
	want  bool   // of flags and keywords
	field string // of a header key
	text  string // the string looked for, or a keyword
	num   int64  // octets, seconds, a mod-sequence, or a day
}

// IsRelative says whether what matches depends on the time at which it is
// asked.
func (n Node) IsRelative() bool {
	return n.op == opOlder || n.op == opYounger || slices.ContainsFunc(n.kids, Node.IsRelative)
}

type op uint8

const (
	opAll op = iota
	opAnd
	opOr
	opNot
	opSeq
	opUID
	opFlag
	opKeyword
	opRecent
	opNew
	opLarger
	opSmaller
	opModSeq
	opBefore
	opOn
	opSince
	opOlder
	opYounger
	opSentBefore
	opSentOn
	opSentSince
	opHeader
	opBody
	opText
)

// Range is an inclusive range of sequence numbers or UIDs without "*".
type Range struct{ Start, Stop uint32 }

// All matches every message.
func All() Node { return Node{} }

// And matches what all of its keys match; without keys, every message.
func And(keys ...Node) Node { return Node{op: opAnd, kids: keys} }

// Or matches what one of its keys matches.
func Or(a, b Node) Node { return Node{op: opOr, kids: []Node{a, b}} }

// Not matches what its key does not match.
func Not(n Node) Node { return Node{op: opNot, kids: []Node{n}} }

// SeqSet matches messages by number.
func SeqSet(ranges []Range) Node { return Node{op: opSeq, set: ranges} }

// UIDSet matches messages by UID.
func UIDSet(ranges []Range) Node { return Node{op: opUID, set: ranges} }

// Flag matches messages that have the flag, or with set false do not have it.
func Flag(f mboxstore.Flags, set bool) Node { return Node{op: opFlag, flag: f, want: set} }

// Keyword is Flag for a keyword, whose case does not matter.
func Keyword(name string, set bool) Node { return Node{op: opKeyword, text: name, want: set} }

// Recent matches messages that are \Recent in this session.
func Recent() Node { return Node{op: opRecent} }

// Old matches messages that are not \Recent.
func Old() Node { return Not(Recent()) }

// New matches \Recent messages without \Seen.
func New() Node { return Node{op: opNew} }

// Larger matches messages of more than n octets.
func Larger(n int64) Node { return Node{op: opLarger, num: n} }

// Smaller matches messages of less than n octets.
func Smaller(n int64) Node { return Node{op: opSmaller, num: n} }

// ModSeq matches messages that changed at this mod-sequence or later.
func ModSeq(n uint64) Node { return Node{op: opModSeq, num: int64(n)} }

// Before matches messages whose internal date is on a day before t's.
func Before(t time.Time) Node { return Node{op: opBefore, num: dayOf(t)} }

// On matches messages whose internal date is on t's day.
func On(t time.Time) Node { return Node{op: opOn, num: dayOf(t)} }

// Since matches messages whose internal date is on t's day or later.
func Since(t time.Time) Node { return Node{op: opSince, num: dayOf(t)} }

// Older matches messages whose internal date lies at least that long back.
func Older(secs uint32) Node { return Node{op: opOlder, num: int64(secs)} }

// Younger matches messages whose internal date lies at most that long back.
func Younger(secs uint32) Node { return Node{op: opYounger, num: int64(secs)} }

// SentBefore is Before for the Date field.
func SentBefore(t time.Time) Node { return Node{op: opSentBefore, num: dayOf(t)} }

// SentOn is On for the Date field.
func SentOn(t time.Time) Node { return Node{op: opSentOn, num: dayOf(t)} }

// SentSince is Since for the Date field.
func SentSince(t time.Time) Node { return Node{op: opSentSince, num: dayOf(t)} }

// Header matches messages with a field of this name that contains text; with
// an empty text, those that have the field.
func Header(field, text string) Node { return Node{op: opHeader, field: field, text: text} }

// Subject is Header for the Subject field.
func Subject(text string) Node { return Header("Subject", text) }

// From is Header for the From field.
func From(text string) Node { return Header("From", text) }

// To is Header for the To field.
func To(text string) Node { return Header("To", text) }

// Cc is Header for the Cc field.
func Cc(text string) Node { return Header("Cc", text) }

// Bcc is Header for the Bcc field.
func Bcc(text string) Node { return Header("Bcc", text) }

// Body matches messages whose body contains text.
func Body(text string) Node { return Node{op: opBody, text: text} }

// Text matches messages whose header or body contains text.
func Text(text string) Node { return Node{op: opText, text: text} }

// dayOf numbers calendar days, in t's own zone, in their order.
func dayOf(t time.Time) int64 {
	year, month, day := t.Date()
	return int64(year)<<9 | int64(month)<<5 | int64(day)
}
