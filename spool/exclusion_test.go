package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// countUp adds one to the number in the mailbox.
func countUp(b *Box) error {
	for {
		f, err := b.Open(true)
		if err != nil {
			return err
		}
		err = countUpIn(b, f)
		if err := errors.Join(err, f.Close()); !errors.Is(err, ErrReplaced) {
			return err
		}
	}
}

func countUpIn(b *Box, f File) (err error) {
	release, err := b.Lock(context.Background(), f, Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	buf := make([]byte, 8)
	if _, err := f.ReadAt(buf, 0); err != nil {
		return err
	}
	n, err := strconv.Atoi(string(buf))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(writerAt{f}, "%08d", n+1)
	return err
}

// writerAt writes at the beginning.
type writerAt struct{ File }

func (w writerAt) Write(p []byte) (int, error) { return w.WriteAt(p, 0) }

// Several processes and several goroutines count in one file: nothing is lost,
// whichever methods they use.
func TestMutualExclusion(t *testing.T) {
	for _, methods := range []string{"fcntl", "dotlock", "flock", "fcntl+dotlock+flock"} {
		t.Run(methods, func(t *testing.T) {
			b := newBox(t, LockPolicy{Methods: methodList(methods), Timeout: time.Minute})
			write(t, b.Path(), "00000000")
			var processes []*process
			for range 3 {
				processes = append(processes, second(t, "count", methods, "15", b.Path()))
			}
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					for range 15 {
						if err := countUp(b); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			for _, p := range processes {
				ok(t, p.end())
			}
			if diff := cmp.Diff("00000075", string(must[[]byte](t)(os.ReadFile(b.Path())))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A mail reader that replaces the mailbox by rename, under the locks, while
// others count in it.
func TestMutualExclusionWithRenames(t *testing.T) {
	b := newBox(t, LockPolicy{Timeout: time.Minute})
	write(t, b.Path(), "00000000")
	p := second(t, "count", "fcntl+dotlock+flock", "20", b.Path())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for range 20 {
				if err := replaceBox(b); err != nil {
					t.Error(err)
				}
				if err := countUp(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	ok(t, p.end())
	if diff := cmp.Diff("00000060", string(must[[]byte](t)(os.ReadFile(b.Path())))); diff != "" {
		t.Error(diff)
	}
}

func replaceBox(b *Box) (err error) {
	for {
		f, err := b.Open(true)
		if err != nil {
			return err
		}
		err = replaceBoxOf(b, f)
		if err := errors.Join(err, f.Close()); !errors.Is(err, ErrReplaced) {
			return err
		}
	}
}

func replaceBoxOf(b *Box, f File) (err error) {
	release, err := b.Lock(context.Background(), f, Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	content, err := os.ReadFile(b.Path())
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.Path()+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(b.Path()+".new", b.Path())
}
