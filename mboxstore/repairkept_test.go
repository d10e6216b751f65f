package mboxstore

import (
	"bytes"
	"fmt"
	"slices"
)

// heldBytes is what there was before a repair: in the file, and in the journal.
type heldBytes struct{ file, journal []byte }

// whole reports whether a message was there: how its header begins, and its text with what follows a message. Texts
// that others may end like count as not there.
func (h heldBytes) whole(subject string, text []byte) bool {
	head, closed := []byte("\nSubject: "+subject+"\nMessage-ID: "), append(bytes.Clone(text), "\nFrom "...)
	has := func(b []byte) bool { return bytes.Contains(b, head) && bytes.Contains(b, closed) }
	return len(text) >= 64 && (has(h.file) || has(h.journal))
}

// in reports what is not in now any more: a line of the file, be it in two parts where bytes were taken out, or the
// plan. Status lines may be written anew.
func (h heldBytes) in(now []byte) error {
	nul := func(r rune) bool { return r == '\n' || r == 0 } // what a disk has not written is nobody's
	for line := range bytes.FieldsFuncSeq(h.file, nul) {
		name, _, _ := bytes.Cut(line, []byte{':'})
		if slices.Contains([]string{"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAPbase", "Content-Length", "Lines"}, string(name)) {
			continue
		}
		if n := longestPrefix(now, line); !bytes.Contains(now, line[n:]) {
			return fmt.Errorf("%q of the file is neither there nor in lost", line)
		}
	}
	if !bytes.Contains(now, bytes.TrimRight(h.journal, "\n")) {
		return fmt.Errorf("the journal, of %d bytes, is not in lost", len(h.journal))
	}
	return nil
}

// longestPrefix is how many bytes of line are somewhere in b in one piece.
func longestPrefix(b, line []byte) int {
	n := len(line)
	for n > 0 && !bytes.Contains(b, line[:n]) {
		n--
	}
	return n
}

// held is what there is now.
func (w *repairWorld) held() []byte {
	return slices.Concat(w.disk.Bytes(modelBox), w.journalBytes("/state/journal/lost"))
}

// partCut reports whether mutt itself has removed a part of the message, as the halves of two messages that it took for
// one: lines of its text that neither the file nor the journal had any more. Three in a row, since where halves meet
// two may be broken.
func (w *repairWorld) partCut(subject string) bool {
	if w.cut == nil || w.unit == 0 {
		return false
	}
	run := 0
	for k := range 40 {
		line := fmt.Appendf(nil, "\nline %d of message %s\n", k, subject[1:])
		switch {
		case bytes.Contains(w.had.file, line) || bytes.Contains(w.had.journal, line):
			run = 0
		case bytes.Contains(w.cut, line):
			if run++; run == 3 {
				return true
			}
		}
	}
	return false
}
