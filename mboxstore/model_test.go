package mboxstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spoold/spool/faultfs"
)

// modelMessage is a message as a user thinks of it.
type modelMessage struct {
	uid      UID
	subject  string
	flags    Flags
	keywords []string
}

// model is a mailbox without a file: what has to be true of one after any sequence of changes by us and by others.
type model struct {
	t        *testing.T
	fs       *faultfs.FS
	o        Options
	m        *Mailbox
	messages []modelMessage
	last     UID
	next     int
	validity uint32
}

const modelBox = "/mail/u"

func newModel(t *testing.T) *model {
	s := &model{t: t, fs: faultfs.New(1)}
	s.o = Options{Inbox: true, State: s.fs.Dir("/state"), User: "u", Hostname: "example.com"}
	s.fs.File(modelBox, nil)
	s.reopen()
	s.validity = s.m.Status().UIDValidity
	return s
}

// reopen opens the mailbox; what is written in the background would make the order of things random.
func (s *model) reopen() {
	m, err := Open(s.t.Context(), s.fs.Box(modelBox), s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	m.flush.stop()
	s.m = m
}

// add enters new messages; they get the next UIDs.
func (s *model) add(subject string, flags Flags, keywords []string) {
	s.last++
	s.messages = append(s.messages, modelMessage{s.last, subject, flags, keywords})
}

func (s *model) subject() string {
	s.next++
	return fmt.Sprintf("s%d", s.next)
}

// pick draws some of the messages that there are.
func (s *model) pick(t *rapid.T) []UID {
	var uids []UID
	for _, m := range s.messages {
		if rapid.Bool().Draw(t, fmt.Sprint("pick ", m.uid)) {
			uids = append(uids, m.uid)
		}
	}
	return uids
}

var modelWords = [][]string{nil, {"Work"}, {"$Junk", "Later"}, {"Work", "Later"}}

func (s *model) store(t *rapid.T) {
	uids := s.pick(t)
	op := StoreOp{
		Mode:     StoreMode(rapid.IntRange(0, 2).Draw(t, "mode")),
		Flags:    Flags(rapid.IntRange(0, 31).Draw(t, "flags")),
		Keywords: rapid.SampledFrom(modelWords).Draw(t, "keywords"),
	}
	if err := s.m.Store(context.Background(), uids, op); err != nil {
		t.Fatal(err)
	}
	for i := range s.messages {
		if m := &s.messages[i]; slices.Contains(uids, m.uid) {
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

func (s *model) expunge(t *rapid.T) {
	if _, err := s.m.Expunge(context.Background(), nil, true); err != nil {
		t.Fatal(err)
	}
	s.messages = slices.DeleteFunc(s.messages, func(m modelMessage) bool { return m.flags&FlagDeleted != 0 })
}

func (s *model) append(t *rapid.T) {
	var msgs []NewMessage
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		subject, words := s.subject(), rapid.SampledFrom(modelWords).Draw(t, "keywords")
		text := "Subject: " + subject + "\r\n\r\n" + rapid.SampledFrom([]string{"", "x", "From me\r\n", "a\r\n\r\n"}).Draw(t, "text")
		msgs = append(msgs, NewMessage{Text: strings.NewReader(text), Flags: FlagFlagged, Keywords: words})
		s.add(subject, FlagFlagged, words)
	}
	if _, _, err := s.m.Append(context.Background(), msgs); err != nil {
		t.Fatal(err)
	}
}

func (s *model) copy(t *rapid.T) {
	uids := s.pick(t)
	uids = uids[:min(len(uids), 2)]
	if _, _, _, err := s.m.CopyTo(context.Background(), s.m, uids); err != nil {
		t.Fatal(err)
	}
	for _, m := range slices.Clone(s.messages) {
		if slices.Contains(uids, m.uid) {
			s.add(m.subject, m.flags, m.keywords)
		}
	}
}

// deliver appends as an MDA does, after a look so that our answer to what came before is out.
func (s *model) deliver(t *rapid.T) {
	s.refresh(t)
	for range rapid.IntRange(1, 2).Draw(t, "mails") {
		subject := s.subject()
		end := rapid.SampledFrom([]string{"\n", "text\n\n", "text\n", "\x00\n\n"}).Draw(t, "end")
		mail := "From mda Wed Dec  2 05:53:22 1992\nStatus: RO\nX-UID: 3\nSubject: " + subject + "\n\n" + end
		s.fs.Append(modelBox, []byte(mail))
		s.add(subject, 0, nil)
	}
}

// edit removes a message as an editor would: the whole file is written anew.
func (s *model) edit(t *rapid.T) {
	if len(s.messages) == 0 {
		return
	}
	if err := s.m.writePending(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	s.refresh(t)
	i := rapid.IntRange(0, len(s.messages)-1).Draw(t, "message")
	at := s.m.index.records[i].off
	to := s.m.index.end
	if i+1 < len(s.messages) {
		to = s.m.index.records[i+1].off
	}
	c := s.fs.Bytes(modelBox)
	f := s.fs.File(modelBox, nil)
	_, err := f.WriteAt(append(slices.Clone(c[:at]), c[to:]...), 0)
	if err == nil {
		err = f.Truncate(int64(len(c)) - (to - at))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.messages = slices.Delete(s.messages, i, i+1)
}

func (s *model) flush(t *rapid.T) {
	if err := s.m.writePending(context.Background(), rapid.Bool().Draw(t, "sync")); err != nil {
		t.Fatal(err)
	}
}

func (s *model) refresh(t *rapid.T) {
	if err := s.m.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// crash loses all that was not durable, after flags were flushed as CHECK does.
func (s *model) crash(t *rapid.T) {
	s.refresh(t)
	if err := s.m.writePending(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	if mode := rapid.IntRange(-1, 3).Draw(t, "mode"); mode < 0 {
		s.fs.Kill()
	} else {
		s.fs.PowerCut(mode)
	}
	s.o.State = s.fs.Dir("/state")
	s.reopen()
}

// restart closes and opens, now and then after the state directory's cache was lost. Then UIDs and flags come from
// the file alone.
func (s *model) restart(t *rapid.T) {
	s.refresh(t)
	if err := s.m.writePending(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(s.messages) > 0 && rapid.Bool().Draw(t, "cache lost") {
		if err := s.o.State.Remove(s.m.cacheName()); err != nil {
			t.Fatal(err)
		}
	}
	s.reopen()
}

func (s *model) check(t *rapid.T) {
	s.refresh(t)
	if st := s.m.Status(); st.UIDValidity != s.validity || st.UIDNext != s.last+1 {
		t.Fatalf("UIDVALIDITY %d UIDNEXT %d, want %d %d", st.UIDValidity, st.UIDNext, s.validity, s.last+1)
	}
	var want, got []string
	for _, m := range s.messages {
		want = append(want, modelLine(m.uid, m.subject, m.flags, m.keywords))
	}
	for _, m := range s.m.Get(s.m.UIDs(), nil) {
		text, err := s.m.Text(context.Background(), m.UID, nil)
		if err != nil || int64(len(text)) != m.Size {
			t.Fatalf("message %d: %d octets of %d, %v", m.UID, len(text), m.Size, err)
		}
		_, subject, _ := strings.Cut(string(text), "Subject: ")
		subject, _, _ = strings.Cut(subject, "\r\n")
		got = append(got, modelLine(m.UID, subject, m.Flags&^FlagOld, m.Keywords))
	}
	if w, g := strings.Join(want, "\n"), strings.Join(got, "\n"); w != g {
		t.Fatalf("want\n%s\ngot\n%s\nfile\n%q", w, g, s.fs.Bytes(modelBox))
	}
}

func modelLine(uid UID, subject string, flags Flags, words []string) string {
	words = slices.Sorted(slices.Values(words))
	return fmt.Sprintf("%d %s %s %v", uid, subject, flags.appendLetters(nil, "RAFDT"), words)
}

// TestModel runs random changes by us and by other programs against the model.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newModel(t)
		defer func() { _ = s.m.Close(context.Background()) }() // the check has spoken already
		rt.Repeat(map[string]func(*rapid.T){
			"": s.check, "store": s.store, "expunge": s.expunge, "append": s.append, "copy": s.copy,
			"deliver": s.deliver, "edit": s.edit, "flush": s.flush, "restart": s.restart, "crash": s.crash,
		})
	})
}
