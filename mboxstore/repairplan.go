package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"spoold/spool"
)

// repairLayout plans to write all that is pending in the index, without the bytes in cuts, and with more behind the
// last message. It is one layout, so that it is one plan in the journal: nil when there is nothing to do. exact: what
// stands between the messages of the index goes, be it mail.
func repairLayout(w *planner, exact bool, cuts map[int64]cutRange, more []byte) (*layout, error) {
	w.setLimit(math.MaxInt)
	w.sortPlaces()
	if exact {
		w.placeAll()
	}
	if err := w.planPseudo(needsPseudo(w.x.records, nil) || len(w.x.records) == 0 && w.x.end > 0); err != nil {
		return nil, err
	}
	for i := range w.x.records {
		if err := w.planRepaired(i, cuts); err != nil {
			return nil, fmt.Errorf("message at offset %d: %w", w.x.records[i].off, err)
		}
	}
	if len(w.x.records) == 0 && len(more) > 0 {
		w.out.literal([]byte(w.x.glue))
	}
	w.out.literal(more)
	if w.out.at() < w.x.end {
		w.out.move() // the end goes
	}
	if len(w.out.edits) == 0 && !w.out.moved {
		return nil, nil
	}
	return w.out.layout(w.size), nil
}

// placeAll makes the planner copy nothing but messages, as when some are displaced.
func (w *planner) placeAll() {
	if w.places == nil {
		w.places = make([]int64, 0, len(w.x.records)+1)
		for i := range w.x.records {
			w.places = append(w.places, w.x.records[i].off)
		}
	}
	if len(w.places) == 0 {
		w.places = append(w.places, w.x.end)
	}
}

// layout makes one layout of edits in place and what moves.
func (e *emitter) layout(size int64) *layout {
	l := &layout{oldSize: size, start: e.start()}
	if len(e.edits) == 0 {
		l.segs = e.segs
		return l
	}
	l.start = e.edits[0].off
	at := l.start
	for _, ed := range e.edits {
		l.segs = append(l.segs, segment{src: at, n: ed.off - at}, literal(ed.new))
		at = ed.off + int64(len(ed.new))
	}
	if !e.moved {
		l.segs = append(l.segs, segment{src: at, n: size - at})
		return l
	}
	l.segs = append(append(l.segs, segment{src: at, n: e.from - at}), e.segs...)
	return l
}

// dropped are the ranges of the old file that are in no copy: what a layout changes or removes.
func (l *layout) dropped() (list []extent) {
	at := l.start
	for _, s := range append(l.segs[:len(l.segs):len(l.segs)], segment{src: l.oldSize}) {
		if s.lit != nil {
			continue
		}
		if s.src > at {
			list = append(list, extent{at, s.src - at})
		}
		at = s.src + s.n
	}
	return list
}

// saveDropped keeps what l changes or removes, each range behind a line with its offset and length.
func (j *journal) saveDropped(f spool.File, box identity, l *layout) (name string, err error) {
	ranges := l.dropped()
	if len(ranges) == 0 {
		return "", nil
	}
	lost, err := j.dir.Sub(lostName)
	if err != nil {
		return "", err
	}
	name = fmt.Sprintf("%s.%s.repair", box.name(), j.now().UTC().Format(time.RFC3339Nano))
	out, err := lost.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	at := int64(0)
	for _, e := range ranges {
		line := fmt.Appendf(nil, "=== offset %d, %d bytes\n", e.off, e.n)
		if err == nil {
			_, err = out.WriteAt(line, at)
		}
		if err == nil {
			at += int64(len(line))
			err = copyBytes(out, at, f, e.off, e.n)
			at += e.n
		}
		if err == nil {
			_, err = out.WriteAt([]byte{'\n'}, at)
			at++
		}
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = lost.Sync()
	}
	return name, err
}

// supersede carries l out and removes the plans that stood in its way. Before it is in force they are, and afterwards
// it holds all that was to be taken from them; so a crash at any instant loses nothing.
func (j *journal) supersede(f spool.File, l *layout) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	id := identityOf(info)
	j.clean = identity{}
	var p *planFile
	gen := uint64(math.MaxUint64)
	if l != nil {
		change, err := j.possible(f, *l)
		if err != nil {
			return err
		}
		if p, err = j.begin(f, info, change); err != nil {
			return err
		}
	}
	if p == nil {
		if err := withdraw(f); err != nil {
			return err
		}
	}
	if p != nil {
		gen = p.gen
	}
	names, err := j.plans()
	for _, n := range names {
		if err == nil && n.id == id.name() && n.gen < gen {
			err = j.dir.Remove(n.String())
		}
	}
	if err == nil {
		err = j.dir.Sync()
	}
	if p == nil {
		return err
	}
	if err != nil {
		return errors.Join(ErrPending, err, p.f.Close())
	}
	return j.finish(f, p, 0)
}

// stored is a rescued message as it is written to the file, with the base line if it is the first one.
func (k *keptMessage) stored(uid UID, base *Base) []byte {
	b := AppendRetained(bytes.Clone(k.from), k.header)
	b = append(b, statusLines(StatusBlock{Flags: k.status.Flags, Keywords: k.status.Keywords, UID: uid, Base: base}, 0)...)
	b = append(append(b, '\n'), k.text...)
	if n := len(k.text); n > 0 && k.text[n-1] != '\n' {
		b = append(b, lineEndFor(k.text[bytes.LastIndexByte(k.text, '\n')+1:])...)
	}
	return append(b, '\n')
}
