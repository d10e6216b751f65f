package mboxstore

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"spoold/spool"
)

// fullDir is a directory on a file system that may be full, or whose quota is used up: no file grows then.
type fullDir struct {
	spool.Dir
	err *atomic.Uintptr // a unix.Errno, or 0
}

type fullFile struct {
	spool.File
	err *atomic.Uintptr // a unix.Errno, or 0
}

func (d fullDir) Sub(name string) (spool.Dir, error) {
	sub, err := d.Dir.Sub(name)
	return fullDir{sub, d.err}, err
}

func (d fullDir) Open(name string, flag int, perm fs.FileMode) (spool.File, error) {
	f, err := d.Dir.Open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return fullFile{f, d.err}, nil
}

func (f fullFile) WriteAt(p []byte, off int64) (int, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if room := info.Size - off; f.err.Load() != 0 && room < int64(len(p)) {
		n, err := f.File.WriteAt(p[:max(room, 0)], off)
		return n, errors.Join(unix.Errno(f.err.Load()), err)
	}
	return f.File.WriteAt(p, off)
}

// writtenFlags counts the messages that are \Flagged in the file.
func writtenFlags(content []byte) int { return bytes.Count(content, []byte("\nX-Status: F")) }

// TestStateDirectoryFull: mail is read, flags that need no journal are written, the others wait; what moves bytes is
// refused with nothing done, and so is an append unless its intent has a place already. Then there is space again.
func TestStateDirectoryFull(t *testing.T) {
	for _, full := range []unix.Errno{unix.ENOSPC, unix.EDQUOT} {
		for _, appended := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				const n = 100
				disk, o, m := timed(t, n)
				must(t, m.Close(t.Context()))
				var state atomic.Uintptr
				o.State = fullDir{o.State, &state}
				m, err := Open(t.Context(), disk.Box(modelBox), o)
				must(t, err)
				if appended {
					_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: one\r\n\r\n")}})
					must(t, err)
				}
				time.Sleep(20 * time.Second)
				whole := texts(t, m)
				state.Store(uintptr(full))

				must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
				time.Sleep(time.Second)
				written := writtenFlags(disk.Bytes(modelBox))
				t.Logf("%v, appended before: %v: flags of %d of %d messages are written at once", full, appended, written, n)
				if crossing := n - written; !appended && (crossing < 1 || crossing > n/4) {
					t.Errorf("flags of %d messages are written", written)
				}
				before := disk.Bytes(modelBox)
				if _, err := m.Remove(t.Context(), []UID{7}); !errors.Is(err, full) || errors.Is(err, ErrPending) {
					t.Errorf("expunge: %v", err)
				}
				_, _, err = m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: two\r\n\r\n")}})
				if appended != (err == nil) || err != nil && (!errors.Is(err, full) || errors.Is(err, ErrPending)) {
					t.Errorf("append: %v", err)
				}
				if !appended && !bytes.Equal(disk.Bytes(modelBox), before) {
					t.Error("refused, and done in part")
				}
				got := texts(t, m)
				for uid, want := range whole {
					if got[uid] != want {
						t.Errorf("message %d reads %q", uid, got[uid])
					}
				}
				if err := m.Flush(t.Context()); appended == (err != nil) || err != nil && !errors.Is(err, full) {
					t.Errorf("flush: %v", err)
				}

				state.Store(0)
				time.Sleep(longestRetry + 5*time.Second)
				disk.PowerCut(0)
				m.flush.stop()
				if got := writtenFlags(disk.Bytes(modelBox)); got < n {
					t.Errorf("flags of %d messages are written after there was space again", got)
				}
			})
		}
	}
}

// TestMailFileSystemFull: APPEND, COPY and EXPUNGE are refused, whatever space is left, with the mailbox as it was; flags
// wait or are written; and all goes on when there is space again.
func TestMailFileSystemFull(t *testing.T) {
	refusals := 0
	for room := int64(0); room < 24_000; room += 1500 {
		synctest.Test(t, func(t *testing.T) {
			disk, o, m := timed(t, 60)
			used := int64(len(disk.Bytes(modelBox)))
			for _, dir := range []string{"/state", "/state/journal"} {
				names, err := disk.Dir(dir).Names()
				must(t, err)
				for _, name := range names {
					used += int64(len(disk.Bytes(dir + "/" + name)))
				}
			}
			disk.Space(used + room)
			big := strings.Repeat("text\r\n", 3000)
			uids := len(m.UIDs())
			for name, do := range map[string]func() error{
				"append": func() error {
					_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: x\r\n\r\n" + big)}})
					return err
				},
				"copy": func() error { _, _, _, err := m.CopyTo(t.Context(), m, m.UIDs()); return err },
				"expunge": func() error {
					_, err := m.Remove(t.Context(), []UID{5})
					return err
				},
			} {
				before := disk.Bytes(modelBox)
				err := do()
				switch {
				case err == nil && name == "expunge":
					uids--
				case err == nil:
					t.Errorf("room of %d: %s succeeded", room, name)
				case !errors.Is(err, unix.ENOSPC) || errors.Is(err, ErrPending):
					t.Errorf("room of %d: %s: %v", room, name, err)
				case !bytes.Equal(before, disk.Bytes(modelBox)):
					t.Errorf("room of %d: %s was refused and has changed the mailbox", room, name)
				default:
					refusals++
				}
			}
			must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagFlagged, Keywords: []string{"Word"}}))
			time.Sleep(10 * time.Second)
			if len(texts(t, m)) != uids {
				t.Errorf("room of %d: %d messages", room, len(m.UIDs()))
			}
			disk.Space(-1)
			time.Sleep(longestRetry + 5*time.Second)
			disk.PowerCut(0)
			m.flush.stop()
			m = openOn(t, disk, refresh(disk, o))
			for _, msg := range m.Get(m.UIDs(), nil) {
				if msg.Flags&FlagFlagged == 0 || len(msg.Keywords) != 1 {
					t.Errorf("room of %d: message %d has flags %v, keywords %v", room, msg.UID, msg.Flags, msg.Keywords)
				}
			}
			if len(m.UIDs()) != uids {
				t.Errorf("room of %d: %d messages, want %d", room, len(m.UIDs()), uids)
			}
		})
	}
	t.Logf("%d refusals", refusals)
}
