package faultfs

import (
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// Unit makes the disk able to collapse, in blocks of n bytes; 0 again unable.
func (d *FS) Unit(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unit = n
}

// hole is a range of a file that has no blocks; a file has at most one, left by a power cut in a collapse.
type hole struct{ off, end int64 }

func (d *FS) collapse(n *node, name string, off, size int64) error {
	if err := d.must("collapse %s %d+%d", name, off, size); err != nil {
		return err
	}
	switch {
	case d.unit == 0:
		return unix.EOPNOTSUPP
	case off < 0 || size <= 0 || off%d.unit != 0 || size%d.unit != 0 || off+size >= int64(len(n.cur)):
		return unix.EINVAL
	case d.room(n) < int64(len(n.cur))+markRoom: // for the file system's own lists
		d.note("no space for it")
		return unix.ENOSPC
	}
	n.change(change{off: off, cut: size, unit: d.unit})
	n.m = d.tick()
	n.c = n.m
	return nil
}

// collapsed is b without [off, off+n).
func collapsed(b []byte, off, n int64) []byte {
	return append(append(make([]byte, 0, int64(len(b))-n), b[:off]...), b[off+n:]...)
}

// survivingCollapse leaves nothing, all, or one of the states in between: a hole at the place, or a part of one; what
// follows moved up to some block, with the hole behind it; or all moved, and the file as long as before.
func (n *node) survivingCollapse(c change, survives func() bool, rng *rand.Rand) {
	size := int64(len(n.dur))
	if c.off+c.cut >= size || !survives() {
		return
	}
	moved := collapsed(n.dur, c.off, c.cut)
	if survives() {
		n.dur, n.durHole = moved, c.fill(n.durHole)
		return
	}
	from, h := c.off, hole{}
	switch units := (size - c.cut - c.off) / c.unit; rng.IntN(3) {
	case 0: // a part of the hole, and what was one before
		h = hole{from + rng.Int64N(c.cut/c.unit)*c.unit, c.off + c.cut}
		if n.durHole.end == h.end {
			h.off = min(h.off, n.durHole.off)
		}
		from = h.off
	case 1:
		from += rng.Int64N(units+1) * c.unit
		h = hole{from, from + c.cut}
	default:
		from = size - c.cut
		h = hole{upTo(from, c.unit), size}
	}
	b := append([]byte(nil), n.dur...)
	if from > c.off && h.end > c.off+c.cut { // what stands left of the hole has moved
		copy(b[c.off:from], moved[c.off:from])
	}
	clear(b[from:h.end])
	n.dur, n.durHole = b, h
}

func upTo(off, unit int64) int64 { return (off + unit - 1) / unit * unit }

// fill is what a change makes of a hole: a block that is written is none any more.
func (c change) fill(h hole) hole {
	switch {
	case h == hole{}:
	case c.cut > 0 && h.off >= c.off+c.cut:
		h = hole{h.off - c.cut, h.end - c.cut}
	case c.cut > 0, c.data == nil && c.off <= h.off:
		h = hole{}
	case c.data != nil && c.off <= h.end && c.end() > h.off:
		h.end = max(h.off, min(h.end, c.off/sector*sector))
	}
	if h.off >= h.end {
		return hole{}
	}
	return h
}

// findHole is SEEK_HOLE.
func (n *node) findHole(from int64) (off, end int64) {
	size := int64(len(n.cur))
	if n.hole.end <= max(from, n.hole.off) || n.hole.off >= size {
		return size, size
	}
	return max(from, n.hole.off), min(n.hole.end, size)
}
