package mboxstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"spoold/spool"
)

// UID is a message's unique identifier (RFC 9051 §2.3.1.1): nonzero, ascending in a mailbox, never used twice.
type UID = uint32

// Spool is what a Mailbox needs of the operating system for its one file. *spool.Box is the real one.
type Spool interface {
	Path() string
	Open(write bool) (spool.File, error)
	Stat() (spool.Info, error)
	Lock(ctx context.Context, f spool.File, mode spool.LockMode) (release func() error, err error)
	System
}

// System is the smaller part of Spool: what only exists on a host with other programs.
type System interface {
	SessionHeld() (bool, error)
	LockFile() (spool.LockState, error)
	Owns(info spool.Info) bool
	SetTimes(f spool.File, atime, mtime time.Time) error
	NewFile(perm fs.FileMode) (spool.File, error)
	Grain(f spool.File) time.Duration
}

// Options says how a mailbox is to be served. The zero value is a folder without state directory.
type Options struct {
	Inbox    bool      // bytes delivered since the last look are not believed (architecture §4.7)
	ReadOnly bool      // nothing is ever written to the file
	State    spool.Dir // the user's state directory; nil: no journal, so no rewriting
	Hostname string    // in the pseudo message and From_ lines; "" is "localhost"
	User     string    // sender of From_ lines of appended messages; "" is "MAILER-DAEMON"

	FlushDelay time.Duration // from a flag change to the file; 0 is 500 ms
	SyncDelay  time.Duration // from there to the disk, when nobody asks for it sooner; 0 is 4 s
	BigMove    int64         // more bytes than this move only when the mailbox is idle; 0 is 4 MiB
	CompactAt  int           // percent of blanks at which a quiet mailbox is compacted; 0 is 10, less is never
	MoveLeft   func(*Move)   // told of a refused move that is not settled yet: Finish is to be tried, later and again
	LookWait   time.Duration // how long Refresh waits for the locks before it goes on with what it knows; 0 is 2 s
	Now        func() time.Time
	Log        *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	if o.FlushDelay == 0 {
		o.FlushDelay = 500 * time.Millisecond
	}
	if o.SyncDelay == 0 {
		o.SyncDelay = 4 * time.Second
	}
	if o.BigMove == 0 {
		o.BigMove = 4 << 20
	}
	if o.CompactAt == 0 {
		o.CompactAt = compactAt
	}
	if o.LookWait == 0 {
		o.LookWait = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// A Mailbox is the index of one mailbox file, shared by all sessions that have it open. Its methods are safe for
// concurrent use. None of them holds a file lock when it returns.
//
// op serialises whoever locks and changes the file; mu guards the index below it and is held for reading while bytes
// are read at offsets that the index gave, so that no rewrite of our own moves them in between.
type Mailbox struct {
	sp      Spool
	o       Options
	log     *slog.Logger
	journal *journal

	moves      sync.RWMutex // see lockMoves; taken before op
	left       []*Move      // out of here, refused and not settled; guarded by moves
	op         sync.Mutex
	mu         sync.RWMutex
	file       spool.File // nil while the file does not exist
	write      bool       // file is open for writing
	alien      bool       // file is another user's: bytes are added or replaced, none is moved
	stamp      spool.Stamp
	layout     layoutSeen
	index      index
	scans      uint64 // how often the whole file was read
	mark       mark
	headers    int   // that one plan may change
	wasteful   int64 // blanks that are not worth a look
	spare      int64 // bytes that need not be moved, if a range is to be taken out for it
	displace   int64 // octets that may be out of order
	broken     error // not nil: the file is no mailbox any more
	seen       seenList
	markBytes  []byte     // of the mark, as we know its file
	markSynced bool       // mark is durable
	markFile   spool.File // nil until there is a mark
	damaged    error      // not nil: a journal could not be replayed; served read-only
	unfinished unfinished // a change that the journal still has to finish
	closed     bool
	buffers    sync.Pool    // *[]byte, for stored bytes
	used       atomic.Int64 // when somebody last asked for something, ns since 1970
	waiting    atomic.Bool  // flags that the file does not have yet
	unguarded  bool         // the locks are held without the lock file; guarded by op
	numbering  atomic.Bool  // UIDs or \Recent that the file does not have yet
	keeps      bool         // the cache holds flags that the file does not have; guarded by op
	kept       uint64       // modseq at which flags that wait were kept in the state directory; guarded by op
	unsure     unsure       // written in place, not yet durable; guarded by op
	news       news
	flush      flusher
}

// Open reads the index of the mailbox at sp: from the state directory's cache when the file has not changed since,
// else from the file. A missing file is an empty mailbox. Errors: *FormatError when it is no mbox file,
// those of spool.Box.Open and Lock.
func Open(ctx context.Context, sp Spool, o Options) (*Mailbox, error) {
	o.setDefaults()
	m := &Mailbox{sp: sp, o: o, log: o.Log.With("mailbox", sp.Path())}
	m.index.words, m.headers = &interner{}, maxHeaders
	m.spare, m.wasteful, m.displace = minSpare, wasteful, maxDisplaced
	m.flush.init(m)
	if err := m.openJournal(); err != nil {
		return nil, err
	}
	m.op.Lock()
	defer m.op.Unlock()
	if err := m.openFile(); err != nil {
		return nil, err
	}
	m.loadCache()
	if err := m.loadMark(); err != nil {
		m.log.Warn("mailbox", "err", err)
	}
	if err := m.look(ctx); err != nil {
		m.closeFile()
		return nil, fmt.Errorf("open %s: %w", sp.Path(), err)
	}
	m.flush.later(lazy)
	m.flush.compactLater()
	return m, nil
}

// openFile opens the file for writing where that is allowed, else for reading; a missing one leaves m.file nil.
func (m *Mailbox) openFile() error {
	if err := m.openEither(); err != nil || m.file == nil {
		return err
	}
	info, err := m.file.Stat()
	m.alien = err == nil && !m.sp.Owns(info)
	return err
}

func (m *Mailbox) openEither() error {
	var err error
	if !m.o.ReadOnly {
		m.file, err = m.sp.Open(true)
		m.write = err == nil
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return ignoreMissing(err)
		}
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return err
		}
	}
	m.write = false
	m.file, err = m.sp.Open(false)
	return ignoreMissing(err)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (m *Mailbox) closeFile() {
	if m.file != nil {
		if err := m.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			m.log.Warn("mailbox close", "err", err)
		}
		m.file = nil
	}
}

// Close writes what is pending and lets go of the file. The Mailbox may not be used afterwards.
// What could not be written stays in the state directory.
func (m *Mailbox) Close(ctx context.Context) error {
	m.afterOp()
	err := m.flushAll(ctx)
	m.flush.stop()
	m.op.Lock()
	defer m.op.Unlock()
	if m.closed {
		return nil
	}
	m.keeps = m.keeps || err != nil
	if cerr := m.saveCache(err != nil || m.seen.due); cerr != nil {
		m.log.Warn("index cache", "err", cerr)
	}
	m.setMark()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.closeFile()
	if m.markFile != nil {
		err = errors.Join(err, m.markFile.Close())
	}
	return err
}

// mayMove says why no byte of the file may be moved, nil when it may.
func (m *Mailbox) mayMove() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch {
	case m.readOnly():
		return ErrReadOnly
	case m.o.State == nil:
		return ErrNoJournal
	case m.alien:
		return ErrNotOwner
	}
	return nil
}

// ReadOnly reports whether changes are refused: by option, by the file's mode, or because a journal waits for repair.
func (m *Mailbox) ReadOnly() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.readOnly()
}

func (m *Mailbox) readOnly() bool {
	return m.o.ReadOnly || m.damaged != nil || m.file != nil && !m.write
}

// Damaged is the reason why a journal could not be replayed, nil when all is well.
func (m *Mailbox) Damaged() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.damaged
}

// use notes that somebody is at work in the mailbox; big moves wait for a pause.
func (m *Mailbox) use() { m.used.Store(time.Now().UnixNano()) }

func (m *Mailbox) lastUse() time.Time { return time.Unix(0, m.used.Load()) }
