package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// setgidMaker is Debian's dotlockfile(1), which is setgid mail and makes the
// lock file for a mailbox that exists and belongs to the caller, in a directory
// that its group may write to.
type setgidMaker struct{ program string }

// The exit codes of dotlockfile(1) that say something; see lockfile_create(3).
const (
	exitNoTempFile = 2 // it does not say why
	exitHeld       = 4
)

// Make makes the lock in one try: -r 0 does not sleep.
func (m setgidMaker) Make(path string) error {
	err := m.run("-l", "-r", "0", path+lockSuffix)
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%w: %w", unix.EPERM, err) // not installed, or we are not allowed to start it
	case exit.ExitCode() == exitHeld:
		return fs.ErrExist
	case exit.ExitCode() == exitNoTempFile && !full(filepath.Dir(path)):
		return fmt.Errorf("%w: %w", unix.EACCES, err)
	}
	return err
}

// Remove removes the lock.
func (m setgidMaker) Remove(path string) error {
	return m.run("-u", path+lockSuffix)
}

// touch makes the lock young.
func (m setgidMaker) touch(path string) error {
	return m.run("-t", path+lockSuffix)
}

func (m setgidMaker) run(arg ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, m.program, arg...)
	c.Dir = "/"
	c.Env = []string{"LC_ALL=C"}
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", m.program, err)
	}
	return nil
}

// full says whether files cannot be made for want of room: that is no reason
// to do without a lock.
func full(dir string) bool {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Statfs(dir, &st) })
	return err == nil && (st.Bavail == 0 || st.Files > 0 && st.Ffree == 0)
}
