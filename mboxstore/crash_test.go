package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// The crash matrix. A trial makes random changes to a small mailbox on a simulated disk, breaks it at a chosen
// operation, lets others append, replays (and breaks that, too), and asks after every replay whether the mailbox is
// what it was before the change or what it should be after it, with what the others appended behind it.

const (
	boxName, journalName = "box", "journal"
	ourFrom              = "From me@here Mon Jan  1 00:00:00 2001\n"
)

// crashStep is something to do to a mailbox.
type crashStep struct {
	name string
	do   func(j *journal, f spool.File) error
	want []byte              // the content after it
	ok   func(b []byte) bool // whether b is a content that a crash may leave
}

func either(before, after []byte) func([]byte) bool {
	return func(b []byte) bool { return bytes.Equal(b, before) || bytes.Equal(b, after) }
}

// text makes n bytes that hold no separator.
func text(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789\n"[r.IntN(37)]
	}
	return b
}

func isFrom(line []byte) bool { return bytes.HasPrefix(line, []byte("From ")) }

// apply is what a layout means.
func (l *layout) apply(old []byte) []byte {
	b := slices.Clone(old[:l.start])
	for _, s := range l.segs {
		switch {
		case s.dead:
		case s.lit != nil:
			b = append(b, s.lit...)
		default:
			b = append(b, old[s.src:s.src+s.n]...)
		}
	}
	return b
}

// layoutKinds are the shapes that rewrites have.
var layoutKinds = []struct {
	name                          string
	parts                         int
	drop, insert, change, tailCut float64
	size                          int // of inserted text, at most
}{
	{name: "delete one", parts: 3, drop: .4},
	{name: "delete many", parts: 12, drop: .5},
	{name: "insert blocks", parts: 8, insert: 1, size: 60},
	{name: "insert at the front", parts: 1, insert: 1, size: 200},
	{name: "insert much", parts: 3, insert: 1, size: 1500},
	{name: "mixed", parts: 10, drop: .3, insert: .5, change: .3, size: 300},
	{name: "tail", parts: 1, tailCut: 1},
	{name: "all", parts: 1, drop: 1},
	{name: "same size", parts: 8, change: .5},
	{name: "few bytes", parts: 2, insert: .5, size: 12},
}

func randomLayout(r *rand.Rand, size int64) (string, layout) {
	k := layoutKinds[r.IntN(len(layoutKinds))]
	l := layout{oldSize: size, start: r.Int64N(size + 1)}
	if r.IntN(3) == 0 {
		l.start = 0
	}
	ends := []int64{size}
	for range k.parts - 1 {
		ends = append(ends, l.start+r.Int64N(size-l.start+1))
	}
	slices.Sort(ends)
	at := l.start
	for _, end := range ends {
		if r.Float64() < k.insert {
			l.segs = append(l.segs, literal(text(r, 1+r.IntN(k.size))))
		}
		switch p := r.Float64(); {
		case p < k.drop, end == size && r.Float64() < k.tailCut:
		case p < k.drop+k.change:
			l.segs = append(l.segs, literal(text(r, int(end-at))))
		default:
			l.segs = append(l.segs, segment{src: at, n: end - at})
		}
		at = end
	}
	return k.name, l
}

func rewriteStep(r *rand.Rand, old []byte) crashStep {
	name, l := randomLayout(r, int64(len(old)))
	after := l.apply(old)
	return crashStep{
		name: "rewrite: " + name, want: after, ok: either(old, after),
		do: func(j *journal, f spool.File) error { return j.rewrite(f, &l) },
	}
}

func appendStep(r *rand.Rand, old []byte) crashStep {
	var data []byte
	for range 1 + r.IntN(3) {
		data = append(append(data, ourFrom...), text(r, r.IntN(3000))...)
	}
	if r.IntN(4) == 0 {
		copy(data[len(data)/2:], make([]byte, 600)) // NULs of our own
	}
	after := slices.Concat(old, data)
	return crashStep{
		name: "append", want: after, ok: either(old, after),
		do: func(j *journal, f spool.File) error {
			return j.append(f, int64(len(old)), func() io.Reader { return bytes.NewReader(data) }, int64(len(data)), told{})
		},
	}
}

func patchStep(r *rand.Rand, old []byte) crashStep {
	after := slices.Clone(old)
	var edits []edit
	for at := 0; at+60 < len(old); at += 60 + r.IntN(1200) {
		n := 1 + r.IntN(59)
		e := edit{off: int64(at), old: old[at : at+n], new: text(r, n)}
		copy(after[at:], e.new)
		edits = append(edits, e)
	}
	return crashStep{
		name: "patch", want: after,
		do: func(j *journal, f spool.File) error {
			if err := j.patch(f, edits); err != nil {
				return err
			}
			return f.Datasync()
		},
		ok: func(b []byte) bool {
			b = slices.Clone(b)
			for _, e := range edits {
				if len(b) == len(old) && bytes.Equal(b[e.off:][:len(e.new)], e.new) {
					copy(b[e.off:], e.old)
				}
			}
			return bytes.Equal(b, old)
		},
	}
}

// trial is one simulated history.
type trial struct {
	r       *rand.Rand
	disk    *faultfs.FS
	window  int64
	without rule
	content []byte // what the mailbox holds, as far as anybody was told
	step    crashStep
	crashes int
	foreign int
	kinds   []func(*rand.Rand, []byte) crashStep // what is done, by turns; empty: anything
	quiet   bool                                 // others append nothing
}

func newTrial(seed int64, without rule) *trial {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	t := &trial{r: r, disk: faultfs.New(seed), without: without}
	t.window = []int64{64, 100, 512, 700, 1024, 4096}[r.IntN(6)]
	t.content = text(r, r.IntN(5000))
	t.disk.File(boxName, t.content)
	t.disk.Dir(journalName)
	return t
}

// open is a new process.
func (t *trial) open() (*journal, spool.File) {
	clock := func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
	j := newJournal(t.disk.Dir(journalName), "/mail/box", clock, slog.New(slog.DiscardHandler), t.window)
	j.without = t.without
	j.separator = isFrom
	return j, t.disk.File(boxName, nil)
}

func (t *trial) nextStep() {
	if len(t.kinds) > 0 {
		t.step = t.kinds[0](t.r, t.content)
		t.kinds = append(t.kinds[1:], t.kinds[0])
		return
	}
	switch t.r.IntN(6) {
	case 0:
		t.step = appendStep(t.r, t.content)
	case 1:
		t.step = patchStep(t.r, t.content)
	default:
		t.step = rewriteStep(t.r, t.content)
	}
}

// others append something, by luck; also something that looks like what is there.
func (t *trial) others() []byte {
	if t.quiet || t.r.IntN(3) > 0 {
		return nil
	}
	b := []byte("From other Mon Jan  1 00:00:00 2001\n")
	if t.r.IntN(2) == 0 {
		b = []byte(ourFrom) // begins like an append of ours
	}
	switch t.r.IntN(3) {
	case 0:
		b = append(b, text(t.r, t.r.IntN(1500))...)
	case 1:
		if t.step.name != "append" && len(t.content) > 0 {
			b = slices.Clone(t.content[t.r.IntN(len(t.content)):]) // the very bytes that were last in the file
		}
	}
	if len(bytes.TrimLeft(b, "\n")) < len(b) {
		b = append([]byte{'-'}, b...) // blank lines are not told from an extension's
	}
	t.disk.Append(boxName, b)
	t.foreign++
	return b
}

// fall ends the process in the way that luck has chosen.
func (t *trial) fall() {
	t.crashes++
	if mode := t.r.IntN(5); mode < 4 {
		t.disk.PowerCut(mode)
	} else {
		t.disk.Kill()
	}
}

// recover replays until it is through, breaking it on the way, and takes over what it finds.
func (t *trial) recover() error {
	var tail []byte
	for round := 0; ; round++ {
		if round < 3 {
			tail = append(tail, t.others()...)
		}
		if round < 3 && t.r.IntN(2) == 0 {
			t.disk.CrashAt(1 + t.r.IntN(25))
		}
		var err error
		crashed := faultfs.Run(func() {
			j, f := t.open()
			if t.without == 0 { // the mailbox's mark never stays behind without its plan
				err = j.explain(f)
			}
			if err == nil {
				_, err = j.replay(f)
			}
		})
		if !crashed {
			t.disk.CrashAt(0)
			if err != nil {
				return fmt.Errorf("replay: %w", err)
			}
			break
		}
		t.fall()
	}
	return t.settle(tail)
}

// settle checks what is there after a replay.
func (t *trial) settle(tail []byte) error {
	b := t.disk.Bytes(boxName)
	head, ok := bytes.CutSuffix(b, tail)
	if !ok || !t.step.ok(head) {
		return fmt.Errorf("neither the old nor the new content:\n old  %.300q\n new  %.300q\n tail %.100q\n have %.300q",
			t.content, t.step.want, tail, b)
	}
	t.content = b
	j, f := t.open()
	if t.step.name == "patch" {
		if err := f.Datasync(); err != nil { // what was edited within a sector is durable only now
			return err
		}
	}
	t.step.ok = either(b, b)
	if pending, err := j.pending(f); pending || err != nil {
		return fmt.Errorf("pending after replay: %v, %v", pending, err)
	}
	if mark, err := f.Pending(); t.without == 0 && (mark != "" || err != nil) {
		return fmt.Errorf("marked as unfinished after replay: %q, %v", mark, err)
	}
	if replayed, err := j.replay(f); replayed || err != nil {
		return fmt.Errorf("second replay: %v, %v", replayed, err)
	}
	return nil
}

// run makes steps; the first breaks at operation n.
func (t *trial) run(n int) error {
	j, f := t.open()
	for i := range 3 {
		t.nextStep()
		if i > 0 {
			n = 1 + t.r.IntN(60)
		}
		t.disk.CrashAt(n)
		var err error
		crashed := faultfs.Run(func() { err = t.step.do(j, f) })
		t.disk.CrashAt(0)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", t.step.name, err)
		case !crashed && !bytes.Equal(t.disk.Bytes(boxName), t.step.want):
			return fmt.Errorf("%s without a crash gives %.300q, not %.300q", t.step.name, t.disk.Bytes(boxName), t.step.want)
		case !crashed:
			t.content = t.step.want
			t.step.ok = either(t.content, t.content)
			if t.r.IntN(2) == 0 {
				continue // the same process goes on
			}
		}
		t.fall()
		if err := t.recover(); err != nil {
			return fmt.Errorf("%s, crash at %d: %w", t.step.name, n, err)
		}
		j, f = t.open()
	}
	return nil
}

// firstOps is how many operations the first step of a new trial has.
func (t *trial) firstOps(tb testing.TB) int {
	tb.Helper()
	j, f := t.open()
	t.nextStep()
	if err := t.step.do(j, f); err != nil {
		tb.Fatal(err)
	}
	return t.disk.Ops()
}

func full() bool { return os.Getenv("SPOOLD_CRASH") == "full" }

func crashSeeds() int64 {
	switch {
	case full():
		return 4000
	case raceDetector:
		return 16
	}
	return 40
}

func TestCrashMatrix(t *testing.T) {
	crashes, foreign, trials := 0, 0, 0
	for seed := range crashSeeds() {
		ops := newTrial(seed, 0).firstOps(t)
		for n := 1; n <= ops+1; n++ {
			tr := newTrial(seed, 0)
			if err := tr.run(n); err != nil {
				t.Fatalf("seed %d, window %d: %v\n%s", seed, tr.window, err, strings.Join(tr.disk.Log(), "\n"))
			}
			crashes, foreign, trials = crashes+tr.crashes, foreign+tr.foreign, trials+1
		}
	}
	t.Logf("%d trials, %d crashes, %d foreign appends", trials, crashes, foreign)
}

// failOnce makes operation n of a step fail, and checks what that leaves.
func (t *trial) failOnce(n int, failure error) error {
	t.nextStep()
	j, f := t.open()
	t.disk.FailAt(n, failure, t.r.IntN(2) == 0)
	err := t.step.do(j, f)
	t.disk.FailAt(0, nil, false)
	t.quiet = t.cutLost()
	b := t.disk.Bytes(boxName)
	switch {
	case err == nil && !bytes.Equal(b, t.step.want):
		return fmt.Errorf("%s: no error, but %.300q", t.step.name, b)
	case err == nil:
		t.content, t.step.ok = t.step.want, either(t.step.want, t.step.want)
	case !errors.Is(err, failure):
		return fmt.Errorf("%s: another error: %w", t.step.name, err)
	case !errors.Is(err, ErrPending) && !t.step.ok(b):
		return fmt.Errorf("%s: error %w leaves %.300q", t.step.name, err, b)
	case !errors.Is(err, ErrPending) && t.step.name != "patch" && !bytes.Equal(b, t.content):
		return fmt.Errorf("%s: error %w, but the change was made", t.step.name, err)
	case t.r.IntN(2) == 0 && t.step.name != "patch": // the same process goes on
		if _, err := j.replay(f); err != nil {
			return fmt.Errorf("%s: replay after %w: %w", t.step.name, failure, err)
		}
		if err := t.settle(nil); err != nil {
			return fmt.Errorf("%s: %w", t.step.name, err)
		}
	}
	t.fall()
	if err := t.recover(); err != nil {
		return fmt.Errorf("%s, failure of %d: %w", t.step.name, n, err)
	}
	return nil
}

// cutLost reports whether the sync of a truncation failed. The model then forgets the truncation, but not what others
// append after it, at an offset that does not exist on the disk: nobody could tell their bytes from stale ones. A
// real file system that loses the size of a file does not go on writing.
func (t *trial) cutLost() bool {
	log := slices.DeleteFunc(t.disk.Log(), func(line string) bool { return strings.HasPrefix(line, "set pending box") })
	for i := 2; i < len(log); i++ {
		if strings.HasPrefix(log[i], "failed") && log[i-1] == "fsync box" && strings.HasPrefix(log[i-2], "truncate box") {
			return true
		}
	}
	return false
}

func TestFailureMatrix(t *testing.T) {
	trials := 0
	for seed := range crashSeeds() {
		ops := newTrial(seed, 0).firstOps(t)
		for n := 1; n <= ops; n++ {
			for _, failure := range []error{unix.EIO, unix.ENOSPC} {
				tr := newTrial(seed, 0)
				trials++
				if err := tr.failOnce(n, failure); err != nil {
					t.Fatalf("seed %d, operation %d: %v\n%s", seed, n, err, strings.Join(tr.disk.Log(), "\n"))
				}
			}
		}
	}
	t.Logf("%d failures", trials)
}

// TestEveryRuleIsNeeded leaves out one step of the protocol at a time: the matrix has to notice each.
func TestEveryRuleIsNeeded(t *testing.T) {
	type steps = []func(*rand.Rand, []byte) crashStep
	tests := []struct {
		name    string
		without rule
		kinds   steps
	}{
		{"mailbox is durable before a window slot is used again", ruleSlotSync, steps{rewriteStep}},
		{"replay makes durable what it acts on", ruleReplay, steps{rewriteStep}},
		{"a plan is durable before the one that it replaces is removed", ruleSupersede, steps{rewriteStep}},
		{"a plan is durable before the mailbox is touched", rulePlanSync, steps{rewriteStep}},
		{"record T is durable before the file is cut", ruleWritten, steps{rewriteStep}},
		{"the gap is marked", ruleNonce, steps{rewriteStep}},
		{"record X is durable before windows are written", ruleExtended, steps{rewriteStep}},
		{"the dead ranges are marked", ruleNonce, steps{collapseStep}},
		{"a dead range is gone, durably, before the next", ruleCollapseSync, steps{collapseStep}},
		{"record T is durable before a dead range goes", ruleWritten, steps{collapseStep}},
		{"a window is durable in its slot before it is in the mailbox", ruleWindow, steps{rewriteStep}},
		{"windows are written in their order", ruleOrder, steps{rewriteStep}},
		{"windows are durable before record T", ruleAllWritten, steps{rewriteStep}},
		{"marks of dead ranges are durable before record T", ruleAllWritten, steps{collapseStep}},
		{"generations rise", ruleGeneration, steps{rewriteStep}},
		{"an intent is durable before the append", ruleIntent, steps{appendStep}},
		{"an intent is durable before the edit", ruleIntent, steps{patchStep}},
		{"an intent is cleared durably before the append is acknowledged", ruleCleared, steps{appendStep, patchStep}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range 30000 {
				tr := newCollapseTrial(int64(i), tt.without)
				tr.kinds = tt.kinds
				if err := tr.run(1 + i%50); err != nil {
					t.Logf("noticed in trial %d: %.100v", i, err)
					return
				}
			}
			t.Fatal("not noticed")
		})
	}
}

// TestFullDisk lets the disk fill up at any byte: a change is made or refused, and what is refused has done nothing.
func TestFullDisk(t *testing.T) {
	refused := 0
	for seed := range 20 * crashSeeds() {
		tr := newTrial(seed, 0)
		tr.nextStep()
		j, f := tr.open()
		tr.disk.Space(int64(len(tr.content)) + tr.r.Int64N(20000))
		err := tr.step.do(j, f)
		want := tr.content
		if err == nil {
			want = tr.step.want
		} else {
			refused++
		}
		if err != nil && (!errors.Is(err, unix.ENOSPC) || errors.Is(err, ErrPending)) {
			t.Fatalf("seed %d: %s: %v\n%s", seed, tr.step.name, err, strings.Join(tr.disk.Log(), "\n"))
		}
		if got := tr.disk.Bytes(boxName); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %s: error %v, want %.300q, got %.300q", seed, tr.step.name, err, want, got)
		}
		tr.disk.Space(-1)
		tr.content, tr.step.ok = want, either(want, want)
		tr.fall()
		if err := tr.recover(); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, tr.step.name, err)
		}
	}
	t.Logf("%d refused", refused)
}
