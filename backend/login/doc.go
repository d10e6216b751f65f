// Package login is the network side of IMAP before there is a user: greeting, CAPABILITY, ID,
// NOOP, LOGOUT, LOGIN and AUTHENTICATE. After a login it hands the connection, with what was read
// from it and not used, to whoever [Config].Hand is; the user's worker then writes the tagged OK.
//
// Everything here is spent on strangers, so everything is bounded: the octets of a command, the
// time until login, the commands that are none, the failed logins, the connections of an address
// and of all. A failed login is answered a fixed time after it came, whatever was found wrong
// with it.
//
// It does not read mail, know mailboxes or check passwords. TLS does not exist yet: clear text is
// the only transport, and [Plaintext] says where passwords may travel on it.
//
// It runs in the supervisor's process, one goroutine for each connection, and takes no file locks.
package login
