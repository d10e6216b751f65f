// Package imapconn is the net.Conn that imapserver is given instead of the
// client's.
//
// # How it works
//
// imapserver has no hook for commands of our own, and on hostile input it runs
// the bodies of literals as commands, hangs or panics. But it calls Read only
// when it wants the next command, on the goroutine that serves the connection.
// So [Conn.Read] reads one whole command from the client, looks its name up in
// a [Table] and either runs our handler, right there, and reads the next, or
// returns one complete line without literals to imapserver, and never an octet
// more. Everything that a connection does happens on that one goroutine.
//
//   - own: the handler writes the whole answer through [Conn.W].
//   - pass: [Conn.Pass] hands the command to imapserver, under a tag of our
//     own; its completion comes out under the client's tag, edited by a
//     [Decorate] function if there is one.
//   - forward: the handler does its part and gives imapserver a plainer
//     command with [Conn.PassLine], so that imapserver's own state moves.
//
// # What it promises
//
// Every command with a valid tag gets exactly one tagged answer, in order, or
// the connection ends with BYE. Whenever imapserver asks for a command, the
// one before has been answered; if not, it has lost its place, and the
// connection ends. Output is flushed before every read that may block. A
// client that does not read blocks only itself, and not longer than the write
// time-out. A panic in a handler ends that command only.
//
// # What it does not do
//
// No TLS, no login: the client is authenticated when New is called, and
// imapserver must be told so (GreetingData.PreAuth). No meaning of commands.
// imapserver.Conn.Bye must not be used, because it writes from another
// goroutine; [Conn.Shutdown] is for that. It runs in the worker role and the
// caller holds no locks.
//
// # Errors
//
// Read and Write return io.EOF and net.ErrClosed to imapserver when the
// connection is over; what there is to say has been logged and told to the
// client by then.
package imapconn
