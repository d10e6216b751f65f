package mboxstore

import (
	"bytes"
	"cmp"
	"hash/crc64"
	"io"
	"slices"

	"spoold/spool"
)

// What a plan's file holds of the mail. Its windows and literals are bytes of the new file; where they follow each
// other they are one run. A message is whole in a run when a separator follows it, or the end of the file; what is
// before the first separator, and a last message without end, are fragments.

// keptRun is a range of the new file that a plan's file holds.
type keptRun struct {
	off  int64 // in the new file
	b    []byte
	last bool // the new file ends with it
}

// kept returns the runs, by offset.
func (p *planFile) kept() ([]keptRun, error) {
	var parts []keptRun
	dst := p.layout.start
	for _, s := range p.layout.segs {
		if s.lit != nil {
			parts = append(parts, keptRun{off: dst, b: s.lit})
		}
		dst += s.size()
	}
	for k := range min(2, len(p.windows)) {
		i, err := p.saved(k)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			continue
		}
		at := p.dataAt(i)
		for _, e := range p.windows[i].extents() {
			b := make([]byte, e.n)
			if err := readFull(p.f, b, at); err != nil {
				return nil, err
			}
			parts = append(parts, keptRun{off: e.off, b: b})
			at += e.n
		}
	}
	return joinRuns(parts, dst), nil
}

// joinRuns makes one run of those that touch or overlap; where they overlap they hold the same.
func joinRuns(parts []keptRun, size int64) (runs []keptRun) {
	slices.SortFunc(parts, func(a, b keptRun) int { return cmp.Compare(a.off, b.off) })
	for _, r := range parts {
		if n := len(runs); n > 0 {
			before := &runs[n-1]
			if over := before.off + int64(len(before.b)) - r.off; over >= 0 {
				before.b = append(slices.Clip(before.b), r.b[min(over, int64(len(r.b))):]...)
				continue
			}
		}
		runs = append(runs, r)
	}
	for i := range runs {
		runs[i].last = runs[i].off+int64(len(runs[i].b)) == size
	}
	return runs
}

// mailKey tells messages apart by their separator, header and text, without what other programs change in a header:
// the internal lines, and Lines wherever it stands.
type mailKey struct {
	size int64
	sum  uint64
}

// keptMessage is a message, or the beginning of one, from a run.
type keptMessage struct {
	from, header, text []byte
	status             StatusBlock
	open               bool // the header has no end
}

func (k *keptMessage) key() mailKey {
	b := k.plain()
	return mailKey{int64(len(b)), crc64.Checksum(b, crc64Table)}
}

// plain is the message without what other programs change.
func (k *keptMessage) plain() []byte {
	b := appendPlainHeader(bytes.Clone(k.from), k.header)
	if k.open {
		return b
	}
	return append(append(b, '\n'), k.text...)
}

func appendPlainHeader(dst, h []byte) []byte {
	for line := range bytes.Lines(AppendRetained(nil, h)) {
		name, _, _ := bytes.Cut(line, []byte{':'})
		if !bytes.EqualFold(name, []byte("Lines")) { // mutt takes the sender's away, too
			dst = append(dst, line...)
		}
	}
	return dst
}

// split finds the messages of a run: the fragments before and behind them, and those that are whole.
func (r *keptRun) split() (tail []byte, whole []keptMessage, head *keptMessage) {
	at := firstSeparator(r.b)
	tail = r.b[:at]
	if at == len(r.b) {
		return tail, nil, nil
	}
	b := r.b[at:]
	var last *keptMessage
	// No error is possible: the bytes are in memory and begin with a separator.
	_, _ = Scan(padded(b), firstLine+1, firstLine+1+int64(len(b)), func(sp Span) error {
		off := sp.Off - firstLine - 1
		m := keptMessage{from: b[off : off+int64(sp.FromLen)], status: sp.Header.Status, open: !sp.Header.HasBlank}
		m.header = b[off+int64(sp.FromLen):][:sp.HeaderLen]
		m.text = b[off+int64(sp.FromLen)+int64(sp.HeaderLen) : sp.End-firstLine-1]
		if sp.Next-firstLine-1 < int64(len(b)) || r.last {
			whole = append(whole, m)
			return nil
		}
		m.text = b[off+int64(sp.FromLen)+int64(sp.HeaderLen):]
		last = &m
		return nil
	})
	if last != nil && last.open { // the last line may be a part of one
		last.header = last.header[:bytes.LastIndexByte(last.header, '\n')+1]
	}
	return tail, whole, last
}

// padded gives b an offset that is not the beginning of a file, where the first separator may be long.
func padded(b []byte) io.ReaderAt { return shifted(b) }

type shifted []byte

func (s shifted) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(s).ReadAt(b, off-firstLine-1)
}

func firstSeparator(b []byte) int {
	for at := 0; ; {
		line, _, ended := bytes.Cut(b[at:], []byte{'\n'})
		if !ended {
			return len(b)
		}
		if _, ok := ParseFromLine(b[at : at+len(line)+1]); ok {
			return at
		}
		at += len(line) + 1
	}
}

// readKept reads a message of the file.
func readKept(f spool.File, r *record) (*keptMessage, error) {
	b := make([]byte, r.end-r.off)
	if err := readFull(f, b, r.off); err != nil {
		return nil, err
	}
	h := b[r.fromLen:][:r.hdrLen]
	return &keptMessage{from: b[:r.fromLen], header: h, text: b[r.body()-r.off:], open: !r.blank}, nil
}

// shift is how far the byte that comes to stand at off in the new file moves left; 0: it is new, or stays.
func (l *layout) shift(off int64) int64 {
	dst := l.start
	for _, s := range l.segs {
		if off < dst+s.size() {
			if s.lit != nil || off < dst {
				return 0
			}
			return s.src - dst
		}
		dst += s.size()
	}
	return 0
}
