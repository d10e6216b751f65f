package spool

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxDepth bounds the recursion into directories.
const maxDepth = 64

// Walk calls f for the folders below dir ("" is the mail root), a parent before
// its children and siblings in the order of their octets; deep: on all levels.
// It never tells of the inbox. Left out is what no mailbox name can be: dot
// files, lock files, what is neither file nor directory, and symbolic links
// that lead out of the root. A link to a directory inside is listed but not
// descended into, because links can make a loop or a number of paths that
// grows exponentially. A directory that is missing has no folders.
func (t *Tree) Walk(ctx context.Context, dir string, deep bool, f func(Folder) error) error {
	if dir != "" {
		if err := checkName(dir); err != nil {
			return err
		}
	}
	r, err := t.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("list folders", dir, err)
	}
	defer r.Close()
	w := walker{ctx: ctx, root: r, deep: deep, f: f}
	return w.walk(dir, 1)
}

type walker struct {
	ctx  context.Context
	root *os.Root
	deep bool
	f    func(Folder) error
}

func (w *walker) walk(dir string, depth int) error {
	var names []string
	for name, err := range listable(w.root, dir) {
		if err != nil {
			return wrap("list folders", dir, unlessHidden(err))
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.visit(path.Join(dir, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) visit(name string, depth int) error {
	info, linked, ok := follow(w.root, name)
	if !ok {
		return nil
	}
	folder := describe(name, info)
	folder.Linked = linked
	folder.HasChildren = folder.Dir && hasChildren(w.root, name)
	if err := w.f(folder); err != nil {
		return err
	}
	if w.deep && folder.HasChildren && !linked && depth < maxDepth {
		return w.walk(name, depth+1)
	}
	return nil
}

// unlessHidden drops the errors that mean that there is nothing to list for
// us, perhaps only since a moment ago.
func unlessHidden(err error) error {
	for _, hidden := range []syscall.Errno{unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.EPERM, unix.ELOOP} {
		if errors.Is(err, hidden) {
			return nil
		}
	}
	return err
}

// follow looks at a name through symbolic links that stay below the root.
func follow(r *os.Root, name string) (info fs.FileInfo, linked, ok bool) {
	info, err := r.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		linked = true
		info, err = r.Stat(name)
	}
	ok = err == nil && (info.IsDir() || info.Mode().IsRegular())
	return info, linked, ok
}

// listable yields the names in a directory that folders could have.
func listable(r *os.Root, dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		d, err := r.Open(path.Join(".", dir))
		if err != nil {
			yield("", err)
			return
		}
		defer d.Close()
		for err == nil {
			var batch []string
			batch, err = d.Readdirnames(256)
			for _, name := range batch {
				if badName(path.Join(dir, name)) == "" && !yield(name, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield("", err)
		}
	}
}

// hasChildren looks at no more than it needs.
func hasChildren(r *os.Root, dir string) bool {
	for name, err := range listable(r, dir) {
		if err != nil {
			return false
		}
		if _, _, ok := follow(r, path.Join(dir, name)); ok {
			return true
		}
	}
	return false
}

// describe: a mailbox is marked when something was written since it was last
// read. Every program keeps these two times that way (mutt goes by them too);
// UW compares the ctime instead, which every chmod moves.
func describe(name string, info fs.FileInfo) Folder {
	f := Folder{Name: name, Dir: info.IsDir()}
	if f.Dir {
		return f
	}
	f.Size = info.Size()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && f.Size > 0 {
		f.Marked = st.Atim.Nano() < st.Mtim.Nano()
	}
	return f
}
