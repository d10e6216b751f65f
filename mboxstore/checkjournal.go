package mboxstore

import (
	"errors"
	"io/fs"

	"spoold/spool"
)

// checkJournal tells what waits for the mailbox.
func (c *checker) checkJournal() error {
	if c.o.State == nil {
		c.add(0, "no-state", "no state directory: it is not known whether a journal waits for this mailbox")
		return c.tellMark(newJournal(nil, c.sp.Path(), c.o.Now, c.o.Log, 0))
	}
	dir, err := existingJournal(c.o.State)
	if err != nil {
		return err
	}
	j := newJournal(dir, c.sp.Path(), c.o.Now, c.o.Log, 0)
	if err := c.tellMark(j); err != nil || dir == nil {
		return err
	}
	w, err := j.inspect(c.file)
	if err != nil {
		return err
	}
	if err := c.judgeReplayed(j, w); err != nil {
		return errors.Join(err, w.close())
	}
	c.tellPlan(w)
	c.tellIntent(w)
	for _, n := range w.replaced {
		c.add(0, "journal-replaced", "journal %s is of another file that had this name; the next look keeps it in journal/lost", n)
	}
	if c.willBe { // it is read from the plan, too
		c.waits = w
		return nil
	}
	return w.close()
}

// tellMark tells of a mailbox that says of itself that a change is unfinished, when the journal has nothing of it.
func (c *checker) tellMark(j *journal) error {
	err := j.explain(c.file)
	if errors.Is(err, ErrElsewhere) {
		c.add(0, "journal-missing", "%v", err)
		return nil
	}
	return err
}

func (c *checker) tellPlan(w *waiting) {
	bad := (*damage)(nil)
	switch {
	case w.name == "":
	case w.fits == nil:
		c.add(w.plan.layout.start, "journal-pending", "interrupted rewrite %s of the bytes from here on; the next look finishes it; the mailbox is judged as it will be then", w.name)
	case errors.As(w.fits, &bad):
		c.add(bad.off, "journal-damaged", "journal %s does not fit: %s", w.name, bad.what)
	case errors.Is(w.fits, ErrDamaged):
		c.add(0, "journal-damaged", "%v", w.fits)
	default:
		c.add(0, "journal-unreadable", "%v", w.fits)
	}
}

func (c *checker) tellIntent(w *waiting) {
	switch i := w.intent; {
	case w.bad != nil:
		c.add(0, "journal-unreadable", "%v", w.bad)
	case i == nil:
	case i.kind == recAppend:
		c.add(i.at, "append-pending", "interrupted append of %d bytes; the next look keeps it when it is whole, else takes it back", i.n)
	default:
		off := int64(0)
		if len(i.edits) > 0 {
			off = i.edits[0].off
		}
		c.add(off, "edit-pending", "interrupted change of %d headers; the next look finishes it", len(i.edits))
	}
}

// checkCache compares what the index cache says of the very same state of the file.
func (c *checker) checkCache() error {
	if c.o.State == nil || c.willBe {
		return nil
	}
	m := &Mailbox{sp: c.sp, o: c.o, log: c.o.Log, file: c.file}
	b, err := m.readCache()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.decodeCache(b) != nil || m.stamp == (spool.Stamp{}) || m.stamp != c.info.Stamp() {
		return nil // it is not used as it is
	}
	known := m.index.records
	for i := range c.records {
		if i == len(known) || !c.records[i].cachedAs(&known[i]) {
			c.add(c.records[i].off, "cache-wrong", "the index cache has another message here, though the file has not changed since")
			return nil
		}
	}
	if n := len(known) - len(c.records); n > 0 {
		c.add(c.info.Size, "cache-wrong", "the index cache has %d messages more, though the file has not changed since", n)
	}
	return nil
}

// cachedAs: an index leaves out some of the blank lines and NULs that came behind a message later.
func (r *record) cachedAs(known *record) bool {
	more := r.end - known.end
	return r.off == known.off && r.digest == known.digest && r.fromLen == known.fromLen && r.hdrLen == known.hdrLen &&
		r.onFile.uid == known.onFile.uid && r.onFile.flags == known.onFile.flags && more >= 0 && more <= closingRoom
}
