package mboxstore

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"spoold/spool"
)

// An edit across a sector boundary may be torn by a power cut: one sector has its new bytes and the other its old. The
// replay makes it whole; but another program may come first, and take what it finds for the header of the message. So
// where one of the two halves would break the header, the other is made durable first; and the intent tells what stands
// behind the edit up to the X-UID, by which a torn edit is found that was moved.

// followBound is how far behind an edit the end of the X-UID line is looked for.
const followBound = 2 << 10

// following is what stands in f behind e up to the end of the X-UID line of that message; nil when there is none.
func following(f io.ReaderAt, e edit, size int64) ([]byte, error) {
	at := e.off + int64(len(e.new))
	b := make([]byte, min(followBound, size-at))
	if err := readFull(f, b, at); err != nil {
		return nil, err
	}
	for end := 0; ; {
		n := bytes.IndexByte(b[end:], '\n')
		if n < 0 || n == 0 && end > 0 {
			return nil, nil
		}
		line := b[end : end+n]
		if end += n + 1; bytes.HasPrefix(line, []byte("X-UID: ")) {
			return b[:end:end], nil
		}
	}
}

// split is where the first sector of e ends; ok: and the second is its last.
func (e *edit) split() (k int64, ok bool) {
	k = sectorSize - e.off%sectorSize
	return k, countSectors(e.off, int64(len(e.new))) == 2
}

// halves gives the two forms in which e can be torn.
func (e *edit) halves() (left, right []byte) {
	k, _ := e.split()
	left = append(bytes.Clone(e.new[:k]), e.old[k:]...)
	right = append(bytes.Clone(e.old[:k]), e.new[k:]...)
	return left, right
}

// inOrder gives what of edits is to be written first, and, when that is durable, what then. Where both halves alone would
// break the header, no order helps: the edit is written at once, and only the replay can mend it.
func inOrder(f io.ReaderAt, edits []edit) (first, then []edit, err error) {
	for _, e := range edits {
		k, two := e.split()
		if !two {
			first = append(first, e)
			continue
		}
		before, after, err := lineOf(f, &e)
		if err != nil {
			return nil, nil, err
		}
		left, right := e.halves()
		leftBreaks, rightBreaks := breaksHeader(before, left, after), breaksHeader(before, right, after)
		l := edit{off: e.off, old: e.old[:k], new: e.new[:k]}
		r := edit{off: e.off + k, old: e.old[k:], new: e.new[k:]}
		switch {
		case leftBreaks == rightBreaks:
			first = append(first, e)
		case leftBreaks:
			first, then = append(first, r), append(then, l)
		default:
			first, then = append(first, l), append(then, r)
		}
	}
	return first, then, nil
}

// lineOf is what stands in front of e and behind it on the same lines, as far as it matters.
func lineOf(f io.ReaderAt, e *edit) (before, after []byte, err error) {
	before, after = make([]byte, min(128, e.off)), make([]byte, followBound)
	if err := readFull(f, before, e.off-int64(len(before))); err != nil {
		return nil, nil, err
	}
	n, err := f.ReadAt(after, e.off+int64(len(e.new)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	after, _, _ = bytes.Cut(after[:n], []byte("\n"))
	return before[bytes.LastIndexByte(before, '\n')+1:], after, err
}

// breaksHeader reports whether lines of a header end it for somebody: by a blank line, or, for mutt, by one without colon.
func breaksHeader(parts ...[]byte) bool {
	return slices.ContainsFunc(bytes.Split(slices.Concat(parts...), []byte("\n")), func(line []byte) bool {
		return bytes.IndexByte(line, ':') < 0
	})
}

// moved looks for a torn edit in the whole file, and returns it for where it is now. ok: it is there, once, and torn.
func (e *edit) moved(f spool.File) (_ edit, ok bool, err error) {
	_, two := e.split()
	if !two || len(e.after) == 0 {
		return edit{}, false, nil
	}
	info, err := f.Stat()
	if err != nil {
		return edit{}, false, err
	}
	left, right := e.halves()
	found, times := edit{}, 0
	for _, half := range [][]byte{left, right} {
		sought := slices.Concat(half, e.after)
		for from := int64(0); ; {
			at, err := find(io.NewSectionReader(f, from, info.Size-from), sought)
			if err != nil {
				return edit{}, false, err
			}
			if at < 0 {
				break
			}
			found = edit{off: from + at, old: half, new: e.new, after: e.after}
			from += at + 1
			times++
		}
	}
	torn := !bytes.Equal(found.old, e.new) && !bytes.Equal(found.old, e.old)
	return found, times == 1 && torn, nil
}
