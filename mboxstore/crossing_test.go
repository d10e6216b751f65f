package mboxstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// statusForms are status blocks of the same length, as flags change them in place.
func statusForms() []string {
	var forms []string
	for _, status := range []string{"", "R", "O", "RO"} {
		for _, x := range []string{"", "F", "AF", "DFT"} {
			block := fmt.Sprintf("Status: %s\nX-Status: %s\nX-Keywords: ", status, x)
			forms = append(forms, block+strings.Repeat(" ", 50-len(block))+"\nX-UID: 19\n\n")
		}
	}
	return forms
}

// TestTornEditLeavesHeader: whatever a power cut makes of a change of flags across a sector boundary, the header goes on
// to its X-UID, for a program that comes before the replay.
func TestTornEditLeavesHeader(t *testing.T) {
	torn, broken := 0, 0
	for _, old := range statusForms() {
		for _, now := range statusForms() {
			for k := 1; k < 50; k++ {
				file := []byte(strings.Repeat("x", sectorSize-k-10) + "\nFrom: me\n" + old + "text\n")
				off := int64(sectorSize - k)
				e := edit{off: off, old: []byte(old), new: []byte(now)}.trim()
				if countSectors(e.off, int64(len(e.new))) != 2 {
					continue
				}
				first, then, err := inOrder(bytes.NewReader(file), []edit{e})
				must(t, err)
				for _, state := range tornStates(file, e, first, then) {
					torn++
					header, _, _ := bytes.Cut(state[off-10:], []byte("\n\n"))
					if !bytes.Contains(header, []byte("\nX-UID: 19")) || slices.ContainsFunc(bytes.Split(header, []byte("\n"))[1:], func(line []byte) bool {
						return !bytes.Contains(line, []byte(":"))
					}) {
						broken++
						t.Logf("%q to %q, split at %d: %q", old, now, k, header)
					}
				}
			}
		}
	}
	if torn == 0 || broken > 0 {
		t.Errorf("%d of %d torn headers are broken", broken, torn)
	}
}

// tornStates lists what a power cut can leave: of what is written at once, each sector may be there or not.
func tornStates(file []byte, e edit, first, then []edit) (states [][]byte) {
	write := func(b []byte, parts ...edit) []byte {
		b = bytes.Clone(b)
		for _, p := range parts {
			copy(b[p.off:], p.new)
		}
		return b
	}
	k, _ := e.split()
	if len(then) > 0 {
		return [][]byte{write(file, first...)}
	}
	left, right := edit{off: e.off, new: e.new[:k]}, edit{off: e.off + k, new: e.new[k:]}
	return [][]byte{write(file, left), write(file, right)}
}

// TestTornEditIsFoundAgain: another program has made something longer in front of a torn edit. The replay finishes it
// where it is now, unless that program has been at it.
func TestTornEditIsFoundAgain(t *testing.T) {
	forms := statusForms()
	old, now := forms[1], forms[10]
	const off = sectorSize - 14
	lead := strings.Repeat("x", off-10) + "\nFrom: me\n"
	e := edit{off: off, old: []byte(old), new: []byte(now)}.trim()
	left, right := e.halves()
	whole := func(b []byte) string { return old[:e.off-off] + string(b) + old[int(e.off-off)+len(b):] }
	tests := []struct{ name, file, want string }{
		{"not moved", lead + whole(left) + "text\n", lead + now + "text\n"},
		{"left half", "more" + lead + whole(left) + "text\n", "more" + lead + now + "text\n"},
		{"right half", "more" + lead + whole(right) + "text\n", "more" + lead + now + "text\n"},
		{"not begun", "more" + lead + old + "text\n", "more" + lead + old + "text\n"},
		{"changed since", "more" + lead + forms[5] + "text\n", "more" + lead + forms[5] + "text\n"},
		{"twice", "more" + lead + whole(left) + lead + whole(left), "more" + lead + whole(left) + lead + whole(left)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := boxWith([]byte(lead+old+"text\n"), 512)
			j, f := tr.open()
			info, err := f.Stat()
			must(t, err)
			intended := e
			intended.after, err = following(f, e, info.Size)
			must(t, err)
			must(t, j.writeIntent(&intent{kind: recEdits, box: identityOf(info), path: j.path, edits: []edit{intended}}))
			tr.disk.Kill()
			j, f = tr.open()
			must(t, f.Truncate(0))
			writeBox(t, f, tt.file, 0)
			_, err = j.replay(f)
			must(t, err)
			if got := string(tr.disk.Bytes(boxName)); got != tt.want {
				t.Errorf("have %q\nwant %q", got[500:], tt.want[500:])
			}
		})
	}
}
