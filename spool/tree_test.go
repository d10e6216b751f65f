package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// newTree makes an inbox and a mail root with the given files; a name with a
// trailing "/" is a directory.
func newTree(t testing.TB, files ...string) (*Tree, string) {
	t.Helper()
	home := t.TempDir()
	root := filepath.Join(home, "mail")
	for _, name := range files {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			ok(t, os.MkdirAll(path, 0o700))
			continue
		}
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		write(t, path, name)
	}
	return must[*Tree](t)(NewTree(filepath.Join(home, "inbox"), root)), root
}

func TestNewTree(t *testing.T) {
	_, err := NewTree("inbox", "/home/joe/mail")
	isError(t, "relative inbox", err, fs.ErrInvalid)
	_, err = NewTree("/var/mail/joe", "mail")
	isError(t, "relative root", err, fs.ErrInvalid)
}

func TestTreePath(t *testing.T) {
	tree, root := newTree(t, "a/b", "file")
	outside := filepath.Join(filepath.Dir(root), "outside")
	ok(t, os.Mkdir(outside, 0o700))
	write(t, filepath.Join(outside, "secret"), "")
	ok(t, os.Symlink("../outside", filepath.Join(root, "out")))
	ok(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "absolute")))
	ok(t, os.Symlink("a", filepath.Join(root, "in")))
	for name, want := range map[string]string{
		"INBOX":       filepath.Join(filepath.Dir(root), "inbox"),
		"iNbOx":       filepath.Join(filepath.Dir(root), "inbox"),
		"a/b":         filepath.Join(root, "a/b"),
		"in/b":        filepath.Join(root, "in/b"),
		"not/yet":     filepath.Join(root, "not/yet"),
		"file/no":     filepath.Join(root, "file/no"),
		"R&D":         filepath.Join(root, "R&D"),
		"out/secret":  "",
		"out/not/yet": "",
		"out":         "",
		"absolute":    "",
	} {
		got, err := tree.Path(name)
		if want == "" {
			isError(t, name, err, ErrName)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for what, name := range badNames {
		if got, err := tree.Path(name); !errors.Is(err, ErrName) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

// No operation makes, removes or moves anything outside the root.
func TestTreeStaysInside(t *testing.T) {
	tree, root := newTree(t, "a")
	home := filepath.Dir(root)
	ok(t, os.Mkdir(filepath.Join(home, "outside"), 0o700))
	write(t, filepath.Join(home, "outside", "file"), "")
	write(t, filepath.Join(home, "inbox"), "")
	ok(t, os.Symlink("../outside", filepath.Join(root, "out")))
	before := tracks(t, home)
	targets := []string{"out/file", "out/new", "INBOX", "inbox"}
	for _, name := range badNames {
		targets = append(targets, name)
	}
	for _, name := range targets {
		if strings.HasSuffix(name, "/") {
			continue // a directory's name here
		}
		isError(t, "Rename from "+name, tree.Rename(name, "b"), ErrName)
		isError(t, "Create "+name, tree.Create(name, nil), ErrName)
		isError(t, "Remove "+name, tree.Remove(name), ErrName)
		isError(t, "Rename to "+name, tree.Rename("a", name), ErrName)
	}
	if diff := cmp.Diff(before, tracks(t, home)); diff != "" {
		t.Error(diff)
	}
}

// tracks lists everything below a directory.
func tracks(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		list = append(list, path)
		return err
	}))
	return list
}

func TestMissingRoot(t *testing.T) {
	tree, root := newTree(t)
	if got := folders(t, tree, "", true); got != nil {
		t.Errorf("folders without a root: %q", got)
	}
	_, err := tree.Stat("a")
	isError(t, "Stat", err, fs.ErrNotExist)
	isError(t, "Remove", tree.Remove("a"), fs.ErrNotExist)
	isError(t, "Rename", tree.Rename("a", "b"), fs.ErrNotExist)
	must[string](t)(tree.Path("a"))
	ok(t, tree.Create("a", nil))
	if info := must[fs.FileInfo](t)(os.Stat(root)); info.Mode().Perm() != 0o700 {
		t.Errorf("root was made with mode %v", info.Mode())
	}
}

func TestTreeStat(t *testing.T) {
	tree, root := newTree(t, "a/b", "empty/", "old", "new")
	write(t, filepath.Join(root, "zero"), "")
	early, late := time.Unix(1e9, 0), time.Unix(2e9, 0)
	ok(t, os.Chtimes(filepath.Join(root, "old"), late, early))
	ok(t, os.Chtimes(filepath.Join(root, "new"), early, late))
	ok(t, os.Chtimes(filepath.Join(root, "a/b"), late, late))
	ok(t, os.Chtimes(filepath.Join(root, "zero"), early, late))
	ok(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	for _, want := range []Folder{
		{Name: "a", Dir: true, HasChildren: true},
		{Name: "empty", Dir: true},
		{Name: "a/b", Size: 3},
		{Name: "old", Size: 3},
		{Name: "new", Size: 3, Marked: true},
		{Name: "zero"},
	} {
		if diff := cmp.Diff(want, must[Folder](t)(tree.Stat(want.Name))); diff != "" {
			t.Error(diff)
		}
	}
	for _, name := range []string{"nothing", "fifo", "INBOX"} {
		_, err := tree.Stat(name)
		isError(t, name, err, fs.ErrNotExist)
	}
	_, err := tree.Stat("a//b")
	isError(t, "bad name", err, ErrName)
	write(t, tree.inbox, "mail")
	ok(t, os.Chtimes(tree.inbox, early, late))
	if diff := cmp.Diff(Folder{Name: "INBOX", Size: 4, Marked: true}, must[Folder](t)(tree.Stat("inbox"))); diff != "" {
		t.Error(diff)
	}
}

func TestCreate(t *testing.T) {
	tree, root := newTree(t, "file", "dir/x")
	ok(t, os.Symlink("nothing", filepath.Join(root, "dangling")))
	for name, want := range map[string]error{
		"new":        nil,
		"a/b/c":      nil,
		"dir/y":      nil,
		"newdir/":    nil,
		"deep/dir/":  nil,
		"file":       fs.ErrExist,
		"dir":        fs.ErrExist,
		"dir/":       fs.ErrExist,
		"file/":      fs.ErrExist,
		"dangling":   fs.ErrExist,
		"file/below": ErrNotFolder,
		"dir/x/y/z":  ErrNotFolder,
		"a//b":       ErrName,
		"c//":        ErrName,
		"/":          ErrName,
	} {
		isError(t, "Create "+name, tree.Create(name, []byte("content")), want)
		if want != nil || strings.HasSuffix(name, "/") {
			continue
		}
		path := filepath.Join(root, name)
		if diff := cmp.Diff("content", string(must[[]byte](t)(os.ReadFile(path)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		info := must[Info](t)(statPath(path, 0))
		if info.Mode != 0o600 || info.Nlink != 1 {
			t.Errorf("%s: mode %v, %d links", name, info.Mode, info.Nlink)
		}
	}
	want := []string{"a/+", "a/b/+", "a/b/c", "deep/+", "deep/dir/", "dir/+", "dir/x", "dir/y", "file", "new", "newdir/"}
	if diff := cmp.Diff(want, folders(t, tree, "", true)); diff != "" {
		t.Error(diff)
	}
	for _, path := range tracks(t, root) {
		if strings.Contains(path, ".post") {
			t.Errorf("left behind: %s", path)
		}
	}
}

func TestRemove(t *testing.T) {
	tree, root := newTree(t, "file", "dir/x", "empty/", "target")
	ok(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	ok(t, os.Symlink("target", filepath.Join(root, "link")))
	for _, c := range []struct {
		name string
		want error
	}{
		{"file", nil},
		{"file", fs.ErrNotExist},
		{"dir", unix.ENOTEMPTY},
		{"dir/x", nil},
		{"dir/", nil},
		{"empty", nil},
		{"link", nil},
		{"fifo", fs.ErrNotExist},
		{"INBOX", ErrName},
	} {
		isError(t, "Remove "+c.name, tree.Remove(c.name), c.want)
	}
	if diff := cmp.Diff([]string{"target"}, folders(t, tree, "", true)); diff != "" {
		t.Error(diff)
	}
}

func TestRename(t *testing.T) {
	tree, root := newTree(t, "file", "other", "dir/x", "dir/sub/y", "empty/")
	ok(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"file", "other", fs.ErrExist},
		{"file", "empty", fs.ErrExist},
		{"empty", "dir", fs.ErrExist},
		{"dir", "empty", fs.ErrExist},
		{"file", "file", fs.ErrExist},
		{"file", "other/below", ErrNotFolder},
		{"dir", "dir/sub/dir", ErrName},
		{"nothing", "new", fs.ErrNotExist},
		{"fifo", "new", fs.ErrNotExist},
		{"INBOX", "new", ErrName},
		{"file", "inbox", ErrName},
		{"file", "made/on/the/way", nil},
		{"dir", "moved", nil},
		{"empty", "void/", nil},
	} {
		isError(t, "Rename "+c.from+" "+c.to, tree.Rename(c.from, c.to), c.want)
	}
	want := []string{"made/+", "made/on/+", "made/on/the/+", "made/on/the/way", "moved/+", "moved/sub/+", "moved/sub/y", "moved/x", "other", "void/"}
	if diff := cmp.Diff(want, folders(t, tree, "", true)); diff != "" {
		t.Error(diff)
	}
	if got := string(must[[]byte](t)(os.ReadFile(filepath.Join(root, "made/on/the/way")))); got != "file" {
		t.Errorf("content after rename: %q", got)
	}
}

// Everybody wants the same name: one gets it, and no content is lost.
func TestRenameRace(t *testing.T) {
	var files []string
	for i := range 8 {
		files = append(files, fmt.Sprint(i))
	}
	tree, root := newTree(t, files...)
	results := make(chan error)
	for _, name := range files {
		go func() { results <- tree.Rename(name, "winner") }()
	}
	won := 0
	for range files {
		if err := <-results; err == nil {
			won++
		} else {
			isError(t, "Rename", err, fs.ErrExist)
		}
	}
	if won != 1 {
		t.Errorf("%d got the name", won)
	}
	var contents []string
	for _, name := range folders(t, tree, "", false) {
		contents = append(contents, string(must[[]byte](t)(os.ReadFile(filepath.Join(root, name)))))
	}
	slices.Sort(contents)
	if diff := cmp.Diff(files, contents); diff != "" {
		t.Error(diff)
	}
}
