package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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
	m := &Mailbox{sp: sp, o: o, log: o.Log.With("mailbox", sp.Path()), displace: maxDisplaced}
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
	missing error // the file says that it is unfinished, and no journal that could finish it is here
	exact   bool  // the file is written without whatever is not in the index
	cached  index // what was known before
	cuts    map[int64]cutRange
	joined  []keptMessage // of file and journal, whole in neither
	more    []byte        // rescued messages
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
	if r.missing = m.journal.explain(m.file); r.missing != nil && !errors.Is(r.missing, ErrElsewhere) {
		return r.missing
	}
	r.damaged = r.wait.fits != nil || r.missing != nil
	if r.wait.fits == nil && (r.wait.plan != nil || r.wait.intent != nil || len(r.wait.replaced) > 0) {
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
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrJournal) { // it shows only now
		damage := err
		if r.wait, err = r.m.journal.inspect(r.m.file); err != nil {
			return false, err
		}
		r.damaged, r.wait.fits = true, damage
	}
	return err == nil, err
}
