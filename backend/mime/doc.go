// Package mime tells what a message looks like from its bytes alone: the
// ENVELOPE, the BODYSTRUCTURE and the sections that FETCH can ask for.
//
// It works on the served form of one message in memory (CRLF lines, status
// headers hidden) and answers with offsets into it and with slices of it;
// nothing is decoded and encoded again on the way to a client, because clients
// compare what they get with what they have cached from UW and Dovecot.
//
// Promises: every function accepts any bytes, never fails on them and never
// panics; time is linear in the size of the message, and a parsed message has
// at most 10,000 parts nested at most 100 deep, 10,000 addresses per address
// field and 1,000 parameters per Content-* field; whatever Write writes is
// grammatical by RFC 9051 section 9 (body, envelope). Results refer to the
// given bytes, so these must not change while the results are in use.
//
// It does not: read files, keep state, decode for display (DecodeWords,
// DecodeTransfer and DecodeCharset are for SEARCH, SORT, PREVIEW and BINARY).
//
// Choices where the RFCs leave room or mail breaks them:
//   - An address without a domain has the host MISSING_DOMAIN, one without a
//     local part the mailbox MISSING_MAILBOX, as Dovecot sends it: NIL in these
//     places means a group (RFC 9051 section 7.5.2), so NIL is not possible.
//   - Of a field that is repeated the first counts.
//   - Types, parameter names, encodings and disposition types are sent in upper
//     case, as UW does.
//   - A multipart without any part has one empty text/plain part, as with
//     Dovecot: the grammar wants at least one.
//   - A body ends before the line break that precedes the delimiter; a part
//     that has only a header keeps that line break, for the header's sake.
//
// Process: worker, and the tools. Locks: none; all functions are safe for
// concurrent use on bytes that nobody changes.
package mime
