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

// repairLayout plans to write all that is pending in the index, without the bytes in cuts and those between the
// messages, and with more behind the last one. It is one layout, so that it is one plan in the journal: nil when there
// is nothing to do.
func repairLayout(x *index, f spool.File, size int64, cuts map[int64]cutRange, more []byte, pseudo func(Base) []byte) (*layout, error) {
	w := planner{x: x, file: f, size: size, pseudo: pseudo}
	w.setLimit(math.MaxInt)
	if err := w.planPseudo(needsPseudo(x.records, nil)); err != nil {
		return nil, err
	}
	for i := range x.records {
		if err := w.planRepaired(i, cuts); err != nil {
			return nil, fmt.Errorf("message at offset %d: %w", x.records[i].off, err)
		}
	}
	if len(more) > 0 {
		w.out.literal(append([]byte(w.glueBehind(cuts)), more...))
	} else if w.out.at() < x.end {
		w.out.move() // the end goes
	}
	if len(w.out.edits) == 0 && !w.out.moved {
		return nil, nil
	}
	return w.out.layout(size), nil
}

// glueBehind is the index's glue, when the file still ends as it did.
func (w *planner) glueBehind(cuts map[int64]cutRange) string {
	n := len(w.x.records)
	if n == 0 {
		return w.x.glue
	}
	last := &w.x.records[n-1]
	if _, cut := cuts[last.off]; cut || last.end+w.closing(last, w.x.end) < w.x.end {
		return ""
	}
	return w.x.glue
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
		if p, err = j.begin(f, info, *l); err != nil {
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

// stored is a rescued message as it is written to the file.
func (k *keptMessage) stored(uid UID) []byte {
	b := AppendRetained(bytes.Clone(k.from), k.header)
	b = append(b, statusLines(StatusBlock{Flags: k.status.Flags, Keywords: k.status.Keywords, UID: uid}, 0)...)
	b = append(append(b, '\n'), k.text...)
	if n := len(k.text); n > 0 && k.text[n-1] != '\n' {
		b = append(b, lineEndFor(k.text[bytes.LastIndexByte(k.text, '\n')+1:])...)
	}
	return append(b, '\n')
}
