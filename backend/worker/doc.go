// Package worker is everything after login for one mail user: it takes connections that have
// logged in, serves IMAP on them, and owns the user's open mailboxes and state directory.
//
// There is one worker for each user and host. All sessions of the user share its mailboxes, so
// that they share one index of each and never fight over a lock. A lock on worker.lock in the
// state directory admits one; the others hand their connections to it through worker.sock beside
// it. Whoever comes first is the worker, be it the daemon's process or `spoold stdio`.
//
// Promises:
//   - A UIDVALIDITY given to a new folder is above every one that this user was given before, and
//     durable before the folder exists.
//   - Journals that a crash left are replayed at the start.
//   - When told to stop, sessions get BYE and mailboxes are flushed, in bounded time.
//   - A mailbox that is deleted or renamed is closed first: sessions that have it selected get BYE.
//   - Without a usable state directory mail is served all the same; there is a warning.
//
// It does not check passwords and knows no command: those are login's and command's. It runs as
// the mail user. Whoever calls it holds no locks.
package worker
