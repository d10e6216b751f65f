package faultfs

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"spoold/spool"
)

// dir is an open directory.
type dir struct {
	disk *FS
	path string
	life int
}

// use takes the lock and checks the handle and the names. The caller unlocks, also after an error.
func (d *dir) use(names ...string) error {
	d.disk.mu.Lock()
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return fs.ErrInvalid
		}
	}
	return d.disk.alive(d.life)
}

// entry changes a name now, and on the disk after the next Sync.
func (d *dir) entry(c nameChange) {
	c.dir = d.path
	c.apply(d.disk.names)
	d.disk.pending = append(d.disk.pending, c)
}

func (d *dir) Open(name string, flag int, perm fs.FileMode) (spool.File, error) {
	defer d.disk.mu.Unlock()
	full := path.Join(d.path, name)
	err := d.use(name)
	var n *node
	if err == nil {
		n, err = d.open(full, flag, perm)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: full, Err: err}
	}
	write := flag&(os.O_WRONLY|os.O_RDWR) != 0
	return &file{disk: d.disk, n: n, name: full, life: d.life, write: write}, nil
}

func (d *dir) open(full string, flag int, perm fs.FileMode) (*node, error) {
	n := d.disk.names[full]
	switch {
	case n == nil && d.disk.dirs[full]:
		return nil, spool.ErrNotRegular
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		if err := d.disk.must("create %s", full); err != nil {
			return nil, err
		}
		n = d.disk.newNode(perm)
		d.entry(nameChange{name: full, n: n})
	case flag&os.O_EXCL != 0 && flag&os.O_CREATE != 0:
		return nil, fs.ErrExist
	case flag&os.O_TRUNC != 0 && len(n.cur) > 0:
		return n, d.disk.truncate(n, full, 0)
	}
	return n, nil
}

func (d *dir) Remove(name string) error {
	defer d.disk.mu.Unlock()
	full := path.Join(d.path, name)
	err := d.use(name)
	if err == nil {
		err = d.remove(full)
	}
	if err != nil {
		return &os.PathError{Op: "remove", Path: full, Err: err}
	}
	return nil
}

func (d *dir) remove(full string) error {
	n := d.disk.names[full]
	if n == nil {
		return fs.ErrNotExist
	}
	if err := d.disk.must("remove %s", full); err != nil {
		return err
	}
	d.entry(nameChange{name: full})
	n.links = 0
	n.c = d.disk.tick()
	return nil
}

func (d *dir) Rename(oldname, newname string) error {
	defer d.disk.mu.Unlock()
	from, to := path.Join(d.path, oldname), path.Join(d.path, newname)
	err := d.use(oldname, newname)
	if err == nil {
		err = d.rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (d *dir) rename(from, to string) error {
	n := d.disk.names[from]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case d.disk.dirs[to]:
		return unix.EISDIR
	case from == to:
		return nil
	}
	if err := d.disk.must("rename %s %s", from, to); err != nil {
		return err
	}
	if replaced := d.disk.names[to]; replaced != nil {
		replaced.links = 0
	}
	d.entry(nameChange{name: to, old: from, n: n})
	n.c = d.disk.tick()
	return nil
}

// Names lists files and directories, sorted.
func (d *dir) Names() ([]string, error) {
	defer d.disk.mu.Unlock()
	if err := d.use(); err != nil {
		return nil, &os.PathError{Op: "readdir", Path: d.path, Err: err}
	}
	var names []string
	for full := range d.disk.names {
		if path.Dir(full) == d.path {
			names = append(names, path.Base(full))
		}
	}
	for full := range d.disk.dirs {
		if path.Dir(full) == d.path && full != d.path {
			names = append(names, path.Base(full))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Sync makes the names in this directory durable. When it fails, changes not
// yet durable never will be.
func (d *dir) Sync() error {
	defer d.disk.mu.Unlock()
	err := d.use()
	if err == nil {
		err = d.disk.syncNames(d.path)
	}
	if err != nil {
		return &os.PathError{Op: "sync", Path: d.path, Err: err}
	}
	return nil
}

func (d *dir) Sub(name string) (spool.Dir, error) {
	defer d.disk.mu.Unlock()
	full := path.Join(d.path, name)
	if err := d.use(name); err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: full, Err: err}
	}
	if d.disk.names[full] != nil {
		return nil, &os.PathError{Op: "mkdir", Path: full, Err: unix.ENOTDIR}
	}
	d.disk.dirs[full] = true
	return &dir{disk: d.disk, path: full, life: d.life}, nil
}
