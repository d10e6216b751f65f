package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"spoold/spool/faultfs"
)

// The crash matrix of whole mailboxes: a command dies at each of its operations, by a kill or a power cut that loses
// any part of what was not synced; others append or rewrite the file; the recovery dies, too, and is made again. Then
// the mailboxes are what they were before the command or what it should have made of them.

const (
	crashA, crashB = "/mail/a", "/mail/b"
	crashNow       = 1_000_000_000
)

// crashTrial is one such history; the same values give the same one.
type crashTrial struct {
	name    string
	seed    int64
	at      int    // operation of the command in which the process dies
	mode    int    // -1: kill; else that of the power cut
	foreign string // what another program does before the recovery
	again   int    // operation of the recovery in which it dies; 0: it does not
	dead    bool   // the disk can take blocks out of files, and does wherever a command leaves some
	without rule   // left out of the protocol
}

var crashForeign = []string{"", "append", "status", "remove", "append b", "status b", "remove b"}

// crashWorld is two mailboxes on a simulated disk, and what is in them.
type crashWorld struct {
	crashTrial
	ctx     context.Context
	disk    *faultfs.FS
	rng     *rand.Rand
	inbox   bool
	a, b    *Mailbox // b only where the case needs it
	two     bool
	texts   map[string]string // of all messages, by subject
	removed string            // subject of the message that another program has removed
	edited  string            // path of the mailbox that another program has rewritten
	another map[string]bool   // subjects of the messages that became others by that
	next    map[string]UID    // UIDNEXT of each mailbox before the command
	appends bool              // the command appends to a mailbox
	ops     int               // length of the disk's log before the command
}

func newCrashWorld(ctx context.Context, tr crashTrial, c *crashCase) (*crashWorld, error) {
	w := &crashWorld{
		crashTrial: tr, ctx: ctx, disk: faultfs.New(tr.seed*7 + int64(tr.mode)), two: c.b != "", appends: len(c.newA) > len(c.oldA) || len(c.newB) > len(c.oldB),
		rng: rand.New(rand.NewPCG(uint64(tr.seed), uint64(tr.at))), inbox: tr.seed%4 < 2, texts: map[string]string{}, another: map[string]bool{}, next: map[string]UID{},
	}
	if err := w.fill(c); err != nil {
		return nil, err
	}
	for _, m := range w.boxes() {
		if tr.seed%2 == 0 {
			if err := m.writePending(ctx, true); err != nil {
				return nil, err
			}
		}
		w.next[m.sp.Path()] = m.Status().UIDNext
		for _, u := range m.UIDs() {
			text, err := m.Text(ctx, u, nil)
			if err != nil {
				return nil, err
			}
			w.texts[subjectIn(text)] = string(text)
		}
		if err := m.keepIndex(); err != nil {
			return nil, err
		}
	}
	for i := range 3 {
		w.texts[fmt.Sprint("n", i)] = newText(i)
	}
	w.ops = len(w.disk.Log())
	return w, w.open()
}

// fill makes the mailboxes of the case and opens them.
func (w *crashWorld) fill(c *crashCase) error {
	a, b := c.a, strings.TrimPrefix(c.b, "empty")
	if w.dead || c.prepare != nil {
		a, b = longer(a), longer(b)
	}
	w.disk.File(crashA, []byte(a))
	if w.two && c.b != "missing" {
		w.disk.File(crashB, []byte(b))
	}
	unit := int64(0)
	if w.dead {
		unit = testUnit
	}
	defer w.disk.Unit(unit)
	w.disk.Unit(testUnit)
	if err := w.open(); err != nil || c.prepare == nil {
		return err
	}
	return c.prepare(w)
}

// keepIndex saves what Close saves, and writes nothing to the mailbox.
func (m *Mailbox) keepIndex() error {
	m.op.Lock()
	defer m.op.Unlock()
	return m.saveCache(true)
}

// open is a new process: it replays what waits.
func (w *crashWorld) open() error {
	o := Options{
		State: w.disk.Dir("/state"), User: "u", Hostname: "example.com", Inbox: w.inbox, FlushDelay: time.Hour,
		Now: func() time.Time { return time.Unix(crashNow, 0) },
	}
	moves, err := PendingMoves(o.State)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		m    **Mailbox
		path string
	}{{&w.a, crashA}, {&w.b, crashB}} {
		if p.path == crashB && !w.two {
			continue
		}
		if *p.m, err = Open(w.ctx, w.disk.Box(p.path), o); err != nil {
			return err
		}
		(*p.m).flush.stop()
		(*p.m).journal.window = []int64{0, 512, 700, 4096}[w.seed/4%4]
		if (*p.m).journal.window == 0 {
			(*p.m).journal.window = defaultWindow
		}
		(*p.m).journal.without, (*p.m).spare = w.without, 1
		o.Inbox = false
	}
	for _, v := range moves {
		if err := v.Finish(w.ctx, w.box(v.Source()), w.box(v.Target())); err != nil && w.damaged() == nil {
			return err
		}
	}
	return nil
}

func (w *crashWorld) boxes() []*Mailbox {
	if w.two {
		return []*Mailbox{w.a, w.b}
	}
	return []*Mailbox{w.a}
}

func (w *crashWorld) box(path string) *Mailbox {
	if path == crashB {
		return w.b
	}
	return w.a
}

func (w *crashWorld) damaged() error {
	for _, m := range w.boxes() {
		if err := m.Damaged(); err != nil {
			return err
		}
	}
	return nil
}

func subjectIn(text []byte) string {
	_, s, _ := strings.Cut(string(text), "Subject: ")
	s, _, _ = strings.Cut(s, "\r\n")
	return s
}

// lines shows a mailbox as list does, and compares every text.
func (w *crashWorld) lines(m *Mailbox) ([]string, error) {
	lines := []string{}
	for _, msg := range m.Get(m.UIDs(), nil) {
		text, err := m.Text(w.ctx, msg.UID, nil)
		if err != nil {
			return nil, err
		}
		s := subjectIn(text)
		if w.tornCopy(m.sp.Path(), &msg, w.texts[s], string(text)) {
			continue
		}
		if want, known := w.texts[s]; known && want != string(text) && !w.torn(s) && !w.becameAnother(s, want, string(text)) {
			return nil, fmt.Errorf("message %d is %.400q, was %.400q", msg.UID, text, want)
		}
		flags := (msg.Flags &^ FlagOld).appendLetters(nil, "RAFDT")
		lines = append(lines, strings.Join(append([]string{fmt.Sprint(msg.UID), string(flags), s}, msg.Keywords...), " "))
	}
	return lines, nil
}

// torn: when another program has moved what was begun to be appended, it is no longer known as ours, and stays.
func (w *crashWorld) torn(subject string) bool {
	return w.edited != "" && strings.HasPrefix(subject, "n")
}

// tornCopy reports whether a message is what there was of a copy when another program has moved it: then it is not known
// as ours, and stays beside the message that it should become.
func (w *crashWorld) tornCopy(path string, msg *Message, want, text string) bool {
	if w.edited != path || msg.UID < w.next[path] || strings.HasPrefix(text, want) || !strings.HasPrefix(subjectIn([]byte(text)), "m") {
		return false
	}
	begin, _, _ := strings.Cut(text, "\x80")              // that is a NUL: sectors may be lost
	if head, _, ok := strings.Cut(text, "\r\n\r\n"); ok { // in the status headers, which are not served when they are whole
		switch at := strings.LastIndexByte(head, '\n') + 1; {
		case beginsStatusName(head[at:]):
			begin = head[:at]
		case w.mode >= 0:
			begin = head
		}
	}
	return strings.HasPrefix(want, strings.TrimRight(begin, "\r\n"))
}

// beginsStatusName reports whether a line is the beginning of a status header's name.
func beginsStatusName(line string) bool {
	return line != "" && slices.ContainsFunc([]string{"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAPbase"}, func(name string) bool {
		return strings.HasPrefix(name, line)
	})
}

func (w *crashWorld) die() {
	w.disk.CrashAt(0)
	if w.mode < 0 {
		w.disk.Kill()
		return
	}
	w.disk.PowerCut(w.mode)
}

// run does the trial. It says whether the process died in the command at all.
func (tr crashTrial) run(ctx context.Context, c *crashCase) (w *crashWorld, crashed bool, err error) {
	w, err = newCrashWorld(ctx, tr, c)
	if err != nil {
		return w, false, fmt.Errorf("before: %w", err)
	}
	validity := w.a.Status().UIDValidity
	w.disk.CrashAt(tr.at)
	crashed = faultfs.Run(func() { err = c.do(w) })
	if err != nil {
		return w, crashed, err
	}
	w.die()
	if err := w.others(); err != nil {
		return w, crashed, err
	}
	if tr.again > 0 {
		w.disk.CrashAt(tr.again)
		if faultfs.Run(func() { err = w.open() }) {
			w.die()
		} else if err != nil {
			return w, crashed, fmt.Errorf("first recovery: %w", err)
		}
		w.disk.CrashAt(0)
	}
	before := w.journal()
	if err := w.open(); err != nil {
		return w, crashed, fmt.Errorf("recovery: %w", err)
	}
	if err := w.damaged(); err != nil {
		return w, crashed, w.checkDamaged(err, before)
	}
	if v := w.a.Status().UIDValidity; v != validity {
		return w, crashed, fmt.Errorf("UIDVALIDITY %d, was %d", v, validity)
	}
	return w, crashed, w.check(c, crashed)
}

// journal is what is in the journal, and what is in the mailboxes.
func (w *crashWorld) journal() map[string]string {
	files := map[string]string{}
	names, err := w.disk.Dir("/state/journal").Names()
	if err != nil {
		return nil
	}
	for _, n := range names {
		if strings.HasSuffix(n, planSuffix) || strings.HasSuffix(n, moveSuffix) {
			files[n] = string(w.disk.Bytes("/state/journal/" + n))
		}
	}
	files[crashA], files[crashB] = string(w.disk.Bytes(crashA)), string(w.disk.Bytes(crashB))
	return files
}

// checkDamaged: that is only for what another program has rewritten; then nothing is changed any more.
func (w *crashWorld) checkDamaged(damage error, before map[string]string) error {
	if w.edited == "" {
		return fmt.Errorf("damaged: %w", damage)
	}
	info, err := w.disk.File(w.edited, nil).Stat()
	if err != nil {
		return err
	}
	after, id := w.journal(), identityOf(info).name()
	for name, content := range before {
		if after[name] != content && (strings.HasPrefix(name, id) || name == w.edited) {
			return fmt.Errorf("%s of a damaged mailbox has changed: %w", name, damage)
		}
	}
	for _, m := range w.boxes() {
		if m.Damaged() != nil && !m.ReadOnly() {
			return errors.New("damaged, but not read-only")
		}
	}
	return nil
}

// smallest makes a failing trial as simple as it still fails.
func (tr crashTrial) smallest(ctx context.Context, c *crashCase) crashTrial {
	fails := func(t crashTrial) bool { _, _, err := t.run(ctx, c); return err != nil }
	try := func(change func(*crashTrial)) bool {
		t := tr
		if change(&t); t != tr && fails(t) {
			tr = t
			return true
		}
		return false
	}
	try(func(t *crashTrial) { t.again = 0 })
	try(func(t *crashTrial) { t.dead = false })
	try(func(t *crashTrial) { t.foreign = "" })
	try(func(t *crashTrial) { t.mode = -1 })
	for seed := int64(0); seed < tr.seed && !try(func(t *crashTrial) { t.seed = seed }); seed++ {
	}
	for at := 1; at < tr.at && !try(func(t *crashTrial) { t.at = at }); at++ {
	}
	for again := 1; again < tr.again && !try(func(t *crashTrial) { t.again = again }); again++ {
	}
	return tr
}

// TestCrashInEveryOperation: after a crash at any moment of a change, and in the recovery, the mailboxes are the old or
// the new ones, each message once and with its UID; and the new ones when the change was acknowledged.
func TestCrashInEveryOperation(t *testing.T) {
	for _, c := range crashCases() {
		for _, dead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/collapse %v", c.name, dead), func(t *testing.T) {
				if full() {
					t.Parallel()
				}
				c.runAll(t, dead)
			})
		}
	}
}

// runAll runs the trials of a case, and tells how many there were.
func (c *crashCase) runAll(t *testing.T, dead bool) {
	n, damaged, crashes, collapses := 0, 0, 0, 0
	rng := rand.New(rand.NewPCG(1, 2))
	for at, through := 1, 0; through < 3; at++ { // some of the trials have fewer operations
		crashed := false
		for tr := range c.trials(rng, at) {
			tr.dead = dead
			w, died, err := tr.run(t.Context(), c)
			if err != nil {
				tr = tr.smallest(t.Context(), c)
				w, _, err = tr.run(t.Context(), c)
				t.Fatalf("%+v: %v\n%s", tr, err, strings.Join(w.disk.Log(), "\n"))
			}
			n++
			crashed = crashed || died
			if died {
				crashes++
			}
			if w.damaged() != nil {
				damaged++
			}
			if w.collapsed() {
				collapses++
			}
		}
		if through++; crashed {
			through = 0
		}
	}
	c.wantSeen(t, dead)
	t.Logf("%d trials, %d of them crashed, %d took blocks out, %d refused what another program had rewritten", n, crashes, collapses, damaged)
}

// collapsed reports whether the disk has taken something out of a mailbox.
func (w *crashWorld) collapsed() bool {
	return slices.ContainsFunc(w.disk.Log()[w.ops:], func(op string) bool { return strings.HasPrefix(op, "collapse ") })
}

// trials are the trials with a crash at one operation: all there are, or some.
func (c *crashCase) trials(rng *rand.Rand, at int) func(yield func(crashTrial) bool) {
	foreign := crashForeign
	if c.b == "" {
		foreign = foreign[:4]
	}
	if full() {
		return c.allTrials(rng, at, foreign)
	}
	few := 3
	if raceDetector {
		few = 2
	}
	return func(yield func(crashTrial) bool) {
		for i := range few {
			tr := crashTrial{name: c.name, seed: rng.Int64N(16), at: at, mode: rng.IntN(5) - 1}
			if i > 0 {
				tr.foreign, tr.again = foreign[rng.IntN(len(foreign))], max(0, rng.IntN(40)-20)
			}
			if !yield(tr) {
				return
			}
		}
	}
}

func (c *crashCase) allTrials(rng *rand.Rand, at int, foreign []string) func(yield func(crashTrial) bool) {
	return func(yield func(crashTrial) bool) {
		for seed := range int64(16) {
			for mode := -1; mode <= 3; mode++ {
				for _, f := range foreign {
					again := max(0, rng.IntN(80)-40)
					if !yield(crashTrial{name: c.name, seed: seed, at: at, mode: mode, foreign: f, again: again}) {
						return
					}
				}
			}
		}
	}
}

// TestRewriteOfHalfCollapse: a power cut leaves a collapse half done, and another program that writes the file anew fills
// the hole with NULs. The message that they are in is not taken for whole.
func TestRewriteOfHalfCollapse(t *testing.T) {
	cases := crashCases()
	c := &cases[slices.IndexFunc(cases, func(c crashCase) bool { return c.name == "expunge every second" })]
	trials, holes := 0, 0
	for seed := int64(2); seed < 4; seed++ { // windows of the usual size; with status headers, and without
		for at, crashed := 1, true; crashed; at++ {
			for _, foreign := range []string{"status", "remove"} {
				tr := crashTrial{name: c.name, seed: seed, at: at, mode: 2, foreign: foreign, dead: true}
				w, died, err := tr.run(t.Context(), c)
				if err != nil {
					t.Fatalf("%+v: %v", tr, err)
				}
				crashed = died
				trials++
				if d := w.damaged(); d != nil && strings.Contains(d.Error(), "NULs in place") {
					holes++
				}
			}
		}
	}
	t.Logf("%d trials, %d filled holes noticed", trials, holes)
	if holes == 0 {
		t.Error("no hole was filled")
	}
}

// TestRuleOfMoves: without a durable record the matrix finds messages in both mailboxes.
func TestRuleOfMoves(t *testing.T) {
	cases := crashCases()
	c := &cases[slices.IndexFunc(cases, func(c crashCase) bool { return c.name == "move" })]
	for at, crashed := 1, true; crashed; at++ {
		crashed = false
		for mode := -1; mode <= 3; mode++ {
			tr := crashTrial{name: c.name, at: at, mode: mode, without: ruleMoveRecord}
			_, died, err := tr.run(t.Context(), c)
			if err != nil {
				t.Logf("found: %+v", tr)
				return
			}
			crashed = crashed || died
		}
	}
	t.Error("nothing found")
}
