package mboxstore

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// collapseWorld is a mailbox with status blocks on a disk that can take bytes out of a file.
func collapseWorld(t *testing.T, r *rand.Rand, messages int) (*faultfs.FS, Options) {
	t.Helper()
	disk := faultfs.New(int64(r.Uint32()))
	o := Options{State: disk.Dir("/state"), User: "u", Hostname: "example.com"}
	var content strings.Builder
	for i := range messages {
		fmt.Fprintf(&content, "From a@example.com Mon Nov  2 10:00:00 2026\nSubject: m%d\n\n%s\n\n",
			i+1, strings.TrimSpace(string(text(r, 200+r.IntN(2500)))))
	}
	disk.File(modelBox, []byte(content.String()))
	m := openOn(t, disk, o)
	must(t, m.writePending(t.Context(), true))
	must(t, m.Close(t.Context()))
	disk.Unit(testUnit)
	return disk, o
}

// openSparing opens a mailbox that takes out what spares moving 3000 bytes.
func openSparing(t *testing.T, disk *faultfs.FS, o Options) *Mailbox {
	t.Helper()
	m := openOn(t, disk, refresh(disk, o))
	m.spare = 3000
	return m
}

var blankRun = regexp.MustCompile(`(?m)^X-Keywords:.*?( *)$`)

// TestExpungeByCollapse compares what is left, by name, UID and body, with what should be, as a server sees it that
// knows nothing but the file.
func TestExpungeByCollapse(t *testing.T) {
	collapses := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		disk, o := collapseWorld(t, r, 30)
		m := openSparing(t, disk, o)
		texts := bodies(t, m)
		for range 6 {
			gone := []UID{}
			for _, u := range m.UIDs() {
				if r.IntN(8) == 0 || r.IntN(4) == 0 && u == m.UIDs()[0] {
					gone = append(gone, u)
					delete(texts, u)
				}
			}
			if r.IntN(2) == 0 { // flags to be written, before, within and behind what moves
				must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagFlagged << r.IntN(2)}))
			}
			_, err := m.Remove(t.Context(), gone)
			must(t, err)
			if diff := diffBodies(bodies(t, m), texts); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
		for _, line := range blankRun.FindAllSubmatch(disk.Bytes(modelBox), -1) {
			if len(line[1]) > maxBlanks {
				t.Errorf("seed %d: %d blanks", seed, len(line[1]))
			}
		}
		must(t, m.Close(t.Context()))
		o.State = disk.Dir("/another state")
		if diff := diffBodies(bodies(t, openOn(t, disk, o)), texts); diff != "" {
			t.Fatalf("seed %d, without state: %s", seed, diff)
		}
		collapses += strings.Count(strings.Join(disk.Log(), "\n"), "\ncollapse ")
	}
	if collapses < 200 {
		t.Errorf("only %d collapses", collapses)
	}
}

func bodies(t *testing.T, m *Mailbox) map[UID]string {
	t.Helper()
	texts := map[UID]string{}
	for _, u := range m.UIDs() {
		b, err := m.Text(t.Context(), u, nil)
		must(t, err)
		texts[u] = string(b)
	}
	return texts
}

func diffBodies(got, want map[UID]string) string {
	for u, text := range want {
		if got[u] != text {
			return fmt.Sprintf("UID %d is %.80q, want %.80q", u, got[u], text)
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d messages, want %d", len(got), len(want))
	}
	return ""
}

// TestCompact: the blanks go, and nothing else.
func TestCompact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	disk, o := collapseWorld(t, r, 30)
	m := openSparing(t, disk, o)
	m.headers = 4 // in several plans
	before := len(disk.Bytes(modelBox))
	for _, u := range []UID{1, 12} {
		_, err := m.Remove(t.Context(), []UID{u})
		must(t, err)
	}
	texts, blanks, size := bodies(t, m), m.Blanks(), len(disk.Bytes(modelBox))
	saved, err := m.Compact(t.Context())
	must(t, err)
	if blanks == 0 || saved != blanks || int(saved) != size-len(disk.Bytes(modelBox)) || size >= before {
		t.Errorf("%d bytes, then %d with %d blanks; %d saved", before, size, blanks, saved)
	}
	if m.Blanks() != 0 {
		t.Errorf("%d blanks left", m.Blanks())
	}
	o.State = disk.Dir("/another state")
	for name, m := range map[string]*Mailbox{"same": m, "another": openOn(t, disk, o)} {
		if diff := diffBodies(bodies(t, m), texts); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if saved, err := m.Compact(t.Context()); saved != 0 || err != nil {
		t.Errorf("again: %d, %v", saved, err)
	}
}

// TestCompactWhenQuiet: only a mailbox that is quiet, and of which blanks are a large part, is compacted by itself.
func TestCompactWhenQuiet(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*Mailbox)
		done  bool
		saves bool
	}{
		{"quiet", func(*Mailbox) {}, true, true},
		{"in use", (*Mailbox).use, false, false},
		{"not wanted", func(m *Mailbox) { m.o.CompactAt = -1 }, true, false},
		{"not worth it", func(m *Mailbox) { m.wasteful = m.Blanks() + 1 }, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 3))
			disk, o := collapseWorld(t, r, 12)
			m := openSparing(t, disk, o)
			m.wasteful, m.spare = 1, 600
			for u := UID(1); u < 12; u += 2 {
				_, err := m.Remove(t.Context(), []UID{u})
				must(t, err)
			}
			m.used.Store(0)
			tt.set(m)
			size := len(disk.Bytes(modelBox))
			done, err := m.compactIfQuiet(t.Context())
			must(t, err)
			if saves := len(disk.Bytes(modelBox)) < size; done != tt.done || saves != tt.saves {
				t.Errorf("done %v, compacted %v", done, saves)
			}
		})
	}
}

// TestCrashInExpungeByCollapse: the mailbox is the old or the new one, whenever the power fails, also in the replay.
func TestCrashInExpungeByCollapse(t *testing.T) {
	seeds := uint64(3)
	if full() {
		seeds = 60
	}
	for seed := range seeds {
		for at := 1; ; at++ {
			if crashCollapse(t, seed, at) {
				break
			}
		}
	}
}

func crashCollapse(t *testing.T, seed uint64, at int) (done bool) {
	for mode := -1; mode <= 3; mode++ {
		r := rand.New(rand.NewPCG(seed, 11))
		disk, o := collapseWorld(t, r, 30)
		m := openSparing(t, disk, o)
		old := bodies(t, m)
		gone := []UID{1 + UID(r.IntN(3)), 15 + UID(r.IntN(3))}
		disk.CrashAt(at)
		crashed := faultfs.Run(func() {
			if _, err := m.Remove(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
		})
		die(disk, mode)
		for range at % 3 {
			disk.CrashAt(1 + r.IntN(12))
			faultfs.Run(func() { openSparing(t, disk, o) })
			die(disk, mode)
		}
		got := bodies(t, openSparing(t, disk, o))
		was := diffBodies(got, old)
		for _, u := range gone {
			delete(old, u)
		}
		is := diffBodies(got, old)
		if is != "" && (!crashed || was != "") {
			t.Fatalf("seed %d, crash at %d (%v), mode %d: neither old (%s) nor new (%s)\n%s",
				seed, at, crashed, mode, was, is, strings.Join(disk.Log(), "\n"))
		}
		done = !crashed
	}
	return done
}

// TestForeignRewriteBeforeCollapse: a program that rewrites the file while dead bytes are still in it moves their marks;
// then nothing may be taken out.
func TestForeignRewriteBeforeCollapse(t *testing.T) {
	found := 0
	for at := 1; at < 40; at++ {
		r := rand.New(rand.NewPCG(5, 5))
		disk, o := collapseWorld(t, r, 30)
		m := openSparing(t, disk, o)
		size := len(disk.Bytes(modelBox))
		disk.CrashAt(at)
		if !faultfs.Run(func() { _, _ = m.Remove(t.Context(), []UID{2}) }) {
			break
		}
		die(disk, -1)
		before := disk.Bytes(modelBox)
		waiting, err := PendingPaths(disk.Dir("/state"))
		must(t, err)
		unfinished := len(waiting) > 0 && len(before) == size
		foreign := slices.Concat(before[:100], []byte("X"), before[100:])
		f := disk.File(modelBox, nil)
		if _, err := f.WriteAt(foreign, 0); err != nil {
			t.Fatal(err)
		}
		m = openSparing(t, disk, o)
		if damaged := m.Damaged() != nil; damaged != unfinished {
			t.Errorf("crash at %d: unfinished %v, found %v", at, unfinished, m.Damaged())
		}
		if unfinished {
			found++
			if got := disk.Bytes(modelBox); !slices.Equal(got, foreign) {
				t.Errorf("crash at %d: written though damaged", at)
			}
		}
	}
	if found == 0 {
		t.Error("no rewrite to be found")
	}
}

// TestForeignRewriteBehindDeadRange: a program that moves one of several dead ranges, but not the first, or the gap behind
// them, must be noticed, too. What is in them is no mail.
func TestForeignRewriteBehindDeadRange(t *testing.T) {
	found := 0
	for at := 1; at < 60; at++ {
		for _, behind := range []UID{12, 28} { // between the ranges; between the last one and the gap
			disk, o := collapseWorld(t, rand.New(rand.NewPCG(5, 5)), 30)
			m := openSparing(t, disk, o)
			old := bodies(t, m)
			texts := map[string]bool{}
			for _, text := range old {
				texts[text] = true
			}
			disk.CrashAt(at)
			if !faultfs.Run(func() { _, _ = m.Remove(t.Context(), []UID{2, 18}) }) {
				break
			}
			die(disk, -1)
			before := disk.Bytes(modelBox)
			waiting, err := PendingPaths(disk.Dir("/state"))
			must(t, err)
			place := m.index.records[behind-1].header()
			if len(waiting) == 0 || place > int64(len(before)) {
				continue
			}
			const line = "X-Mark: x\n"
			place += int64(strings.Index(string(before[place:]), "\n")) + 1
			f := disk.File(modelBox, nil)
			if _, err := f.WriteAt(slices.Concat(before[:place], []byte(line), before[place:]), 0); err != nil {
				t.Fatal(err)
			}
			m = openSparing(t, disk, o)
			if m.Damaged() != nil {
				found++
				continue
			}
			got := bodies(t, m)
			for u, text := range got {
				text = strings.Replace(text, "X-Mark: x\r\n", "", 1)
				if !texts[text] {
					t.Errorf("crash at %d: UID %d is %.200q", at, u, text)
				}
			}
			if n := len(got); n != len(old) && n != len(old)-2 {
				t.Errorf("crash at %d, inserted behind %d: %d messages: %v", at, behind, n, m.UIDs())
			}
		}
	}
	if found == 0 {
		t.Error("never noticed")
	}
}
