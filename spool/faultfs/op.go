package faultfs

import (
	"io/fs"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// verdict is what becomes of one operation.
type verdict struct {
	crash   bool
	err     error
	partial bool
}

// alive says whether a handle of that life may still be used.
func (d *FS) alive(life int) error {
	if d.dead || life != d.life {
		return fs.ErrClosed
	}
	return nil
}

// next counts and logs an operation and decides about it. The caller holds the lock.
func (d *FS) next(format string, a ...any) verdict {
	d.ops++
	d.note(format, a...)
	switch d.ops {
	case d.crashAt:
		d.note("crash")
		return verdict{crash: true}
	case d.fail.at:
		d.note("failed: %v", d.fail.err)
		return verdict{err: d.fail.err, partial: d.fail.partial}
	}
	return verdict{}
}

// must is next for an operation that happens or not: it panics on a crash.
func (d *FS) must(format string, a ...any) error {
	v := d.next(format, a...)
	if v.crash {
		d.die()
	}
	return v.err
}

func (d *FS) die() {
	d.dead = true
	panic(Crash{})
}

// write does a write of p to n, as far as it is fated to go.
func (d *FS) write(n *node, name string, p []byte, off int64) (int, error) {
	v := d.next("write %s %d+%d", name, off, len(p))
	done, err := len(p), v.err
	switch room := d.room(n) - off; {
	case v.crash:
		done = pageCut(d.rng, off, len(p))
	case v.err != nil && v.partial:
		done = d.rng.IntN(len(p))
	case v.err != nil:
		done = 0
	case int64(done) > room:
		done, err = int(max(room, 0)), unix.ENOSPC
		d.note("no space after %d bytes", done)
	}
	if done > 0 {
		n.change(change{off: off, data: append([]byte{}, p[:done]...)})
		n.m = d.tick()
		n.c = n.m
	}
	if v.crash {
		d.die()
	}
	return done, err
}

// room is the size that n can have.
func (d *FS) room(n *node) int64 {
	if d.space < 0 {
		return 1 << 62
	}
	room := d.space
	for _, other := range d.names {
		if other != n {
			room -= int64(len(other.cur))
		}
	}
	return max(room, int64(len(n.cur)))
}

// pageCut returns how much of a write of size bytes was done when the process
// died in it: nothing, or up to a page boundary.
func pageCut(rng *rand.Rand, off int64, size int) int {
	first := (off/page + 1) * page
	boundaries := (off + int64(size) - 1 - first + page) / page
	pages := int64(rng.IntN(int(max(boundaries, 0)) + 1))
	if pages == 0 {
		return 0
	}
	return int(first + (pages-1)*page - off)
}

func (d *FS) truncate(n *node, name string, size int64) error {
	v := d.next("truncate %s %d", name, size)
	switch {
	case v.crash:
		d.die()
	case v.err != nil && v.partial:
		n.failedTruncate(size)
	}
	if v.err != nil {
		return v.err
	}
	if size > d.room(n) {
		return unix.ENOSPC
	}
	n.change(change{off: size})
	n.m = d.tick()
	n.c = n.m
	return nil
}

// sync makes n durable. When it fails, what it should have written is lost for
// ever, or a part of it; but no collapse, which the file system's own journal holds.
func (d *FS) sync(n *node, what, name string) error {
	v := d.next("%s %s", what, name)
	if u := &d.unsyncs; v.err == nil && u.name == name && u.left > 0 {
		u.left--
		v.err = u.err
		d.note("failed: %v", v.err)
	}
	switch {
	case v.crash:
		d.die()
	case v.err != nil:
		kept := slices.DeleteFunc(slices.Clone(n.pending), func(c change) bool { return c.cut == 0 })
		if v.partial && len(kept) == 0 {
			n.settle(d.luck(2), d.rng)
		}
		n.pending = kept
		return v.err
	}
	n.sync()
	if what == "fsync" {
		n.durableMark = n.mark
	}
	return nil
}

// syncNames makes the names of one directory durable; those that a failed sync
// should have written are lost.
func (d *FS) syncNames(dir string) error {
	err := d.must("sync directory %s", dir)
	var others []nameChange
	for _, c := range d.pending {
		switch {
		case c.dir != dir:
			others = append(others, c)
		case err == nil:
			c.apply(d.durable)
		}
	}
	d.pending = others
	return err
}
