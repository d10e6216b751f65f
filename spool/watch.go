package spool

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long Watch collects events before it tells: one delivery makes
// several.
const settle = 20 * time.Millisecond

// Watch tells that the mailbox may have changed: written, replaced, made or
// removed. Tokens do not queue up. The channel is closed when ctx ends.
//
// inotify watches the file, and its directory only while the file is missing:
// when a file is replaced or removed, the loss of its name is an event of the
// file, and in a spool directory every user's worker would otherwise wake up
// for every other user's mail. Since inotify knows nothing of network file
// systems and may be used up, the file is also looked at every few seconds.
func (b *Box) Watch(ctx context.Context) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("watch %s: %w", b.path, err)
	}
	w := &watch{box: b, told: make(chan struct{}, 1)}
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		b.policy.Log.Warn("mailbox is watched by polling", "path", b.path, "reason", err)
	} else {
		w.inotify = fsw
	}
	w.look()
	go w.run(ctx)
	return w.told, nil
}

// watch belongs to one goroutine.
type watch struct {
	box     *Box
	inotify *fsnotify.Watcher // nil: polling only
	told    chan struct{}
	seen    Stamp  // zero while there is no file
	watched string // the file's or the directory's path; "" when neither works
	inode   Stamp  // of the watched file; only Dev and Ino
}

func (w *watch) run(ctx context.Context) {
	defer close(w.told)
	var events <-chan fsnotify.Event
	var faults <-chan error
	if w.inotify != nil {
		defer w.inotify.Close()
		events, faults = w.inotify.Events, w.inotify.Errors
	}
	poll := time.NewTicker(w.box.poll)
	defer poll.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if settled == nil && w.concerns(e) {
				settled = time.After(settle)
			}
		case <-faults:
			// The queue overflowed: what was lost may have been ours.
			w.look()
			w.tell()
		case <-settled:
			settled = nil
			w.look()
			w.tell()
		case <-poll.C:
			if w.look() {
				w.tell()
			}
		}
	}
}

func (w *watch) tell() {
	select {
	case w.told <- struct{}{}:
	default: // one token is enough
	}
}

// concerns leaves out the neighbours.
func (w *watch) concerns(e fsnotify.Event) bool {
	return filepath.Base(e.Name) == filepath.Base(w.box.path)
}

// look says whether the file differs from the last look, and watches what is
// there now.
func (w *watch) look() bool {
	before := w.seen
	// Watching may lose a race against a rename; then the second round sees it.
	for range 3 {
		info, err := w.box.named()
		w.seen = Stamp{}
		if err == nil {
			w.seen = info.Stamp()
		}
		if !w.aim(err == nil) {
			break
		}
	}
	return w.seen != before
}

// aim watches the file or, if there is none, the directory. It says whether it
// had to change something.
func (w *watch) aim(exists bool) bool {
	if w.inotify == nil {
		return false
	}
	target, inode := filepath.Dir(w.box.path), Stamp{}
	if exists {
		target, inode = w.box.path, Stamp{Dev: w.seen.Dev, Ino: w.seen.Ino}
	}
	if target == w.watched && inode == w.inode {
		return false
	}
	if w.watched != "" {
		_ = w.inotify.Remove(w.watched) // gone already when the inode is
	}
	w.watched, w.inode = target, inode
	if err := w.inotify.Add(target); err != nil {
		// Not ours to read, or no watches left: polling has to do.
		w.watched = ""
		return false
	}
	return true
}
