package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"spoold/spool"
)

// Repairing a mailbox.
//
// What replay can finish is replayed, and what the next write would put right is written. Both are the usual way, and
// nothing is lost in it. There remain messages that are there twice, and a journal that does not fit its file, because
// another program rewrote the file between a crash and its replay. Then both hold mail: the file as that program read
// it, and the plan's windows what the rewrite had written last. Of the latter, whatever is whole and not in the file
// goes to the file's end; what the rewrite left twice goes (junction.go).
//
// All of that is one plan of a higher generation, which takes the place of the damaged one. While it is not in force,
// the damaged one is, and the mailbox is read-only; once it is in force, replay finishes it. What is changed or removed
// is kept in journal/lost first, and so is the damaged plan.

// Repaired is one thing that Repair did, or would do.
type Repaired struct {
	Offset int64  `json:"offset"` // in the mailbox file as it was
	Code   string `json:"code"`   // a word for programs
	Text   string `json:"text"`
	Saved  string `json:"saved,omitempty"` // file in journal/lost of the state directory
}

func (r Repaired) String() string {
	s := fmt.Sprintf("%d: %s: %s", r.Offset, r.Code, r.Text)
	if r.Saved != "" {
		s += "; kept in " + r.Saved
	}
	return s
}

// Repair mends the mailbox at sp under its locks, or, without write, tells what it would do and writes nothing.
// Errors: ErrNoJournal without a state directory, ErrReadOnly, ErrInUse, ErrTooLarge, *FormatError, those of
// spool.Box.Open and Lock and of the file system; then the mailbox and its journal are as they were, or a change is in
// the journal that the next look finishes.
func Repair(ctx context.Context, sp Spool, o Options, write bool) (_ []Repaired, err error) {
	o.setDefaults()
	o.ReadOnly = !write
	if o.State == nil {
		return nil, ErrNoJournal
	}
	m := &Mailbox{sp: sp, o: o, log: o.Log.With("mailbox", sp.Path())}
	m.index.words, m.headers = &interner{}, maxHeaders
	m.flush.init(m)
	m.flush.stop()
	r := &repairer{m: m, write: write, cuts: map[int64]cutRange{}}
	m.op.Lock()
	defer m.op.Unlock()
	if err := r.open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	release, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer m.release(release)
	if m.file == nil {
		return nil, fmt.Errorf("repair %s: %w", sp.Path(), fs.ErrNotExist)
	}
	if err := r.run(); err != nil {
		return r.done, fmt.Errorf("repair %s: %w", sp.Path(), err)
	}
	return r.done, nil
}

// repairer is one repair. It holds the locks.
type repairer struct {
	m       *Mailbox
	write   bool
	done    []Repaired
	wait    *waiting
	damaged bool
	cached  index // what was known before
	cuts    map[int64]cutRange
	more    []byte // rescued messages
	added   int
}

func (r *repairer) act(off int64, code, saved, format string, a ...any) {
	r.done = append(r.done, Repaired{Offset: off, Code: code, Text: fmt.Sprintf(format, a...), Saved: saved})
}

// open is Open without a look.
func (r *repairer) open() error {
	m := r.m
	dir, err := existingJournal(m.o.State)
	if r.write {
		dir, err = m.o.State.Sub("journal")
	}
	if err != nil {
		return err
	}
	m.journal = newJournal(dir, m.sp.Path(), m.o.Now, m.log, 0)
	if err := m.openFile(); err != nil {
		return err
	}
	switch {
	case m.file == nil:
		return fmt.Errorf("open %s: %w", m.sp.Path(), fs.ErrNotExist)
	case r.write && !m.write:
		m.closeFile()
		return ErrReadOnly
	}
	m.loadCache()
	if err := m.loadMark(); err != nil {
		m.log.Warn("mailbox", "err", err)
	}
	if !r.write {
		m.o.State = nil // nothing is saved
	}
	return nil
}

func (r *repairer) close() error {
	err := r.wait.close()
	if r.m.markFile != nil {
		err = errors.Join(err, r.m.markFile.Close())
	}
	r.m.closeFile()
	return err
}

func (r *repairer) run() (err error) {
	m := r.m
	if r.write {
		held, err := m.sp.SessionHeld()
		if err != nil || held {
			return errors.Join(err, ErrInUse)
		}
	}
	if r.wait, err = m.journal.inspect(m.file); err != nil {
		return err
	}
	r.damaged = r.wait.fits != nil
	if !r.damaged && (r.wait.plan != nil || r.wait.intent != nil || len(r.wait.replaced) > 0) {
		if finished, err := r.replay(); err != nil || !finished {
			return err
		}
	}
	if err := r.look(); err != nil {
		return err
	}
	if err := r.compare(); err != nil {
		return err
	}
	return r.mend()
}

// replay finishes what can be finished. Without write nothing more can be told.
func (r *repairer) replay() (finished bool, err error) {
	off := int64(0)
	if r.wait.plan != nil {
		off = r.wait.plan.layout.start
	}
	r.act(off, "replay", "", "the interrupted change in the journal is finished")
	if !r.write {
		return false, nil
	}
	err = r.wait.close()
	r.wait = &waiting{}
	if err == nil {
		_, err = r.m.journal.replay(r.m.file)
	}
	r.m.stamp = spool.Stamp{}
	return err == nil, err
}

// look reads the file, and decides which messages are there twice.
func (r *repairer) look() error {
	m := r.m
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	s, err := m.scan(0, info.Size)
	if err != nil {
		return err
	}
	twice, err := m.twice(s.records, r.damaged)
	if err != nil {
		return err
	}
	for _, rec := range s.records {
		if first, gone := twice[rec.off]; gone {
			r.act(rec.off, "duplicate", "", "the message with UID %d that is at %d, too, is left out here", rec.onFile.uid, first)
		}
	}
	s.records = slices.DeleteFunc(s.records, func(rec record) bool { _, gone := twice[rec.off]; return gone })
	if r.damaged {
		if err := r.unmix(s); err != nil {
			return err
		}
		r.cached = m.index
		m.index = index{words: m.index.words}
		r.number(s)
		m.stamp = info.Stamp()
		return nil
	}
	return m.adopt(s, info.Stamp())
}

// number makes s the index by what the file says alone: what was known of a mailbox in this state may have been read
// from mixed bytes. A UID that the file does not tell comes from what was known, or is a new one.
func (r *repairer) number(s *scanned) {
	m, x := r.m, &r.m.index
	known := recall(r.cached.records)
	a := adoption{m: m, x: x, s: s, first: true}
	x.base = Base{UIDValidity: r.cached.base.UIDValidity, Keywords: r.cached.base.Keywords}
	if b := s.base; b != nil {
		x.onFile = *b
		if b.LastUID <= maxLastUID {
			x.base = Base{UIDValidity: b.UIDValidity, LastUID: b.LastUID}
			x.addKeywords(b.Keywords)
		}
	}
	if x.base.UIDValidity == 0 {
		x.base.UIDValidity = m.newValidity()
	}
	claimable := max(x.base.LastUID, r.cached.base.LastUID)
	if m.mark.uidValidity == x.base.UIDValidity {
		claimable = max(claimable, m.mark.lastUID)
	}
	x.base.LastUID = claimable
	prev := UID(0)
	for i := range s.records {
		rec := &s.records[i]
		rec.UID = rec.onFile.uid
		old := known.uid[rec.UID]
		if rec.UID <= prev || rec.UID > claimable {
			if old = known.match(rec, prev); old != nil {
				rec.UID = old.UID
			} else {
				x.base.LastUID++
				rec.UID = x.base.LastUID
			}
		}
		prev = rec.UID
		if rec.UID != rec.onFile.uid && old == nil && m.o.Inbox && known.n > 0 {
			a.disbelieve(rec)
			continue
		}
		a.believe(rec)
		if old != nil && same(old, rec) && old.flagsPending() {
			rec.Flags, rec.Keywords = old.Flags, x.known(old.Keywords)
		}
	}
	a.stamp(s.records, nil)
	x.setRecords(s.records)
	x.pseudo = s.pseudo
	x.setEnd(s)
}

// compare finds what the journal has and the file has not.
func (r *repairer) compare() error {
	p := r.wait.plan
	if !r.damaged || p == nil {
		return nil
	}
	runs, err := p.kept()
	if err != nil {
		return err
	}
	there, err := r.keysOf(r.m.index.records)
	if err != nil {
		return err
	}
	for i := range runs {
		_, whole, head := runs[i].split()
		for k := range whole {
			r.rescue(&whole[k], there)
		}
		if head != nil && !head.open && len(head.from) > 0 {
			r.fragment(head)
		}
	}
	return nil
}

// keysOf tells which messages the file has, as it will be, and with which X-UIDs.
func (r *repairer) keysOf(records []record) (map[mailKey][]UID, error) {
	there := make(map[mailKey][]UID, len(records))
	for i := range records {
		rec := &records[i]
		k, err := readKept(r.m.file, rec)
		if err != nil {
			return nil, err
		}
		c, cut := r.cuts[rec.off]
		switch {
		case c.with != nil:
			k = c.with
		case cut:
			k.text = slices.Concat(k.text[:c.from-rec.body()], k.text[c.to-rec.body():])
		}
		there[k.key()] = append(there[k.key()], rec.onFile.uid)
	}
	return there, nil
}

// rescue adds a message of the journal unless the file has it: with the same UID, or where one of the two has none.
func (r *repairer) rescue(k *keptMessage, there map[mailKey][]UID) {
	if IsPseudo(FromLine{Sender: senderOf(k.from)}, k.header) {
		return
	}
	key, uid := k.key(), claimedUID(&k.status)
	if slices.ContainsFunc(there[key], func(u UID) bool { return u == uid || u == 0 || uid == 0 }) {
		return
	}
	there[key] = append(there[key], uid)
	x := &r.m.index
	x.base.LastUID++
	x.addKeywords(k.status.Keywords)
	r.more = append(r.more, k.stored(x.base.LastUID)...)
	r.added++
	r.act(x.end, "rescued", "", "the message with UID %d, which only the journal has, is added with UID %d", uid, x.base.LastUID)
}

func senderOf(from []byte) []byte {
	f, _ := ParseFromLine(from)
	return f.Sender
}

// fragment tells of a message of which the journal has the beginning and the file nothing.
func (r *repairer) fragment(head *keptMessage) {
	for i := range r.m.index.records {
		rec := &r.m.index.records[i]
		if int(rec.fromLen) == len(head.from) && holds(r.m.file, rec.off, head.from) == nil {
			return
		}
	}
	r.act(r.m.index.end, "fragment", r.wait.name+damagedSuffix,
		"of the message with UID %d there is only the beginning, in the journal", claimedUID(&head.status))
}

const damagedSuffix = ".damaged"

// mend writes what was decided.
func (r *repairer) mend() error {
	m := r.m
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	l, err := repairLayout(&m.index, m.file, info.Size, r.cuts, r.more, func(b Base) []byte {
		return AppendPseudo(nil, b, m.o.Hostname, m.o.Now(), false)
	})
	if err != nil {
		return err
	}
	if l != nil {
		r.act(l.start, "write", "", "%d ranges of the file are written anew", len(l.dropped()))
	}
	if r.wait.name != "" {
		r.act(0, "journal", r.wait.name+damagedSuffix, "the journal that does not fit is put away")
	}
	if r.wait.bad != nil {
		r.act(0, "journal", identityOf(info).name()+intentSuffix+damagedSuffix, "the journal that cannot be read is put away")
	}
	if !r.write || len(r.done) == 0 {
		return nil
	}
	return r.carryOut(info, l)
}

func (r *repairer) carryOut(info spool.Info, l *layout) error {
	m, j := r.m, r.m.journal
	if err := r.putAway(identityOf(info)); err != nil {
		return err
	}
	if l != nil {
		saved, err := j.saveDropped(m.file, identityOf(info), l)
		if err != nil {
			return err
		}
		r.done[slices.IndexFunc(r.done, func(d Repaired) bool { return d.Code == "write" })].Saved = saved
		m.markAhead(m.index.base.LastUID, l.newSize())
	}
	if l != nil || r.wait.name != "" {
		if err := j.supersede(m.file, l); err != nil {
			return err
		}
	}
	return r.settle()
}

// putAway copies what waits in the journal to lost. An intent that cannot be read is removed there and then.
func (r *repairer) putAway(id identity) error {
	names := []string{}
	if r.wait.name != "" {
		names = append(names, r.wait.name)
	}
	if r.wait.bad != nil {
		names = append(names, id.name()+intentSuffix)
	}
	for _, n := range names {
		f, err := r.m.journal.dir.Open(n, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			err = r.m.journal.saveLost(n+damagedSuffix, f, 0, info.Size)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if r.wait.bad == nil {
		return nil
	}
	return errors.Join(r.m.journal.dir.Remove(id.name()+intentSuffix), r.m.journal.dir.Sync())
}

// settle takes over what the file is now, and gives it another stamp, so that a worker that serves it looks again.
func (r *repairer) settle() error {
	m := r.m
	if _, err := m.journal.replay(m.file); err != nil {
		return err
	}
	if err := m.sp.SetTimes(m.file, m.o.Now(), time.Time{}); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	s, err := m.scan(0, info.Size)
	if err != nil {
		return err
	}
	if r.damaged {
		r.cached = m.index
		m.index = index{words: m.index.words}
		r.number(s)
		m.stamp = info.Stamp()
		m.setMark()
	} else if err := m.adopt(s, info.Stamp()); err != nil {
		return err
	}
	return m.saveCache(true)
}
