package command

import (
	"spoold/backend/session"
	"spoold/backend/wire"
)

// cancelUpdate is CANCELUPDATE (RFC 5267 §4.3.5): the searches of these tags are kept up to date no longer.
func cancelUpdate(r *request) error {
	p := r.cmd.Args
	var tags []string
	for len(tags) == 0 || !p.AtEnd() {
		if err := p.SP(); err != nil {
			return err
		}
		if len(tags) > 0 && p.AtEnd() { // some clients send a blank
			break
		}
		if p.Peek() != '"' {
			return &wire.SyntaxError{Text: "CANCELUPDATE takes quoted tags"}
		}
		tag, err := p.String()
		if err != nil {
			return err
		}
		tags = append(tags, string(tag))
	}
	for _, tag := range tags {
		if !r.s.Watches(tag) {
			return &session.Refusal{Code: "NONEXISTENT", Text: "No search of this tag is kept up to date"}
		}
	}
	for _, tag := range tags {
		r.s.Unwatch(tag)
	}
	return r.done("")
}
