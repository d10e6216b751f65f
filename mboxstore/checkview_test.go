package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"

	"github.com/google/go-cmp/cmp"
)

// willBe is the mailbox as it is said to be after the replay, and whether anything waits for it.
func (t *trial) willBe() (b []byte, waits bool, err error) {
	j, f := t.open()
	w, err := j.inspect(f)
	if err != nil {
		return nil, false, err
	}
	v, err := j.replayedView(f, w)
	if err == nil && w.fits != nil {
		err = w.fits
	}
	switch {
	case err != nil:
		return nil, false, err
	case v == nil:
		b = t.disk.Bytes(boxName)
	default:
		b, err = io.ReadAll(io.NewSectionReader(v, 0, v.size))
	}
	return b, v != nil, err
}

// foretell breaks a step at operation n, replays it, and breaks that, too: before each replay the view has to be what
// the last one leaves.
func (t *trial) foretell(n int) (views int, err error) {
	t.nextStep()
	t.disk.CrashAt(n)
	j, f := t.open()
	crashed := faultfs.Run(func() { err = t.step.do(j, f) })
	t.disk.CrashAt(0)
	if !crashed || err != nil {
		return 0, err
	}
	t.fall()
	for round := 0; ; round++ {
		t.others()
		before := t.disk.Bytes(boxName)
		want, waits, err := t.willBe()
		if err != nil {
			return views, fmt.Errorf("round %d: view: %w", round, err)
		}
		if !bytes.Equal(before, t.disk.Bytes(boxName)) {
			return views, fmt.Errorf("round %d: the look changed the mailbox", round)
		}
		if waits {
			views++
		}
		if round < 3 {
			t.disk.CrashAt(1 + t.r.IntN(25))
		}
		if !faultfs.Run(func() { j, f := t.open(); _, err = j.replay(f) }) {
			t.disk.CrashAt(0)
			if got := t.disk.Bytes(boxName); err == nil && !bytes.Equal(want, got) {
				err = fmt.Errorf("%s: it was to be\n%.400q and is\n%.400q", t.step.name, want, got)
			}
			return views, err
		}
		t.fall()
	}
}

func TestViewIsWhatReplayMakes(t *testing.T) {
	kinds := map[string]func(int64, rule) *trial{"moved": newTrial, "collapsed": newCollapseTrial}
	for name, make := range kinds {
		views := 0
		for seed := range crashSeeds() {
			for n := 1; n <= 40; n++ {
				tr := make(seed, 0)
				k, err := tr.foretell(n)
				views += k
				if err != nil {
					t.Fatalf("%s: seed %d, operation %d, window %d: %v\n%s", name, seed, n, tr.window, err, strings.Join(tr.disk.Log(), "\n"))
				}
			}
		}
		t.Logf("%s: %d views", name, views)
		if views < 100 {
			t.Errorf("%s: nothing was tried", name)
		}
	}
}

// TestViewOfPlanAndIntent: the plan that cuts off a torn append was broken before it was certain, so that replay takes it
// back and cuts the append off once more.
func TestViewOfPlanAndIntent(t *testing.T) {
	tr := newTrial(2060, 0)
	if views, err := tr.foretell(6); err != nil || views == 0 {
		t.Errorf("%d views, %v\n%s", views, err, strings.Join(tr.disk.Log(), "\n"))
	}
}

// findings checks the mailbox without what waits for it.
func (w *repairWorld) findings() (list []Finding, waits bool) {
	w.t.Helper()
	list, err := Check(w.t.Context(), simBox{Box: w.disk.Box(modelBox)}, w.o)
	must(w.t, err)
	list = slices.DeleteFunc(list, func(f Finding) bool {
		pending := strings.HasSuffix(f.Code, "-pending")
		waits = waits || pending
		return pending
	})
	return append([]Finding{}, list...), waits
}

// TestCheckBeforeReplay: between a crash and the replay nothing is found but that it waits, and what is found after it.
func TestCheckBeforeReplay(t *testing.T) {
	waited, twice := 0, 0
	for seed := range crashSeeds() / 4 {
		for mode := -1; mode < 4; mode++ {
			for at := 1; ; at++ {
				w := newRepairWorld(t, seed)
				w.disk.Unit([]int64{0, testUnit}[seed/2%2])
				m := openOn(t, w.disk, w.o)
				m.journal.window = 1024
				w.disk.CrashAt(at)
				if !faultfs.Run(func() { _, _ = m.Remove(t.Context(), []UID{3, 6}) }) {
					break
				}
				die(w.disk, mode)
				w.o = refresh(w.disk, w.o)
				if hasTwice(w.scan()) {
					twice++
				}
				before, waits := w.findings()
				if waits {
					waited++
				}
				j := newJournal(w.disk.Dir("/state/journal"), modelBox, w.o.Now, m.log, 0)
				_, err := j.replay(w.disk.File(modelBox, nil))
				must(t, err)
				after, _ := w.findings()
				if diff := cmp.Diff(after, before); diff != "" {
					t.Fatalf("seed %d, mode %d, operation %d (-after +before the replay):\n%s", seed, mode, at, diff)
				}
			}
		}
	}
	t.Logf("a change waited %d times; messages were in the file twice %d times", waited, twice)
	if waited == 0 || twice == 0 {
		t.Error("nothing was tried")
	}
}

func hasTwice(list []scannedMail) bool {
	uids := map[UID]bool{}
	for _, m := range list {
		if uids[m.uid] {
			return true
		}
		uids[m.uid] = true
	}
	return false
}

// TestInspectBelowATakenBackPlan: a plan of which replay finds nothing carried out leaves the one before it in force.
func TestInspectBelowATakenBackPlan(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		old := numbered(6000)
		_, j, f := broken(t, old, deletion(6000, 1000, 2100), 1024, "write "+boxName, 2)
		if damaged {
			_, err := f.WriteAt([]byte("changed"), 5000)
			must(t, err)
		}
		info, err := f.Stat()
		must(t, err)
		p, err := j.draft(f, info, layout{oldSize: info.Size, start: info.Size, segs: []segment{literal(numbered(100))}})
		must(t, err)
		must(t, j.enact(f, p))
		must(t, p.f.Close())
		w, err := j.inspect(f)
		must(t, err)
		if got := errors.Is(w.fits, ErrDamaged); w.plan == nil || w.plan.gen == p.gen || got != damaged {
			t.Errorf("damaged %v: plan %s: %v", damaged, w.name, w.fits)
		}
		must(t, w.close())
		if _, err := j.replay(f); errors.Is(err, ErrDamaged) != damaged {
			t.Errorf("replay: %v", err)
		}
	}
}
