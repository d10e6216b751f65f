package mboxstore

import (
	"bytes"
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// What other programs do in the model, after a look so that our answer to what came before is out.

// deliver appends as an MDA does. In an inbox what the sender says of status is not believed.
func (s *model) deliver(t *rapid.T) {
	b := s.draw(t, "mailbox")
	b.refresh(t)
	for range rapid.IntRange(1, 2).Draw(t, "mails") {
		m := modelMessage{subject: s.subject()}
		end := rapid.SampledFrom([]string{"\n", "text\n\n", "text\n", "\x00\n\n", strings.Repeat("much text\n", 150) + "\n"}).Draw(t, "end")
		status := "Status: RO\nX-UID: 3\n"
		if !b.inbox {
			status = ""
		}
		if c := s.fs.Bytes(b.path); len(c) > 0 && c[len(c)-1] != '\n' {
			s.fs.Append(b.path, []byte("\n")) // MDAs close what was cut off
		}
		s.fs.Append(b.path, []byte("From mda Wed Dec  2 05:53:22 1992\n"+status+"Subject: "+m.subject+"\n\n"+end))
		b.add(m)
	}
}

// rewrite puts the new bytes of the file in place, as an editor does it: by writing over it, or by renaming.
func (s *model) rewrite(t *rapid.T, b *modelMailbox, content []byte) {
	var err error
	if rapid.Bool().Draw(t, "rename") {
		err = s.replace(b.path, content)
	} else {
		f := s.fs.File(b.path, nil)
		_, err = f.WriteAt(content, 0)
		err = errors.Join(err, f.Truncate(int64(len(content))), f.Sync())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *model) replace(name string, content []byte) error {
	dir := s.fs.Dir(path.Dir(name))
	f, err := dir.Open("new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	return errors.Join(err, f.Sync(), f.Close(), dir.Rename("new", path.Base(name)), dir.Sync())
}

// one draws a message and returns where it is in the settled file; false when there is none.
func (s *model) one(t *rapid.T) (b *modelMailbox, i int, from, to int64, ok bool) {
	b = s.draw(t, "mailbox")
	if len(b.messages) == 0 {
		return b, 0, 0, 0, false
	}
	b.settle(t)
	if err := b.differs(); err != nil {
		t.Fatal(err)
	}
	i = rapid.IntRange(0, len(b.messages)-1).Draw(t, "message")
	from, to = b.m.index.records[i].off, b.m.index.end
	if i+1 < len(b.messages) {
		to = b.m.index.records[i+1].off
	}
	return b, i, from, to, true
}

// deleteOutside removes a message as mutt or an editor does.
func (s *model) deleteOutside(t *rapid.T) {
	b, i, from, to, ok := s.one(t)
	if !ok {
		return
	}
	c := s.fs.Bytes(b.path)
	s.rewrite(t, b, slices.Concat(c[:from], c[to:]))
	b.messages = slices.Delete(b.messages, i, i+1)
}

// moveOutside puts a message before another one, as a program does that sorts. All keep their UIDs.
func (s *model) moveOutside(t *rapid.T) {
	b, i, from, to, ok := s.one(t)
	if !ok || i == 0 {
		return
	}
	j := rapid.IntRange(0, i-1).Draw(t, "before")
	at := b.m.index.records[j].off
	c := s.fs.Bytes(b.path)
	if !bytes.HasSuffix(c[from:to], []byte("\n\n")) { // what has no blank line at its end can only be the last
		return
	}
	s.rewrite(t, b, slices.Concat(c[:at], c[from:to], c[at:from], c[to:]))
}

// sortOutside turns the order of all messages round.
func (s *model) sortOutside(t *rapid.T) {
	b, _, _, _, ok := s.one(t)
	if !ok {
		return
	}
	c := s.fs.Bytes(b.path)
	records := b.m.index.records
	parts := [][]byte{c[:records[0].off]}
	for i, to := len(records)-1, b.m.index.end; i >= 0; i-- {
		parts = append(parts, c[records[i].off:to])
		to = records[i].off
	}
	if !bytes.HasSuffix(parts[1], []byte("\n\n")) {
		return
	}
	s.rewrite(t, b, slices.Concat(parts...))
}

// flagOutside changes whether a message was seen.
func (s *model) flagOutside(t *rapid.T) {
	b, i, from, to, ok := s.one(t)
	if !ok {
		return
	}
	c := s.fs.Bytes(b.path)
	at := from + int64(bytes.Index(c[from:to], []byte("\nStatus: "))) + 1
	end := at + int64(bytes.IndexByte(c[at:to], '\n'))
	line := []byte("Status: O")
	if b.messages[i].flags ^= FlagSeen; b.messages[i].flags&FlagSeen != 0 {
		line = []byte("Status: RO")
	}
	s.rewrite(t, b, slices.Concat(c[:at], line, c[end:]))
}

// cutOutside cuts the file off in the text of the last message, which is another one then.
func (s *model) cutOutside(t *rapid.T) {
	b := s.draw(t, "mailbox")
	if len(b.messages) == 0 {
		return
	}
	b.settle(t)
	if err := b.differs(); err != nil {
		t.Fatal(err)
	}
	last := len(b.messages) - 1
	r := b.m.index.records[last]
	c := s.fs.Bytes(b.path)
	at := r.end - 1
	for at > r.body() && c[at-1] == '\n' {
		at--
	}
	if at <= r.body() {
		return
	}
	at = rapid.Int64Range(r.body()+1, at).Draw(t, "size")
	if c[at-1] == '\n' {
		return
	}
	text := AppendServedBody(AppendServedHeader(nil, c[r.header():r.body()]), c[r.body():at])
	if string(text) == b.messages[last].text {
		return
	}
	if err := s.fs.File(b.path, nil).Truncate(at); err != nil {
		t.Fatal(err)
	}
	if err := s.fs.File(b.path, nil).Sync(); err != nil {
		t.Fatal(err)
	}
	subject := b.messages[last].subject
	b.messages = b.messages[:last]
	b.add(modelMessage{subject: subject, text: string(text), unknown: true})
}

// replaceOutside writes the same bytes anew, as a restored backup does.
func (s *model) replaceOutside(t *rapid.T) {
	b := s.draw(t, "mailbox")
	b.settle(t)
	s.rewrite(t, b, s.fs.Bytes(b.path))
}
