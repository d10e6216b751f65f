package faultfs

import (
	"io/fs"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// page is where a write may stop when the process dies inside it.
const page = 4096

// node is an inode.
type node struct {
	ino     uint64
	mode    fs.FileMode
	links   uint64
	cur     []byte   // what readers see
	dur     []byte   // what the disk has for sure
	pending []change // made since, in order
	hole    hole     // of cur
	durHole hole     // of dur
	zeroed  hole     // what a failed truncation has zeroed for readers, and only for them yet
	birth   int64
	a, m, c int64

	mark, durableMark string // the attribute spool.PendingAttr
	layout            string // the attribute spool.LayoutAttr
}

// change is a write, a collapse when cut is not 0, or a truncation when data is nil.
type change struct {
	off  int64 // of a truncation: the new size
	data []byte
	cut  int64 // bytes that are taken out
	unit int64 // in blocks of this size

	page bool // one page, all of which reaches the disk or nothing
}

func (c change) end() int64 { return c.off + int64(len(c.data)) }

// apply makes the change to b.
func (c change) apply(b []byte) []byte {
	if c.cut > 0 {
		return collapsed(b, c.off, c.cut)
	}
	if c.data == nil {
		return resize(b, c.off)
	}
	b = grow(b, c.end())
	copy(b[c.off:], c.data)
	return b
}

// touches reports whether the page of this number is written anew with the change.
func (c change) touches(number int64) bool {
	return c.off/page <= number && (c.data == nil || (c.end()+page-1)/page > number)
}

// failedTruncate zeroes what is behind size in its page, for readers: the page is not written until something else in
// it is, and then at once, since only file systems that write nothing in place refuse to cut a file.
func (n *node) failedTruncate(size int64) {
	h := hole{size, min((size/page+1)*page, int64(len(n.cur)))}
	if h.off >= h.end {
		return
	}
	n.cur = slices.Clone(n.cur)
	clear(n.cur[h.off:h.end])
	n.zeroed = h
}

func grow(b []byte, size int64) []byte {
	if int64(len(b)) < size {
		b = append(b, make([]byte, size-int64(len(b)))...)
	}
	return b
}

// resize cuts or grows b. The capacity is cut too: growing again has to bring NULs.
func resize(b []byte, size int64) []byte {
	if int64(len(b)) > size {
		return b[:size:size]
	}
	return grow(b, size)
}

// sectors cuts a write at the sector boundaries of the file.
func (c change) sectors() []change {
	var parts []change
	for off := c.off; off < c.end(); {
		next := min((off/sector+1)*sector, c.end())
		parts = append(parts, change{off: off, data: c.data[off-c.off : next-c.off]})
		off = next
	}
	return parts
}

func (n *node) change(c change) {
	n.hole = c.fill(n.hole)
	n.cur = c.apply(n.cur)
	z := n.zeroed
	if z.end <= z.off || !c.touches(z.off/page) {
		n.pending = append(n.pending, c)
		return
	}
	n.zeroed = hole{}
	whole := change{off: z.off, data: make([]byte, z.end-z.off), page: true}
	if c.data != nil && c.off >= z.off && c.end() <= z.end {
		copy(whole.data[c.off-z.off:], c.data)
		n.pending = append(n.pending, whole)
		return
	}
	n.pending = append(n.pending, whole, c)
}

// sync makes what is pending durable. It does not copy what readers see: data
// that an earlier failed sync lost stays lost.
func (n *node) sync() {
	for _, c := range n.pending {
		n.dur = c.apply(n.dur)
		n.durHole = c.fill(n.durHole)
	}
	n.pending = nil
}

// settle makes a part of what is pending durable, as luck decides, and forgets the rest.
func (n *node) settle(survives func() bool, rng *rand.Rand) {
	for _, c := range n.pending {
		if c.cut > 0 {
			n.survivingCollapse(c, survives, rng)
			continue
		}
		n.dur = surviving(n.dur, c, survives)
		n.durHole = c.fill(n.durHole) // roughly: a part of it may have been lost
	}
	n.pending = nil
}

func surviving(disk []byte, c change, survives func() bool) []byte {
	if c.data == nil || c.page {
		if survives() {
			disk = c.apply(disk)
		}
		return disk
	}
	for _, s := range c.sectors() {
		if survives() {
			disk = s.apply(disk)
		}
	}
	// The size is metadata with a fate of its own.
	if int64(len(disk)) < c.end() && survives() {
		disk = grow(disk, c.end())
	}
	return disk
}

// powerCut leaves what the disk has.
func (n *node) powerCut(survives func() bool, rng *rand.Rand) {
	n.settle(survives, rng)
	n.cur = append([]byte(nil), n.dur...)
	n.hole, n.zeroed = n.durHole, hole{}
	n.markAfterPowerCut(survives)
}
