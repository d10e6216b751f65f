package annotation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"spoold/spool"
)

// Limits bound a Book. A zero field means its default.
type Limits struct {
	Value int // octets of one value: 32 KiB
	Count int // entries of one mailbox: 100
	Total int // octets of all values and names: 4 MiB
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		p   *int
		def int
	}{{&l.Value, 32 << 10}, {&l.Count, 100}, {&l.Total, 4 << 20}} {
		if *f.p <= 0 {
			*f.p = f.def
		}
	}
	return l
}

// What Set refuses.
var (
	// ErrValue: a value is above Limits.Value.
	ErrValue = errors.New("annotation is too large")
	// ErrCount: the mailbox would have more entries than Limits.Count.
	ErrCount = errors.New("too many annotations of the mailbox")
	// ErrTotal: the Book would be larger than Limits.Total.
	ErrTotal = errors.New("too many annotations of the user")
)

// Entry is one annotation. Without a value (nil) it is one that there is not.
type Entry struct {
	Name  string
	Value []byte
}

// notes are the annotations of one mailbox. They are never changed, but replaced.
type notes map[string][]byte

func (n notes) size(mailbox string) int {
	size := 0
	for name, value := range n {
		size += len(mailbox) + len(name) + len(value)
	}
	return size
}

// Book has the annotations of one user, by mailbox; those of the server are under "".
type Book struct {
	dir spool.Dir
	lim Limits
	log *slog.Logger

	mu       sync.Mutex
	boxes    map[string]notes
	watchers map[*Watcher]struct{}
}

const (
	fileName    = "annotations"
	newName     = fileName + ".new"
	damagedName = fileName + ".damaged"
)

// Open reads the annotations from a state directory.
func Open(dir spool.Dir, lim Limits, log *slog.Logger) (*Book, error) {
	b := &Book{dir: dir, lim: lim.withDefaults(), log: log, boxes: map[string]notes{}, watchers: map[*Watcher]struct{}{}}
	text, err := b.read()
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("annotations: %w", err)
	}
	boxes, err := decode(text)
	if err != nil {
		log.Error("Annotations damaged, kept aside", "file", damagedName, "err", err)
		if err := errors.Join(dir.Rename(fileName, damagedName), dir.Sync()); err != nil {
			return nil, fmt.Errorf("annotations: %w", err)
		}
		return b, nil
	}
	b.boxes = boxes
	return b, nil
}

// maxFile is more than the largest Limits make.
const maxFile = 1 << 30

func (b *Book) read() ([]byte, error) {
	f, err := b.dir.Open(fileName, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxFile))
	return text, errors.Join(err, f.Close())
}

// Limits are those that hold.
func (b *Book) Limits() Limits { return b.lim }

// Get returns the annotations of a mailbox, by name. Their values must not be changed.
func (b *Book) Get(mailbox string) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.boxes[mailbox]
	entries := make([]Entry, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		entries = append(entries, Entry{name, n[name]})
	}
	return entries
}

// Having returns the value of an entry for each mailbox that has it.
func (b *Book) Having(entry string) map[string][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string][]byte{}
	for mailbox, n := range b.boxes {
		if value, ok := n[entry]; ok {
			found[mailbox] = value
		}
	}
	return found
}

// Set changes entries of a mailbox; those without value are removed. All watchers but by are told.
func (b *Book) Set(mailbox string, entries []Entry, by *Watcher) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := maps.Clone(b.boxes[mailbox])
	if n == nil {
		n = notes{}
	}
	var changed []string
	grows := false
	for _, e := range entries {
		old, had := n[e.Name]
		if len(e.Value) > b.lim.Value {
			return ErrValue
		}
		if had == (e.Value != nil) && bytes.Equal(old, e.Value) {
			continue
		}
		changed = append(changed, e.Name)
		grows = grows || len(e.Value) > len(old) || !had
		if e.Value == nil {
			delete(n, e.Name)
		} else {
			n[e.Name] = bytes.Clone(e.Value)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := b.admit(mailbox, n, grows); err != nil {
		return err
	}
	if err := b.replace(map[string]notes{mailbox: n}); err != nil {
		return err
	}
	b.tell(mailbox, changed, by)
	return nil
}

// admit keeps the limits. What makes nothing larger is always allowed, so that who is above a limit that was lowered
// can get below it.
func (b *Book) admit(mailbox string, n notes, grows bool) error {
	old := b.boxes[mailbox]
	if len(n) > b.lim.Count && len(n) > len(old) {
		return ErrCount
	}
	total := n.size(mailbox) - old.size(mailbox)
	for name, n := range b.boxes {
		total += n.size(name)
	}
	if grows && total > b.lim.Total {
		return ErrTotal
	}
	return nil
}

// Copy gives the annotations of from, and of the mailboxes below it, to the name to and those below that.
func (b *Book) Copy(from, to string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes := map[string]notes{}
	for mailbox := range b.within(to) {
		changes[mailbox] = nil
	}
	for mailbox, n := range b.within(from) {
		changes[to+mailbox[len(from):]] = n
	}
	return b.replace(changes)
}

// Drop forgets the annotations of a mailbox, and of those below it.
func (b *Book) Drop(mailbox string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes := map[string]notes{}
	for name := range b.within(mailbox) {
		changes[name] = nil
	}
	return b.replace(changes)
}

// within are the annotated mailboxes that are name or below it. The caller holds mu.
func (b *Book) within(name string) map[string]notes {
	found := map[string]notes{}
	for mailbox, n := range b.boxes {
		if mailbox == name || strings.HasPrefix(mailbox, name+"/") {
			found[mailbox] = n
		}
	}
	return found
}

// replace puts these in the place of what there is, on disk and then in memory. The caller holds mu.
func (b *Book) replace(changes map[string]notes) error {
	if len(changes) == 0 {
		return nil
	}
	boxes := maps.Clone(b.boxes)
	for mailbox, n := range changes {
		if len(n) == 0 {
			delete(boxes, mailbox)
		} else {
			boxes[mailbox] = n
		}
	}
	if err := b.write(encode(boxes)); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	b.boxes = boxes
	return nil
}

// write replaces the file. Whatever fails, the file is the old or the new one.
func (b *Book) write(text []byte) error {
	f, err := b.dir.Open(newName, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := b.dir.Rename(newName, fileName); err != nil {
		return err
	}
	return b.dir.Sync()
}
