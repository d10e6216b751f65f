package wire

import (
	"io"
	"net"
	"time"
)

const (
	// lingerTime is what a client gets to take our last words and hang up.
	lingerTime = time.Second
	// lingerOctets is how much of what he still sends is taken from him meanwhile.
	lingerOctets = 1 << 20
)

// HangUp closes nc, to which everything has been written, in good order: it tells the end, and
// waits a little for the client's. A socket that is closed while octets wait in it, or that is sent
// some afterwards, answers with a reset, and that may reach the client before he has read what was
// written last.
func HangUp(nc net.Conn) error {
	half, ok := nc.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil && nc.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(nc, lingerOctets)) // however that ends, it is over
	}
	return nc.Close()
}
