// Package search decides which messages a SEARCH program selects.
//
// A program is built as a tree of Nodes with the functions named like the keys
// of RFC 9051 section 6.4.4 and RFC 5032, compiled once and matched with one
// message after the other. Compile puts cheap keys first: what the index knows
// (flags, numbers, sizes, dates), then what needs the header, then what needs
// the text; a message is read only as far as its result depends on it.
//
// Promises: strings are compared as substrings by i;unicode-casemap (RFC 5051)
// after transfer encodings, charsets and encoded words are decoded; header
// text also matches as it stands, and blanks in it count as one. BODY and TEXT
// look into text parts, TEXT also into the headers of all parts and of
// messages in the message (RFC 9051 section 6.4.4: BODY matches no header
// fields, TEXT those of MIME too); not into other parts, before the first
// delimiter or behind the last. BEFORE, ON and SINCE compare calendar days as
// written, whatever the zone (RFC 9051: "disregarding time and timezone"), and
// the SENT keys do so with the Date field; a message without a readable one
// matches none of them. FROM, TO, CC, BCC and SUBJECT are HEADER with that
// field, so that the empty string asks whether the field is there.
//
// It does not: parse or write IMAP, resolve "*" or "$", bound the nesting of a
// tree (the caller parses it, and bounds it), know time limits: the caller
// looks at its context between messages.
//
// Process: worker. Locks: none; a Program has scratch space and is for one
// goroutine at a time.
package search
