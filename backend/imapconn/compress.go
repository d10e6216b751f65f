package imapconn

import (
	"bufio"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"slices"

	"spoold/backend/inflate"
	"spoold/backend/wire"
)

// How a compressed connection (RFC 4978) is put together:
//
//	source -> inflater -> bufio.Reader -> wire.Reader
//	wire.Writer -> deflater -> bufio.Writer -> sink
//
// A flush of the Writer ends in a sync flush of the deflater, so that the client can read everything that was written
// before we wait for it.
//
// An inflater that has met an error of its source cannot go on. So nothing interrupts its reads but the end of the
// connection, and a failed Await leaves one running (see Conn.behind).

// What a client may make us inflate. A message may consist of one letter, which DEFLATE makes a thousand times smaller, so
// as much as the largest message is always allowed; beyond that each octet that arrives allows for some more. Memory does
// not grow with it: the wire.Reader takes the text in small pieces, by its own limits.
const (
	inflatePerOctet = 100
	inflateSlack    = 1 << 20 // beside the largest message
)

// Compress switches to compression: all that has been written up to here goes out as it is, and what the client has sent
// behind the present command is compressed already. A handler calls it when it has written its tagged answer, and once.
func (c *Conn) Compress() error {
	out, err := newDeflater(sink{c})
	if err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	ahead, err := c.br.Peek(c.br.Buffered())
	if err != nil {
		return fmt.Errorf("input behind COMPRESS: %w", err)
	}
	c.in.unread = slices.Concat(ahead, c.in.unread)
	c.in.inflate = true
	c.br.Reset(newInflater(c.in, c.rd.Limits().Append+inflateSlack))
	c.w.Redirect(out)
	return nil
}

// Compressed reports whether Compress was called.
func (c *Conn) Compressed() bool { return c.in.inflate }

// inflater decompresses what the client sends.
type inflater struct {
	src   *source
	flate *inflate.Reader
	most  int64 // that left may be
	left  int64 // octets that may still come out
}

func newInflater(src *source, most int64) *inflater {
	f := &inflater{src: src, most: most, left: most}
	f.flate = inflate.NewReader(input{f})
	return f
}

var errBomb = &wire.FatalError{Text: "Compressed data grows too much"}

func (f *inflater) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errBomb
	}
	n, err := f.flate.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	f.src.begun = f.src.begun || n > 0
	switch {
	case errors.Is(err, inflate.ErrDamaged):
		err = &wire.FatalError{Text: "Compressed data is damaged"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = io.EOF // the client has gone, which it may; whether inside a command the wire.Reader knows
	}
	return n, err
}

// input is what the inflater reads from.
type input struct{ f *inflater }

func (i input) Read(p []byte) (int, error) {
	n, err := i.f.src.Read(p)
	i.f.left = min(i.f.left+int64(n)*inflatePerOctet, i.f.most)
	return n, err
}

// deflater compresses what goes to the client.
type deflater struct {
	flate *flate.Writer
	out   *bufio.Writer // flate writes in small pieces
	dirty bool          // something was written since the last flush
}

func newDeflater(w io.Writer) (*deflater, error) {
	out := bufio.NewWriterSize(w, slice)
	// Beyond the fastest level mail gets little smaller, and each session would need five times the memory.
	f, err := flate.NewWriter(out, flate.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &deflater{flate: f, out: out}, nil
}

func (d *deflater) Write(p []byte) (int, error) {
	d.dirty = true
	return d.flate.Write(p)
}

// Flush makes the client able to read all that was written.
func (d *deflater) Flush() error {
	if !d.dirty {
		return nil
	}
	d.dirty = false
	if err := d.flate.Flush(); err != nil {
		return err
	}
	return d.out.Flush()
}
