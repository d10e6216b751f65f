// Package mboxstore reads and writes mailboxes in UW-IMAP's mbox format: one file, messages one after the other, and
// in the messages' headers what IMAP needs to remember. It knows nothing of IMAP's protocol.
//
// # Words
//
//   - spool: a mailbox file, and the directory of such files that MTAs deliver into. The inbox is a user's mailbox
//     there; a folder is one of the user's other mailboxes.
//   - message: a mail in the file. Its span is its bytes: separator, header, body, and one blank line.
//   - separator: the "From " line before every message, with the sender and the date of delivery; also From_ line.
//   - header: from the separator to the first blank line, which belongs to it. Its lines are retained or internal.
//   - body: what follows; text: the body without the one blank line before the next separator.
//   - internal lines: they belong to the mailbox and not to the mail, and clients never see them. They are the status
//     headers Status, X-Status, X-Keywords, X-UID, X-IMAPbase, X-IMAP, and the length lines Content-Length and Lines,
//     which other programs write. The status block is UW's arrangement of the former at the end of the header, padded
//     with blanks so that a changed flag changes no length.
//   - base: UIDVALIDITY, the last UID given, and the mailbox's keywords; X-IMAPbase in the first message, or X-IMAP in
//     the pseudo message, a first message that is no mail and is not shown.
//   - served: as clients get it. Stored: as it is in the file.
//   - index: what is known of all messages of a mailbox, in memory and in the state directory.
//   - plan: what a change will do to the file's bytes; commit: doing it, under the locks; journal: what makes a commit
//     whole after a crash.
//   - foreign: by another program.
//
// # The format
//
// The file is a sequence of spans. What a separator is, is decided by c-client's test (ParseFromLine), because all
// programs on a spool must split it at the same places; where one is looked for, by UW's reading (Scan). A file whose first
// line is only Dovecot's is read by the union of both tests until its separators have been rewritten (widefrom.go). On disk
// lines end in LF. Files with CRLF, without a final line end, with NULs at the end, with headers that never end are
// read all the same, and each has one defined size.
//
// # Promises
//
//   - A body never changes. What a client got for a UID it gets for ever, with the same size.
//   - UIDs ascend, and none is given twice. A message that another program left as it is keeps its UID, wherever in the
//     file it stands now (displaced.go).
//   - After a crash, at any instant, each message that was there or was acknowledged is there once, with its UID.
//   - Mail is written by strangers: nothing that is in a message makes memory or time grow beyond its own length, and
//     status headers in delivered mail are not believed.
//
// # What it does not do
//
// It takes no lock by itself outside of the methods of Mailbox, does not know where mailboxes are, and writes no
// other format; mboxstore/archive does that.
//
// The grammar part (fromline.go, date.go, header*.go, status.go, pseudo.go, scan.go, serve.go, stored.go) is pure: it
// takes bytes, returns values, and needs no lock. The package runs in the worker, as the user whose mail it is.
package mboxstore
