package mboxstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"spoold/spool"
	"spoold/spool/faultfs"
)

// cowBox is a mailbox on a file system on which overwriting needs space, too.
type cowBox struct {
	*faultfs.Box
	left  *atomic.Int64 // writes to the mailbox that still succeed; negative: all do
	tried *atomic.Int64 // that failed
}

// cowFile is its file.
type cowFile struct {
	spool.File
	box *cowBox
}

func (b *cowBox) Open(write bool) (spool.File, error) {
	f, err := b.Box.Open(write)
	if err != nil {
		return nil, err
	}
	return cowFile{f, b}, nil
}

func (b *cowBox) Lock(ctx context.Context, f spool.File, mode spool.LockMode) (func() error, error) {
	return b.Box.Lock(ctx, f.(cowFile).File, mode)
}

func (b *cowBox) SetTimes(f spool.File, atime, mtime time.Time) error {
	return b.Box.SetTimes(f.(cowFile).File, atime, mtime)
}

func (b *cowBox) Grain(f spool.File) time.Duration { return b.Box.Grain(f.(cowFile).File) }

func (f cowFile) WriteAt(p []byte, off int64) (int, error) {
	if f.box.left.Load() == 0 {
		f.box.tried.Add(1)
		page := max(off, (off+int64(len(p)))/4096*4096) // where kernels stop
		n, err := f.File.WriteAt(p[:page-off], off)
		return n, errors.Join(unix.ENOSPC, err)
	}
	f.box.left.Add(-1)
	return f.File.WriteAt(p, off)
}

// cowWorld is a numbered mailbox of n messages of about 3 KB on such a file system.
func cowWorld(t *testing.T, n int) (*faultfs.FS, *cowBox, Options) {
	t.Helper()
	disk := faultfs.New(1)
	disk.Clock(time.Now)
	o := Options{State: disk.Dir("/state"), User: "u", Hostname: "example.com"}
	var content strings.Builder
	for i := range n {
		content.WriteString(strings.TrimSuffix(delivered(i+1), "\n") + strings.Repeat(fmt.Sprintf("line of message %d\n", i+1), 150) + "\n")
	}
	disk.File(modelBox, []byte(content.String()))
	m := openOn(t, disk, o)
	must(t, m.writePending(t.Context(), true))
	must(t, m.Close(t.Context()))
	box := &cowBox{disk.Box(modelBox), &atomic.Int64{}, &atomic.Int64{}}
	box.left.Store(-1)
	return disk, box, o
}

// texts are all messages by UID.
func texts(t *testing.T, m *Mailbox) map[UID]string {
	t.Helper()
	all := map[UID]string{}
	for _, uid := range m.UIDs() {
		text, err := m.Text(t.Context(), uid, nil)
		must(t, err)
		all[uid] = string(text)
	}
	return all
}

// checkUnfinished: every message is what it was, or cannot be read now, as long as a change is unfinished; and nothing
// more is written.
func checkUnfinished(t *testing.T, disk *faultfs.FS, m *Mailbox, whole map[UID]string) (readable int) {
	t.Helper()
	before := disk.Bytes(modelBox)
	for uid, want := range whole {
		switch text, err := m.Text(t.Context(), uid, nil); {
		case err == nil && string(text) == want:
			readable++
		case err == nil:
			t.Errorf("message %d is a mixture: %.200q", uid, text)
		case !errors.Is(err, ErrPending):
			t.Errorf("message %d: %v", uid, err)
		}
	}
	if got := len(m.UIDs()); got != len(whole) {
		t.Errorf("%d messages, there were %d", got, len(whole))
	}
	if _, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: no\r\n\r\n")}}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("append: %v", err)
	}
	if _, err := m.Remove(t.Context(), []UID{1}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("expunge: %v", err)
	}
	if err := m.Flush(t.Context()); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("flush: %v", err)
	}
	if !bytes.HasPrefix(disk.Bytes(modelBox), before[:4000]) {
		t.Error("bytes before the change were written")
	}
	return readable
}

// TestUnfinishedChange lets every write to the mailbox in turn be the first for which there is no space: of the messages
// none is served with wrong octets, nobody writes, flags are taken, and when there is space again the change is finished
// without anybody asking for it.
func TestUnfinishedChange(t *testing.T) {
	broken, most := 0, 0
	for at := 0; ; at++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			disk, box, o := cowWorld(t, 20)
			m, err := Open(t.Context(), box, o)
			must(t, err)
			m.journal.window = 8 << 10
			whole := texts(t, m)
			box.left.Store(int64(at))
			if _, err = m.Remove(t.Context(), []UID{10, 12}); err == nil {
				done = true
				must(t, m.Close(t.Context()))
				return
			}
			if !errors.Is(err, ErrPending) || !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("write %d: %v", at, err)
			}
			broken++
			if n := checkUnfinished(t, disk, m, whole); n < 9 {
				t.Errorf("write %d: only %d messages can be read", at, n)
			}
			must(t, m.Store(t.Context(), []UID{3, 12, 15}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
			disk.Append(modelBox, []byte(delivered(99)))
			checkUnfinished(t, disk, m, whole)
			box.tried.Store(0)
			time.Sleep(10 * time.Minute)
			most = max(most, int(box.tried.Load()))
			checkUnfinished(t, disk, m, whole)

			box.left.Store(-1)
			time.Sleep(longestRetry + 5*time.Second)
			delete(whole, 10)
			delete(whole, 12)
			got := texts(t, m)
			if len(got) != 19 || !strings.Contains(got[21], "Subject: m99") {
				t.Errorf("write %d: %d messages, the delivered one is %.200q", at, len(got), got[21])
			}
			for uid, want := range whole {
				if got[uid] != want {
					t.Errorf("write %d: message %d is %.200q", at, uid, got[uid])
				}
			}
			disk.PowerCut(0)
			m.flush.stop()
			m = openOn(t, disk, refresh(disk, o))
			flagged := slices.DeleteFunc(m.Get(m.UIDs(), nil), func(msg Message) bool { return msg.Flags&FlagFlagged == 0 })
			if len(flagged) != 2 || flagged[0].UID != 3 || flagged[1].UID != 15 {
				t.Errorf("write %d: flagged are %v", at, flagged)
			}
		})
		if done || t.Failed() {
			break
		}
	}
	t.Logf("%d changes were broken off; at most %d further tries in ten minutes", broken, most)
	if broken < 5 || most < 1 || most > 60 {
		t.Errorf("%d changes broken off, %d tries", broken, most)
	}
}

// TestUnfinishedChangeAtOpen: a process that finds a change that it cannot finish either does not read the mailbox.
func TestUnfinishedChangeAtOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, box, o := cowWorld(t, 20)
		m, err := Open(t.Context(), box, o)
		must(t, err)
		whole := texts(t, m)
		box.left.Store(2)
		m.journal.window = 8 << 10
		_, err = m.Remove(t.Context(), []UID{10, 12})
		if !errors.Is(err, ErrPending) {
			t.Fatal(err)
		}
		must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
		if err := m.Close(t.Context()); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("close: %v", err)
		}
		if _, err := Open(t.Context(), box, o); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("open: %v", err)
		}
		box.left.Store(-1)
		m = openOn(t, disk, o)
		got := texts(t, m)
		for uid, text := range whole {
			if gone := uid == 10 || uid == 12; gone != (got[uid] == "") || !gone && got[uid] != text {
				t.Errorf("message %d is %.200q", uid, got[uid])
			}
		}
		if m.Get([]UID{3}, nil)[0].Flags&FlagFlagged == 0 {
			t.Error("flag lost")
		}
	})
}
