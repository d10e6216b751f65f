package mboxstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// repairWorld is a mailbox of ten messages of several sizes, numbered, on a simulated disk.
type repairWorld struct {
	t    *testing.T
	r    *rand.Rand
	disk *faultfs.FS
	o    Options
	keys map[string]mailKey // by subject
	uids map[string]UID

	removed mailKey           // by mutt
	cut     []byte            // all of that
	had     heldBytes         // before the repair
	texts   map[string][]byte // as they were before the crash, by subject
	nowhere int               // messages of which mutt has removed a part that nobody else had
	changed string            // by mutt: what it added is another message for clients
	left    int

	windows []int64 // of the journal
	unit    int64   // of the disk, when it takes ranges out of files
	twins   int     // messages with a new UID beside a mixed one that bears theirs
}

func newRepairWorld(t *testing.T, seed int64) *repairWorld {
	t.Helper()
	w := &repairWorld{t: t, r: rand.New(rand.NewPCG(uint64(seed), 3)), disk: faultfs.New(seed)}
	w.windows = []int64{1024, 1500, 4096}
	w.o = Options{State: w.disk.Dir("/state"), User: "u", Hostname: "example.com", Inbox: seed%2 == 0}
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "From a%d@example.com Wed Dec  2 05:53:22 1992\nSubject: m%d\nMessage-ID: <%d@example.com>\n", i, i, i)
		if seed%4 == 3 { // more than a sector
			for k := range 12 {
				fmt.Fprintf(&b, "X-Line: %d of the header of message %d, and something more\n", k, i)
			}
		}
		b.WriteByte('\n')
		for k := range w.r.IntN(40) {
			fmt.Fprintf(&b, "line %d of message %d\n", k, i)
		}
		b.WriteString("the end\n\n")
	}
	w.disk.File(modelBox, []byte(b.String()))
	m := openOn(t, w.disk, w.o)
	must(t, m.writePending(t.Context(), true))
	must(t, m.Close(t.Context()))
	must(t, m.saveCache(true)) // as the kernel does within seconds
	w.keys, w.uids, w.texts = map[string]mailKey{}, map[string]UID{}, map[string][]byte{}
	for _, r := range w.scan() {
		w.keys[r.subject], w.uids[r.subject], w.texts[r.subject] = r.key, r.uid, r.text
	}
	return w
}

type scannedMail struct {
	subject string
	key     mailKey
	uid     UID
	raw     []byte
	text    []byte
	status  [2]int // of the block, in raw
}

func (w *repairWorld) scan() (list []scannedMail) {
	b := w.disk.Bytes(modelBox)
	_, err := Scan(bytes.NewReader(b), 0, int64(len(b)), func(sp Span) error {
		r := newRecord(&sp, &interner{})
		raw := b[sp.Off:sp.Next]
		k := keptMessage{from: raw[:r.fromLen], header: raw[r.fromLen:][:r.hdrLen], text: raw[int(r.fromLen)+int(r.hdrLen) : sp.End-sp.Off], open: !r.blank}
		_, subject, _ := strings.Cut(string(raw), "Subject: ")
		subject, _, _ = strings.Cut(subject, "\n")
		at := int(r.fromLen) + int(r.intOff)
		list = append(list, scannedMail{subject, k.key(), r.onFile.uid, raw, k.text, [2]int{at, at + int(r.intLen)}})
		return nil
	})
	must(w.t, err)
	return list
}

// mutt writes the file anew, in place, with one message changed or removed.
func (w *repairWorld) mutt() {
	list := w.scan()
	i := w.r.IntN(len(list))
	if w.r.IntN(2) == 0 {
		s := list[i].status
		w.changed = list[i].subject
		status := fmt.Appendf(nil, "Status: RO\nX-Status: A\nX-Keywords:\nX-UID: %d\nContent-Length: 12\nLines: 3\n", list[i].uid)
		if base := bytes.Index(list[i].raw[:s[1]], []byte("X-IMAPbase")); base >= 0 {
			line, _, _ := bytes.Cut(list[i].raw[base:], []byte{'\n'})
			status = append(append(bytes.Clone(line), '\n'), status...)
		}
		list[i].raw = slices.Concat(list[i].raw[:s[0]], status, list[i].raw[s[1]:])
	} else if i > 0 { // the first carries the base
		w.removed, w.cut = list[i].key, list[i].raw
		list = slices.Delete(list, i, i+1)
	}
	var b []byte
	for _, m := range list {
		b = append(b, m.raw...)
	}
	f := w.disk.File(modelBox, nil)
	_, err := f.WriteAt(b, 0)
	must(w.t, err)
	must(w.t, f.Truncate(int64(len(b))))
	must(w.t, f.Sync())
}

// interrupt breaks an expunge at an operation, and lets mutt come. done: it did not break. gone are the subjects that
// were to go.
func (w *repairWorld) interrupt(at, mode int) (gone []string, done bool) {
	m := openOn(w.t, w.disk, w.o)
	w.disk.Unit(w.unit)
	m.spare = 1000
	m.journal.window = w.windows[w.r.IntN(len(w.windows))]
	uids := []UID{UID(1 + w.r.IntN(10))}
	if w.r.IntN(2) == 0 {
		uids = append(uids, UID(1+w.r.IntN(10)))
	}
	for s, u := range w.uids {
		if slices.Contains(uids, u) {
			gone = append(gone, s)
		}
	}
	w.disk.CrashAt(at)
	crashed := faultfs.Run(func() { _, _ = m.Remove(w.t.Context(), uids) })
	die(w.disk, mode)
	w.o = refresh(w.disk, w.o)
	if crashed {
		w.mutt()
	}
	return gone, !crashed
}

func (w *repairWorld) repair(write bool) ([]Repaired, error) {
	return Repair(w.t.Context(), w.disk.Box(modelBox), w.o, write)
}

// verify checks what a repair left.
func (w *repairWorld) verify(before []scannedMail, gone []string) error {
	w.t.Helper()
	times := map[mailKey]int{}
	got := map[mailKey]UID{}
	prev := UID(0)
	for _, m := range w.scan() {
		if m.uid <= prev {
			return fmt.Errorf("UID %d after %d", m.uid, prev)
		}
		prev = m.uid
		times[m.key]++
		got[m.key] = m.uid
	}
	for s, k := range w.keys {
		n := times[k]
		delete(times, k)
		if n == 0 && slices.ContainsFunc(gone, func(g string) bool { return g == s }) {
			continue
		}
		if n == 0 && k != w.removed && !w.cutBy(before, s, k) && w.partCut(s) {
			if w.had.whole(s, w.texts[s]) || bytes.Contains(w.held(), w.texts[s]) {
				return fmt.Errorf("message %s is not there, though its text is", s)
			}
			w.nowhere++
			continue
		}
		if n > 1 || n == 0 && k != w.removed && !w.cutBy(before, s, k) {
			return fmt.Errorf("message %s is there %d times", s, n)
		}
	}
	if err := w.had.in(w.held()); err != nil {
		return err
	}
	w.left += len(times) // halves whose whole message mutt removed, or that was to go: kept, since nobody else has them
	for _, b := range before {
		if u, ok := got[b.key]; ok && u != b.uid && b.subject != w.changed && w.keys[b.subject] == b.key && b.uid == w.uids[b.subject] {
			if twin := func(o scannedMail) bool { return o.uid == b.uid && o.key != b.key }; slices.ContainsFunc(before, twin) {
				w.twins++
				continue
			}
			return fmt.Errorf("message %s had UID %d and has %d", b.subject, b.uid, u)
		}
	}
	left, err := w.disk.Dir("/state/journal").Names()
	must(w.t, err)
	if slices.ContainsFunc(left, func(n string) bool { return strings.HasSuffix(n, planSuffix) }) {
		return fmt.Errorf("left in the journal: %q", left)
	}
	findings, err := Check(w.t.Context(), simBox{Box: w.disk.Box(modelBox)}, w.o)
	must(w.t, err)
	findings = slices.DeleteFunc(findings, func(f Finding) bool { return f.Severity == Notice || w.unit > 0 && f.Code == "nul-tail" })
	if len(findings) > 0 {
		return fmt.Errorf("check: %v", findings)
	}
	return nil
}

// cutBy reports whether mutt itself removed the message: then nobody has to have it.
func (w *repairWorld) cutBy(before []scannedMail, subject string, k mailKey) bool {
	return !slices.ContainsFunc(before, func(m scannedMail) bool { return m.key == k || m.subject == subject })
}

// journalBytes are those of all files of a directory of the journal.
func (w *repairWorld) journalBytes(dir string) (b []byte) {
	d := w.disk.Dir(dir)
	names, err := d.Names()
	must(w.t, err)
	for _, n := range names {
		f, err := d.Open(n, os.O_RDONLY, 0)
		must(w.t, err)
		info, err := f.Stat()
		must(w.t, err)
		part := make([]byte, info.Size)
		must(w.t, readFull(f, part, 0))
		b = append(append(b, part...), '\n')
	}
	return b
}

// repairFigures are counted over all trials.
type repairFigures struct{ trials, damaged, crashes, rescued, mixed, left, twins, nowhere, separators int }

// foreignRewrite is one trial: an expunge breaks at an operation, mutt rewrites the file, and the repair is broken, too,
// at its operation crash with mode, 0 for not at all; then it is tried again.
func (w *repairWorld) foreignRewrite(at, before, crash, mode int, n *repairFigures) (done bool, err error) {
	t := w.t
	t.Helper()
	gone, done := w.interrupt(at, before)
	if done {
		return true, nil
	}
	n.trials++
	m := openOn(t, w.disk, w.o)
	fits := m.Damaged() == nil
	if !fits && !errors.Is(m.Damaged(), ErrDamaged) || fits == m.ReadOnly() {
		return false, fmt.Errorf("read-only %v: %w", m.ReadOnly(), m.Damaged())
	}
	if fits {
		return false, nil
	}
	n.damaged++
	list, file := w.scan(), w.disk.Bytes(modelBox)
	w.had = heldBytes{file, w.journalBytes("/state/journal")}
	dry, err := w.repair(false)
	must(t, err)
	if !bytes.Equal(file, w.disk.Bytes(modelBox)) {
		return false, errors.New("a dry run changed the mailbox")
	}
	if crash > 0 {
		w.disk.CrashAt(crash)
		if !faultfs.Run(func() { _, err = w.repair(true) }) {
			w.disk.CrashAt(0)
			return true, err
		}
		n.crashes++
		die(w.disk, mode)
		w.o = refresh(w.disk, w.o)
		damaged := slices.Contains(w.codes(), "journal-damaged")
		m = openOn(t, w.disk, w.o) // replays what is in force
		if damaged != m.ReadOnly() {
			return false, fmt.Errorf("check says damaged: %v; %w", damaged, m.Damaged())
		}
	}
	acts, err := w.repair(true)
	if err == nil {
		err = w.verify(list, gone)
	}
	if unseen := len(dry) == 1 && dry[0].Code == "replay"; crash == 0 && len(dry) != len(acts) && !(w.unit > 0 && unseen) {
		err = errors.Join(err, fmt.Errorf("dry run %v", dry))
	}
	n.left += w.left
	n.twins += w.twins
	n.nowhere += w.nowhere
	for _, a := range acts {
		switch a.Code {
		case "rescued":
			n.rescued++
		case "mixed", "repeated", "restored":
			n.mixed++
		case "separator":
			n.separators++
		}
	}
	must(t, m.Refresh(t.Context()))
	if m.ReadOnly() {
		err = errors.Join(err, errors.New("the worker that saw the damage still serves it read-only"))
	}
	if err != nil {
		err = fmt.Errorf("%w\n%v\nbefore %v\nafter %v\n%q", err, acts, names(list), names(w.scan()), tailOf(w.disk.Bytes(modelBox)))
	}
	return false, err
}

func TestRepairAfterForeignRewrite(t *testing.T) {
	testForeignRewrites(t, crashSeeds()/2, 1024, 1500, 4096) // no message is larger
}

// TestRepairOfLongMessages: what of a message the journal has is put together with the rest, which is in the file.
func TestRepairOfLongMessages(t *testing.T) {
	testForeignRewrites(t, max(4, crashSeeds()/6), 128, 300, 700)
}

// TestRepairWithDeadRanges: kills and power cuts while the disk was to take ranges out of the file. Some messages are
// beyond repair, for the other program has removed a part of them; what is left of those is in lost/. Power cuts mix
// separators, too, and headers.
func TestRepairWithDeadRanges(t *testing.T) {
	seeds := int64(10)
	if full() {
		seeds = 40
	}
	for mode := -1; mode < 4; mode++ {
		var n repairFigures
		for seed := range seeds {
			for at, done := 1, false; !done; at++ {
				w := newRepairWorld(t, seed)
				w.windows, w.unit = []int64{1024, 4096}, testUnit
				var err error
				if done, err = w.foreignRewrite(at, mode, 0, 0, &n); err != nil {
					t.Fatalf("seed %d, crash at %d, mode %d: %v", seed, at, mode, err)
				}
			}
		}
		t.Logf("mode %d: %+v", mode, n)
		if n.damaged == 0 || n.mixed == 0 {
			t.Error("nothing was tried")
		}
		if mode >= 2 && n.separators == 0 {
			t.Error("no separator was mixed")
		}
		if mode < 2 && n.left > n.damaged/10 {
			t.Errorf("%d halves stay", n.left)
		}
		if n.nowhere > n.damaged/20 {
			t.Error("too many messages are not what they were")
		}
	}
}

func testForeignRewrites(t *testing.T, seeds int64, windows ...int64) {
	t.Helper()
	for mode := -1; mode < 4; mode++ {
		var n repairFigures
		for seed := range seeds {
			for at := 1; ; at++ {
				w := newRepairWorld(t, seed)
				w.windows = windows
				done, err := w.foreignRewrite(at, mode, 0, 0, &n)
				if err != nil {
					t.Fatalf("seed %d, crash at %d, mode %d: %v", seed, at, mode, err)
				}
				if done {
					break
				}
			}
		}
		t.Logf("mode %d: %+v", mode, n)
		if n.damaged == 0 || n.rescued == 0 || n.mixed == 0 {
			t.Error("nothing was tried")
		}
		if n.twins > n.damaged/100 {
			t.Errorf("%d messages have new UIDs", n.twins)
		}
	}
}

// TestRepairOfTwoLikeMessages: with the texts of two messages alike, what is left of one of them has the bytes of the
// other under its own X-UID, and both are whole in other places.
func TestRepairOfTwoLikeMessages(t *testing.T) {
	var n repairFigures
	w := newRepairWorld(t, 1357)
	w.windows = []int64{1024, 1500, 4096}
	if _, err := w.foreignRewrite(16, -1, 0, 0, &n); err != nil {
		t.Fatal(err)
	}
	if n.damaged != 1 || n.mixed != 1 {
		t.Errorf("%+v", n)
	}
}

// TestRepairOfSeparatorBeforeStaleMessage: the rewrite had got as far as the separator of a message, behind which that of
// another one stood, which has moved already.
func TestRepairOfSeparatorBeforeStaleMessage(t *testing.T) {
	for _, c := range []struct {
		seed    int64
		at      int
		windows []int64
	}{{289, 30, []int64{1024, 1500, 4096}}, {37, 31, []int64{128, 300, 700}}} {
		var n repairFigures
		w := newRepairWorld(t, c.seed)
		w.windows = c.windows
		if _, err := w.foreignRewrite(c.at, -1, 0, 0, &n); err != nil {
			t.Fatalf("seed %d: %v", c.seed, err)
		}
		if n.damaged != 1 || n.mixed == 0 {
			t.Errorf("seed %d: %+v", c.seed, n)
		}
	}
}

// TestRepairCrashes breaks repairs themselves at each operation.
func TestRepairCrashes(t *testing.T) {
	var n repairFigures
	for seed := range crashSeeds() / 8 {
		r := rand.New(rand.NewPCG(uint64(seed), 4))
		for at, done := 1, false; !done; at += 1 + r.IntN(3) {
			for crash := 1; ; crash++ {
				was := n.damaged
				mode := r.IntN(5) - 1
				end, err := newRepairWorld(t, seed).foreignRewrite(at, -1, crash, mode, &n)
				if err != nil {
					t.Fatalf("seed %d, crash at %d, and in the repair at %d, mode %d: %v", seed, at, crash, mode, err)
				}
				if done = end && n.damaged == was; done || end || n.damaged == was {
					break
				}
			}
		}
	}
	t.Logf("%+v", n)
	if n.crashes == 0 {
		t.Error("nothing was tried")
	}
}

func names(list []scannedMail) (lines []string) {
	for _, m := range list {
		lines = append(lines, fmt.Sprintf("%d:%s(%d)", m.uid, m.subject, len(m.raw)))
	}
	return lines
}

func tailOf(b []byte) []byte { return b[max(0, len(b)-100):] }
