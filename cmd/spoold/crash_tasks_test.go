package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// crashTasks is work of which much moves bytes.
func (w *soakWorker) crashTasks() []task {
	return []task{
		{6, w.expungeFirst},
		{4, w.expungeMiddle},
		{2, w.expungeSpread},
		{1, w.expungeMost},
		{8, w.appendOne},
		{3, w.copyOne},
		{3, w.moveOne},
		{8, w.store},
		{8, w.keywordOnOff},
		{3, w.fetchOne},
		{4, w.noop},
	}
}

// expungeSet marks messages as \Deleted and expunges them.
func (w *soakWorker) expungeSet(uids []uint32) error {
	uids = slices.DeleteFunc(uids, func(uid uint32) bool { return uid == 0 })
	if len(uids) == 0 {
		return w.noop()
	}
	var set strings.Builder
	for i, uid := range uids {
		if err := w.learn(uid); err != nil {
			return err
		}
		w.mu.Lock()
		w.doomed[uid] = true
		w.crash.deleted[w.byUID[uid]] = true
		w.mu.Unlock()
		if i > 0 {
			set.WriteByte(',')
		}
		fmt.Fprint(&set, uid)
	}
	if _, err := w.send(`UID STORE %s +FLAGS.SILENT (\Deleted)`, &set); err != nil {
		return err
	}
	if _, err := w.send("UID EXPUNGE %s", &set); err != nil {
		return err
	}
	w.book("uid expunge", func() {
		for _, uid := range uids {
			w.gone[uid] = true
		}
		w.ops["messages expunged"] += len(uids)
	})
	return nil
}

// part is a copy of some of the view: at most n from at on, every step-th.
func (w *soakWorker) part(at, n, step int) []uint32 {
	var uids []uint32
	for ; at < len(w.view) && len(uids) < n; at += step {
		uids = append(uids, w.view[at])
	}
	return uids
}

func (w *soakWorker) expungeFirst() error { return w.expungeSet(w.part(0, 1+w.rand.IntN(2), 1)) }

func (w *soakWorker) expungeMiddle() error {
	return w.expungeSet(w.part(len(w.view)/2, 1+w.rand.IntN(3), 1))
}

// expungeSpread takes several that do not lie together.
func (w *soakWorker) expungeSpread() error {
	return w.expungeSet(w.part(w.rand.IntN(5), 8, 3+w.rand.IntN(10)))
}

// expungeMost leaves a few, mostly of the older half so that it does not end the work.
func (w *soakWorker) expungeMost() error {
	n := len(w.view) / 2
	if w.rand.IntN(4) == 0 {
		n = len(w.view) - 5
	}
	return w.expungeSet(w.part(0, n, 1))
}

// refill brings a mailbox with n messages back to want, by deliveries of several at once.
func (l *ledger) refill(t *testing.T, deliver func(path, message string) error, path string, n, want int, seed uint64) {
	t.Helper()
	const batch = 50
	r := newRand(seed)
	for n < want {
		var ids []int
		var texts []string
		for range min(batch, want-n) {
			id, text := l.newMessage(r)
			ids, texts = append(ids, id), append(texts, strings.TrimRight(strings.ReplaceAll(text, "\nFrom ", "\n>From "), "\n"))
		}
		from := "\n\nFrom mda@example.org " + time.Now().UTC().Format(time.ANSIC) + "\n"
		if err := deliver(path, strings.Join(texts, from)); err != nil {
			t.Fatal(err)
		}
		l.book("refill", func() {
			for _, id := range ids {
				l.expected[id] = true
			}
		})
		n += len(ids)
	}
}

// thin expunges messages from an INBOX that has grown too much.
func (l *ledger) thin(c *client, mails []mail) {
	c.t.Helper()
	l.book("thinned", func() {
		for _, m := range mails {
			l.doomed[m.UID], l.gone[m.UID] = true, true
			l.crash.deleted[l.byUID[m.UID]] = true
		}
	})
	c.open("SELECT", "INBOX")
	set := fmt.Sprintf("%d:%d", mails[0].UID, mails[len(mails)-1].UID)
	c.ok(`UID STORE %s +FLAGS.SILENT (\Deleted)`, set)
	c.ok("UID EXPUNGE %s", set)
}

// empty expunges all copies once they are accounted for.
func (l *ledger) empty(c *client, mailbox string) {
	c.t.Helper()
	if c.open("SELECT", mailbox).Exists > 0 {
		c.ok(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
		c.ok("EXPUNGE")
	}
	l.book("emptied", func() {
		clear(l.copies)
		clear(l.crash.copied)
	})
}
