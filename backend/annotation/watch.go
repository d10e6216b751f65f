package annotation

import (
	"maps"
	"slices"
	"sync"
)

// maxPending bounds the changes that wait for one watcher. A client that does not hear of more than these has not
// taken any news for so long that it has to ask anyway.
const maxPending = 1000

// Change says which entries of a mailbox were set or removed.
type Change struct {
	Mailbox string
	Entries []string
}

// Watcher learns what others change.
type Watcher struct {
	book *Book
	news chan struct{}

	mu      sync.Mutex
	pending map[string]map[string]struct{}
	count   int
}

// Watch begins to collect the changes that others make.
func (b *Book) Watch() *Watcher {
	w := &Watcher{book: b, news: make(chan struct{}, 1), pending: map[string]map[string]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[w] = struct{}{}
	return w
}

// Close ends it.
func (w *Watcher) Close() {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	delete(w.book.watchers, w)
}

// News has a token when there may be changes.
func (w *Watcher) News() <-chan struct{} { return w.news }

// Changes takes what has changed since it was last called, each entry once.
func (w *Watcher) Changes() []Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Change
	for _, mailbox := range slices.Sorted(maps.Keys(w.pending)) {
		all = append(all, Change{mailbox, slices.Sorted(maps.Keys(w.pending[mailbox]))})
	}
	clear(w.pending)
	w.count = 0
	return all
}

// tell tells all watchers but by. The caller holds mu.
func (b *Book) tell(mailbox string, entries []string, by *Watcher) {
	for w := range b.watchers {
		if w != by {
			w.add(mailbox, entries)
		}
	}
}

func (w *Watcher) add(mailbox string, entries []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		set := w.pending[mailbox]
		if _, known := set[e]; known || w.count == maxPending {
			continue
		}
		if set == nil {
			set = map[string]struct{}{}
			w.pending[mailbox] = set
		}
		set[e] = struct{}{}
		w.count++
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}
