package worker

import (
	"context"
	"errors"
	"strings"
)

// How mailboxes are renamed and removed while others open, hold and close theirs.
//
// While that goes on nobody may open the mailbox, or one below it, by the name that is about to
// mean something else: he waits, and everybody else goes on. It may go on for long, because those
// who hold the mailbox must finish their command and leave. So that they can, nobody who is asked
// to leave is ever made to wait for an alteration, be it this or another one: he is refused. Then
// whoever waits waits only for those whose own waiting began earlier, and no circle can form.

// alteration is a mailbox or directory that is being renamed or removed.
type alteration struct {
	path string
	done chan struct{} // closed when it is over
}

// errAltered: a mailbox that the session holds is being removed or renamed.
var errAltered = errors.New("mailbox is being deleted or renamed")

// within reports whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// alterationOf is one that path is part of, or nil. The caller holds mu.
func (t *table) alterationOf(path string) *alteration {
	for a := range t.alterations {
		if within(path, a.path) {
			return a
		}
	}
	return nil
}

// inTheWay reports whether h holds a mailbox that is being altered. The caller holds mu.
func (t *table) inTheWay(h holder) bool {
	for path, e := range t.entries {
		if e.holders[h] > 0 && t.alterationOf(path) != nil {
			return true
		}
	}
	return false
}

// alter closes the mailbox at path, and those below it, and then runs f, which renames or removes
// them, for h. Sessions that hold one get BYE with that text. It is false, and f has not run, when
// somebody does not let go in time.
func (t *table) alter(ctx context.Context, path string, h holder, bye string, f func() error) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	a, err := t.begin(ctx, path, h)
	if err != nil {
		return false, err
	}
	defer t.end(a)
	for _, e := range t.below(path) {
		if !t.evict(ctx, e, bye) {
			return false, nil
		}
	}
	return true, f()
}

// begin begins an alteration, after those of the same mailboxes.
func (t *table) begin(ctx context.Context, path string, h holder) (*alteration, error) {
	for {
		a, wait, err := t.tryBegin(path, h)
		if wait == nil {
			return a, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *table) tryBegin(path string, h holder) (a *alteration, wait chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inTheWay(h) {
		return nil, nil, errAltered
	}
	for other := range t.alterations {
		if within(path, other.path) || within(other.path, path) {
			return nil, other.done, nil
		}
	}
	a = &alteration{path: path, done: make(chan struct{})}
	t.alterations[a] = struct{}{}
	return a, nil, nil
}

func (t *table) end(a *alteration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.alterations, a)
	close(a.done)
}

func (t *table) below(path string) []*entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*entry
	for p, e := range t.entries {
		if within(p, path) {
			found = append(found, e)
		}
	}
	return found
}

// evict makes everybody let go of an entry and closes it. While it is still being opened nobody
// has it yet, and so nobody needs to leave: they begin again when the alteration is over.
func (t *table) evict(ctx context.Context, e *entry, bye string) bool {
	e.cancel()
	if !isClosed(ctx, e.ready) {
		return false
	}
	if e.err != nil {
		return true
	}
	freed, gone := t.askToLeave(e, bye)
	if freed != nil {
		if !isClosed(ctx, freed) {
			return false
		}
		_, gone = t.askToLeave(e, bye)
	}
	return isClosed(ctx, gone)
}

// askToLeave returns what to wait for: freed while there are holders, gone when there are none.
func (t *table) askToLeave(e *entry, bye string) (freed, gone chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(e.holders) > 0:
		for h := range e.holders {
			h.Shutdown(bye)
		}
		if e.freed == nil {
			e.freed = make(chan struct{})
		}
		return e.freed, nil
	case e.gone == nil:
		t.startClose(e)
	}
	return nil, e.gone
}
