package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// folders lists what Walk tells, as "name", "name/" for a directory and
// "name/+" for one with children.
func folders(t testing.TB, tree *Tree, dir string, deep bool) []string {
	t.Helper()
	var list []string
	ok(t, tree.Walk(t.Context(), dir, deep, func(f Folder) error {
		s := f.Name
		if f.Dir {
			s += "/"
		}
		if f.HasChildren {
			s += "+"
		}
		list = append(list, s)
		return nil
	}))
	return list
}

func TestWalk(t *testing.T) {
	tree, root := newTree(t, "b", "a/x", "a/d/deep", "a-b", "empty/", "hidden/.dot", "hidden/x.lock", ".dot/x", "c.lock",
		"InBox", "inbox/x", "R&D", strings.Repeat("l", 251), "new\nline")
	ok(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	ok(t, os.Symlink("..", filepath.Join(root, "out")))
	ok(t, os.Symlink("../inbox", filepath.Join(root, "outfile")))
	ok(t, os.Symlink("a", filepath.Join(root, "in")))
	ok(t, os.Symlink("b", filepath.Join(root, "link")))
	ok(t, os.Symlink("nothing", filepath.Join(root, "dangling")))
	ok(t, os.Symlink(".", filepath.Join(root, "loop")))
	for _, c := range []struct {
		dir  string
		deep bool
		want []string
	}{
		{"", false, []string{"R&D", "a/+", "a-b", "b", "empty/", "hidden/", "in/+", "link", "loop/+"}},
		{"", true, []string{"R&D", "a/+", "a/d/+", "a/d/deep", "a/x", "a-b", "b", "empty/", "hidden/", "in/+", "link", "loop/+"}},
		{"a", false, []string{"a/d/+", "a/x"}},
		{"in", false, []string{"in/d/+", "in/x"}},
		{"a/d", true, []string{"a/d/deep"}},
		{"b", true, nil},
		{"nothing", true, nil},
		{"out", false, nil},
		{"empty", true, nil},
	} {
		t.Run(fmt.Sprintf("%s,%v", c.dir, c.deep), func(t *testing.T) {
			if c.dir == "out" {
				isError(t, "Walk", tree.Walk(t.Context(), c.dir, true, nil), ErrName)
				return
			}
			if diff := cmp.Diff(c.want, folders(t, tree, c.dir, c.deep)); diff != "" {
				t.Error(diff)
			}
		})
	}
	isError(t, "bad name", tree.Walk(t.Context(), "../x", true, nil), ErrName)
}

func TestWalkStops(t *testing.T) {
	tree, _ := newTree(t, "a", "b", "c/d")
	stop := errors.New("enough")
	seen := 0
	err := tree.Walk(t.Context(), "", true, func(Folder) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	isError(t, "Walk", err, stop)
	ctx, cancel := context.WithCancel(t.Context())
	err = tree.Walk(ctx, "", true, func(Folder) error { cancel(); return nil })
	isError(t, "Walk", err, context.Canceled)
}

func TestWalkDepth(t *testing.T) {
	tree, _ := newTree(t, strings.Repeat("d/", maxDepth+20)+"x")
	if got := len(folders(t, tree, "", true)); got != maxDepth {
		t.Errorf("%d levels, want %d", got, maxDepth)
	}
}

func TestWalkUnreadableDirectory(t *testing.T) {
	if !asNobody(t) {
		return
	}
	tree, root := newTree(t, "a/x", "b")
	ok(t, os.Chmod(filepath.Join(root, "a"), 0))
	defer os.Chmod(filepath.Join(root, "a"), 0o700)
	if diff := cmp.Diff([]string{"a/", "b"}, folders(t, tree, "", true)); diff != "" {
		t.Error(diff)
	}
}
