package strict

import (
	"io"
	"net"
)

// Conn is the client's end of a connection, with a Checker on what passes.
type Conn struct {
	net.Conn
	*Checker
}

// Watch puts a Checker on a connection on which nothing was sent.
func Watch(nc net.Conn, report func(error)) *Conn { return &Conn{nc, New(report)} }

func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.Received(b[:n])
	return n, err
}

func (c *Conn) Write(b []byte) (int, error) {
	c.Sent(b)
	return c.Conn.Write(b)
}

// Pipes does the same for a connection of two halves.
func Pipes(r io.Reader, w io.Writer, report func(error)) (io.Reader, io.Writer) {
	c := New(report)
	return reader{r, c}, writer{w, c}
}

type reader struct {
	io.Reader
	c *Checker
}

func (r reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.c.Received(b[:n])
	return n, err
}

type writer struct {
	io.Writer
	c *Checker
}

func (w writer) Write(b []byte) (int, error) {
	w.c.Sent(b)
	return w.Writer.Write(b)
}
