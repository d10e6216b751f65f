// Package wire reads IMAP commands from a byte stream and writes IMAP
// responses to one. It knows the syntax of RFC 3501 and RFC 9051 and gives no
// meaning to it.
//
// # Framing
//
// [Reader.Next] returns one whole command, its literals included, as a
// [Command]. The rule on which everything else rests: whatever the client
// sends, the next call begins where the next command begins. A literal is
// announced by the end of a line and by nothing else, its octets are counted
// and never looked at for line ends, and when a command is refused its pending
// octets are swallowed first. Otherwise the body of a literal, which is often
// text that a stranger wrote and a webmail forwards, would be run as commands.
//
// The cases, each of which leaves the stream in step:
//
//   - a malformed line or a line above the limit: read to its line feed, and
//     behind it every non-synchronising literal and line that belongs to it;
//   - a synchronising literal ({n}) above the limit: no prompt is given, so the
//     client sends nothing (RFC 3501 section 7.5);
//   - a non-synchronising literal ({n+}, RFC 7888) above the limit: swallowed
//     up to twice the limit; beyond that a *[FatalError] asks for BYE.
//
// Commands named by [Reader.Stream], at first only APPEND, are returned at
// their first literal, so that a message need not be in memory. A string
// argument of such a command that comes as a literal is still read by the
// Parser itself; only [Command.Literal] streams.
//
// # Parsing and writing
//
// [Parser] walks over the arguments of one command. Its cost is bounded by the
// text it is given; nothing is ever allocated because a number in the input
// says so. [Writer] appends responses to one buffer that it hands on at the
// ends of lines; its errors are sticky.
//
// # What it does not do
//
// No deadlines, no sockets, no states, no mailbox names beyond their syntax.
// It has no package state; a Reader, a Parser and a Writer belong to one
// goroutine each. It runs in the login and worker roles and takes no locks.
package wire
