// Package strict checks every octet that an IMAP server sends against the ABNF of the RFCs. It is for tests only and
// shares nothing with the code that it judges: it was written from RFC 3501 and RFC 9051 and those of the extensions, and
// imports nothing of the project.
//
// A Checker is told what the client sends and what the server sends, as it comes, and reports the first violation with
// the response in which it is. Besides the grammar of each response it demands what a client has to rely on:
//
//   - each tagged command has at most one tagged answer, and Finish demands that it has one;
//   - a continuation request comes only when a command waits for one;
//   - EXPUNGE does not come without a command, nor during FETCH, STORE and SEARCH (RFC 3501 section 7.4.1);
//   - EXISTS never takes messages away, and nothing is said of a message number that does not exist;
//   - resp-text is not empty and does not end in a space;
//   - what ENABLE switches: UTF-8 in quoted strings, ESEARCH in place of SEARCH, no RECENT, VANISHED in place of EXPUNGE.
//
// It does not check whether an answer is true, nor whether the client asked for it. After STARTTLS and COMPRESS the
// octets mean something else and a Checker looks away: what is in them needs one of its own.
package strict
