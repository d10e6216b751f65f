package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"spoold/mboxstore"
	"spoold/spool"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// guest is a holder that leaves when it is asked to, or not.
type guest struct {
	mu      sync.Mutex
	release func()
	asked   int
}

func (g *guest) Shutdown(string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if g.release != nil {
		go g.release()
	}
}

// opening is a table over real files that counts what it opens.
func opening(t testing.TB, keep time.Duration) (tab *table, dir string, opens *int) {
	t.Helper()
	cfg := user(t)
	state, err := spool.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{cfg: cfg, log: testLog(t), boxes: state}
	opens = new(int)
	var mu sync.Mutex
	tab = newTable(keep, w.log, func(ctx context.Context, path string) (*opened, error) {
		mu.Lock()
		*opens++
		mu.Unlock()
		return w.openMailbox(ctx, path)
	})
	t.Cleanup(func() { tab.close(context.Background()) })
	return tab, cfg.Root, opens
}

func (t *table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal(what)
}

func TestTableShares(t *testing.T) {
	tab, dir, opens := opening(t, time.Hour)
	path := filepath.Join(dir, "a")
	write(t, path, mail)
	first, releaseFirst, err := tab.acquire(t.Context(), path, &guest{})
	if err != nil {
		t.Fatal(err)
	}
	second, releaseSecond, err := tab.acquire(t.Context(), path, &guest{})
	if err != nil {
		t.Fatal(err)
	}
	releaseFirst()
	releaseFirst() // twice is no harm
	releaseSecond()
	third, releaseThird, err := tab.acquire(t.Context(), path, &guest{})
	if err != nil {
		t.Fatal(err)
	}
	defer releaseThird()
	if first != second || second != third || *opens != 1 {
		t.Errorf("opened %d times", *opens)
	}
}

func TestTableClosesLater(t *testing.T) {
	tab, dir, opens := opening(t, 20*time.Millisecond)
	path := filepath.Join(dir, "a")
	write(t, path, mail)
	for range 2 {
		_, release, err := tab.acquire(t.Context(), path, &guest{})
		if err != nil {
			t.Fatal(err)
		}
		release()
		until(t, "the mailbox stays open", func() bool { return tab.count() == 0 })
	}
	if *opens != 2 {
		t.Errorf("opened %d times, want 2", *opens)
	}
}

func TestTableBoundsIdle(t *testing.T) {
	tab, dir, _ := opening(t, time.Hour)
	for i := range maxIdle + 5 {
		path := filepath.Join(dir, fmt.Sprint(i))
		write(t, path, mail)
		_, release, err := tab.acquire(t.Context(), path, &guest{})
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	until(t, "too many stay open", func() bool { return tab.count() == maxIdle })
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.idle != maxIdle {
		t.Errorf("counted %d idle", tab.idle)
	}
	if _, ok := tab.entries[filepath.Join(dir, "0")]; ok {
		t.Error("the oldest is still open")
	}
}

func TestTableOpenFails(t *testing.T) {
	tab, dir, opens := opening(t, time.Hour)
	path := filepath.Join(dir, "a")
	write(t, path, "this is no mailbox\n")
	if _, _, err := tab.acquire(t.Context(), path, &guest{}); err == nil {
		t.Fatal("opened")
	}
	until(t, "a failure is kept", func() bool { return tab.count() == 0 })
	write(t, path, mail)
	_, release, err := tab.acquire(t.Context(), path, &guest{})
	if err != nil || *opens != 2 {
		t.Fatalf("after repair: %v, opened %d times", err, *opens)
	}
	release()
}

func TestAlter(t *testing.T) {
	tab, dir, _ := opening(t, time.Hour)
	inside, outside := filepath.Join(dir, "d", "a"), filepath.Join(dir, "da")
	g, other := &guest{}, &guest{}
	var err error
	if _, g.release, err = tab.acquire(t.Context(), inside, g); err != nil {
		t.Fatal(err)
	}
	if _, other.release, err = tab.acquire(t.Context(), outside, other); err != nil {
		t.Fatal(err)
	}
	ran := false
	free, err := tab.alter(t.Context(), filepath.Join(dir, "d"), &guest{}, "bye", func() error {
		ran = true
		if tab.count() != 1 {
			t.Error("the mailbox is still open")
		}
		return nil
	})
	if !free || err != nil || !ran {
		t.Errorf("altered: %v, %v, %v", free, err, ran)
	}
	if g.asked != 1 || other.asked != 0 {
		t.Errorf("asked to leave: %d and %d times", g.asked, other.asked)
	}
	other.release()
}

func TestAlterOfStuck(t *testing.T) {
	tab, dir, _ := opening(t, time.Hour)
	path := filepath.Join(dir, "a")
	stubborn := &guest{}
	_, release, err := tab.acquire(t.Context(), path, stubborn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	free, err := tab.alter(ctx, path, &guest{}, "bye", func() error { t.Error("altered under a session"); return nil })
	if free || err != nil {
		t.Errorf("altered: %v, %v", free, err)
	}
	release()
	_, release, err = tab.acquire(t.Context(), path, stubborn) // and life goes on
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestTableCloseFlushesStuck(t *testing.T) {
	tab, dir, _ := opening(t, time.Hour)
	path := filepath.Join(dir, "a")
	write(t, path, mail)
	m, release, err := tab.acquire(t.Context(), path, &guest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Store(t.Context(), m.UIDs(), mboxstore.StoreOp{Flags: mboxstore.FlagFlagged}); err != nil {
		t.Fatal(err)
	}
	tab.close(t.Context())
	want(t, read(t, path), "X-Status: F")
	if _, _, err := tab.acquire(t.Context(), path, &guest{}); !errors.Is(err, errClosed) {
		t.Errorf("acquired after the end: %v", err)
	}
	release()
	until(t, "the last to leave does not close it", func() bool { return tab.count() == 0 })
}

// TestTableRace lets many come and go at once.
func TestTableRace(t *testing.T) {
	tab, dir, _ := opening(t, time.Millisecond)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				path := filepath.Join(dir, fmt.Sprint((i+j)%3))
				if i == 0 && j%5 == 0 {
					if _, err := tab.alter(t.Context(), path, &guest{}, "bye", func() error { return nil }); err != nil {
						t.Error(err)
					}
					continue
				}
				m, release, err := tab.acquire(t.Context(), path, &guest{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := m.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
				release()
			}
		})
	}
	all.Wait()
	until(t, "something stays open", func() bool { return tab.count() == 0 })
}
