package wire

import (
	"bufio"
	"errors"
	"io"
	"slices"
)

// Reader frames commands. Its method Next is described in the package comment.
type Reader struct {
	br       *bufio.Reader
	prompt   func(text string) error
	lim      Limits
	streamed []string
	names    func(string) (string, error) // of the Parser
	open     *Command                     // streamed command that is not read to its end
	err      error                        // of br or prompt: nothing can be read any more
}

// NewReader returns a Reader over br. prompt writes a command continuation
// request ("+ text") and flushes it.
func NewReader(br *bufio.Reader, prompt func(text string) error, lim Limits) *Reader {
	return &Reader{br: br, prompt: prompt, lim: lim.withDefaults(), streamed: []string{"APPEND", "REPLACE"}}
}

// Stream replaces the names of the commands that Next returns at their first
// literal. Without names no command is.
func (r *Reader) Stream(names ...string) { r.streamed = slices.Clone(names) }

// Names sets what becomes of mailbox names in the commands to come: f is given
// the octets that the client sends.
func (r *Reader) Names(f func(string) (string, error)) { r.names = f }

// Limits are those that the Reader keeps.
func (r *Reader) Limits() Limits { return r.lim }

// Err is the error that ended the stream, nil while it goes on.
func (r *Reader) Err() error { return r.err }

// Buffered is the number of octets that have arrived and are not used.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// Next reads one command. A *SyntaxError is to be answered and a *FatalError
// ends the connection, as does every other error: those are of the stream
// itself, io.EOF between two commands and io.ErrUnexpectedEOF inside one.
func (r *Reader) Next() (*Command, error) {
	if r.open != nil {
		if err := r.open.Discard(); err != nil {
			return nil, err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	f := &frame{r: r}
	cmd, err := f.command()
	if err == nil {
		return cmd, nil
	}
	if _, ok := errors.AsType[*SyntaxError](err); ok {
		if lost := f.discard(); lost != nil {
			return nil, lost
		}
	}
	return nil, err
}

// Line reads one raw line of at most limit octets, without its line end: DONE of
// IDLE, or a SASL response. A longer line is read to its end, within bounds,
// and gives a *SyntaxError.
func (r *Reader) Line(limit int) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	var spent int64
	line, over, err := r.appendLine(nil, limit, &spent, r.lim.swallow(false))
	if err != nil {
		return nil, err
	}
	if over {
		return nil, syntax("Line too long")
	}
	return line, nil
}

const (
	keepHead = 256 // octets kept of the start of a line that is too long, for its tag
	keepTail = 64  // and of its end, for the announcement of a literal
)

// appendLine appends the next line without its end to dst. Of a line above
// limit octets only a head and a tail are kept, and no more than bound octets
// are read; spent counts them.
func (r *Reader) appendLine(dst []byte, limit int, spent *int64, bound int64) (line []byte, over bool, err error) {
	start := len(dst)
	for done := false; !done; {
		chunk, err := r.br.ReadSlice('\n')
		switch {
		case err == nil:
			done = true
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, r.fail(err, len(dst)+len(chunk) > 0)
		}
		dst = append(dst, chunk...)
		if over || len(dst)-start > limit+2 {
			*spent += int64(len(chunk))
			dst, over = abridge(dst, start), true
		}
		if *spent > bound {
			return nil, false, r.fail(&FatalError{Text: "Line too long"}, false)
		}
	}
	dst = dst[:len(dst)-1]
	if n := len(dst); n > start && dst[n-1] == '\r' {
		dst = dst[:n-1]
	}
	return dst, over || len(dst)-start > limit, nil
}

// abridge drops the middle of the text that begins at start.
func abridge(b []byte, start int) []byte {
	if len(b)-start <= keepHead+keepTail {
		return b
	}
	n := copy(b[start+keepHead:], b[len(b)-keepTail:])
	return b[:start+keepHead+n]
}

// fail makes an error of the stream sticky.
func (r *Reader) fail(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
	return err
}

func (r *Reader) ask(text string) error {
	if err := r.prompt(text); err != nil {
		return r.fail(err, false)
	}
	return nil
}
