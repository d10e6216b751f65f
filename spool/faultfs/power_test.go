package faultfs

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPowerCutModes(t *testing.T) {
	old, new := strings.Repeat("o", 64*sector), strings.Repeat("n", 64*sector)
	for _, c := range []struct {
		name     string
		mode     int
		min, max int // new sectors
	}{
		{"none", 0, 0, 0},
		{"all", 1, 64, 64},
		{"half", 2, 15, 49},
		{"eighth", 3, 1, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(7)
			f := d.File("mbox", []byte(old))
			put(t, f, new, 0)
			d.PowerCut(c.mode)
			got := d.Bytes("mbox")
			if n := bytes.Count(got, []byte("n")); n%sector != 0 || n/sector < c.min || n/sector > c.max {
				t.Errorf("%d new bytes", n)
			}
			if diff := cmp.Diff(got, d.Durable("mbox")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPowerCutIsDeterministic(t *testing.T) {
	run := func() string {
		d := New(42)
		f := d.File("mbox", []byte(strings.Repeat("o", 8*sector)))
		put(t, f, strings.Repeat("n", 9*sector), sector/2)
		ok(t, f.Truncate(5*sector))
		d.PowerCut(2)
		return string(d.Bytes("mbox"))
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Error(diff)
	}
}

// What may come of an un-synced append: old size, or NULs, or data, by sectors.
func TestAppendMayGrowByNULs(t *testing.T) {
	var lost, nuls, whole bool
	for seed := range int64(100) {
		d := New(seed)
		f := d.File("mbox", nil)
		put(t, f, strings.Repeat("a", 10), 0)
		d.PowerCut(2)
		switch got := string(d.Bytes("mbox")); got {
		case "":
			lost = true
		case strings.Repeat("\x00", 10):
			nuls = true
		case strings.Repeat("a", 10):
			whole = true
		default:
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
	if !lost || !nuls || !whole {
		t.Errorf("never seen: lost %v, NULs %v, whole %v", lost, nuls, whole)
	}
}

func TestTruncationMayBeLost(t *testing.T) {
	sizes := map[int]bool{}
	for seed := range int64(50) {
		d := New(seed)
		ok(t, d.File("mbox", []byte("0123456789")).Truncate(4))
		d.PowerCut(2)
		sizes[len(d.Bytes("mbox"))] = true
	}
	if diff := cmp.Diff(map[int]bool{4: true, 10: true}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestSyncedSurvives(t *testing.T) {
	for mode := range 4 {
		d := New(1)
		f := d.File("mbox", nil)
		put(t, f, "durable", 0)
		ok(t, f.Sync())
		put(t, f, "DURABLE", 0)
		ok(t, f.Datasync())
		d.PowerCut(mode)
		if diff := cmp.Diff("DURABLE", string(d.Bytes("mbox"))); diff != "" {
			t.Errorf("mode %d: %s", mode, diff)
		}
	}
}
