package mboxstore

import (
	"bytes"
	"slices"
	"testing"

	"spoold/spool/faultfs"
)

// TestRuleOfPlanIDs: a mail that quotes the marks of an earlier change, which everybody could read who saw the file in
// the middle of it, is delivered between the cut of the next one and its replay. It stays mail; unless ids are derived
// instead of random: then it is taken for the gap that has still to go.
func TestRuleOfPlanIDs(t *testing.T) {
	old := numbered(4000)
	l := layout{oldSize: 4000, segs: []segment{{src: 1000, n: 3000}}}
	lost := func(without rule) (lost, delivered int) {
		begin := func(at int) (*trial, bool) {
			tr := boxWith(old, 512)
			tr.without = without
			j, f := tr.open()
			tr.disk.CrashAt(at)
			died := faultfs.Run(func() { must(t, j.rewrite(f, &l)) })
			tr.disk.Kill()
			tr.disk.CrashAt(0)
			return tr, died
		}
		var quote []byte
		for at, died := 1, true; died; at++ {
			var tr *trial
			if tr, died = begin(at); len(tr.disk.Bytes(boxName)) >= 4000 {
				quote = tr.disk.Bytes(boxName)[3000:] // the last is the one with the marks
			}
		}
		for at, died := 1, true; died; at++ {
			var tr *trial
			if tr, died = begin(at); len(tr.disk.Bytes(boxName)) != 3000 {
				continue
			}
			tr.disk.Append(boxName, quote)
			want := slices.Concat(old[1000:], quote)
			j, f := tr.open()
			_, err := j.replay(f)
			must(t, err)
			if delivered++; !bytes.Equal(tr.disk.Bytes(boxName), want) {
				lost++
			}
		}
		return lost, delivered
	}
	if n, of := lost(0); n > 0 || of == 0 {
		t.Errorf("%d of %d deliveries lost", n, of)
	}
	if n, of := lost(rulePlanID); n == 0 {
		t.Errorf("derived ids: %d of %d deliveries lost; nothing noticed", n, of)
	}
}
