package mboxstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTornAppend shows replay files as an append may have left them, and others after it.
func TestTornAppend(t *testing.T) {
	old := numbered(1000) // the append's first sector is shared with what was there
	data := append([]byte("From me\n"), numbered(2000)...)
	whole := string(old) + string(data)
	sector := func(n int) int { return n*512 - 1000 } // where in data a sector of the file begins
	other := "From other\n\ntext\n"
	tests := []struct {
		name, file, want string
	}{
		{"nothing was written", string(old), string(old)},
		{"all was written", whole, whole},
		{"all was written, others followed", whole + other, whole + other},
		{"died in it", string(old) + string(data[:sector(3)]), string(old)},
		{"died in it, others followed", string(old) + string(data[:sector(3)]) + other, string(old) + other},
		{"died in it, others followed after a blank line", string(old) + string(data[:sector(3)]) + "\n" + other, string(old) + "\n" + other},
		{"a sector was lost", string(old) + string(data[:sector(3)]) + strings.Repeat("\x00", 512) + string(data[sector(4):]), string(old)},
		{"the first sector was lost", string(old) + strings.Repeat("\x00", sector(2)) + string(data[sector(2):]), string(old)},
		{"all was lost but the size, others followed", string(old) + strings.Repeat("\x00", len(data)) + other, string(old) + other},
		{"NULs and then bytes that are no message", string(old) + strings.Repeat("\x00", sector(3)) + "debris", string(old) + "debris"},
		{
			"a sector was lost, others wrote the rest anew", string(old) + string(data[:sector(3)]) + strings.Repeat("\x00", 512) + "FLAG" + string(data[sector(4):]),
			string(old) + string(data[:sector(3)]) + strings.Repeat("\x00", 512) + "FLAG" + string(data[sector(4):]),
		},
		{
			"a sector was lost, others made the message longer at its end", string(old) + string(data[:sector(3)]) + strings.Repeat("\x00", 512) + string(data[sector(4):]) + "\nStatus: O\n\n",
			string(old) + string(data[:sector(3)]) + strings.Repeat("\x00", 512) + string(data[sector(4):]) + "\nStatus: O\n\n",
		},
		{"others edited it", strings.Replace(whole, string(data[1200:1204]), "FLAG", 1), strings.Replace(whole, string(data[1200:1204]), "FLAG", 1)},
		{"others edited its end", whole[:len(whole)-9] + "FLAG\n", whole[:len(whole)-9] + "FLAG\n"},
		{"others moved it", whole[16:], whole[16:]},
		{"others came before it was begun", string(old) + other, string(old) + other},
		{"others began as we did", string(old) + string(data[:sector(2)]) + "x\n" + other, string(old) + string(data[:sector(2)]) + "x\n" + other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := boxWith(old, 512)
			j, f := tr.open()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			box := identityOf(info)
			if err := j.intendAppend(f, box, 1000, bytes.NewReader(data), int64(len(data))); err != nil {
				t.Fatal(err)
			}
			tr.disk.Kill()
			j, f = tr.open()
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
			writeBox(t, f, tt.file, 0)
			replayed, err := j.replay(f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(tr.disk.Bytes(boxName))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if replayed != (tt.file != tt.want) {
				t.Errorf("replayed: %v", replayed)
			}
			lost, err := tr.disk.Dir(journalName + "/" + lostName).Names()
			if err != nil || len(lost) > 0 != replayed {
				t.Errorf("saved: %q, %v", lost, err)
			}
			if i, err := readIntent(j.dir, box.name()); i != nil || err != nil {
				t.Errorf("the intent is still there: %+v, %v", i, err)
			}
		})
	}
}

// TestInterruptedEdit: an edit is made again where nobody else has been, and only there.
func TestInterruptedEdit(t *testing.T) {
	old := numbered(3000)
	edits := []edit{
		{off: 500, old: old[500:530], new: []byte("abcdefghijklmnopqrstuvwxyz0123")},
		{off: 1010, old: old[1010:1040], new: []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123")},
	}
	tr := boxWith(old, 512)
	j, f := tr.open()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.writeIntent(&intent{kind: recEdits, box: identityOf(info), path: j.path, edits: edits}); err != nil {
		t.Fatal(err)
	}
	writeBox(t, f, "abcdefghijkl", 500) // the first sector of the first edit
	writeBox(t, f, "FLAG", 1030)        // another program in the second
	j, f = tr.open()
	if replayed, err := j.replay(f); !replayed || err != nil {
		t.Fatal(replayed, err)
	}
	want := bytes.Clone(old)
	copy(want[500:], edits[0].new)
	copy(want[1030:], "FLAG")
	if diff := cmp.Diff(string(want), string(tr.disk.Bytes(boxName))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
