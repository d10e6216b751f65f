package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"spoold/spool"
)

// Checking a mailbox.
//
// Check reads the file from beginning to end and says what is not as the store promises. It never writes, not even a
// lock file: it holds shared locks, which keep out all who lock the file itself, and watches FILE.lock and the file's
// stamp for the others. A large file is read without locks, so that deliveries need not wait, and once more when it
// changed meanwhile; what was read counts only when the stamp is the one that was seen under the locks.
//
// While an interrupted change waits for its replay, what is judged is the mailbox as the replay will leave it.

const (
	checkTries    = 4
	checkUnlocked = 16 << 20              // larger files are read without locks
	lockFileWait  = 2 * time.Second       // how long a lock file is watched before it is taken for nobody's
	lockFilePoll  = 20 * time.Millisecond // between two looks at it
)

// Check tells what is wrong with the mailbox at sp, by ascending offset. A file that is no mailbox is a finding; errors
// are those of spool.Box.Open and Lock, and of reading. ErrLocked: others kept changing it.
func Check(ctx context.Context, sp Spool, o Options) ([]Finding, error) {
	o.setDefaults()
	for try := range checkTries {
		findings, done, err := checkOnce(ctx, sp, o, try == checkTries-1)
		switch {
		case errors.Is(err, spool.ErrReplaced):
		case err != nil:
			return nil, fmt.Errorf("check %s: %w", sp.Path(), err)
		case done:
			return findings, nil
		}
	}
	return nil, fmt.Errorf("check %s: it keeps changing: %w", sp.Path(), spool.ErrLocked)
}

func checkOnce(ctx context.Context, sp Spool, o Options, keepLocks bool) (_ []Finding, done bool, err error) {
	f, err := sp.Open(false)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	c := &checker{sp: sp, o: o, file: f}
	defer func() { err = errors.Join(err, c.waits.close()) }()
	if c.lock, err = watchLockFile(ctx, sp); err != nil {
		return nil, false, err
	}
	release, err := sp.Lock(ctx, f, spool.Shared)
	if err != nil {
		return nil, false, err
	}
	unlock := once(release)
	defer func() { err = errors.Join(err, unlock()) }()
	if c.info, err = f.Stat(); err != nil {
		return nil, false, err
	}
	c.text, c.size = f, c.info.Size
	c.checkLockFile()
	c.checkMode()
	if err := c.checkJournal(); err != nil {
		return nil, false, err
	}
	if c.info.Size > checkUnlocked && !keepLocks {
		if err := unlock(); err != nil {
			return nil, false, err
		}
		time.Sleep(sp.Grain(f)) // a change from here on gets another stamp
	}
	if err := c.checkMessages(); err != nil {
		return nil, false, err
	}
	if err := c.checkCache(); err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	same, err := c.unchanged()
	return c.findings, same, err
}

// once makes f run at the first call only.
func once(f func() error) func() error {
	return func() error {
		g := f
		f = func() error { return nil }
		return g()
	}
}

// watchLockFile waits until nobody has the lock file, or has had it for long with nothing happening to the mailbox.
func watchLockFile(ctx context.Context, sp Spool) (spool.LockState, error) {
	for {
		l, err := sp.LockFile()
		if err != nil || !l.There || l.Stale || l.Idle >= lockFileWait {
			return l, ignoreMissing(err)
		}
		select {
		case <-time.After(lockFilePoll):
		case <-ctx.Done():
			return l, errors.Join(spool.ErrLocked, ctx.Err())
		}
	}
}

// checker is one pass over a mailbox.
type checker struct {
	report
	sp     Spool
	o      Options
	file   spool.File
	info   spool.Info  // as it was under the locks
	text   io.ReaderAt // what is judged: file, or what it will be (checkview.go)
	size   int64       // of text
	willBe bool        // text is not the file
	waits  *waiting    // for the replay
	lock   spool.LockState

	base     *Base // of the first message
	baseOff  int64 // of its line
	uids     checkedUIDs
	content  map[contentKey]checkedMessage
	records  []record // for the index cache
	words    interner
	messages int
	pseudo   *record
	ends     lineEnds
}

// unchanged reports whether what was read is what was there under the locks.
func (c *checker) unchanged() (bool, error) {
	info, err := c.file.Stat()
	if err != nil {
		return false, err
	}
	lock, err := c.sp.LockFile()
	return info.Stamp() == c.info.Stamp() && lock.There == c.lock.There, ignoreMissing(err)
}

func (c *checker) checkLockFile() {
	switch {
	case c.lock.Stale:
		c.add(0, "lock-file", "%s.lock is left over: nothing has happened for %v; the next writer takes it away",
			c.sp.Path(), c.lock.Idle.Round(time.Second))
	case c.lock.There:
		c.add(0, "lock-file", "%s.lock is there, but nothing has happened for %v", c.sp.Path(), c.lock.Idle.Round(time.Second))
	}
}

func (c *checker) checkMode() {
	if m := c.info.Mode.Perm(); m&0o007 != 0 {
		c.add(0, "mode", "mode %#o: everybody may read or write it", m)
	}
	if l, ok := c.sp.(interface{ Linked() (bool, error) }); ok {
		if linked, err := l.Linked(); err == nil && linked {
			c.add(0, "symlink", "%s is a symbolic link", c.sp.Path())
		}
	}
}

// checkMessages reads the whole file.
func (c *checker) checkMessages() error {
	c.content = map[contentKey]checkedMessage{}
	c.uids.seen = map[UID]checkedMessage{}
	end, err := Scan(c.text, 0, c.size, c.checkMessage)
	if fe := (*FormatError)(nil); errors.As(err, &fe) {
		c.add(fe.Offset, "not-mbox", "%s", fe.Reason)
		return nil
	}
	if err != nil {
		return err
	}
	c.flushMissing()
	c.checkBaseLast()
	c.ends.tell(&c.report)
	if c.messages > 0 || c.pseudo != nil {
		c.checkEnd(end)
	}
	if end.Off < c.size {
		c.add(end.Off, "nul-tail", "%d NULs behind the last message", c.size-end.Off)
	}
	if c.base == nil && c.messages > 0 {
		c.add(0, "base-missing", "UIDVALIDITY and the last UID are not in the file yet")
	}
	return nil
}

func (c *checker) checkEnd(end ScanEnd) {
	last := make([]byte, 1)
	if err := readFull(c.text, last, end.Off-1); err == nil && last[0] != '\n' {
		c.add(end.Off, "no-final-lf", "the last line is not ended")
	} else if end.Glue != "" {
		c.add(end.Off, "no-blank-line", "no blank line ends the last message")
	}
}
