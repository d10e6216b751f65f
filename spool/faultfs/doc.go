// Package faultfs simulates a disk that breaks on request: the test side of
// the spool.File and spool.Dir seams.
//
// What it promises. Every call that changes something is one operation; the
// operations are counted, logged and numbered from one. A crash before the
// n-th operation, a failure of it, the death of the process and a power cut
// are deterministic for a seed, so that a test can walk a whole matrix and
// name the one case that fails.
//
// The disk model. A write or truncation changes what readers see at once and
// is durable after the next Sync or Datasync of that file. At a power cut
// every 512-byte sector of every operation that was not synced survives or
// not, each by itself: later ones may survive where earlier ones are lost,
// and a file may have grown by NULs whose data never came. A sector is never
// torn inside. Creating, renaming and removing a name is durable after the
// Sync of its directory. A failed Sync loses what it should have written, for
// ever: readers see it until the power cut, and a second Sync does not bring
// it back, as on Linux.
//
// A process that dies in the middle of a long write leaves a prefix of it that
// ends at a page boundary. Once the process is dead its handles answer
// fs.ErrClosed; the test opens the files again.
//
// What it does not do: permissions, locks, links, sparse files, memory
// bounds. Directories and the content that a file is made with are durable at
// once. It is safe for concurrent use.
package faultfs
