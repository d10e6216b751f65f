package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// position is where in a command the stream stands.
type position int

const (
	complete  position = iota // behind the command's last line
	announced                 // behind a line that announces a literal
	inLiteral                 // in the literal's octets, or directly behind them
)

// frame is one command while it is read.
type frame struct {
	r        *Reader
	buf      []byte // lines; each announcement is followed by CRLF and the literal's octets
	text     int    // octets of lines in buf
	data     int64  // octets of literals in buf
	literals int
	streamed bool
	pos      position
	ann      announcement // when announced or inLiteral
	left     int64        // when inLiteral
	spent    int64        // octets swallowed
}

// command reads the frame's first line and, unless the command is streamed,
// the rest.
func (f *frame) command() (*Command, error) {
	err := f.line()
	if isStreamError(err) {
		return nil, err
	}
	cmd, headErr := parseHead(f.buf)
	if err == nil {
		err = headErr
	}
	if err != nil {
		return nil, tagged(err, cmd.Tag)
	}
	if f.pos == announced && f.r.streams(cmd.Name) {
		f.streamed, cmd.frame, f.r.open = true, f, cmd
	} else if err := f.rest(); err != nil {
		return nil, tagged(err, cmd.Tag)
	}
	cmd.Raw = f.buf
	cmd.Args = NewParser(f.buf[cmd.head:], f.r.lim)
	cmd.Args.names = f.r.names
	if f.streamed {
		cmd.Args.more = cmd.load
	}
	return cmd, nil
}

func (r *Reader) streams(name string) bool {
	return slices.Contains(r.streamed, name)
}

// rest reads all literals and lines up to the end of the command.
func (f *frame) rest() error {
	for f.pos == announced {
		if err := f.memory(); err != nil {
			return err
		}
		if err := f.line(); err != nil {
			return err
		}
	}
	return nil
}

// line reads one line of the command and notes the literal that it announces,
// also when the line is refused.
func (f *frame) line() error {
	start := len(f.buf)
	f.pos = complete
	buf, over, err := f.r.appendLine(f.buf, f.r.lim.Line-f.text, &f.spent, f.bound())
	if err != nil {
		return err
	}
	line := buf[start:]
	f.buf, f.text = buf, f.text+len(line)
	if a, ok := trailing(line); ok {
		f.pos, f.ann = announced, a
		f.buf = append(f.buf, '\r', '\n')
	}
	if over {
		return syntax("Command line too long")
	}
	return checkLine(line)
}

// checkLine refuses what no valid line contains. RFC 9051 section 9: quoted
// strings end on their line; CR and NUL appear nowhere outside literals.
func checkLine(line []byte) error {
	if bytes.IndexByte(line, 0) >= 0 {
		return syntax("NUL in command")
	}
	if bytes.IndexByte(line, '\r') >= 0 {
		return syntax("Bare CR in command")
	}
	if openQuote(line) {
		return syntax("Unterminated quoted string")
	}
	return nil
}

func openQuote(line []byte) bool {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '\\' && quoted:
			i++
		}
	}
	return quoted
}

// memory reads the announced literal into the buffer, which grows with what
// arrives and not with what was announced.
func (f *frame) memory() error {
	lim := f.r.lim
	switch {
	case f.literals >= lim.Literals:
		return tooBig("Too many literals")
	case f.ann.size > lim.Literal || f.ann.size > lim.Total-f.data:
		return tooBig("Literal too large")
	}
	if !f.ann.nonSync {
		if err := f.r.ask("Ready for argument"); err != nil {
			return err
		}
	}
	f.literals++
	f.data += f.ann.size
	f.pos, f.left = inLiteral, f.ann.size
	for f.left > 0 {
		chunk, err := f.peek()
		if err != nil {
			return err
		}
		f.buf = append(f.buf, chunk...)
		f.use(len(chunk))
	}
	return nil
}

// peek returns some octets of the literal without using them.
func (f *frame) peek() ([]byte, error) {
	br := f.r.br
	if br.Buffered() == 0 {
		if _, err := br.Peek(1); err != nil {
			return nil, f.r.fail(err, true)
		}
	}
	chunk, err := br.Peek(int(min(int64(br.Buffered()), f.left)))
	if err != nil {
		return nil, f.r.fail(err, true)
	}
	return chunk, nil
}

func (f *frame) use(n int) {
	if _, err := f.r.br.Discard(n); err != nil {
		f.r.err = err // cannot be: the octets were peeked at
	}
	f.left -= int64(n)
}

// discard swallows what is left of the command. A synchronising literal that
// was not asked for is not coming.
func (f *frame) discard() error {
	if f.r.err != nil {
		return f.r.err
	}
	for f.pos != complete {
		if f.pos == announced && !f.ann.nonSync {
			f.pos = complete
			return nil
		}
		if f.pos == announced {
			f.pos, f.left = inLiteral, f.ann.size
		}
		if err := f.skip(); err != nil {
			return err
		}
		f.buf, f.text = nil, f.r.lim.Line // nothing of the line is wanted but its end
		if err := f.line(); isStreamError(err) {
			return err
		}
	}
	return nil
}

// skip swallows the rest of the literal.
func (f *frame) skip() error {
	if f.left > f.bound()-f.spent {
		return f.r.fail(&FatalError{Text: "Literal too large"}, false)
	}
	f.spent += f.left
	for f.left > 0 {
		n, err := f.r.br.Discard(int(min(f.left, 1<<20)))
		f.left -= int64(n)
		if err != nil {
			return f.r.fail(err, true)
		}
	}
	return nil
}

func (f *frame) bound() int64 { return f.r.lim.swallow(f.streamed) }

// read is the streamed literal's Read.
func (f *frame) read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if f.r.err != nil {
		return 0, f.r.err
	}
	n, err := f.r.br.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if err != nil {
		err = f.r.fail(err, true)
	}
	return n, err
}

// isStreamError tells errors that end the connection from refusals.
func isStreamError(err error) bool {
	_, ok := errors.AsType[*SyntaxError](err)
	return err != nil && !ok
}

func tagged(err error, tag string) error {
	if se, ok := errors.AsType[*SyntaxError](err); ok {
		se.Tag = tag
	}
	return err
}
