// Package mboxtest makes mailboxes for tests: seeded, so that a failure can be repeated, and realistic in what makes
// trouble: From_ lines in several forms, MIME, 8-bit text, encoded words, quoted "From " lines, and the status headers
// of several programs.
//
// Each message names itself and carries a checksum of its bytes in an X-Check header. Whatever a test does to a
// mailbox, Verify tells of every message that comes out which one it is and whether a byte of it changed.
//
// The package knows the format only by itself and imports nothing of the project, so that its idea of it is a second
// one. It runs in tests only.
package mboxtest
