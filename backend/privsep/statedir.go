package privsep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MakeStateDir makes path, the user's state directory, as root: 0700 and the user's. What is
// there already must be a real directory of his. Its parent is made when missing and must be
// root's alone, so that nobody can put another directory in its place meanwhile.
func MakeStateDir(path string, id Identity) error {
	err := makeStateDir(filepath.Clean(path), id)
	if err != nil {
		return fmt.Errorf("state directory %s: %w", path, err)
	}
	return nil
}

func makeStateDir(path string, id Identity) (err error) {
	parent, name := filepath.Split(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	dir, err := unix.Open(parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s is not root's alone: %w", parent, fs.ErrPermission)
	}
	if err := unix.Mkdirat(dir, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return giveTo(dir, name, id)
}

// giveTo makes the directory name below dir the user's, if it is root's (just made, or made and
// not given away before a crash) or already his.
func giveTo(dir int, name string, id Identity) (err error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch st.Uid {
	case 0:
		if err := unix.Fchown(fd, int(id.UID), int(id.GID)); err != nil {
			return err
		}
	case id.UID:
	default:
		return fmt.Errorf("belongs to uid %d: %w", st.Uid, fs.ErrPermission)
	}
	if st.Mode&0o077 != 0 {
		return unix.Fchmod(fd, 0o700)
	}
	return nil
}
