package command

import (
	"spoold/backend/session"
	"spoold/backend/wire"
)

// compress is RFC 4978. The tagged answer is the last that goes out plain.
func compress(r *request) error {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return err
	}
	algorithm, err := p.Keyword()
	if err != nil {
		return err
	}
	if err := p.End(); err != nil {
		return err
	}
	if algorithm != "DEFLATE" {
		return &wire.SyntaxError{Text: "DEFLATE is the only way of compression"}
	}
	if r.c.Compressed() {
		return &session.Refusal{Code: "COMPRESSIONACTIVE", Text: "The connection is compressed already"}
	}
	if err := r.done(""); err != nil {
		return err
	}
	return r.c.Compress()
}
