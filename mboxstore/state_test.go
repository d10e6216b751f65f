package mboxstore

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"spoold/spool"
)

// rival is a box on which another program can hold UW's session lock.
type rival struct {
	*spool.Box
	held bool
}

func (r *rival) SessionHeld() (bool, error) { return r.held, nil }

func (w *world) openBeside(r *rival) *Mailbox {
	w.t.Helper()
	r.Box = spool.NewBox(w.path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: 5 * time.Second, Stale: time.Hour})
	m, err := Open(w.t.Context(), r, w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// While alpine has the mailbox open nothing in it moves; flags wait in the state directory, also across a restart.
func TestSessionLockOfAnotherProgram(t *testing.T) {
	w := newWorld(t, mailbox(3))
	r := &rival{}
	m := w.openBeside(r)
	must(t, m.writePending(t.Context(), true))
	r.held = true
	before := w.content()
	must(t, m.Store(t.Context(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagDeleted, Keywords: []string{"Work"}}))
	must(t, m.Flush(t.Context()))
	if _, err := m.Expunge(t.Context(), nil, true); !errors.Is(err, ErrInUse) {
		t.Errorf("expunge: %v", err)
	}
	if _, err := m.Remove(t.Context(), []UID{1}); !errors.Is(err, ErrInUse) {
		t.Errorf("remove: %v", err)
	}
	if w.content() != before {
		t.Errorf("file changed to\n%s", w.content())
	}
	w.deliver(delivered(4))
	must(t, m.Refresh(t.Context()))
	if _, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m5\r\n\r\nx\r\n")}}); err != nil {
		t.Errorf("append: %v", err)
	}
	m.flush.stop() // a crash: nothing is saved on the way out

	r2 := &rival{}
	m = w.openBeside(r2)
	wantList(t, m, "1  m1", "2 D m2 Work", "3  m3", "4  m4", "5  m5")
	must(t, m.writePending(t.Context(), true))
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), "1  m1", "2 D m2 Work", "3  m3", "4  m4", "5  m5")
}

func TestCacheIsNeverNeeded(t *testing.T) {
	for name, spoil := range map[string]func(b []byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut":             func(b []byte) []byte { return b[:len(b)/2] },
		"one bit":         func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"another version": func(b []byte) []byte { b[len(cacheMagic)]++; return b },
		"foreign":         func([]byte) []byte { return []byte("From a Wed Dec  2 05:53:22 1992\n") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mailbox(3))
			m := w.open()
			must(t, m.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
			w.close(m)
			f, err := w.o.State.Open(m.cacheName(), os.O_RDWR, 0)
			must(t, err)
			info, err := f.Stat()
			must(t, err)
			b := make([]byte, info.Size)
			if _, err := f.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
			b = spoil(b)
			must(t, f.Truncate(0))
			if _, err := f.WriteAt(b, 0); err != nil {
				t.Fatal(err)
			}
			must(t, f.Close())
			wantList(t, w.open(), "1  m1", "2  m2", "3 R m3")
		})
	}
}

func TestCacheSparesTheScan(t *testing.T) {
	w := newWorld(t, mailbox(50))
	m := w.open()
	modseq := m.Status().ModSeq
	w.close(m)
	m = w.open()
	if got := m.Status().ModSeq; got != modseq {
		t.Errorf("modseq %d, was %d", got, modseq)
	}
	if n := len(m.index.log); n != 0 {
		t.Errorf("%d changes found: the file was scanned", n)
	}
}

// FuzzCache: no bytes in the state directory can do more than be refused.
func FuzzCache(f *testing.F) {
	m := &Mailbox{sp: spool.NewBox("/var/spool/mail/u", 0, spool.LockPolicy{})}
	m.index.base = Base{UIDValidity: 7, LastUID: 9, Keywords: []string{"a"}}
	m.index.setRecords(make([]record, 3))
	f.Add(m.encodeCache())
	f.Fuzz(func(t *testing.T, b []byte) {
		o := &Mailbox{sp: m.sp}
		if err := o.decodeCache(b); err == nil {
			again := o.encodeCache()
			if p := (&Mailbox{sp: m.sp}); p.decodeCache(again) != nil {
				t.Error("what was read cannot be written and read")
			}
		}
	})
}
