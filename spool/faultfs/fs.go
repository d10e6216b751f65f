package faultfs

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"spoold/spool"
)

// FS is one simulated disk.
type FS struct {
	mu      sync.Mutex
	rng     *rand.Rand
	names   map[string]*node // what a process sees, by full path
	durable map[string]*node // what the disk has for sure
	dirs    map[string]bool  // directories, by full path
	pending []nameChange     // of all directories, in order
	lastIno uint64
	life    int // handles of an earlier life are dead
	dead    bool
	ops     int
	log     []string
	crashAt int // absolute operation numbers; 0 = never
	fail    failure
	unsyncs unsyncs
	space   int64 // -1: no limit
	unit    int64 // of a collapse
	now     func() time.Time
	last    int64 // the latest time stamp given out
}

// unsyncs is what FailSyncs asks for.
type unsyncs struct {
	name string
	left int
	err  error
}

type failure struct {
	at      int
	err     error
	partial bool
}

// nameChange makes name stand for n (nil: for nothing); a rename also frees old.
type nameChange struct {
	dir, name, old string
	n              *node
}

// Crash is what a crash panics with.
type Crash struct{}

// Run calls f and says whether it ended in a Crash.
func Run(f func()) (crashed bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Crash:
			crashed = true
		default:
			panic(r)
		}
	}()
	f()
	return false
}

// New returns an empty disk whose luck is decided by seed. Its clock starts in
// 2001 and goes a second forward with every operation.
func New(seed int64) *FS {
	return &FS{
		rng:     rand.New(rand.NewPCG(uint64(seed), 0x5350_4f4f_4c44)),
		names:   map[string]*node{},
		durable: map[string]*node{},
		dirs:    map[string]bool{},
		space:   -1,
		last:    time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(),
	}
}

// Clock makes now the source of time stamps. They still rise with every operation.
func (d *FS) Clock(now func() time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// CrashAt makes the n-th operation from now panic with Crash instead of being
// done; 0 means never. After it nothing more can be done until Kill or PowerCut.
func (d *FS) CrashAt(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = 0
	if n > 0 {
		d.crashAt = d.ops + n
	}
}

// FailAt makes the n-th operation from now fail with err, once. If partial, a
// random prefix of a write is applied, or a random part of a sync; and a
// truncation leaves the size and zeroes what is behind the new one in its page,
// as btrfs does (measured with Linux 6.18 on a full disk, 180 times of 180).
func (d *FS) FailAt(n int, err error, partial bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = failure{}
	if n > 0 {
		d.fail = failure{d.ops + n, err, partial}
	}
}

// FailSyncs makes the next n syncs of the file name fail with err.
func (d *FS) FailSyncs(name string, n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsyncs = unsyncs{name, n, err}
}

// Space limits the sum of all file sizes: a write that needs more is done as
// far as it fits and fails with ENOSPC. A negative n lifts the limit.
func (d *FS) Space(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space = n
}

// Left is Space for a disk on which n octets more have room.
func (d *FS) Left(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, file := range d.names {
		n += int64(len(file.cur))
	}
	d.space = n
}

// Ops counts the operations so far: writes, truncations, syncs, and names made,
// removed and renamed, failed ones included.
func (d *FS) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Log describes the operations so far, one a line, and the crashes between them.
func (d *FS) Log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// Kill ends the process: everything that was done survives.
func (d *FS) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note("kill")
	d.reborn()
}

// PowerCut ends everything. Of what was not synced the disk keeps nothing
// (mode 0), all (1), each sector and name with chance a half (2) or an eighth (3).
func (d *FS) PowerCut(mode int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note("power cut, mode %d", mode)
	survives := d.luck(mode)
	for _, c := range d.pending {
		if survives() {
			c.apply(d.durable)
		}
	}
	d.pending = nil
	for _, n := range d.nodes() {
		n.powerCut(survives, d.rng)
	}
	d.names = maps.Clone(d.durable)
	for _, n := range d.names {
		n.links = 1
	}
	d.reborn()
}

func (d *FS) luck(mode int) func() bool {
	switch mode {
	case 0:
		return func() bool { return false }
	case 1:
		return func() bool { return true }
	case 2:
		return func() bool { return d.rng.IntN(2) == 0 }
	default:
		return func() bool { return d.rng.IntN(8) == 0 }
	}
}

// nodes returns every inode that has or may get a name, in a fixed order.
func (d *FS) nodes() []*node {
	all := map[*node]bool{}
	for _, names := range []map[string]*node{d.names, d.durable} {
		for _, n := range names {
			all[n] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b *node) int { return int(a.ino) - int(b.ino) })
}

func (d *FS) reborn() {
	d.life++
	d.dead = false
	d.crashAt = 0
	d.fail = failure{}
}

func (c nameChange) apply(names map[string]*node) {
	if c.old != "" && names[c.old] == c.n {
		delete(names, c.old)
	}
	if c.n == nil {
		delete(names, c.name)
		return
	}
	names[c.name] = c.n
}

// Bytes returns what a reader sees, nil when there is no such file.
func (d *FS) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return append([]byte{}, n.cur...)
	}
	return nil
}

// Durable returns what is on the disk for sure, nil when the file may vanish.
func (d *FS) Durable(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.durable[name]; n != nil {
		return append([]byte{}, n.dur...)
	}
	return nil
}

// Append is a foreign program that appends b durably. It is no operation of
// ours; what else was pending for the file becomes durable too.
func (d *FS) Append(name string, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		n = d.create(name, nil)
	}
	n.change(change{off: int64(len(n.cur)), data: append([]byte{}, b...)})
	n.sync()
	n.m = d.tick()
	n.c = n.m
	d.note("foreign append %s %d bytes", name, len(b))
}

// create makes a durable file.
func (d *FS) create(name string, content []byte) *node {
	n := d.newNode(0o600)
	n.cur = append([]byte{}, content...)
	n.dur = append([]byte{}, content...)
	d.names[name] = n
	d.durable[name] = n
	return n
}

func (d *FS) newNode(mode fs.FileMode) *node {
	d.lastIno++
	now := d.tick()
	return &node{ino: d.lastIno, mode: mode, links: 1, birth: now, a: now, m: now, c: now}
}

// tick returns a time stamp later than all before.
func (d *FS) tick() int64 {
	if d.now == nil {
		d.last += int64(time.Second)
	} else {
		d.last = max(d.last+1, d.now().UnixNano())
	}
	return d.last
}

func (d *FS) note(format string, a ...any) {
	d.log = append(d.log, fmt.Sprintf(format, a...))
}

// File opens a mailbox file, which is made with content, durably, when it is missing.
func (d *FS) File(name string, content []byte) spool.File {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		n = d.create(name, content)
	}
	return &file{disk: d, n: n, name: name, life: d.life, write: true}
}

// PutFile makes a file hold content, durably; what it held is forgotten.
func (d *FS) PutFile(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.create(name, content)
}

// Dir opens a directory, which is made when it is missing.
func (d *FS) Dir(name string) spool.Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	d.dirs[name] = true
	return &dir{disk: d, path: name, life: d.life}
}
