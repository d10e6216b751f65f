package command

import (
	"strings"

	"spoold/backend/wire"
)

// idle is RFC 2177: news go out at once, whoever made them.
func idle(r *request) error {
	if err := r.noArguments(); err != nil {
		return err
	}
	news, cancel := r.s.Notify()
	defer cancel()
	tell := func() error { return r.s.Update(r.ctx, true) }
	r.w.Continue("idling")
	if err := tell(); err != nil {
		return err
	}
	line, err := r.c.Await(r.ctx, news, tell)
	if err != nil {
		return err
	}
	if !strings.EqualFold(line, "DONE") {
		return &wire.SyntaxError{Text: "IDLE is ended by DONE"}
	}
	return r.done("")
}
