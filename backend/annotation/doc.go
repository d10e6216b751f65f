// Package annotation keeps what clients note about mailboxes and about the server (RFC 5464), for one user.
//
// A Book is read as a whole when the user's worker opens it, kept in memory, and written as a whole with each change:
// that is one file in the state directory, replaced by rename, so that a crash leaves the old or the new notes. Limits
// bound it, and so what a user can make the server remember.
//
// Notes belong to names, as the mailboxes do. What is noted of a mailbox that another program has removed stays until a
// mailbox of that name is made here.
//
// Promises:
//   - Set changes all of its entries or none, and is durable when it returns.
//   - Rename is safe in two steps: Copy before the mailbox moves, Drop when it has. A crash between leaves notes of a
//     name that has no mailbox.
//   - A damaged file is kept aside as "annotations.damaged", and the Book begins empty.
//
// It knows no names of mailboxes or entries, and checks none: what may be noted is decided by whoever calls it. Its
// methods are safe for concurrent use; nobody else may write the file, which the worker's lock sees to.
package annotation
