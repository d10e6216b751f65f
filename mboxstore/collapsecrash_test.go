package mboxstore

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoold/spool"
)

const testUnit = 512

// collapseLayout drops up to three ranges and leaves whole blocks of them to the file system.
func collapseLayout(r *rand.Rand, size int64) layout {
	l := layout{oldSize: size}
	at := int64(0) // in the old file, and in the new one: between ranges nothing moves
	for range 1 + r.IntN(3) {
		lit := int64(0)
		if r.IntN(2) == 0 {
			lit = 1 + r.Int64N(700)
		}
		dead := testUnit * (1 + r.Int64N(4))
		keep := r.Int64N(2000)
		rest := upTo(at+keep+lit, testUnit) - (at + keep + lit) // of the block in which the range begins
		if at+keep+lit+dead+rest+1 > size {
			break
		}
		l.segs = append(l.segs, segment{src: at, n: keep}, literal(text(r, int(lit))),
			segment{src: at + keep + lit + dead, n: rest}, segment{n: dead, dead: true})
		at += keep + lit + rest + dead
	}
	switch end := size - at; r.IntN(4) {
	case 0: // the end is cut off as well
		l.segs = append(l.segs, segment{src: at, n: 1 + r.Int64N(end)})
	case 1:
		l.segs = append(l.segs, segment{src: at, n: end}, literal(text(r, r.IntN(50))))
	default:
		l.segs = append(l.segs, segment{src: at, n: end})
	}
	return l
}

func upTo(off, unit int64) int64 { return (off + unit - 1) / unit * unit }

func collapseStep(r *rand.Rand, old []byte) crashStep {
	l := collapseLayout(r, int64(len(old)))
	after := l.apply(old)
	return crashStep{
		name: "collapse", want: after, ok: either(old, after),
		do: func(j *journal, f spool.File) error { return j.rewrite(f, &l) },
	}
}

// newCollapseTrial has a larger mailbox, on a disk that can collapse.
func newCollapseTrial(seed int64, without rule) *trial {
	t := newTrial(seed, without)
	t.content = text(t.r, 1500+t.r.IntN(12000))
	t.disk.PutFile(boxName, t.content)
	t.disk.Unit(testUnit)
	t.kinds = []func(*rand.Rand, []byte) crashStep{collapseStep}
	return t
}

func TestCollapseCrashMatrix(t *testing.T) {
	crashes, foreign, trials := 0, 0, 0
	for seed := range crashSeeds() {
		ops := newCollapseTrial(seed, 0).firstOps(t)
		for n := 1; n <= ops+1; n++ {
			tr := newCollapseTrial(seed, 0)
			if err := tr.run(n); err != nil {
				t.Fatalf("seed %d, operation %d, window %d: %v\n%s", seed, n, tr.window, err, strings.Join(tr.disk.Log(), "\n"))
			}
			crashes, foreign, trials = crashes+tr.crashes, foreign+tr.foreign, trials+1
		}
	}
	t.Logf("%d trials, %d crashes, %d foreign appends", trials, crashes, foreign)
}

func TestCollapseFailureMatrix(t *testing.T) {
	trials := 0
	for seed := range crashSeeds() {
		ops := newCollapseTrial(seed, 0).firstOps(t)
		for n := 1; n <= ops; n++ {
			for _, failure := range []error{unix.EIO, unix.ENOSPC, unix.EOPNOTSUPP} {
				tr := newCollapseTrial(seed, 0)
				trials++
				if err := tr.failOnce(n, failure); err != nil {
					t.Fatalf("seed %d, operation %d: %v\n%s", seed, n, err, strings.Join(tr.disk.Log(), "\n"))
				}
			}
		}
	}
	t.Logf("%d failures", trials)
}
