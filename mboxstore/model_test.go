package mboxstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoold/spool/faultfs"
)

// modelMessage is a message as a user thinks of it.
type modelMessage struct {
	uid      UID
	subject  string
	text     string // as served; "": not seen yet
	flags    Flags
	keywords []string
	unknown  bool // flags and keywords are what the mailbox says when it is seen first
}

// modelState is what a mailbox has to be after any sequence of changes by us and by others.
type modelState struct {
	messages []modelMessage
	last     UID // after it comes UIDNEXT
	given    UID // the highest that a message has had
}

func (s *modelState) clone() modelState { return modelState{slices.Clone(s.messages), s.last, s.given} }

// add enters new messages; they get the next UIDs.
func (s *modelState) add(m modelMessage) {
	s.last++
	m.uid, s.given = s.last, s.last
	s.messages = append(s.messages, m)
}

func (s *modelState) remove(uids []UID) {
	s.messages = slices.DeleteFunc(s.messages, func(m modelMessage) bool { return slices.Contains(uids, m.uid) })
}

func (s *modelState) of(uids []UID) []modelMessage {
	return slices.DeleteFunc(slices.Clone(s.messages), func(m modelMessage) bool { return !slices.Contains(uids, m.uid) })
}

// modelMailbox is a mailbox and what it should be.
type modelMailbox struct {
	modelState
	path     string
	inbox    bool
	m        *Mailbox
	validity uint32
	views    []*modelView
	skips    bool // there was a crash: UIDs that no message has had may be skipped
}

// model is two mailboxes of one user: the inbox and a folder.
type model struct {
	t     *testing.T
	fs    *faultfs.FS
	boxes []*modelMailbox
	next  int
	steps int
	spare int64 // not 0: the disk can take blocks out of files, and does where so many bytes need not move
}

func newModel(t *testing.T, spare int64) *model {
	s := &model{t: t, fs: faultfs.New(1), spare: spare}
	if spare > 0 {
		s.fs.Unit(testUnit)
	}
	s.boxes = []*modelMailbox{{path: "/mail/u", inbox: true}, {path: "/mail/f"}}
	for _, b := range s.boxes {
		s.fs.File(b.path, nil)
	}
	s.reopen()
	for _, b := range s.boxes {
		b.validity = b.m.Status().UIDValidity
	}
	return s
}

// reopen is a new process; what is written in the background would make the order of things random.
func (s *model) reopen() {
	o := Options{State: s.fs.Dir("/state"), User: "u", Hostname: "example.com", FlushDelay: time.Hour}
	o.Now = func() time.Time { return time.Unix(crashNow, 0) }
	moves, err := PendingMoves(o.State)
	must(s.t, err)
	for _, b := range s.boxes {
		o.Inbox = b.inbox
		b.m, err = Open(s.t.Context(), s.fs.Box(b.path), o)
		must(s.t, err)
		b.m.flush.stop()
		if s.spare > 0 {
			b.m.spare = s.spare
		}
		b.views = []*modelView{newModelView(b.m), newModelView(b.m)}
	}
	for _, v := range moves {
		must(s.t, v.Finish(s.t.Context(), s.box(v.Source()).m, s.box(v.Target()).m))
	}
}

func (s *model) box(path string) *modelMailbox {
	return s.boxes[slices.IndexFunc(s.boxes, func(b *modelMailbox) bool { return b.path == path })]
}

func (s *model) subject() string {
	s.next++
	return fmt.Sprintf("s%d", s.next)
}

// draw takes one of the mailboxes.
func (s *model) draw(t *rapid.T, what string) *modelMailbox {
	return s.box(rapid.SampledFrom([]string{"/mail/u", "/mail/f"}).Draw(t, what))
}

// pick draws some of the messages that there are.
func (b *modelMailbox) pick(t *rapid.T) []UID {
	var uids []UID
	for _, m := range b.messages {
		if rapid.Bool().Draw(t, fmt.Sprint("pick ", m.uid)) {
			uids = append(uids, m.uid)
		}
	}
	return uids
}

func (b *modelMailbox) refresh(t *rapid.T) {
	if err := b.m.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// settle makes the file say what clients were told.
func (b *modelMailbox) settle(t *rapid.T) {
	b.refresh(t)
	if err := b.m.writePending(context.Background(), true); err != nil {
		t.Fatal(err)
	}
}

// check compares everything, after every step.
func (s *model) check(t *rapid.T) {
	s.steps++
	for _, b := range s.boxes {
		b.refresh(t)
		if err := b.differs(); err != nil {
			t.Fatalf("%s: %v\nfile\n%q\n%s", b.path, err, s.fs.Bytes(b.path), strings.Join(s.fs.Log(), "\n"))
		}
		for i, v := range b.views {
			if err := v.clone().follow(b.m); err != nil {
				t.Fatalf("%s: session %d: %v", b.path, i, err)
			}
		}
	}
}

// differs compares the mailbox with what it should be, and takes over what could not be known.
func (b *modelMailbox) differs() error {
	st := b.m.Status()
	if b.skips && st.UIDNext > b.given {
		b.last = st.UIDNext - 1
	}
	b.skips = false
	if st.UIDValidity != b.validity || st.UIDNext != b.last+1 {
		return fmt.Errorf("UIDVALIDITY %d UIDNEXT %d, want %d %d", st.UIDValidity, st.UIDNext, b.validity, b.last+1)
	}
	rows := b.m.Get(b.m.UIDs(), nil)
	var want, got []string
	for i := range rows {
		text, err := b.m.Text(context.Background(), rows[i].UID, nil)
		if err != nil || int64(len(text)) != rows[i].Size {
			return fmt.Errorf("message %d: %d octets of %d, %w", rows[i].UID, len(text), rows[i].Size, err)
		}
		if i < len(b.messages) {
			b.messages[i].learn(&rows[i], string(text))
		}
		got = append(got, modelLine(rows[i].UID, subjectIn(text), rows[i].Flags&^FlagOld, rows[i].Keywords, string(text)))
	}
	for _, m := range b.messages {
		want = append(want, modelLine(m.uid, m.subject, m.flags, m.keywords, m.text))
	}
	if w, g := strings.Join(want, "\n"), strings.Join(got, "\n"); w != g {
		return fmt.Errorf("want\n%s\ngot\n%s", w, g)
	}
	return nil
}

// learn takes over, once, what only the mailbox can know of a message that another program has written.
func (m *modelMessage) learn(row *Message, text string) {
	if m.uid != row.UID {
		return
	}
	if m.text == "" {
		m.text = text
	}
	if m.unknown {
		m.flags, m.keywords, m.unknown = row.Flags&^FlagOld, row.Keywords, false
	}
}

func modelLine(uid UID, subject string, flags Flags, words []string, text string) string {
	words = slices.Sorted(slices.Values(words))
	return fmt.Sprintf("%d %s %s %v %q", uid, subject, flags.appendLetters(nil, "RAFDT"), words, text)
}

// modelView is what a session knows of a mailbox.
type modelView struct {
	modseq uint64
	uids   []UID
	rows   map[UID]string
}

func newModelView(m *Mailbox) *modelView {
	c := m.Changes(0)
	v := &modelView{modseq: c.ModSeq, uids: slices.Clone(c.New), rows: map[UID]string{}}
	v.read(m, c.New)
	return v
}

func (v *modelView) clone() *modelView {
	rows := make(map[UID]string, len(v.rows))
	maps.Copy(rows, v.rows)
	return &modelView{v.modseq, slices.Clone(v.uids), rows}
}

func (v *modelView) read(m *Mailbox, uids []UID) {
	for _, row := range m.Get(uids, nil) {
		v.rows[row.UID] = modelLine(row.UID, "", row.Flags&^FlagOld, row.Keywords, "")
	}
}

// follow takes the news as a session does. Then it must know all that there is.
func (v *modelView) follow(m *Mailbox) error {
	c := m.Changes(v.modseq)
	if c.Lost {
		return fmt.Errorf("lost after %d", v.modseq)
	}
	v.modseq = c.ModSeq
	v.uids = slices.DeleteFunc(v.uids, func(u UID) bool { return slices.Contains(c.Expunged, u) })
	for _, u := range c.New {
		if n := len(v.uids); n > 0 && u <= v.uids[n-1] {
			return fmt.Errorf("new message %d behind %d", u, v.uids[n-1])
		}
		v.uids = append(v.uids, u)
	}
	v.read(m, c.New)
	v.read(m, c.Changed)
	want := newModelView(m)
	if !slices.Equal(v.uids, want.uids) {
		return fmt.Errorf("knows %v of %v, told %+v", v.uids, want.uids, c)
	}
	for _, u := range v.uids {
		if v.rows[u] != want.rows[u] {
			return fmt.Errorf("knows %s of %s, told %+v", v.rows[u], want.rows[u], c)
		}
	}
	return nil
}

// TestModel runs random changes by sessions and by other programs, and crashes, against the model.
func TestModel(t *testing.T) {
	steps, runs, collapses := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		s := newModel(t, rapid.SampledFrom([]int64{0, 1, 200}).Draw(rt, "spare"))
		rt.Repeat(map[string]func(*rapid.T){
			"": s.check, "store": s.store, "expunge": s.act(expungeStep), "append": s.act(appendModelStep),
			"copy": s.act(copyStep), "move": s.act(moveStep), "remove": s.act(removeStep), "compact": s.act(compactStep),
			"flush": s.flush, "news": s.news, "deliver": s.deliver, "delete outside": s.deleteOutside,
			"flag outside": s.flagOutside, "move outside": s.moveOutside, "sort outside": s.sortOutside,
			"cut outside": s.cutOutside, "replace outside": s.replaceOutside,
			"restart": s.restart, "crash": s.crash, "crash in a change": s.crashIn,
		})
		for _, b := range s.boxes {
			must(t, b.m.Close(context.Background()))
		}
		steps += s.steps
		runs++
		collapses += strings.Count(strings.Join(s.fs.Log(), "\n"), "\ncollapse ")
	})
	t.Logf("%d steps in %d runs, %d ranges taken out", steps, runs, collapses)
}
