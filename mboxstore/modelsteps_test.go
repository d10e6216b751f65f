package mboxstore

import (
	"context"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"spoold/spool/faultfs"
)

// What sessions do in the model, and what ends processes.

var modelWords = [][]string{nil, {"Work"}, {"$Junk", "Later"}, {"Work", "Later"}, {"Longer-than-status-headers-have-room"}}

func (s *model) store(t *rapid.T) {
	b := s.draw(t, "mailbox")
	uids := b.pick(t)
	op := StoreOp{
		Mode:     StoreMode(rapid.IntRange(0, 2).Draw(t, "mode")),
		Flags:    Flags(rapid.IntRange(0, 31).Draw(t, "flags")),
		Keywords: rapid.SampledFrom(modelWords).Draw(t, "keywords"),
	}
	if err := b.m.Store(context.Background(), uids, op); err != nil {
		t.Fatal(err)
	}
	for i := range b.messages {
		if m := &b.messages[i]; slices.Contains(uids, m.uid) {
			m.store(op)
		}
	}
}

func (m *modelMessage) store(op StoreOp) {
	gone := func(w string) bool { return slices.Contains(op.Keywords, w) }
	switch op.Mode {
	case StoreSet:
		m.flags, m.keywords = op.Flags, op.Keywords
	case StoreAdd:
		m.flags |= op.Flags
		m.keywords = append(slices.DeleteFunc(slices.Clone(m.keywords), gone), op.Keywords...)
	case StoreRemove:
		m.flags &^= op.Flags
		m.keywords = slices.DeleteFunc(slices.Clone(m.keywords), gone)
	}
}

// modelStep is a change that is there wholly or not at all: what to do, and what comes of it.
type modelStep struct {
	do    func() error
	apply func()
}

// act makes an action of a change.
func (s *model) act(step func(*model, *rapid.T) modelStep) func(*rapid.T) {
	return func(t *rapid.T) {
		c := step(s, t)
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		c.apply()
	}
}

func expungeStep(s *model, t *rapid.T) modelStep {
	b := s.draw(t, "mailbox")
	b.refresh(t)
	all := rapid.Bool().Draw(t, "all")
	var only []UID
	if !all {
		only = b.pick(t)
	}
	return modelStep{
		func() error { _, err := b.m.Expunge(context.Background(), only, all); return err },
		func() {
			b.messages = slices.DeleteFunc(b.messages, func(m modelMessage) bool {
				return m.flags&FlagDeleted != 0 && (all || slices.Contains(only, m.uid))
			})
		},
	}
}

func removeStep(s *model, t *rapid.T) modelStep {
	b := s.draw(t, "mailbox")
	uids := b.pick(t)
	return modelStep{
		func() error { _, err := b.m.Remove(context.Background(), uids); return err },
		func() { b.remove(uids) },
	}
}

func appendModelStep(s *model, t *rapid.T) modelStep {
	b := s.draw(t, "mailbox")
	var added []modelMessage
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		m := modelMessage{subject: s.subject(), flags: FlagFlagged, keywords: rapid.SampledFrom(modelWords).Draw(t, "keywords")}
		body := rapid.SampledFrom([]string{"", "x\r\n", "From me\r\n", "a\r\n\r\n", strings.Repeat("many lines\r\n", 100), strings.Repeat("x\r\n", 900)}).Draw(t, "text")
		m.text = "Subject: " + m.subject + "\r\n\r\n" + strings.Replace(body, "From ", ">From ", 1) // what is served
		added = append(added, m)
	}
	return modelStep{
		func() error {
			var msgs []NewMessage
			for _, m := range added {
				text := strings.Replace(m.text, ">From ", "From ", 1)
				msgs = append(msgs, NewMessage{Text: strings.NewReader(text), Flags: m.flags, Keywords: m.keywords})
			}
			_, _, err := b.m.Append(context.Background(), msgs)
			return err
		},
		func() {
			for _, m := range added {
				b.add(m)
			}
		},
	}
}

func copyStep(s *model, t *rapid.T) modelStep {
	src, dst := s.draw(t, "from"), s.draw(t, "to")
	uids := src.pick(t)
	uids = uids[:min(len(uids), 3)]
	return modelStep{
		func() error { _, _, _, err := src.m.CopyTo(context.Background(), dst.m, uids); return err },
		func() {
			for _, m := range src.of(uids) {
				dst.add(m)
			}
		},
	}
}

func moveStep(s *model, t *rapid.T) modelStep {
	src, dst := s.draw(t, "from"), s.draw(t, "to")
	uids := src.pick(t)
	return modelStep{
		func() error { _, _, _, err := src.m.MoveTo(context.Background(), dst.m, uids); return err },
		func() {
			moved := src.of(uids)
			src.remove(uids)
			for _, m := range moved {
				dst.add(m)
			}
		},
	}
}

func (s *model) flush(t *rapid.T) {
	b := s.draw(t, "mailbox")
	if err := b.m.writePending(context.Background(), rapid.Bool().Draw(t, "sync")); err != nil {
		t.Fatal(err)
	}
}

// compactStep squeezes blanks out, which changes nothing that anybody sees.
func compactStep(s *model, t *rapid.T) modelStep {
	b := s.draw(t, "mailbox")
	return modelStep{
		func() error { _, err := b.m.Compact(context.Background()); return err },
		func() {},
	}
}

// news tells one session what happened; another begins anew.
func (s *model) news(t *rapid.T) {
	b := s.draw(t, "mailbox")
	if err := b.views[rapid.IntRange(0, 1).Draw(t, "session")].follow(b.m); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "select") {
		b.views[0] = newModelView(b.m)
	}
}

// fall ends the process.
func (s *model) fall(t *rapid.T) {
	s.fs.CrashAt(0)
	if mode := rapid.IntRange(-1, 3).Draw(t, "mode"); mode < 0 {
		s.fs.Kill()
	} else {
		s.fs.PowerCut(mode)
	}
}

// crash loses all that was not durable, after flags were flushed as CHECK does.
func (s *model) crash(t *rapid.T) {
	for _, b := range s.boxes {
		b.settle(t)
	}
	s.fall(t)
	s.reopen()
	s.skip(t)
}

// skip lets the mailboxes leave out, now, the UIDs that were to be given before a crash.
func (s *model) skip(t *rapid.T) {
	for _, b := range s.boxes {
		if err := b.m.relook(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.skips = true
	}
}

// crashIn ends the process in the middle of a change, and perhaps once more in the recovery. Then it is as if the change
// had never been begun, or as if it had been acknowledged.
func (s *model) crashIn(t *rapid.T) {
	for _, b := range s.boxes {
		b.settle(t)
		if err := b.differs(); err != nil {
			t.Fatal(err)
		}
	}
	steps := []func(*model, *rapid.T) modelStep{expungeStep, removeStep, appendModelStep, copyStep, moveStep, compactStep}
	c := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "change")](s, t)
	s.fs.CrashAt(rapid.IntRange(1, 60).Draw(t, "operation"))
	var err error
	crashed := faultfs.Run(func() { err = c.do() })
	if err != nil {
		t.Fatal(err)
	}
	s.fall(t)
	if again := rapid.IntRange(0, 30).Draw(t, "again"); again > 0 {
		s.fs.CrashAt(again)
		if faultfs.Run(s.reopen) {
			s.fall(t)
		}
		s.fs.CrashAt(0)
	}
	s.reopen()
	s.takeOver(t, c, crashed)
}

// takeOver finds out which of the two states it is.
func (s *model) takeOver(t *rapid.T, c modelStep, crashed bool) {
	s.skip(t)
	var old []modelState
	for _, b := range s.boxes {
		old = append(old, b.clone())
	}
	c.apply()
	newErr := s.differs()
	if newErr == nil {
		return
	}
	if !crashed {
		t.Fatalf("acknowledged change is not there: %v", newErr)
	}
	for i, b := range s.boxes {
		b.modelState, b.skips = old[i], true
	}
	if err := s.differs(); err != nil {
		t.Fatalf("neither the state before: %v\nnor the one after: %v\n%s", err, newErr, strings.Join(s.fs.Log(), "\n"))
	}
}

func (s *model) differs() error {
	for _, b := range s.boxes {
		if err := b.differs(); err != nil {
			return err
		}
	}
	return nil
}

// restart closes and opens, now and then after the state directory's caches were lost. Then UIDs and flags come
// from the files alone.
func (s *model) restart(t *rapid.T) {
	for _, b := range s.boxes {
		b.settle(t)
		if err := b.m.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(b.messages) > 0 && rapid.Bool().Draw(t, "cache lost") {
			if err := b.m.o.State.Remove(b.m.cacheName()); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.reopen()
}
