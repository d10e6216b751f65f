// Package session is one client's view of a user's mail: the go-imap backend of spoold.
//
// It promises that a client's sequence numbers mean the same message until the client has been told
// otherwise (RFC 3501 §7.4.1), that every change made by another session or another program is told, and
// told once, and that what it answers for one mailbox never waits for another client.
//
// A [Session] implements imapserver.Session, SessionMove and SessionNamespace, so it can be mounted on a plain
// imapserver.Server. On spoold's own connections most commands are run by package command, over the same
// methods: [Session.FetchRows], [Session.Find], [Session.StoreFlags], [Session.CopyTo], [Session.ListFolders] and the
// others. Names of mailboxes are the raw bytes on disk everywhere but in the imapserver callbacks, which
// speak UTF-8.
//
// A message that another session has removed is not shown any more, but keeps its number until the client may be told
// (RFC 2180). A command that names it gets the data of all others and then NO [EXPUNGEISSUED]; COPY and MOVE then do
// nothing. A UID that the client could not know of is left out without a word (RFC 3501 §6.4.8).
//
// What it does not do: it parses no commands, opens no files and takes no file locks (mboxstore does), and
// it does not watch for changes: whoever owns the mailboxes calls Mailbox.Refresh when a file changed.
//
// It runs in the worker process, as the mail user. One goroutine at a time uses a Session. The imapserver
// callbacks take the session's own lock, because a plain imapserver leaves its IDLE goroutine behind.
//
// Errors: everything that a method returns can be given to [Explain], the one table from errors to IMAP answers.
package session
