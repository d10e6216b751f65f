// Package inflate decompresses DEFLATE (RFC 1951) from a connection on which both sides wait for each other.
//
// compress/flate keeps what it has decompressed until a stored block without data comes, which is what zlib calls a sync
// flush. mutt ends its commands with a partial flush: an empty block of fixed codes. Then both would wait for ever. The
// [Reader] here gives out what it has at the end of every block, and asks for no octet that it does not need to get
// there. In everything else it does what compress/flate does; a fuzz test compares the two.
//
// It promises that its memory is bounded, whatever it is sent: 32 KiB of text and the tables of one block. It does not
// bound what comes out. It has no package state that changes and takes no locks. A Reader belongs to one goroutine; it
// runs in the worker role.
//
// Errors are sticky: io.EOF after the last block, [ErrDamaged], or what the source said (io.EOF of the source too, as
// io.ErrUnexpectedEOF).
package inflate
