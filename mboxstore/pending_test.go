package mboxstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// A process is killed before every operation of many rewrites: whenever the mailbox is neither what it was nor what it
// should be, it says so.
func TestCrashLeavesTheMark(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	crashes, between := 0, 0
	for range 60 {
		old := text(r, 1+r.IntN(3000))
		step := rewriteStep(r, old)
		for at := 1; ; at++ {
			tr := boxWith(old, 512)
			j, f := tr.open()
			tr.disk.CrashAt(at)
			if !faultfs.Run(func() { _ = step.do(j, f) }) { // it crashes, or is through
				break
			}
			tr.disk.Kill()
			crashes++
			j, f = tr.open()
			mark, err := f.Pending()
			if err != nil {
				t.Fatal(err)
			}
			if b := tr.disk.Bytes(boxName); !bytes.Equal(b, old) && !bytes.Equal(b, step.want) {
				between++
				if mark == "" {
					t.Errorf("crash at %d of %s: no mark\n%s", at, step.name, strings.Join(tr.disk.Log(), "\n"))
				}
			}
			if err := j.explain(f); err != nil {
				t.Errorf("crash at %d: %v", at, err)
			}
		}
	}
	t.Logf("%d crashes, %d of them with the mailbox in between", crashes, between)
	if between < 100 {
		t.Error("not a test")
	}
}

// brokenWorld is a mailbox in which the removal of two messages broke off after the first bytes were written.
func brokenWorld(t *testing.T) (*faultfs.FS, Options) {
	t.Helper()
	for at := 1; at < 100; at++ {
		disk, o := simMailbox(t, 1, true, false)
		m := openOn(t, disk, o)
		disk.CrashAt(at)
		crashed := faultfs.Run(func() { _, _ = m.Remove(t.Context(), []UID{1, 3}) }) // it crashes
		log := disk.Log()
		if crashed && strings.HasPrefix(log[len(log)-3], "write "+modelBox) {
			disk.Kill()
			return disk, refresh(disk, o)
		}
	}
	t.Fatal("the mailbox is not written")
	return nil, Options{}
}

// A mailbox whose change is unfinished is read-only for whoever has another state directory, until it is finished.
func TestUnfinishedChangeElsewhere(t *testing.T) {
	disk, here := brokenWorld(t)
	elsewhere := Options{State: disk.Dir("/elsewhere"), User: "u", Hostname: "example.com"}
	for name, o := range map[string]Options{"another state directory": elsewhere, "no state directory": {}} {
		if o.State != nil {
			o.State = disk.Dir("/elsewhere")
		}
		m := openOn(t, disk, o)
		if err := m.Damaged(); !errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(), spool.PendingAttr) || !m.ReadOnly() {
			t.Errorf("%s: damaged %v, read-only %v", name, err, m.ReadOnly())
		}
		if _, err := m.Remove(t.Context(), []UID{2}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: Remove: %v", name, err)
		}
		if len(m.UIDs()) == 0 {
			t.Errorf("%s: nothing can be read", name)
		}
		must(t, m.Close(t.Context()))
	}
	beside := openOn(t, disk, Options{State: disk.Dir("/elsewhere")})
	m := openOn(t, disk, here)
	if m.ReadOnly() {
		t.Errorf("with the journal: %v", m.Damaged())
	}
	wantList(t, m, "2  m2", "4  m4", "5  m5")
	must(t, m.Close(t.Context()))
	must(t, beside.Refresh(t.Context()))
	if beside.ReadOnly() {
		t.Errorf("after the replay by another: %v", beside.Damaged())
	}
	must(t, beside.Close(t.Context()))
}

// Where the mark cannot be set, all goes on without it.
func TestNoAttributes(t *testing.T) {
	old := numbered(4000)
	l := deletion(4000, 100, 900)
	for at := 1; ; at++ {
		tr := boxWith(old, 512)
		j, f := tr.open()
		tr.disk.FailAt(at, unix.EOPNOTSUPP, false)
		err := j.rewrite(f, &l)
		log := tr.disk.Log()
		if at > len(log) {
			t.Fatal("the mark is never set")
		}
		if !strings.HasPrefix(log[at-1], "set pending") {
			continue
		}
		if err != nil || !bytes.Equal(tr.disk.Bytes(boxName), l.apply(old)) {
			t.Errorf("rewrite: %v", err)
		}
		return
	}
}

// On a full disk the mark cannot be removed either. The mailbox is whole then, can be read, and is written again as soon
// as there is room.
func TestFullDiskKeepsTheMark(t *testing.T) {
	old := numbered(4000)
	l := deletion(4000, 100, 900)
	kept, freed := 0, 0
	for room := int64(0); room < 20000; room += 64 {
		tr := boxWith(old, 512)
		j, f := tr.open()
		tr.disk.Space(int64(len(old)) + room)
		err := j.rewrite(f, &l)
		want := l.apply(old)
		if err != nil {
			want = old
		}
		if errors.Is(err, ErrPending) || !bytes.Equal(tr.disk.Bytes(boxName), want) {
			t.Fatalf("room %d: %v\n%s", room, err, strings.Join(tr.disk.Log(), "\n"))
		}
		mark, merr := f.Pending()
		must(t, merr)
		switch {
		case mark != "":
			kept++
			_, err = j.replay(f)
			must(t, err)
		case err == nil && strings.Contains(strings.Join(tr.disk.Log(), "\n"), "no space for it"):
			freed++ // by the slots
		}
		tr.disk.Space(-1)
		tr.disk.Kill()
		j, f = tr.open()
		_, err = j.replay(f)
		must(t, err)
		if mark, err := f.Pending(); err != nil || mark != "" || !bytes.Equal(tr.disk.Bytes(boxName), want) {
			t.Fatalf("room %d: with room again: mark %q, %v", room, mark, err)
		}
		if plans, err := j.plans(); err != nil || len(plans) > 0 {
			t.Fatalf("room %d: plans %v stay, %v", room, plans, err)
		}
	}
	t.Logf("%d times the mark stayed, %d times the slots made room", kept, freed)
	if freed == 0 {
		t.Error("not a test")
	}
}
