package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What other programs do in the crash matrix of mailboxes, and what must be there in the end.

// others is what another program does.
func (w *crashWorld) others() error {
	what, b, _ := strings.Cut(w.foreign, " ")
	path := crashA
	if b != "" {
		path = crashB
	}
	if w.disk.Bytes(path) == nil {
		return nil
	}
	switch what {
	case "append":
		w.texts["m99"] = strings.ReplaceAll(strings.TrimSuffix(after1(delivered(99)), "\n"), "\n", "\r\n")
		w.disk.Append(path, []byte(delivered(99)))
	case "status", "remove":
		return w.rewrite(path, what == "remove")
	}
	return nil
}

func after1(s string) string { return s[strings.IndexByte(s, '\n')+1:] }

// rewrite is mutt: it reads the whole file, changes the Status of one message or leaves it out, and writes the file
// anew in place.
func (w *crashWorld) rewrite(path string, remove bool) error {
	b := w.disk.Bytes(path)
	var at []int
	for off := 0; off < len(b); {
		end := off + bytes.IndexByte(b[off:], '\n') + 1
		if end == off {
			end = len(b)
		}
		if _, ok := ParseFromLine(b[off:end]); ok && !bytes.Contains(b[off:end], []byte("MAILER-DAEMON")) {
			at = append(at, off)
		}
		off = end
	}
	if len(at) == 0 || at[0] > 0 && !bytes.HasPrefix(b, []byte("From MAILER-DAEMON")) {
		return nil // mutt takes it for no mailbox
	}
	w.edited = path
	i := w.rng.IntN(len(at))
	from, to := at[i], len(b)
	if i+1 < len(at) {
		to = at[i+1]
	}
	msg := string(b[from:to])
	if remove {
		_, s, _ := strings.Cut(msg, "Subject: ")
		w.removed, _, _ = strings.Cut(s, "\n")
		msg = ""
	} else {
		msg = withStatus(msg, []string{"RO", "O", "R"}[w.rng.IntN(3)])
	}
	b = slices.Concat(b[:from], []byte(msg), b[to:])
	f := w.disk.File(path, nil)
	_, err := f.WriteAt(b, 0)
	return errors.Join(err, f.Truncate(int64(len(b))), f.Sync())
}

func withStatus(msg, letters string) string {
	head, body, _ := strings.Cut(msg, "\n\n")
	var lines []string
	for l := range strings.SplitSeq(head, "\n") {
		if !strings.HasPrefix(l, "Status: ") {
			lines = append(lines, l)
		}
	}
	return strings.Join(append(lines, "Status: "+letters), "\n") + "\n\n" + body
}

// becameAnother reports whether a message that another program has rewritten has all its bytes, and some more. While a
// mailbox grows it ends in blank lines, which that program takes for a part of the last message; and a status header
// that a power cut tore is a header like any other when it is not where we left it.
func (w *crashWorld) becameAnother(subject, was, is string) bool {
	if w.edited == "" {
		return false
	}
	more, ok := strings.CutPrefix(is, was)
	rest := strings.TrimLeft(more, "\r\n")
	torn := w.mode >= 0 && (strings.HasPrefix(rest, "\x80") || w.appends) // an append whose separator was lost
	ok = ok && (torn || strings.Trim(strings.ReplaceAll(rest, "\x80", ""), "\r\n") == "")
	ok = ok || w.mode >= 0 && withoutRemains(is) == was || withoutStatus(is) == was
	w.another[subject] = w.another[subject] || ok
	return ok
}

// withoutStatus leaves out what that program wrote into a message of which it did not see where its header ends.
func withoutStatus(text string) string {
	return strings.NewReplacer("Status: RO\r\n", "", "Status: O\r\n", "", "Status: R\r\n", "").Replace(text)
}

// withoutRemains leaves out what torn status headers look like.
func withoutRemains(text string) string {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return !strings.HasPrefix(l, "Subject: ") && !strings.HasPrefix(l, "Message-ID: ")
	})
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// check compares the mailboxes with the two states that there may be.
func (w *crashWorld) check(c *crashCase, crashed bool) error {
	var got [2][]string
	for i, m := range w.boxes() {
		var err error
		if got[i], err = w.lines(m); err != nil {
			return err
		}
	}
	if w.edited != "" {
		return w.checkEdited(c, got, crashed)
	}
	for i, path := range []string{crashA, crashB} {
		var err error
		if got[i], err = w.takeForeign(path, got[i]); err != nil {
			return err
		}
	}
	isNew := slices.Equal(got[0], c.newA) && slices.Equal(got[1], c.newB)
	if !isNew && (!crashed || !between(got[0], c.oldA, c.newA) || !slices.Equal(got[1], c.oldB)) {
		return fmt.Errorf("neither the old nor the new state: %q\nfiles %.3000q\n%.3000q", got, w.disk.Bytes(crashA), w.disk.Bytes(crashB))
	}
	return nil
}

// takeForeign takes the message away that was delivered to path; it must be the last one there.
func (w *crashWorld) takeForeign(path string, lines []string) ([]string, error) {
	delivered := w.foreign == "append" && path == crashA || w.foreign == "append b" && path == crashB && w.texts["m99"] != ""
	if !delivered {
		return lines, nil
	}
	if n := len(lines); n > 0 && strings.HasSuffix(lines[n-1], "  m99") {
		return lines[:n-1], nil
	}
	return nil, fmt.Errorf("delivered message is not the last of %q", lines)
}

// checkEdited: what another program has rewritten, and we did not refuse, holds every message that was acknowledged,
// once and with its UID, but for the one that was removed. What was never acknowledged may be torn, and a copy of a
// message may have another UID than it was to have: without base line above it, and without cache, the UIDs of what is
// new are those of its order, in which a message is missing now. Then what was to be moved is kept in both places.
func (w *crashWorld) checkEdited(c *crashCase, got [2][]string, crashed bool) error {
	have := uidsOf(got[0], got[1])
	old, changed := uidsOf(c.oldA, c.oldB), uidsOf(c.newA, c.newB)
	differs := func(want map[string][]string) string {
		for s := range w.texts {
			if s == w.removed || w.torn(s) {
				continue
			}
			grown := len(c.newA) > len(c.oldA) && len(have[s]) >= len(old[s]) && len(have[s]) <= len(changed[s])
			grown = grown || w.another[s] && len(have[s]) == len(want[s])+1 // no longer known to be the copy of a move
			if more := len(have[s]) - len(want[s]); w.removed != "" && crashed {
				have[s] = slices.DeleteFunc(have[s], func(uid string) bool {
					copied := more > 0 && w.isCopy(c, s, uid)
					if copied {
						more--
					}
					return copied
				})
			}
			if len(have[s]) != len(want[s]) && !grown {
				return fmt.Sprintf("%s is there %d times, not %d", s, len(have[s]), len(want[s]))
			}
			for _, uid := range have[s] {
				if w.isCopy(c, s, uid) {
					continue
				}
				if !w.another[s] && !slices.Contains(old[s], uid) && !slices.Contains(changed[s], uid) {
					return fmt.Sprintf("%s has UID %s", s, uid)
				}
			}
		}
		return ""
	}
	if a, b := differs(old), differs(changed); a != "" && b != "" {
		return fmt.Errorf("%s has been rewritten: %s, %s: %q\nfiles %.3000q\n%.3000q", w.edited, a, b, got, w.disk.Bytes(crashA), w.disk.Bytes(crashB))
	}
	return nil
}

// isCopy reports whether a UID in the mailbox that another program has rewritten may be that of a copy of a message.
func (w *crashWorld) isCopy(c *crashCase, subject, uid string) bool {
	fresh := func(uid string) bool {
		n, err := strconv.ParseUint(uid, 10, 32)
		return err == nil && UID(n) >= w.next[w.edited]
	}
	lines := c.newA
	if w.edited == crashB {
		lines = c.newB
	}
	return fresh(uid) && slices.ContainsFunc(uidsOf(lines)[subject], fresh)
}

// uidsOf are the UIDs of the messages of each subject.
func uidsOf(lists ...[]string) map[string][]string {
	uids := map[string][]string{}
	for _, line := range slices.Concat(lists...) {
		f := strings.Split(line, " ")
		uids[f[2]] = append(uids[f[2]], f[0])
	}
	return uids
}

// between reports whether got is the old state. Flags are kept message by message: each is the old or the new one.
func between(got, before, after []string) bool {
	if len(before) != len(after) || len(got) != len(before) {
		return slices.Equal(got, before)
	}
	for i := range got {
		if got[i] != before[i] && got[i] != after[i] {
			return false
		}
	}
	return true
}
