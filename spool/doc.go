// Package spool is the operating system's side of a mailbox file: where it is,
// opening it safely, locking it with everybody else's methods, watching it.
// It knows nothing of what is in the file.
//
// # What it promises
//
// Names. A [Tree] turns folder names, which are raw octets from a client, into
// files of the user; no name and no symbolic link leads out of the mail root.
// Nothing is ever renamed over something.
//
// Opening. A [Box] opens nothing but a regular file with one link that belongs
// to the mailbox's owner, and is not stopped by a FIFO. A file of another
// user's is served (a shared folder) where only that user or root can have put
// it. See open.go.
//
// Locking. [Box.Lock] takes every configured method or none; it never waits
// with a lock in hand, and not longer than it is told. After locking, the path
// still names the file that was locked. Only a lock file that our rights do not
// allow us to make is done without, with a warning; want of space is an error.
// A lock file left behind by one of us that died is taken over at once, any
// other after five minutes without a change, while all other locks are ours. See lock.go and dotlock.go.
//
// Watching. [Box.Watch] tells of a change within moments where inotify works,
// else within seconds, also when the file is replaced, removed or made anew.
//
// Seams. [File] and [Dir] are what spool/faultfs simulates: whoever writes to a
// mailbox or to the state directory through them can be tested against crashes.
//
// # What it does not do
//
// It never sends a signal, however the process that holds UW's session lock
// asks to be treated. It does not protect a user from himself: the check of a
// folder's name and the opening of its file are two steps, and between them
// the owner of the directories can change them, for files of his own.
//
// On network file systems flock is left out: NFS makes it a byte-range lock
// that would conflict with our own. fcntl locks need a working lock daemon; the
// lock file works as far as link(2) is atomic there. inotify does not see other
// hosts, and time stamps may be cached for seconds. We promise little on NFS.
//
// Open file descriptions. For flock, and for queueing in the kernel, the file
// is opened once more through /proc/self/fd, so /proc has to be mounted and, in
// a sandbox, allowed; so has /usr/bin/dotlockfile where the spool directory
// needs it.
//
// # Processes and locks
//
// It runs in the worker, as the mail user, and in the tools; the supervisor
// uses it to make an inbox or a lock file. No lock has to be held by the caller
// except where a function says so.
package spool
