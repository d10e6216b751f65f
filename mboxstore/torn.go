package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"spoold/spool"
)

// replayIntent finishes or takes back what an intent says was begun.
func (j *journal) replayIntent(f spool.File, id identity) (replayed bool, err error) {
	i, err := readIntent(j.dir, id.name())
	if i == nil {
		return false, err
	}
	if j.keeps(ruleReplay) {
		if err := j.writeIntent(i); err != nil {
			return false, err
		}
		if err := f.Sync(); err != nil {
			return false, err
		}
	}
	if i.kind == recEdits {
		return j.replayEdits(f, i)
	}
	replayed, err = j.replayAppend(f, i)
	if err != nil {
		return replayed, err
	}
	return replayed, j.clearIntent(i.box)
}

// replayAppend cuts off an append of which a part is missing, and keeps a copy of what it cuts.
func (j *journal) replayAppend(f spool.File, i *intent) (replayed bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	end, err := j.tornAppend(f, i, info.Size)
	if err != nil || end == i.at {
		return false, err
	}
	name := fmt.Sprintf("%s.%s.torn", i.box.name(), j.now().UTC().Format(time.RFC3339Nano))
	if err := j.saveLost(name, f, i.at, end-i.at); err != nil {
		return false, err
	}
	j.log.Warn("interrupted append was cut off", "path", j.path, "offset", i.at, "bytes", end-i.at, "saved", name)
	if end == info.Size {
		return true, cutFile(f, i.at)
	}
	if err := writeBack(f, i.at); err != nil {
		return true, err
	}
	p, err := j.begin(f, info, layout{oldSize: info.Size, start: i.at, segs: []segment{{src: end, n: info.Size - end}}})
	if err != nil {
		return true, err
	}
	// From here on the plan does the work, and what others appended comes to stand where the intent looks.
	if err := j.clearIntent(i.box); err != nil {
		return true, errors.Join(ErrPending, err, p.f.Close())
	}
	return true, j.finish(f, p, 0)
}

// tornAppend is how far the append of i has to be cut off: its beginning when it need not be.
func (j *journal) tornAppend(f io.ReaderAt, i *intent, size int64) (int64, error) {
	if size <= i.at {
		return i.at, nil
	}
	if sum, err := sumBefore(f, i.at); err != nil || sum != i.before {
		return i.at, err // others have moved it
	}
	return j.tornEnd(f, i, size)
}

// tornEnd finds out how far a torn append reaches; its beginning when there is none to cut. An append is torn when a
// sector of it is missing: beyond the end of the file, or NULs, or taken by the next program that appended. Programs
// die and disks fail at sector boundaries, so the first sector that is neither ours nor empty begins with the bytes
// of another, unless a sector after it is ours: then the append is complete and was edited since. That other has to begin
// with a separator, or nothing before it may be ours: a program that has written the file anew, with the torn append in
// it, begins anywhere, even right behind it, and what it has must not be cut in the middle of a message.
func (j *journal) tornEnd(f io.ReaderAt, i *intent, size int64) (int64, error) {
	src := source{r: f, piece: pieceOf(j.window)}
	empty, ours, foreign := false, false, int64(-1)
	off, end := i.at, min(size, i.at+i.n)
	for _, sum := range i.sums {
		if off >= end {
			break
		}
		n := min(sectorSize-off%sectorSize, end-off)
		b, err := src.at(off, n)
		if err != nil {
			return i.at, err
		}
		switch {
		case crc32.Checksum(b, castagnoli) == sum:
			if ours = true; foreign >= 0 {
				return i.at, nil
			}
		case foreign >= 0:
		case allZero(b):
			empty = true
		default:
			foreign = off
		}
		off += n
	}
	switch {
	case foreign < 0 && !empty && size >= i.at+i.n:
		return i.at, nil // complete
	case foreign < 0 && size <= end:
		return end, nil
	case foreign < 0:
		foreign = end
	case foreign == i.at:
		return i.at, nil // nothing is known to be ours
	}
	skip, ok, err := j.separatorAt(f, foreign, size)
	switch {
	case err != nil:
		return i.at, err
	case ok:
		return foreign + skip, nil
	case empty && !ours:
		return foreign, nil
	}
	return i.at, nil // no append begins there: others have written the file anew
}

// separatorAt reports whether a message begins at off, after NULs, which belong to nobody, and LFs, which belong to
// whoever wrote the message. skip is how many NULs there are.
func (j *journal) separatorAt(f io.ReaderAt, off, size int64) (skip int64, ok bool, err error) {
	const longestLine = 1024
	b := make([]byte, min(sectorSize+longestLine, size-off))
	if err := readFull(f, b, off); err != nil {
		return 0, false, err
	}
	line := bytes.TrimLeft(b, "\x00")
	skip = int64(len(b) - len(line))
	line = bytes.TrimLeft(line, "\n")
	lf := bytes.IndexByte(line, '\n')
	return skip, lf >= 0 && j.separator(line[:lf+1]), nil
}
