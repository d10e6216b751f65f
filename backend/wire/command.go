package wire

import "bytes"

// Command is one command. Its memory is its own: it stays valid after Next.
type Command struct {
	Tag  string
	Name string  // upper case, without the "UID" in front
	UID  bool    // the command came as "UID name"
	Args *Parser // stands behind the name, at the space if arguments follow
	Raw  []byte  // the text as it came, lines ended by CRLF except the last

	head    int      // length of tag and name in Raw
	frame   *frame   // of a streamed command, until it is discarded
	literal *Literal // the one that may be read
}

// A client has no use for long tags or names; both are echoed or logged.
const (
	maxTag  = 128
	maxName = 64
)

// parseHead reads tag and name. When it fails Command has the tag, if there is
// one to answer with.
func parseHead(line []byte) (*Command, error) {
	if len(bytes.TrimRight(line, " ")) == 0 {
		return &Command{}, syntax("Null command")
	}
	n := span(line, isTagChar)
	if n == 0 || n > maxTag || n < len(line) && line[n] != ' ' {
		return &Command{}, syntax("Invalid tag")
	}
	cmd := &Command{Tag: string(line[:n]), head: n}
	if err := cmd.word(line); err != nil {
		return cmd, err
	}
	if cmd.Name == "UID" {
		cmd.UID = true
		return cmd, cmd.word(line)
	}
	return cmd, nil
}

// word reads SP and a command name.
func (c *Command) word(line []byte) error {
	rest := line[c.head:]
	name := bytes.TrimLeft(rest, " ")
	n := span(name, isAtomChar)
	switch {
	case len(name) == 0:
		return syntax("Missing command")
	case len(rest) == len(name) || n == 0 || n > maxName || n < len(name) && name[n] != ' ':
		return syntax("Invalid command name")
	}
	c.Name = upper(name[:n])
	c.head += len(rest) - len(name) + n
	return nil
}

func span(b []byte, class func(byte) bool) int {
	for i, c := range b {
		if !class(c) {
			return i
		}
	}
	return len(b)
}
