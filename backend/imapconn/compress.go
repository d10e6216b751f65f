package imapconn

import (
	"bufio"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

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
	c.w.Redirect(&deflater{to: sink{c}})
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

// level is the fastest: the next takes twice the time and makes mail six percent smaller.
const level = flate.BestSpeed

// packer is what compresses. It needs most of a megabyte, so a connection has one only while it writes.
type packer struct {
	flate *flate.Writer
	out   *bufio.Writer // flate writes in small pieces
}

var packers = sync.Pool{New: func() any {
	out := bufio.NewWriterSize(nil, slice)
	f, err := flate.NewWriter(out, level)
	if err != nil {
		panic(err) // there is no such level
	}
	return &packer{f, out}
}}

// deflater compresses what goes to the client. Each flush ends at a whole octet, and another packer, which does not know what
// went before, can go on from there.
type deflater struct {
	to io.Writer
	p  *packer // nil: everything has been flushed
}

func (d *deflater) Write(b []byte) (int, error) {
	if d.p == nil {
		d.p = packers.Get().(*packer)
		d.p.out.Reset(d.to)
		d.p.flate.Reset(d.p.out)
	}
	return d.p.flate.Write(b)
}

// Flush makes the client able to read all that was written.
func (d *deflater) Flush() error {
	if d.p == nil {
		return nil
	}
	if err := d.p.flate.Flush(); err != nil {
		return err
	}
	if err := d.p.out.Flush(); err != nil {
		return err
	}
	d.p.out.Reset(nil)
	packers.Put(d.p)
	d.p = nil
	return nil
}
