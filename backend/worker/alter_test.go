package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoold/mboxstore"
)

// foreignLock locks a file as another program does: an OFD lock conflicts even within a process.
func foreignLock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func() { f.Close() }
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// TestDeleteOfBusySelected: the session that has it selected is busy with pipelined commands.
func TestDeleteOfBusySelected(t *testing.T) {
	w := open(t, user(t))
	a, b := preauth(t, w), preauth(t, w)
	for _, name := range []string{"P", "M"} {
		b.do("OK", "CREATE %s", name)
	}
	a.do("OK", "SELECT P")
	sent := make(chan struct{})
	go func() { // until the BYE: what it cannot send any more does not matter
		defer close(sent)
		for range 10000 {
			if _, err := a.nc.Write([]byte("x STATUS M (MESSAGES)\r\nx STATUS P (MESSAGES)\r\n")); err != nil {
				return
			}
		}
	}()
	a.line("* STATUS M ")
	begin := time.Now()
	b.do("OK", "DELETE P")
	if took := time.Since(begin); took > closeTimeout/2 {
		t.Errorf("DELETE took %v", took)
	}
	s := ""
	for !strings.HasPrefix(s, "* BYE ") {
		s = a.line("")
	}
	want(t, s, "The mailbox is being deleted by another session")
	a.nc.Close()
	<-sent
}

// TestLockedMailboxStopsNobody: one that is waited for does not stop what is done to others.
func TestLockedMailboxStopsNobody(t *testing.T) {
	cfg := user(t)
	cfg.LockMethods, cfg.LockTimeout = []string{"fcntl"}, time.Minute
	w := open(t, cfg)
	a, b := preauth(t, w), preauth(t, w)
	for _, name := range []string{"M", "N"} {
		b.do("OK", "CREATE %s", name)
	}
	path := filepath.Join(cfg.Root, "L")
	write(t, path, mail)
	unlock := foreignLock(t, path)
	a.send("x SELECT L\r\n")
	until(t, "L is not being opened", func() bool {
		w.table.mu.Lock()
		defer w.table.mu.Unlock()
		return w.table.entries[path] != nil
	})
	b.do("OK", "DELETE N")
	b.do("OK", "STATUS M (MESSAGES)")
	unlock()
	for s := ""; !strings.HasPrefix(s, "x OK"); {
		s = a.line("")
	}
}

// TestStatusOfLocked: it is refused soon, and a LIST tells the others.
func TestStatusOfLocked(t *testing.T) {
	cfg := user(t)
	cfg.LockMethods, cfg.LockTimeout, cfg.StatusWait = []string{"fcntl"}, time.Minute, 400*time.Millisecond
	w := open(t, cfg)
	c := preauth(t, w)
	path := filepath.Join(cfg.Root, "L")
	write(t, path, mail)
	write(t, filepath.Join(cfg.Root, "M"), mail)
	unlock := foreignLock(t, path)
	c.do("OK", "STATUS M (MESSAGES)") // what is open needs no time
	c.do("NO [INUSE]", "STATUS L (MESSAGES)")
	got := c.do("OK", `LIST "" * RETURN (STATUS (MESSAGES))`)
	want(t, got, `"/" L`)
	want(t, got, "* STATUS M (MESSAGES 2)")
	if strings.Contains(got, "* STATUS L ") {
		t.Errorf("STATUS of a locked mailbox: %s", got)
	}
	unlock()
	want(t, c.do("OK", "STATUS L (MESSAGES)"), "(MESSAGES 2)")
}

// blocked is a table whose mailboxes open when they are let, or when nobody wants them any more.
func blocked(t testing.TB) (tab *table, let chan struct{}, begun chan string) {
	let, begun = make(chan struct{}), make(chan string, 10)
	cfg := user(t)
	w := &Worker{cfg: cfg, log: testLog(t)}
	tab = newTable(time.Hour, w.log, func(ctx context.Context, path string) (*opened, error) {
		begun <- path
		select {
		case <-let:
			return w.openMailbox(ctx, filepath.Join(cfg.Root, filepath.Base(path)))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	t.Cleanup(func() { tab.close(context.Background()) })
	return tab, let, begun
}

// TestAlterOfOpening: who waits for a mailbox begins again behind the alteration, and need not leave.
func TestAlterOfOpening(t *testing.T) {
	tab, let, begun := blocked(t)
	g, got := &guest{}, make(chan error, 1)
	go func() {
		_, release, err := tab.acquire(t.Context(), "/d/a", g)
		if err == nil {
			release()
		}
		got <- err
	}()
	<-begun
	free, err := tab.alter(t.Context(), "/d", &guest{}, "bye", func() error {
		if len(begun) > 0 || tab.count() != 0 {
			t.Error("opened while it is altered")
		}
		return nil
	})
	if !free || err != nil || g.asked != 0 {
		t.Errorf("altered: %v, %v; asked to leave %d times", free, err, g.asked)
	}
	close(let)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestImpatientOpener: the time of one who opens a mailbox is not that of another who waits for it.
func TestImpatientOpener(t *testing.T) {
	tab, let, begun := blocked(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 2)
	acquire := func(ctx context.Context) {
		_, release, err := tab.acquire(ctx, "/a", &guest{})
		if err == nil {
			release()
		}
		got <- err
	}
	go acquire(ctx)
	<-begun
	go acquire(t.Context())
	until(t, "nobody waits", func() bool {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		return len(tab.entries["/a"].holders) == 2
	})
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	close(let)
	if err := <-got; err != nil {
		t.Errorf("the second: %v", err)
	}
}

// TestAlterEachOthers: two that delete what the other has selected do not wait for each other.
func TestAlterEachOthers(t *testing.T) {
	tab, dir, _ := opening(t, time.Hour)
	p, q := filepath.Join(dir, "p"), filepath.Join(dir, "q")
	a, b := &guest{}, &guest{}
	hold := func(path string, g *guest) (m *mboxstore.Mailbox, release func()) {
		m, release, err := tab.acquire(t.Context(), path, g)
		if err != nil {
			t.Fatal(err)
		}
		return m, release
	}
	_, releaseA := hold(p, a)
	_, releaseB := hold(q, b)
	defer releaseA()
	done := make(chan bool, 1)
	go func() {
		free, err := tab.alter(t.Context(), q, a, "bye", func() error { return nil })
		done <- free && err == nil
	}()
	until(t, "b is not asked to leave", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.asked > 0 })
	if free, err := tab.alter(t.Context(), p, b, "bye", func() error { return nil }); free || !errors.Is(err, errAltered) {
		t.Errorf("altered: %v, %v", free, err)
	}
	if _, _, err := tab.acquire(t.Context(), q, b); !errors.Is(err, errAltered) {
		t.Errorf("acquired: %v", err)
	}
	releaseB()
	if !<-done {
		t.Error("not altered")
	}
}
