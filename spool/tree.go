package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tree is where a user's mailboxes are: the inbox file and the mail root. Every
// way below the root goes through os.Root, so that no name and no symbolic link
// leads out of it.
type Tree struct{ inbox, root string }

// NewTree describes the mailboxes of a user. The root need not exist yet: then
// there are no folders, and Create makes it.
func NewTree(inbox, root string) (*Tree, error) {
	if !filepath.IsAbs(inbox) || !filepath.IsAbs(root) {
		return nil, fmt.Errorf("inbox %q and mail root %q have to be absolute: %w", inbox, root, fs.ErrInvalid)
	}
	return &Tree{filepath.Clean(inbox), filepath.Clean(root)}, nil
}

// Folder is a mailbox, or a directory of mailboxes.
type Folder struct {
	Name        string // raw octets, "/" between the levels; "INBOX" for the inbox
	Dir         bool
	HasChildren bool
	Linked      bool  // a symbolic link to it
	Marked      bool  // written to since it was last read
	Size        int64 // of a mailbox
}

// open opens the mail root for one operation.
func (t *Tree) open() (*os.Root, error) { return os.OpenRoot(t.root) }

func (t *Tree) openOrMake() (*os.Root, error) {
	r, err := t.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := os.MkdirAll(t.root, 0o700); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(t.root)); err != nil {
		return nil, err
	}
	return t.open()
}

// wrap makes ErrName of what os.Root says when a name leads out: that error
// alone comes from no system call.
func wrap(what, name string, err error) error {
	if err == nil {
		return nil
	}
	pe, ok := errors.AsType[*fs.PathError](err)
	if _, kernel := errors.AsType[syscall.Errno](err); ok && !kernel && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("%s %q: %w: %w", what, name, ErrName, pe.Err)
	}
	return fmt.Errorf("%s %q: %w", what, name, err)
}

// Path returns the file of a mailbox, which need not exist.
func (t *Tree) Path(name string) (string, error) {
	if isInbox(name) {
		return t.inbox, nil
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	file := filepath.Join(t.root, filepath.FromSlash(name))
	_, err := t.info(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return "", wrap("mailbox", name, err)
	}
	return file, nil
}

func (t *Tree) info(name string) (fs.FileInfo, error) {
	r, err := t.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Stat(name)
}

// Stat tells about one mailbox or directory.
func (t *Tree) Stat(name string) (Folder, error) {
	if isInbox(name) {
		info, err := os.Stat(t.inbox)
		if err != nil {
			return Folder{}, fmt.Errorf("inbox: %w", err)
		}
		return describe(Inbox, info), nil
	}
	if err := checkName(name); err != nil {
		return Folder{}, err
	}
	r, err := t.open()
	if err != nil {
		return Folder{}, wrap("mailbox", name, err)
	}
	defer r.Close()
	info, err := r.Stat(name)
	if err != nil {
		return Folder{}, wrap("mailbox", name, err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return Folder{}, fmt.Errorf("mailbox %q: %w: %w", name, fs.ErrNotExist, ErrNotRegular)
	}
	f := describe(name, info)
	f.HasChildren = f.Dir && hasChildren(r, name)
	return f, nil
}

// Create makes a mailbox with the given content, durably, and the directories
// above it. With a trailing "/" it makes a directory.
func (t *Tree) Create(name string, content []byte) error {
	name, dirOnly := strings.CutSuffix(name, "/")
	if err := checkName(name); err != nil {
		return err
	}
	r, err := t.openOrMake()
	if err != nil {
		return wrap("create mailbox", name, err)
	}
	defer r.Close()
	if err := makeParents(r, name); err != nil {
		return err
	}
	if dirOnly {
		err = r.Mkdir(name, 0o700)
	} else {
		err = writeNew(r, name, content)
	}
	if err == nil {
		err = syncIn(r, path.Dir(name))
	}
	return wrap("create mailbox", name, err)
}

// makeParents makes the directories above name, durably.
func makeParents(r *os.Root, name string) error {
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		dir := name[:i]
		err := r.Mkdir(dir, 0o700)
		if err == nil {
			err = syncIn(r, path.Dir(dir))
		}
		if errors.Is(err, fs.ErrExist) {
			err = mustBeDir(r, dir)
		}
		if err != nil {
			return wrap("make folder", dir, err)
		}
	}
	return nil
}

func mustBeDir(r *os.Root, name string) error {
	info, err := r.Stat(name)
	if err == nil && !info.IsDir() {
		return ErrNotFolder
	}
	return err
}

// writeNew makes a file under a name of its own and moves it into place: a
// crash leaves the whole mailbox or none.
func writeNew(r *os.Root, name string, content []byte) error {
	if _, err := r.Lstat(name); err == nil {
		return fs.ErrExist
	}
	post := path.Join(path.Dir(name), filepath.Base(postName(name)))
	f, err := r.OpenFile(post, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = moveNew(r, post, name)
	}
	if err != nil {
		_ = r.Remove(post) // the first error counts
	}
	return err
}

// moveNew renames without replacing anything.
func moveNew(r *os.Root, from, to string) error {
	return inDirs(r, path.Dir(from), path.Dir(to), func(fromFD, toFD int) error {
		old, name := path.Base(from), path.Base(to)
		err := unix.Renameat2(fromFD, old, toFD, name, unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
			return err
		}
		// A file system without that flag (NFS): look, then rename.
		if _, err := statAt(toFD, name, unix.AT_SYMLINK_NOFOLLOW); err == nil {
			return fs.ErrExist
		}
		return unix.Renameat(fromFD, old, toFD, name)
	})
}

// inDirs calls do with two directories below r.
func inDirs(r *os.Root, a, b string, do func(aFD, bFD int) error) error {
	da, err := r.Open(a)
	if err != nil {
		return err
	}
	defer da.Close()
	db, err := r.Open(b)
	if err != nil {
		return err
	}
	defer db.Close()
	return osFile{da}.do(func(aFD int) error {
		return osFile{db}.do(func(bFD int) error { return do(aFD, bFD) })
	})
}

func syncIn(r *os.Root, dir string) error {
	d, err := r.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Remove removes a mailbox or an empty directory. The caller holds the
// mailbox's locks.
func (t *Tree) Remove(name string) error {
	name = strings.TrimSuffix(name, "/")
	if err := checkName(name); err != nil {
		return err
	}
	r, err := t.open()
	if err != nil {
		return wrap("remove mailbox", name, err)
	}
	defer r.Close()
	if err := mustBeFolder(r, name); err != nil {
		return wrap("remove mailbox", name, err)
	}
	if err := r.Remove(name); err != nil {
		return wrap("remove mailbox", name, err)
	}
	return wrap("remove mailbox", name, syncIn(r, path.Dir(name)))
}

// mustBeFolder: sockets and devices are not ours to touch.
func mustBeFolder(r *os.Root, name string) error {
	info, err := r.Lstat(name)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, ErrNotRegular)
	}
	return err
}

// Rename moves a mailbox, or a directory with all below it, to a name that is
// free. The caller holds the mailbox's locks.
func (t *Tree) Rename(from, to string) error {
	from, to = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
	if err := errors.Join(checkName(from), checkName(to)); err != nil {
		return err
	}
	if strings.HasPrefix(to, from+"/") {
		return fmt.Errorf("%q lies below %q: %w", to, from, ErrName)
	}
	r, err := t.open()
	if err != nil {
		return wrap("rename mailbox", from, err)
	}
	defer r.Close()
	if err := mustBeFolder(r, from); err != nil {
		return wrap("rename mailbox", from, err)
	}
	if err := makeParents(r, to); err != nil {
		return err
	}
	if err := moveNew(r, from, to); err != nil {
		return fmt.Errorf("rename mailbox %q to %q: %w", from, to, err)
	}
	return wrap("rename mailbox", from, errors.Join(syncIn(r, path.Dir(to)), syncIn(r, path.Dir(from))))
}
