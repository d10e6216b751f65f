package wire

import "errors"

// SyntaxError says that a command cannot be run. The stream is in step: answer
// it and read the next command.
type SyntaxError struct {
	Tag  string // the command's tag; "" when it has none to answer with ("*")
	Text string // human-readable, never empty
	Code string // response code without brackets, "", "TOOBIG" or "LIMIT"
	No   bool   // answer NO instead of BAD
}

func (e *SyntaxError) Error() string { return e.Text }

// FatalError says that the stream cannot be brought into step again at a
// bearable cost: send BYE with the text and close.
type FatalError struct{ Text string }

func (e *FatalError) Error() string { return e.Text }

// ErrShortLiteral is the Writer's error when the octets written do not match
// the announced size of a literal: the client can no longer follow.
var ErrShortLiteral = errors.New("literal size does not match its announcement")

func syntax(text string) *SyntaxError { return &SyntaxError{Text: text} }

func tooBig(text string) *SyntaxError {
	return &SyntaxError{Text: text, Code: "TOOBIG", No: true}
}
