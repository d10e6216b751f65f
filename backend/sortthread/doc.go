// Package sortthread puts messages in order and into threads: the computing
// behind SORT and THREAD (RFC 5256), SORT=DISPLAY (RFC 5957) and THREAD=REFS.
//
// It works on records: the caller reads the header of each message once, and
// gives strings in the form in which they are to be compared (i;unicode-casemap,
// RFC 5051) and message identifiers as numbers (see IDs).
//
// Promises: any input is answered, in time near n·log n in the number of
// messages and references, without recursion: a reply chain may be as long as
// the mailbox, references may form loops. Equal messages stay in the order in
// which they were given, which is that of their sequence numbers.
//
// It does not: read messages, decode header text, fold case, parse or write
// IMAP.
//
// Process: worker. Locks: none; functions do not keep what they are given.
package sortthread
