package mboxstore

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"spoold/spool"
)

// mend writes what was decided.
func (r *repairer) mend() error {
	m := r.m
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	w := &planner{x: &m.index, file: m.file, size: info.Size, pseudo: func(b Base) []byte {
		return AppendPseudo(nil, b, m.o.Hostname, m.o.Now(), false)
	}}
	l, err := repairLayout(w, r.exact, r.cuts, r.more)
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
	if r.missing != nil {
		r.act(0, "mark", "", "the mark of an unfinished change, whose journal is missing, is taken away, and the file taken as it is")
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
	if l != nil || r.wait.name != "" || r.missing != nil {
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
