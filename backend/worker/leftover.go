package worker

import (
	"errors"
	"io/fs"
	"os"

	"spoold/mboxstore"

	"golang.org/x/sys/unix"
)

// LeftUndone says whether a journal may wait in the state directory name below parent: a worker
// ended otherwise than in good order, for its socket is still there, or a plan is.
//
// The supervisor asks, as root, about directories that belong to users. So only names are looked
// at, nothing is opened but directories, and neither a symbolic link nor a mount leads elsewhere or
// makes it wait: where one is in the way the answer is yes, and the user's own process finds out.
func LeftUndone(parent, name string) (bool, error) {
	dir, err := unix.Open(parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: parent, Err: err}
	}
	defer func() { _ = unix.Close(dir) }() // nothing was written
	state, err := openBelow(dir, name, unix.O_PATH)
	if err != nil {
		return undone(err)
	}
	defer func() { _ = state.Close() }() // nothing was written
	if unix.Fstatat(int(state.Fd()), socketName, new(unix.Stat_t), unix.AT_SYMLINK_NOFOLLOW) == nil {
		return true, nil
	}
	journal, err := openBelow(int(state.Fd()), MailboxState+"/"+mboxstore.JournalName, unix.O_RDONLY)
	if err != nil {
		return undone(err)
	}
	defer func() { _ = journal.Close() }() // nothing was written
	names, err := journal.Readdirnames(-1)
	return mboxstore.HasPlan(names), err
}

// undone is the answer when a directory could not be opened.
func undone(err error) (bool, error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return true, nil
}

func openBelow(dir int, path string, flags uint64) (*os.File, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   flags | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
