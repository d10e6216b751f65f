package command

import (
	"spoold/backend/sortthread"
	"spoold/backend/wire"
)

// threading is a threading algorithm.
type threading struct {
	need    needs
	threads func([]sortthread.Message) *sortthread.Thread
}

// threadings are the algorithms of RFC 5256 §3, and REFS, which Dovecot has too.
var threadings = map[string]threading{
	"ORDEREDSUBJECT": {1<<sortthread.Date | 1<<sortthread.Subject, sortthread.OrderedSubject},
	"REFERENCES":     {1<<sortthread.Date | 1<<sortthread.Subject | needLinks, sortthread.References},
	"REFS":           {1<<sortthread.Date | needLinks, sortthread.Refs},
}

// thread is THREAD (RFC 5256 §3).
func thread(r *request) error {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return err
	}
	name, err := p.Keyword()
	if err != nil {
		return err
	}
	t, ok := threadings[name]
	if !ok {
		return &wire.SyntaxError{Text: "Unknown threading algorithm"}
	}
	node, err := parseProgram(r.s, p)
	if err != nil {
		return err
	}
	msgs, err := r.records(node, t.need)
	if err != nil {
		return err
	}
	for i := range msgs {
		if r.cmd.UID {
			msgs[i].Num = r.s.View().UID(msgs[i].Num)
		}
	}
	r.w.Raw("* THREAD")
	if len(msgs) > 0 {
		r.w.SP()
		writeThreads(r.w, t.threads(msgs))
	}
	r.w.CRLF()
	return r.done("")
}

// writeThreads writes thread-lists. A message with one answer is followed by it, several answers each have parentheses
// of their own. There may be any number of them inside each other, so what is open is kept on a stack of our own.
func writeThreads(w *wire.Writer, first *sortthread.Thread) {
	open := []*sortthread.Thread{first} // of each level what is to be written next
	for len(open) > 0 {
		top := len(open) - 1
		t := open[top]
		if t == nil {
			if open = open[:top]; top > 0 {
				w.Bytes([]byte(")"))
			}
			continue
		}
		open[top] = t.Next
		w.Bytes([]byte("("))
		t = writeLine(w, t)
		if t.Child == nil {
			w.Bytes([]byte(")"))
			continue
		}
		open = append(open, t.Child)
	}
}

// writeLine writes a message and the answers below it up to the first that has no answer, or several, and returns
// that. A dummy has no number, and only threads without a common message have one.
func writeLine(w *wire.Writer, t *sortthread.Thread) *sortthread.Thread {
	if t.Num == 0 {
		return t
	}
	w.Num(uint64(t.Num))
	for t.Child != nil && t.Child.Next == nil {
		t = t.Child
		w.SP()
		w.Num(uint64(t.Num))
	}
	if t.Child != nil {
		w.SP()
	}
	return t
}
