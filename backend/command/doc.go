// Package command runs the commands of a client that has logged in: one file for a command or for a few that belong
// together, and the table that says which command is whose.
//
// Each handler parses its arguments, works through the session's methods, writes its untagged answers, tells the news,
// and ends with the tagged answer. What imapserver does right is passed to it (NOOP, LOGOUT, CLOSE, UNSELECT,
// EXPUNGE), as is what has to move imapserver's own state (SELECT, EXAMINE) or is only a call of the session with
// names (DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE).
//
// It promises that a command that cannot be parsed changes nothing, that what is announced in [Capabilities] is there as
// a whole, and that message data never waits in memory beyond one message.
//
// It opens no files and knows no formats. It runs in the worker process, each connection on its own goroutine; it has
// no state beside the session, and takes no locks.
//
// Errors of the session become answers by session.Explain; what that does not know is an internal error, which
// imapconn logs and answers [SERVERBUG].
package command
