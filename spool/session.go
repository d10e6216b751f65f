package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SessionHeld says whether a UW program (imapd, alpine, pine) has the mailbox
// open for writing: it then holds a flock on /tmp/.DEV.INO of the mailbox for
// its whole session and believes that nobody else changes the file.
//
// /tmp belongs to everybody, so only a regular file with one link that belongs
// to the mailbox's owner or to root counts; what anybody else put there cannot
// lock the owner out. The file is never made, written or removed, and the
// process that it names gets no signal: anybody can write a number.
func (b *Box) SessionHeld() (bool, error) {
	box, err := b.named()
	if err != nil {
		return false, fmt.Errorf("session lock of %s: %w", b.path, err)
	}
	lock := filepath.Join(b.sessions, fmt.Sprintf(".%x.%x", box.Dev, box.Ino))
	busy, err := b.sessionBusy(lock)
	if err != nil {
		return false, fmt.Errorf("session lock %s: %w", lock, err)
	}
	return busy, nil
}

func (b *Box) sessionBusy(lock string) (busy bool, err error) {
	var fd int
	err = retry(func() (err error) {
		fd, err = openFD(unix.AT_FDCWD, lock, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrSymlink), errors.Is(err, ErrNotRegular):
		return false, nil
	case err != nil:
		return false, err
	}
	f := newFile(fd, lock)
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode.IsRegular() || info.Nlink != 1 || info.UID != b.owner && info.UID != 0 {
		return false, err
	}
	// A shared lock: two of us asking at once do not take each other for UW.
	err = f.do(func(fd int) error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, err
	}
	return false, f.do(func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}
