package mboxstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"spoold/spool"
)

// cost is what an operation took: of the mailbox and the state directory together.
type cost struct {
	read, written int64
	syncs         int
	heap          uint64 // the most that was in use above what was before, garbage included
	took          time.Duration
}

// meter counts.
type meter struct {
	cost
	base uint64
}

// sample looks at the heap; it is asked at every access to a file.
func (c *meter) sample() {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	if now := s[0].Value.Uint64(); now > c.base {
		c.heap = max(c.heap, now-c.base)
	}
}

// measure runs f. Little garbage is allowed to gather, so that the heap is what f needs.
func (c *meter) measure(f func() error) (cost, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	c.base = 0
	c.cost = cost{}
	c.sample()
	c.base, c.cost = c.heap, cost{}
	start := time.Now()
	err := f()
	c.took = time.Since(start)
	c.sample()
	return c.cost, err
}

type meteredFile struct {
	spool.File
	c *meter
}

func (f meteredFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.c.read += int64(n)
	f.c.sample()
	return n, err
}

func (f meteredFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.c.written += int64(n)
	f.c.sample()
	return n, err
}

func (f meteredFile) Sync() error     { f.c.syncs++; return f.File.Sync() }
func (f meteredFile) Datasync() error { f.c.syncs++; return f.File.Datasync() }

type meteredDir struct {
	spool.Dir
	c *meter
}

func (d meteredDir) Sub(name string) (spool.Dir, error) {
	sub, err := d.Dir.Sub(name)
	return meteredDir{sub, d.c}, err
}

func (d meteredDir) Open(name string, flag int, perm fs.FileMode) (spool.File, error) {
	f, err := d.Dir.Open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return meteredFile{f, d.c}, nil
}

func (d meteredDir) Sync() error { d.c.syncs++; return d.Dir.Sync() }

type meteredBox struct {
	*spool.Box
	c *meter
}

func (b meteredBox) Open(write bool) (spool.File, error) {
	f, err := b.Box.Open(write)
	if err != nil {
		return nil, err
	}
	return meteredFile{f, b.c}, nil
}

func (b meteredBox) Lock(ctx context.Context, f spool.File, mode spool.LockMode) (func() error, error) {
	return b.Box.Lock(ctx, f.(meteredFile).File, mode)
}

func (b meteredBox) SetTimes(f spool.File, atime, mtime time.Time) error {
	return b.Box.SetTimes(f.(meteredFile).File, atime, mtime)
}

func (b meteredBox) Grain(f spool.File) time.Duration { return b.Box.Grain(f.(meteredFile).File) }

// writeMailbox makes a mailbox file of about size octets, of messages of 0.2 to 20 KB, 4 KB on the average.
func writeMailbox(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	line := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 2)[:79] + "\n"
	for i, n := 0, int64(0); n < size; i++ {
		k, err := fmt.Fprintf(w, "From a%d@example.com Wed Dec  2 05:53:22 2020\nFrom: a%d@example.com\nSubject: message %d\nMessage-ID: <%d@example.com>\n\n%s\n",
			i, i, i, i, strings.Repeat(line, []int{1, 5, 250, 30, 10, 50, 2, 40}[i%8]))
		if err != nil {
			return err
		}
		n += int64(k)
	}
	return errors.Join(w.Flush(), f.Close())
}

// metered opens such a mailbox; unless fresh, all of it is numbered.
func metered(t testing.TB, size int64, fresh bool) (*meter, *Mailbox) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "mbox")
	must(t, writeMailbox(path, size))
	must(t, os.Mkdir(dir+"/state", 0o700))
	state, err := spool.OpenDir(dir + "/state")
	must(t, err)
	c := &meter{}
	methods := []spool.Method{spool.Fcntl, spool.Dotlock, spool.Flock}
	box := spool.NewBox(path, uint32(os.Getuid()), spool.LockPolicy{Methods: methods, Timeout: time.Minute, Stale: time.Hour})
	m, err := Open(t.Context(), meteredBox{box, c}, Options{State: meteredDir{state, c}, FlushDelay: time.Hour})
	must(t, err)
	m.flush.stop()
	t.Cleanup(func() {
		must(t, m.Close(context.Background()))
		must(t, os.Remove(path)) // it is large
	})
	if !fresh {
		must(t, m.writePending(t.Context(), true))
	}
	return c, m
}

// costly are the operations that have bounds.
var costly = []struct {
	name  string
	fresh bool
	do    func(ctx context.Context, m *Mailbox) error
}{
	{"first status blocks", true, func(ctx context.Context, m *Mailbox) error { return m.writePending(ctx, true) }},
	{"expunge first", false, func(ctx context.Context, m *Mailbox) error { _, err := m.Remove(ctx, m.UIDs()[:1]); return err }},
	{"expunge last", false, func(ctx context.Context, m *Mailbox) error {
		uids := m.UIDs()
		_, err := m.Remove(ctx, uids[len(uids)-1:])
		return err
	}},
	{"expunge every second", false, func(ctx context.Context, m *Mailbox) error {
		var every []UID
		for i, uid := range m.UIDs() {
			if i%2 == 0 {
				every = append(every, uid)
			}
		}
		_, err := m.Remove(ctx, every)
		return err
	}},
	{"append", false, func(ctx context.Context, m *Mailbox) error {
		_, _, err := m.Append(ctx, []NewMessage{{Text: strings.NewReader("Subject: x\r\n\r\n" + strings.Repeat("text\r\n", 700))}})
		return err
	}},
	{"flags of all", false, func(ctx context.Context, m *Mailbox) error {
		if err := m.Store(ctx, m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagSeen | FlagFlagged}); err != nil {
			return err
		}
		return m.Flush(ctx)
	}},
	{"copy of 1000", false, func(ctx context.Context, m *Mailbox) error {
		_, _, _, err := m.CopyTo(ctx, m, m.UIDs()[:1000])
		return err
	}},
}

const mib = 1 << 20

// BenchmarkCost is what operations on a mailbox of 128 MiB cost.
func BenchmarkCost(b *testing.B) {
	for _, op := range costly {
		b.Run(strings.ReplaceAll(op.name, " ", "-"), func(b *testing.B) {
			var sum cost
			b.StopTimer()
			for range b.N {
				c, m := metered(b, 128*mib, op.fresh)
				b.StartTimer()
				one, err := c.measure(func() error { return op.do(b.Context(), m) })
				b.StopTimer()
				must(b, err)
				sum.read, sum.written, sum.syncs = sum.read+one.read, sum.written+one.written, sum.syncs+one.syncs
				sum.heap = max(sum.heap, one.heap)
			}
			b.ReportMetric(float64(sum.read)/mib/float64(b.N), "MiB-read/op")
			b.ReportMetric(float64(sum.written)/mib/float64(b.N), "MiB-written/op")
			b.ReportMetric(float64(sum.syncs)/float64(b.N), "syncs/op")
			b.ReportMetric(float64(sum.heap)/mib, "MiB-heap")
		})
	}
}

// TestMemoryOfChanges: a change needs at most 64 MiB above the index, also on a mailbox of 1 GiB, which is what the full
// crash tests do it on. On a small one it needs what it reads and writes at once, and little more.
func TestMemoryOfChanges(t *testing.T) {
	size, bound := int64(8*mib), uint64(16*mib)
	if full() {
		size, bound = 1<<30, 64*mib
	}
	c, m := metered(t, size, true)
	for _, op := range costly { // the fresh one is the first
		t.Run(op.name, func(t *testing.T) {
			cost, err := c.measure(func() error { return op.do(t.Context(), m) })
			must(t, err)
			t.Logf("%d messages: %.1f MiB of heap, %.1f read, %.1f written, %d syncs, %v",
				len(m.UIDs()), float64(cost.heap)/mib, float64(cost.read)/mib, float64(cost.written)/mib, cost.syncs, cost.took.Round(time.Millisecond))
			if cost.heap > bound {
				t.Errorf("%d MiB of heap, %d allowed", cost.heap/mib, bound/mib)
			}
		})
	}
}
