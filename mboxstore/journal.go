package mboxstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoold/spool"
)

// The journal is a directory of small files, which knows nothing of mail:
//
//	ID.GENERATION.plan  a rewrite that is being carried out (commit.go). Of several the highest generation counts.
//	ID.GENERATION.tmp   a plan that is still being written; the mailbox knows nothing of it yet
//	ID.intent           what is about to be appended or edited in place (intent.go)
//	MOVE.move           what is about to be moved to another mailbox (moverecord.go); MOVE is random
//	lost/               what was cut off or could not be used, for a human
//
// ID stands for the mailbox file's identity, GENERATION rises. Both are 16 hexadecimal digits.

const (
	planSuffix   = ".plan"
	tmpSuffix    = ".tmp"
	intentSuffix = ".intent"
	lostName     = "lost"

	defaultWindow = 32 << 20
	pieceSize     = 1 << 20 // bytes of one read or write
)

// What can come between a change and the mailbox.
var (
	// ErrNoJournal: without a state directory no byte is moved.
	ErrNoJournal = errors.New("no journal to protect the change")
	// ErrNotOwner: nothing is moved in a mailbox of another user, who would not find our journal after a crash.
	ErrNotOwner = fmt.Errorf("mailbox belongs to another user: %w", ErrNoJournal)
	// ErrForeign: the file is not what the change was planned for. Nothing was written.
	ErrForeign = errors.New("file was changed by another program")
	// ErrPending: a change was begun and is in the journal. Nothing else may be written before its replay.
	ErrPending = errors.New("change is unfinished")
	// ErrDamaged: a change cannot be finished, because the file is no longer what it was when the change was begun.
	ErrDamaged = errors.New("file does not match its journal")
	// ErrJournal: a journal file cannot be read.
	ErrJournal = errors.New("unusable journal")
)

// rule is a step of the protocol that the crash matrix leaves out, one at a time, to prove that it is needed.
type rule uint8

const (
	_                rule = iota
	ruleSlotSync          // the mailbox is durable before a window slot is used again
	ruleReplay            // replay makes durable what it acts on
	ruleSupersede         // a plan is durable before the one that it replaces is removed
	rulePlanSync          // a plan is durable before the mailbox is touched
	ruleWritten           // that all windows are written is durable before the file is cut
	ruleNonce             // the gap is marked
	ruleExtended          // an extension is recorded before windows are written
	ruleIntent            // an intent is durable before what it is about
	ruleCollapseSync      // a dead range is gone, durably, before the next one is taken out
	ruleCleared           // an intent is gone, durably, before what it was about is acknowledged
	ruleMoveRecord        // what is moved is recorded, durably, before the first copy is written
	ruleWindow            // a window is durable in its slot before it is written to the mailbox
	ruleOrder             // no window overwrites what a later one needs
	ruleAllWritten        // all windows and marks are durable before it is recorded that they are written
	ruleGeneration        // a plan that replaces another has a higher generation
	rulePlanID            // the id of a plan is random
)

// journal makes changes of one mailbox file so that they are there wholly or not at all. The caller holds the
// mailbox's exclusive locks in every call, and makes one call at a time.
type journal struct {
	dir        spool.Dir // nil: none
	path       string
	now        func() time.Time
	log        *slog.Logger
	window     int64
	clean      identity // the mailbox for which nothing waits here; zero: not known
	noCollapse bool     // the file system has refused to take a range out of the mailbox

	named identity // the mailbox whose intent file has a name that is durable

	told   told     // of the mailbox toldOf
	toldOf identity // zero: not looked at yet
	wrote  planID   // of the last intent record that we wrote, or tried to

	// separator says whether a line, with its LF, begins a message. Replay looks with it for what others appended
	// behind a torn append.
	separator func(line []byte) bool

	without rule // tests only
}

// newJournal returns the journal in dir for the mailbox at path. A nil dir is none: nothing that could tear is done.
// A window of 0 is 32 MiB.
func newJournal(dir spool.Dir, path string, now func() time.Time, log *slog.Logger, window int64) *journal {
	if window == 0 {
		window = defaultWindow
	}
	return &journal{
		dir: dir, path: path, now: now, log: log, window: window,
		separator: func(line []byte) bool { _, ok := parseFrom(line, true); return ok },
	}
}

func (j *journal) keeps(r rule) bool { return j.without != r }

// planName is the name of a plan's file.
type planName struct {
	id  string
	gen uint64
	tmp bool
}

func (n planName) String() string {
	suffix := planSuffix
	if n.tmp {
		suffix = tmpSuffix
	}
	return fmt.Sprintf("%s.%016x%s", n.id, n.gen, suffix)
}

func parsePlanName(s string) (n planName, ok bool) {
	s, ok = strings.CutSuffix(s, planSuffix)
	if !ok {
		s, n.tmp = strings.CutSuffix(s, tmpSuffix)
		if !n.tmp {
			return n, false
		}
	}
	id, gen, ok := strings.Cut(s, ".")
	g, err := strconv.ParseUint(gen, 16, 64)
	n.id, n.gen = id, g
	return n, ok && err == nil
}

// plans lists the plans in the journal, those of each mailbox by ascending generation.
func (j *journal) plans() ([]planName, error) {
	names, err := j.dir.Names()
	if err != nil {
		return nil, err
	}
	var plans []planName
	for _, s := range names {
		if n, ok := parsePlanName(s); ok {
			plans = append(plans, n)
		}
	}
	slices.SortFunc(plans, func(a, b planName) int { return strings.Compare(a.String(), b.String()) })
	return plans, nil
}

// nextGeneration is higher than all there are, and than those of the past while the clock does not go back; if it
// does, the sync that makes the new name durable makes the removal of the old ones durable, too.
func (j *journal) nextGeneration(id string) (uint64, error) {
	plans, err := j.plans()
	if err != nil {
		return 0, err
	}
	gen := uint64(max(1, j.now().UnixNano()))
	for _, n := range plans {
		switch {
		case n.id != id:
		case j.keeps(ruleGeneration):
			gen = max(gen, n.gen+1)
		default:
			gen = n.gen - 1
		}
	}
	return gen, nil
}

// pending reports whether a plan or an intent waits for its replay.
func (j *journal) pending(f spool.File) (bool, error) {
	if j.dir == nil {
		return false, nil
	}
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	id := identityOf(info)
	plans, err := j.plans()
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(plans, func(n planName) bool { return n.id == id.name() && !n.tmp }) {
		return true, nil
	}
	i, err := readIntent(j.dir, id.name())
	return i != nil, err
}

// pendingPaths lists the mailboxes for which something waits in the journal, by the paths they had then.
func pendingPaths(dir spool.Dir) ([]string, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, s := range names {
		path, err := pendingPath(dir, s)
		if err != nil && !errors.Is(err, ErrJournal) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// pendingPath is the mailbox that waits for the file name; none for an unusable file, which replay reports.
func pendingPath(dir spool.Dir, name string) (string, error) {
	if id, ok := strings.CutSuffix(name, intentSuffix); ok {
		i, err := readIntent(dir, id)
		if i == nil {
			return "", err
		}
		return i.path, nil
	}
	n, ok := parsePlanName(name)
	if !ok || n.tmp {
		return "", nil
	}
	p, err := openPlan(dir, n)
	if err != nil {
		return "", err
	}
	return p.path, p.f.Close()
}

// newPlanID is the id of a new plan. Marks in the mailbox are made of it, so nobody may have seen it before.
func (j *journal) newPlanID() planID {
	if j.keeps(rulePlanID) {
		return randomID()
	}
	return planID{1}
}

func randomID() (id planID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// saveLost keeps bytes for a human, durably.
func (j *journal) saveLost(name string, r io.ReaderAt, off, n int64) error {
	lost, err := j.dir.Sub(lostName)
	if err != nil {
		return err
	}
	f, err := lost.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = copyBytes(f, 0, r, off, n)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = lost.Sync()
	}
	return err
}

// copyBytes copies a range in pieces.
func copyBytes(w io.WriterAt, to int64, r io.ReaderAt, from, n int64) error {
	buf := make([]byte, min(n, pieceSize))
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if err := readFull(r, b, from); err != nil {
			return err
		}
		if _, err := w.WriteAt(b, to); err != nil {
			return err
		}
		from, to, n = from+int64(len(b)), to+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// readFull fills b. What is missing at the end of the file is an error.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
