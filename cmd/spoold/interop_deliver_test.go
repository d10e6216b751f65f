package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// deliver is a mail delivery agent in small: it appends a message, under FILE.lock and
// an fcntl lock of the process kind that real agents take, and undoes a failed write.
func deliver(path, message string) (err error) {
	unlock, err := dotlock(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &lock); err != nil {
		return fmt.Errorf("fcntl %s: %w", path, err)
	}
	end, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("From mda@example.org %s\n%s", time.Now().UTC().Format(time.ANSIC), message)
	if _, err := f.WriteString(strings.TrimRight(text, "\n") + "\n\n"); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return nil
}

// dotlock makes path.lock as an MDA does, by link(2) of a file of its own.
func dotlock(path string) (unlock func() error, err error) {
	own, err := os.CreateTemp(filepath.Dir(path), ".mda-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.Close(), os.Remove(own.Name())) }()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		err := os.Link(own.Name(), path+".lock")
		if err == nil {
			return func() error { return os.Remove(path + ".lock") }, nil
		}
		if !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			return nil, fmt.Errorf("dotlock %s: %w", path, err)
		}
	}
}
