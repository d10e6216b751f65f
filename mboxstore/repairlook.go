package mboxstore

import "slices"

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
	last := int64(-1)
	if n := len(s.records); n > 0 {
		last = s.records[n-1].off
	}
	s.records = slices.DeleteFunc(s.records, func(rec record) bool { _, gone := twice[rec.off]; return gone })
	if r.damaged {
		if err := r.unmix(s); err != nil {
			return err
		}
	}
	if n := len(s.records); n == 0 || s.records[n-1].off != last {
		s.glue = "" // the message that lacked it goes
	}
	r.exact = r.damaged || len(twice) > 0
	if r.damaged {
		r.cached = m.index
		m.index = index{words: m.index.words}
		r.number(s)
		m.stamp = info.Stamp()
		return nil
	}
	return m.adopt(s, info.Stamp())
}
