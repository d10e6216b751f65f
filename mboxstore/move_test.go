package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spoold/spool"
	"spoold/spool/faultfs"

	"golang.org/x/sys/unix"
)

// pair is two mailboxes on one simulated disk.
type pair struct {
	t        *testing.T
	disk     *faultfs.FS
	o        Options
	src, dst *Mailbox
	box      *balkyBox // of src
}

const pairSource, pairTarget = "/mail/source", "/mail/target"

// balkyBox is a mailbox file that cannot be locked when fail says so, and knows of UW's session lock.
type balkyBox struct {
	*faultfs.Box
	fail func() error
	held bool
}

func (b *balkyBox) Lock(ctx context.Context, f spool.File, mode spool.LockMode) (func() error, error) {
	if b.fail != nil {
		if err := b.fail(); err != nil {
			return nil, err
		}
	}
	return b.Box.Lock(ctx, f, mode)
}

func (b *balkyBox) SessionHeld() (bool, error) { return b.held, nil }

func newPair(t *testing.T, source, target string) *pair {
	t.Helper()
	p := &pair{t: t, disk: faultfs.New(1)}
	p.o = Options{User: "u", Hostname: "example.com", FlushDelay: time.Hour}
	p.disk.File(pairSource, []byte(source))
	p.disk.File(pairTarget, []byte(target))
	p.open()
	return p
}

// open is a new process; it does what waits in the journal unless there is nothing.
func (p *pair) open() {
	p.t.Helper()
	p.o.State = p.disk.Dir("/state")
	moves, err := PendingMoves(p.o.State)
	must(p.t, err)
	p.box = &balkyBox{Box: p.disk.Box(pairSource)}
	p.src = p.openBox(p.box)
	p.dst = p.openBox(p.disk.Box(pairTarget))
	for _, v := range moves {
		must(p.t, v.Finish(p.t.Context(), p.src, p.dst))
	}
}

func (p *pair) openBox(sp Spool) *Mailbox {
	p.t.Helper()
	m, err := Open(p.t.Context(), sp, p.o)
	must(p.t, err)
	m.flush.stop()
	return m
}

func (p *pair) move(uids ...UID) (from, to []UID, err error) {
	_, from, to, err = p.src.MoveTo(p.t.Context(), p.dst, uids)
	return from, to, err
}

func (p *pair) want(source, target []string) {
	p.t.Helper()
	if diff := cmp.Diff(source, list(p.t, p.src)); diff != "" {
		p.t.Errorf("source (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(target, list(p.t, p.dst)); diff != "" {
		p.t.Errorf("target (-want +got):\n%s", diff)
	}
}

func (p *pair) wantNoRecord() {
	p.t.Helper()
	names, err := p.src.journal.dir.Names()
	must(p.t, err)
	for _, n := range names {
		if strings.HasSuffix(n, moveSuffix) {
			p.t.Errorf("record stays: %s", n)
		}
	}
}

// oddMessages are hard to copy without a change; the last has no line end.
const oddMessages = "From a Wed Dec  2 05:53:22 1992\r\nSubject: crlf\r\n\r\nx\r\ny\r\n\r\n" +
	"From a Wed Dec  2 05:53:22 1992\nSubject: nul\n\nx\x00y\n\n" +
	"From a Wed Dec  2 05:53:22 1992\nSubject: header alone\n" +
	"From a Wed Dec  2 05:53:22 1992\nSubject: blank lines\nStatus: RO\nSubject: twice\n\n\n\n\n\n" +
	"From a Wed Dec  2 05:53:22 1992\nSubject: quoted\n\n>From x\n\n" +
	"From a Wed Dec  2 05:53:22 1992\nSubject: open\n\nno line end"

// TestMoveKeepsWhatClientsSee: and the checksum that proves a copy is that of what clients see on both sides.
func TestMoveKeepsWhatClientsSee(t *testing.T) {
	p := newPair(t, oddMessages+"\n\n"+delivered(7)+strings.Repeat("line\r\n", streamChunk/4), mailbox(1))
	must(t, p.src.Store(t.Context(), []UID{2, 5}, StoreOp{Mode: StoreAdd, Flags: FlagSeen, Keywords: []string{"$Junk"}}))
	var texts []string
	var sums []messageSum
	for _, u := range p.src.UIDs() {
		text, err := p.src.Text(t.Context(), u, nil)
		must(t, err)
		sum, err := p.src.sum(t.Context(), u)
		must(t, err)
		texts, sums = append(texts, string(text)), append(sums, sum)
	}
	before := p.src.Get(p.src.UIDs(), nil)
	from, to, err := p.move(p.src.UIDs()...)
	must(t, err)
	if len(from) != len(texts) || len(to) != len(texts) || len(p.src.UIDs()) != 0 {
		t.Fatalf("moved %v to %v, left %v", from, to, p.src.UIDs())
	}
	after := p.dst.Get(to, nil)
	for i, u := range to {
		text, err := p.dst.Text(t.Context(), u, nil)
		must(t, err)
		if string(text) != texts[i] {
			t.Errorf("message %d: %.300q, was %.300q", i, text, texts[i])
		}
		if sum, err := p.dst.sum(t.Context(), u); err != nil || sum != sums[i] {
			t.Errorf("message %d: another checksum, %v", i, err)
		}
		a, b := after[i], before[i]
		if a.Flags&^FlagOld != b.Flags&^FlagOld || strings.Join(a.Keywords, " ") != strings.Join(b.Keywords, " ") || a.date != b.date {
			t.Errorf("message %d: %v, was %v", i, a, b)
		}
	}
	p.wantNoRecord()
}

func TestMoveWithinOneMailbox(t *testing.T) {
	p := newPair(t, mailbox(3), "")
	_, from, to, err := p.src.MoveTo(t.Context(), p.src, []UID{1, 3, 9})
	must(t, err)
	if fmt.Sprint(from, to) != "[1 3] [4 5]" {
		t.Errorf("moved %v to %v", from, to)
	}
	p.want([]string{"2  m2", "4  m1", "5  m3"}, nil)
	p.wantNoRecord()
}

// TestMoveRefusedLeavesNothing: what can be known beforehand is, and else the copies are taken back.
func TestMoveRefusedLeavesNothing(t *testing.T) {
	locked := func(b *balkyBox) {
		b.fail = func() error { return spool.ErrLocked }
	}
	for _, tt := range []struct {
		name   string
		hinder func(*pair)
		want   error
	}{
		{"source locked", func(p *pair) { locked(p.box) }, spool.ErrLocked},
		{"source in use", func(p *pair) { p.box.held = true }, ErrInUse},
		{"source read-only", func(p *pair) { p.src.o.ReadOnly = true }, ErrReadOnly},
		{"source becomes read-only", func(p *pair) {
			p.box.fail = func() error {
				p.src.o.ReadOnly = true
				return nil
			}
		}, ErrReadOnly},
		{"target read-only", func(p *pair) { p.dst.o.ReadOnly = true }, ErrReadOnly},
		{"no state directory", func(p *pair) { p.src.o.State = nil }, ErrNoJournal},
		{"no space", func(p *pair) { p.disk.Space(0) }, errors.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, mailbox(3), mailbox(1))
			tt.hinder(p)
			_, _, err := p.move(1, 2)
			if err == nil || tt.want != errors.ErrUnsupported && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			p.want([]string{"1  m1", "2  m2", "3  m3"}, []string{"1  m1"})
			p.wantNoRecord()
		})
	}
}

// TestMoveFailsAnywhere: when any operation fails, each message is in the source or in the target, and only a failure
// of the disk in the taking back leaves it in both. A restart finds the same.
func TestMoveFailsAnywhere(t *testing.T) {
	for at := 1; ; at++ {
		for _, partial := range []bool{false, true} {
			p := newPair(t, mailbox(4), mailbox(1))
			p.disk.FailAt(at, errors.New("broken"), partial)
			before := p.disk.Ops()
			_, _, err := p.move(2, 3)
			if p.disk.Ops()-before < at {
				return
			}
			p.disk.FailAt(0, nil, false)
			for _, restart := range []bool{false, true} {
				if restart {
					p.disk.PowerCut(0)
					p.open()
				}
				must(t, p.src.Refresh(t.Context()))
				must(t, p.dst.Refresh(t.Context()))
				source, target := strings.Join(list(t, p.src), ","), strings.Join(list(t, p.dst), ",")
				moved := source == "1  m1,4  m4" && target == "1  m1,2  m2,3  m3"
				unmoved := source == "1  m1,2  m2,3  m3,4  m4" && target == "1  m1"
				if !moved && (err == nil || !unmoved) {
					t.Errorf("failure at %d, error %v, restart %v: %s and %s\n%s", at, err, restart, source, target, strings.Join(p.disk.Log(), "\n"))
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestMoveThatLeavesBoth: where it cannot be known that the messages are in one mailbox only, the next start sees to it.
func TestMoveThatLeavesBoth(t *testing.T) {
	broken := func() error { return unix.EIO }
	for name, hinder := range map[string]func(*pair){
		"source not known": func(p *pair) { p.box.fail = broken },
		"copies cannot be taken back": func(p *pair) {
			p.box.fail = func() error { return spool.ErrLocked }
			box := &balkyBox{Box: p.disk.Box(pairTarget)}
			p.dst = p.openBox(box)
			locks := 0
			box.fail = func() error {
				if locks++; locks > 1 {
					return unix.EIO
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, mailbox(4), mailbox(1))
			hinder(p)
			if _, _, err := p.move(2, 3); !errors.Is(err, errInBoth) {
				t.Errorf("error %v", err)
			}
			p.disk.PowerCut(0)
			p.open()
			p.want([]string{"1  m1", "4  m4"}, []string{"1  m1", "2  m2", "3  m3"})
			p.wantNoRecord()
		})
	}
}

// interruptedMove is a pair whose move was killed once the copies were durable.
func interruptedMove(t *testing.T, uids ...UID) *pair {
	t.Helper()
	for at := 1; ; at++ {
		p := newPair(t, mailbox(4), mailbox(1))
		p.disk.CrashAt(at)
		if !faultfs.Run(func() { _, _, _ = p.move(uids...) }) {
			t.Fatal("no such moment")
		}
		p.disk.PowerCut(0)
		p.o.State = p.disk.Dir("/state")
		m := p.openBox(p.disk.Box(pairTarget))
		if len(m.UIDs()) == 1+len(uids) {
			return p
		}
	}
}

func TestInterruptedMoveAndOthers(t *testing.T) {
	all := []string{"1  m1", "2  m2", "3  m3", "4  m4"}
	rewrite := func(path string, f func(string) string) func(*pair) {
		return func(p *pair) {
			b := []byte(f(string(p.disk.Bytes(path))))
			file := p.disk.File(path, nil)
			_, err := file.WriteAt(b, 0)
			must(p.t, errors.Join(err, file.Truncate(int64(len(b))), file.Sync()))
		}
	}
	without := func(subject string) func(string) string {
		return func(s string) string {
			at := strings.LastIndex(s[:strings.Index(s, "Subject: "+subject+"\n")], "From ")
			end := strings.Index(s[at+1:], "\nFrom ")
			if end < 0 {
				return s[:at]
			}
			return s[:at] + s[at+1+end+1:]
		}
	}
	for _, tt := range []struct {
		name           string
		meanwhile      func(*pair)
		source, target []string
	}{
		{"nothing", func(*pair) {}, []string{"1  m1", "4  m4"}, []string{"1  m1", "2  m2", "3  m3"}},
		{
			"delivery to the source", func(p *pair) { p.disk.Append(pairSource, []byte(delivered(9))) },
			[]string{"1  m1", "4  m4", "5  m9"},
			[]string{"1  m1", "2  m2", "3  m3"},
		},
		{
			"delivery to the target", func(p *pair) { p.disk.Append(pairTarget, []byte(delivered(9))) },
			[]string{"1  m1", "4  m4"},
			[]string{"1  m1", "2  m2", "3  m3", "4  m9"},
		},
		{"a copy deleted", rewrite(pairTarget, without("m3")), []string{"1  m1", "3  m3", "4  m4"}, []string{"1  m1", "2  m2"}},
		{
			"a copy edited", rewrite(pairTarget, func(s string) string { return strings.Replace(s, "text of message 3", "text of massage 3", 1) }),
			[]string{"1  m1", "3  m3", "4  m4"},
			[]string{"1  m1", "2  m2", "3  m3"},
		},
		{
			"an original edited", rewrite(pairSource, func(s string) string { return strings.Replace(s, "text of message 3", "text of massage 3", 1) }),
			[]string{"1  m1", "4  m4", "5  m3"},
			[]string{"1  m1", "2  m2", "3  m3"},
		},
		{
			"another target", rewrite(pairTarget, func(s string) string { return strings.Replace(delivered(8), "\n\n", "\nX-IMAPbase: 77 0\n\n", 1) }),
			all,
			[]string{"1  m8"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := interruptedMove(t, 2, 3)
			tt.meanwhile(p)
			p.open()
			p.want(tt.source, tt.target)
			p.wantNoRecord()
		})
	}
}

// TestInterruptedMoveOfLockedMailbox: it can be tried again.
func TestInterruptedMoveOfLockedMailbox(t *testing.T) {
	p := interruptedMove(t, 2)
	moves, err := PendingMoves(p.o.State)
	must(t, err)
	p.box = &balkyBox{Box: p.disk.Box(pairSource)}
	p.src, p.dst = p.openBox(p.box), p.openBox(p.disk.Box(pairTarget))
	p.box.fail = func() error { return spool.ErrLocked }
	if len(moves) != 1 || moves[0].Source() != pairSource || moves[0].Target() != pairTarget {
		t.Fatalf("moves %v", moves)
	}
	if err := moves[0].Finish(t.Context(), p.src, p.dst); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("error %v", err)
	}
	p.want([]string{"1  m1", "2  m2", "3  m3", "4  m4"}, []string{"1  m1", "2  m2"})
	p.box.fail = nil
	must(t, moves[0].Finish(t.Context(), p.src, p.dst))
	p.want([]string{"1  m1", "3  m3", "4  m4"}, []string{"1  m1", "2  m2"})
	p.wantNoRecord()
}

// TestMoveRecord: what was written is read, and nothing else is taken for a record.
func TestMoveRecord(t *testing.T) {
	dir := faultfs.New(1).Dir("/state")
	j := &journal{dir: dir}
	r := &moveRecord{
		source: movePlace{"/mail/a", 7}, target: movePlace{"/mail/b", 8},
		pairs: []movedMessage{{1, 5, messageSum{1}}, {3, 6, messageSum{2}}},
	}
	must(t, j.writeMove(r))
	got, err := moveRecords(dir)
	must(t, err)
	if len(got) != 1 {
		t.Fatalf("%d records", len(got))
	}
	if diff := cmp.Diff(r, got[0], cmp.AllowUnexported(moveRecord{}, movePlace{}, movedMessage{})); diff != "" {
		t.Error(diff)
	}
	f, err := dir.Open(r.name(), os.O_RDWR, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	for n := info.Size - 1; n >= 0; n-- {
		must(t, f.Truncate(n))
		if _, err := readMove(dir, r.name()); !errors.Is(err, errTornRecord) && !errors.Is(err, ErrJournal) {
			t.Fatalf("%d of %d bytes: %v", n, info.Size, err)
		}
	}
	if got, err := moveRecords(dir); err != nil || len(got) != 0 {
		t.Errorf("torn record: %v, %v", got, err)
	}
	if names, err := dir.Names(); err != nil || len(names) != 0 {
		t.Errorf("torn record stays: %v, %v", names, err)
	}
}

// TestMovesAtOnce: sessions move the same messages, to and fro. Each is somewhere, once, and nobody waits for ever.
func TestMovesAtOnce(t *testing.T) {
	const n = 12
	p := newPair(t, mailbox(n), "")
	third := p.openBox(p.disk.Box("/mail/third"))
	boxes := []*Mailbox{p.src, p.dst, third}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 8 {
				src, dst := boxes[i%3], boxes[(i+1+i/3)%3]
				if _, _, _, err := src.MoveTo(t.Context(), dst, src.UIDs()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, m := range boxes {
		for _, line := range list(t, m) {
			count[line[strings.LastIndexByte(line, ' ')+1:]]++
		}
	}
	for i := range n {
		if s := fmt.Sprint("m", i+1); count[s] != 1 {
			t.Errorf("%s: %d times", s, count[s])
		}
	}
	p.wantNoRecord()
}
