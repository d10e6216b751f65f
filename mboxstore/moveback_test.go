package mboxstore

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// fullPair is a pair whose UIDs and base lines are in the files, with so much space left on its disk.
func fullPair(t *testing.T, left int64) *pair { return fullPairOf(t, mailbox, left) }

func fullPairOf(t *testing.T, mail func(n int) string, left int64) *pair {
	t.Helper()
	p := newPair(t, mail(40), mail(3))
	_, _, err := p.dst.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m9\r\n\r\ntext\r\n")}})
	must(t, err)
	must(t, p.src.writePending(t.Context(), true))
	must(t, p.dst.writePending(t.Context(), true))
	p.disk.Left(left)
	return p
}

// where is in which of the mailboxes of a pair the first two messages of the source are: once, or not as expected.
func (p *pair) where() string {
	p.t.Helper()
	source, target := p.src.UIDs(), list(p.t, p.dst)
	count := strings.Count(strings.Join(target, ","), "m1") + strings.Count(strings.Join(target, ","), "m2")
	switch {
	case len(source) == 40 && len(target) == 4:
		return "source"
	case len(source) == 38 && len(target) == 6 && count == 4:
		return "target"
	}
	return strings.Join(list(p.t, p.src), ",") + " and " + strings.Join(target, ",")
}

// toldLast appends a delivery to the target, and is the UID that it gets.
func (p *pair) toldLast() UID {
	p.t.Helper()
	p.disk.Append(pairTarget, []byte(delivered(9)))
	must(p.t, p.dst.Refresh(p.t.Context()))
	uids := p.dst.UIDs()
	return uids[len(uids)-1]
}

// TestMoveOnFullDisk: with any amount of space, a move is made, or refused with the messages in the source alone, also
// after a power cut. The UID of a copy that was there for a moment is not given again.
func TestMoveOnFullDisk(t *testing.T) {
	cut, trials := 0, 0
	for left := int64(0); ; left += 97 {
		p := fullPair(t, left)
		_, _, err := p.move(1, 2)
		p.disk.Space(-1)
		if err == nil {
			if at := p.where(); at != "target" {
				t.Fatalf("%d octets left: moved, but: %s", left, at)
			}
			break
		}
		trials++
		next := p.dst.Status().UIDNext
		if at := p.where(); !errors.Is(err, unix.ENOSPC) || at != "source" {
			t.Fatalf("%d octets left, error %v: %s", left, err, at)
		}
		p.wantNoRecord()
		p.disk.PowerCut(1)
		p.open()
		if at := p.where(); at != "source" {
			t.Fatalf("%d octets left, error %v, after a power cut: %s", left, err, at)
		}
		if next > 5 {
			cut++
		}
		if last := p.toldLast(); last < next {
			t.Fatalf("%d octets left: UID %d, UIDNEXT was %d", left, last, next)
		}
	}
	if cut == 0 {
		t.Error("no copy was ever taken back")
	}
	t.Logf("%d moves refused, %d of them after the copies were there", trials, cut)
}

// fullest is how much space is left when the copies fit and nothing else does.
func fullest(t *testing.T, mail func(n int) string) int64 {
	for left := int64(0); ; left += 97 {
		p := fullPairOf(t, mail, left)
		if _, _, err := p.move(1, 2); err == nil {
			t.Fatal("no copy was ever taken back")
		}
		if p.dst.Status().UIDNext > 5 {
			return left
		}
	}
}

// TestMoveOnFullDiskCrash: a crash at any operation of such a move leaves the messages in one mailbox.
func TestMoveOnFullDiskCrash(t *testing.T) {
	left, trials := fullest(t, mailbox), 0
	for mode := -1; mode <= 3; mode++ {
		for at, crashed := 1, true; crashed; at++ {
			p := fullPair(t, left)
			p.disk.CrashAt(at)
			crashed = faultfs.Run(func() { _, _, _ = p.move(1, 2) })
			next := p.dst.index.base.LastUID + 1
			if !crashed {
				next = p.dst.Status().UIDNext
			}
			die(p.disk, mode)
			p.disk.Space(-1)
			p.open()
			if where := p.where(); where != "source" && where != "target" || !crashed && where != "source" {
				t.Fatalf("mode %d, crash at %d: %s", mode, at, where)
			}
			p.wantNoRecord()
			if last := p.toldLast(); last < next {
				t.Fatalf("mode %d, crash at %d: UID %d, UIDNEXT was %d", mode, at, last, next)
			}
			uids := p.dst.UIDs()
			die(p.disk, -1)
			p.open()
			if !slices.Equal(p.dst.UIDs(), uids) {
				t.Fatalf("mode %d, crash at %d: %v, were %v", mode, at, p.dst.UIDs(), uids)
			}
			trials++
		}
	}
	t.Logf("%d trials", trials)
}

// leftPair is a pair with a refused move of messages 2 and 3 whose copies, 2 and 3 in the target, could not be taken back.
func leftPair(t *testing.T) (p *pair, left *Move) {
	t.Helper()
	p = newPair(t, mailbox(4), mailbox(1))
	p.src.o.MoveLeft = func(v *Move) { left = v }
	p.box.fail = func() error { return spool.ErrLocked }
	box, locks := &balkyBox{Box: p.disk.Box(pairTarget)}, 0
	p.dst = p.openBox(box)
	box.fail = func() error {
		if locks++; locks == 2 || locks == 3 {
			return unix.EIO
		}
		return nil
	}
	if _, _, err := p.move(2, 3); !errors.Is(err, errInBoth) || left == nil {
		t.Fatalf("error %v", err)
	}
	p.box.fail = nil
	p.want([]string{"1  m1", "2  m2", "3  m3", "4  m4"}, []string{"1  m1", "2  m2", "3  m3"})
	return p, left
}

// TestRefusedMoveIsSettled: the copies go as soon as they can, and only those of what is still in the source; a second
// move of the same messages waits for that, and leaves each of them once.
func TestRefusedMoveIsSettled(t *testing.T) {
	all := []string{"1  m1", "2  m2", "3  m3", "4  m4"}
	for _, tt := range []struct {
		name           string
		then           func(p *pair, left *Move)
		source, target []string
	}{
		{"tried again later", func(p *pair, left *Move) { must(t, left.Finish(t.Context(), p.src, p.dst)) }, all, []string{"1  m1"}},
		{"behind a delivery", func(p *pair, left *Move) {
			p.disk.Append(pairTarget, []byte(delivered(9)))
			must(t, left.Finish(t.Context(), p.src, p.dst))
		}, all, []string{"1  m1", "4  m9"}},
		{"an original expunged", func(p *pair, left *Move) {
			_, err := p.src.Remove(t.Context(), []UID{3})
			must(t, err)
			must(t, left.Finish(t.Context(), p.src, p.dst))
		}, []string{"1  m1", "2  m2", "4  m4"}, []string{"1  m1", "3  m3"}},
		{"moved again", func(p *pair, left *Move) {
			_, to, err := p.move(1, 2)
			must(t, err)
			if !slices.Equal(to, []UID{4, 5}) {
				t.Errorf("moved to %v", to)
			}
			must(t, left.Finish(t.Context(), p.src, p.dst))
		}, []string{"3  m3", "4  m4"}, []string{"1  m1", "4  m1", "5  m2"}},
		{"another one moved", func(p *pair, left *Move) {
			_, _, err := p.move(4)
			must(t, err)
			must(t, left.Finish(t.Context(), p.src, p.dst))
		}, []string{"1  m1", "2  m2", "3  m3"}, []string{"1  m1", "4  m4"}},
		{"moved elsewhere", func(p *pair, left *Move) {
			third := p.openBox(p.disk.Box("/mail/third"))
			if _, _, _, err := p.src.MoveTo(t.Context(), third, []UID{3}); !errors.Is(err, errInBoth) {
				t.Errorf("error %v", err)
			}
			must(t, left.Finish(t.Context(), p.src, p.dst))
			if _, _, _, err := p.src.MoveTo(t.Context(), third, []UID{3}); err != nil || len(third.UIDs()) != 1 {
				t.Errorf("error %v, %d messages", err, len(third.UIDs()))
			}
		}, []string{"1  m1", "2  m2", "4  m4"}, []string{"1  m1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, left := leftPair(t)
			tt.then(p, left)
			p.want(tt.source, tt.target)
			p.wantNoRecord()
		})
	}
}

// TestMoveOnFullDiskRefusesCut: the disk is full, and any one operation fails half done, as a full btrfs refuses to cut a
// file that it has zeroed already. In the end each message is whole, in one mailbox, and nobody else lost his UID.
func TestMoveOnFullDiskRefusesCut(t *testing.T) {
	long := func(n int) string { return longer(mailbox(n)) } // the copies begin on one page and end on another
	left := fullest(t, long)
	for at, over := 1, false; !over; at++ {
		p := fullPairOf(t, long, left)
		before := p.disk.Ops()
		p.disk.FailAt(at, unix.ENOSPC, true)
		_, _, err := p.move(1, 2)
		over = p.disk.Ops()-before < at
		p.disk.FailAt(0, nil, false)
		p.disk.Space(-1)
		p.open()
		if where := p.where(); err == nil || where != "source" && where != "target" {
			t.Fatalf("failure at %d, error %v: %s\n%s", at, err, where, strings.Join(p.disk.Log(), "\n"))
		}
		for _, m := range []*Mailbox{p.src, p.dst} {
			for i, u := range m.UIDs() {
				text, err := m.Text(t.Context(), u, nil)
				if err != nil || strings.ContainsAny(string(text), "\x00\u0080") || m == p.dst && i < 4 && u != UID(i+1) {
					t.Fatalf("failure at %d: %s: message %d of UID %d: %q, %v", at, m.sp.Path(), i+1, u, text, err)
				}
			}
		}
	}
}
