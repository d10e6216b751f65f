// Package privsep divides spoold into processes with different rights and lets them talk.
//
// The supervisor (root) starts one worker for every mail user who logs in, by executing its own
// program again as that user. The two talk over a socketpair in messages of bounded length, some
// of which carry a descriptor: the client's connection, once the client has logged in. Started by
// an ordinary user there is one process only, and a worker is a goroutine at the other end of the
// same kind of socketpair ([Goroutine] instead of [Exec]).
//
// Promises:
//   - A worker runs with exactly the uid, gid and supplementary groups of its user, in its own
//     session, with a clean environment. uid 0 is never a mail user, and a name that could be
//     taken for a path is refused ([Identity.Check]).
//   - The supervisor opens no mail file. What a worker may ask of it is named in [Kind]: make or
//     remove the lock of this user's inbox, create this user's inbox. The request names no path;
//     the path comes from the configuration ([Keeper]).
//   - A worker that dies takes its sessions along and nothing else: its lock is removed and the
//     user's next login starts a new one. When the supervisor dies its workers get SIGTERM.
//
// It does not know what a worker does, nor who may log in: the worker's configuration is opaque
// bytes, and [Supervisor.Hand] believes its caller.
//
// No lock is held while a worker is waited for, except that one worker at a time is started.
package privsep
