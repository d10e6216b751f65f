package mboxstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// crashCase is one command and the two states that a crash in it may leave.
type crashCase struct {
	name                   string
	a, b                   string // what the mailboxes hold; b "": there is no second one
	do                     func(w *crashWorld) error
	oldA, newA, oldB, newB []string
	prepare                func(w *crashWorld) error // what was done before, on a disk that can collapse
	sees                   string                    // what must be among the operations of the command, or it is not what its name says
	collapses              bool                      // on a disk that can, the command leaves blocks to it
}

// longer is a mailbox with longer messages, so that blocks become free when one goes.
func longer(mail string) string {
	const text = "text of message"
	parts := strings.Split(mail, text)
	for i := range parts[1:] {
		parts[i+1] = strings.Repeat("a line of a longer text\n", 30+i*7%19) + text + parts[i+1]
	}
	return strings.Join(parts, "")
}

// crashWide is a mailbox of n messages of many lengths, so that status headers lie across sector boundaries.
func crashWide(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(delivered(i+1), "text", strings.Repeat("some more text\n", i*7%19)+"text", 1))
	}
	return b.String()
}

// crashLines are the lines of n messages m1, m2, …
func crashLines(n int, flags, words string) []string {
	var lines []string
	for i := range n {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%d %s m%d %s", i+1, flags, i+1, words), " "))
	}
	return lines
}

func newText(i int) string {
	return fmt.Sprintf("Subject: n%d\r\n\r\n%s", i, strings.Repeat("some text\r\n", 90*(i+1)))
}

func crashAppend(n int) func(*crashWorld) error {
	return func(w *crashWorld) error {
		var msgs []NewMessage
		for i := range n {
			msgs = append(msgs, NewMessage{Text: strings.NewReader(newText(i)), Flags: FlagSeen, Keywords: []string{"Fresh"}})
		}
		_, _, err := w.a.Append(w.ctx, msgs)
		return err
	}
}

func crashExpunge(uids ...UID) func(*crashWorld) error {
	return func(w *crashWorld) error { _, err := w.a.Remove(w.ctx, uids); return err }
}

func crashStore(flags Flags, words ...string) func(*crashWorld) error {
	return func(w *crashWorld) error {
		if err := w.a.Store(w.ctx, w.a.UIDs(), StoreOp{Mode: StoreAdd, Flags: flags, Keywords: words}); err != nil {
			return err
		}
		return w.a.Flush(w.ctx)
	}
}

func crashMove(uids ...UID) func(*crashWorld) error {
	return func(w *crashWorld) error { _, _, _, err := w.a.MoveTo(w.ctx, w.b, uids); return err }
}

// crashCompact fails when there is nothing to squeeze out, or something stays.
func crashCompact(w *crashWorld) error {
	before := w.a.Blanks()
	_, err := w.a.Compact(w.ctx)
	if after := w.a.Blanks(); err == nil && (before == 0 || after > 0) {
		return fmt.Errorf("%d blanks before, %d after", before, after)
	}
	return err
}

// manyWords do not fit into what status headers and the base line have room for.
func manyWords() []string {
	var words []string
	for i := range 30 {
		words = append(words, fmt.Sprintf("a-keyword-with-a-long-name-%02d", i))
	}
	return words
}

func crashCases() []crashCase {
	five, mail := crashLines(5, "", ""), mailbox(5)
	without := func(gone ...int) []string {
		list := slices.Clone(five)
		for _, g := range slices.Backward(gone) {
			list = slices.Delete(list, g-1, g)
		}
		return list
	}
	and := func(lines ...string) []string { return append(slices.Clone(five), lines...) }
	gone, wide := []UID{}, crashLines(20, "", "")
	var halved []string
	for i, line := range wide {
		if i%2 == 0 {
			gone = append(gone, UID(i+1))
		} else {
			halved = append(halved, line)
		}
	}
	squeezed := slices.Concat(without(2, 4), []string{"6  m6", "7  m7"})
	return []crashCase{
		{name: "expunge first", collapses: true, a: mail, do: crashExpunge(1), oldA: five, newA: without(1)},
		{name: "expunge middle", collapses: true, a: mail, do: crashExpunge(3), oldA: five, newA: without(3)},
		{name: "expunge last", a: mail, do: crashExpunge(5), oldA: five, newA: without(5)},
		{name: "expunge all", a: mail, do: crashExpunge(1, 2, 3, 4, 5), oldA: five, newA: []string{}},
		{name: "expunge every second", collapses: true, a: crashWide(20), do: crashExpunge(gone...), oldA: wide, newA: halved},
		{name: "append", a: mail, do: crashAppend(1), oldA: five, newA: and("6 R n0 Fresh")},
		{name: "append to an empty mailbox", do: crashAppend(1), oldA: []string{}, newA: []string{"1 R n0 Fresh"}},
		{name: "multi-append", a: mail, do: crashAppend(3), oldA: five, newA: and("6 R n0 Fresh", "7 R n1 Fresh", "8 R n2 Fresh")},
		{
			name: "copy", a: mail, oldA: five, newA: and("6  m2", "7  m4"),
			do: func(w *crashWorld) error { _, _, _, err := w.a.CopyTo(w.ctx, w.a, []UID{2, 4}); return err },
		},
		{name: "flags and a new keyword", a: mail, do: crashStore(FlagSeen, "$Junk"), oldA: five, newA: crashLines(5, "R", "$Junk")},
		{
			name: "flags across sectors", a: crashWide(40), do: crashStore(FlagSeen | FlagFlagged), sees: intentSuffix,
			oldA: crashLines(40, "", ""), newA: crashLines(40, "RF", ""),
		},
		{
			name: "keyword growth", a: mail, do: crashStore(0, manyWords()...), sees: planSuffix,
			oldA: five, newA: crashLines(5, "", strings.Join(manyWords(), " ")),
		},
		{
			name: "first status blocks", a: mail, oldA: five, newA: five,
			do: func(w *crashWorld) error { return w.a.writePending(w.ctx, true) },
		},
		{
			name: "compact", a: mailbox(7), prepare: crashExpunge(2, 4), do: crashCompact, sees: planSuffix,
			oldA: squeezed, newA: squeezed,
		},
		{
			name: "move", a: mail, collapses: true, b: delivered(11) + delivered(12), do: crashMove(2, 4), sees: moveSuffix,
			oldA: five, newA: without(2, 4), oldB: []string{"1  m11", "2  m12"}, newB: []string{"1  m11", "2  m12", "3  m2", "4  m4"},
		},
		{
			name: "move all to an empty mailbox", a: mail, b: "empty", do: crashMove(1, 2, 3, 4, 5), sees: moveSuffix,
			oldA: five, newA: []string{}, oldB: []string{}, newB: five,
		},
		{
			name: "move to a missing mailbox", a: mail, collapses: true, b: "missing", do: crashMove(1), sees: moveSuffix,
			oldA: five, newA: without(1), oldB: []string{}, newB: five[:1],
		},
		{
			name: "move within", a: mail, collapses: true, b: "empty", oldA: five, newA: []string{"1  m1", "3  m3", "5  m5", "6  m2", "7  m4"},
			oldB: []string{}, newB: []string{},
			do: func(w *crashWorld) error { _, _, _, err := w.a.MoveTo(w.ctx, w.a, []UID{2, 4}); return err },
		},
	}
}

// wantSeen makes sure that the command does what the case is for.
func (c *crashCase) wantSeen(t *testing.T, dead bool) {
	t.Helper()
	sees := []string{c.sees}
	if dead && c.collapses {
		sees = append(sees, "collapse "+crashA)
	}
	for seed := range int64(16) {
		w, err := newCrashWorld(t.Context(), crashTrial{seed: seed, dead: dead}, c)
		if err != nil {
			t.Fatal(err)
		}
		from := len(w.disk.Log())
		if err := c.do(w); err != nil {
			t.Fatal(err)
		}
		log := strings.Join(w.disk.Log()[from:], "\n")
		sees = slices.DeleteFunc(sees, func(s string) bool { return strings.Contains(log, s) })
	}
	if len(sees) > 0 {
		t.Errorf("not seen in any trial: %q", sees)
	}
}
