package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The agent of the lock suite, as it runs in its own process: see interop_locks_agent_test.go.

// agentMain is `lock-agent METHOD,… MAILBOX deliver|rewrite|replace [ID]`.
func agentMain(args []string) int {
	if err := agent(strings.Split(args[0], ","), args[1], args[2], args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func agent(methods []string, path, what string, args []string) error {
	for {
		f, unlock, err := agentLock(methods, path)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return err
		}
		switch what {
		case "deliver":
			err = agentDeliver(f)
		case "rewrite":
			err = agentRemove(f, args[0], agentWriteBack)
		default:
			err = agentRemove(f, args[0], agentReplace)
		}
		return errors.Join(err, unlock())
	}
}

var errReplaced = errors.New("the mailbox was replaced before it was locked")

// agentLock opens the mailbox and locks it; unlock closes it, which ends fcntl's and flock's locks.
func agentLock(methods []string, path string) (f *os.File, unlock func() error, err error) {
	f, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	release := []func() error{f.Close}
	unlock = func() error {
		var errs []error
		for i := len(release) - 1; i >= 0; i-- {
			errs = append(errs, release[i]())
		}
		return errors.Join(errs...)
	}
	for _, m := range methods {
		switch m {
		case "fcntl":
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
		case "flock":
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		case "dotlock":
			var remove func() error
			if remove, err = agentDotlock(path); err == nil {
				release = append(release, remove)
			}
		}
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", m, err), unlock())
		}
	}
	opened, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(opened, named) {
		return nil, nil, errors.Join(errReplaced, unlock())
	}
	return f, unlock, nil
}

// agentDotlock makes the lock file in the simplest of ways, and polls for it as others do.
func agentDotlock(path string) (remove func() error, err error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		f, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() error { return os.Remove(path + ".lock") }, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			return nil, err
		}
	}
}

const agentPause = 5 * time.Millisecond

// agentHalves writes in two halves with a pause between.
func agentHalves(w io.Writer, b []byte) error {
	if _, err := w.Write(b[:len(b)/2]); err != nil {
		return err
	}
	time.Sleep(agentPause)
	_, err := w.Write(b[len(b)/2:])
	return err
}

func agentDeliver(f *os.File) error {
	message, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	text := "From mda@example.org " + time.Now().UTC().Format(time.ANSIC) + "\n" + string(message) + "\n"
	return agentHalves(f, []byte(text))
}

// agentRemove takes a message away; write makes the file what is left from offset on.
func agentRemove(f *os.File, id string, write func(f *os.File, content []byte, from int) error) error {
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	from, to, ok := agentFind(content, id)
	if !ok {
		return nil
	}
	if err := write(f, append(content[:from:from], content[to:]...), from); err != nil {
		return err
	}
	fmt.Println("removed")
	return nil
}

var agentSeparator = regexp.MustCompile(`^From .* \d\d:\d\d:\d\d `)

// agentFind is where a message begins and ends, its separator included.
func agentFind(content []byte, id string) (from, to int, ok bool) {
	at, blank := 0, true
	for line := range bytes.Lines(content) {
		if blank && agentSeparator.Match(line) {
			if ok {
				return from, at, true
			}
			from = at
		}
		ok = ok || bytes.HasPrefix(line, []byte("X-Soak: "+id+" "))
		at += len(line)
		blank = len(line) == 1
	}
	return from, at, ok
}

// agentWriteBack writes what follows the removed message over it, as mutt does.
func agentWriteBack(f *os.File, content []byte, from int) error {
	if _, err := f.Seek(int64(from), io.SeekStart); err != nil {
		return err
	}
	if err := agentHalves(f, content[from:]); err != nil {
		return err
	}
	return f.Truncate(int64(len(content)))
}

// agentReplace puts a new file into the mailbox's place, as sed -i does.
func agentReplace(f *os.File, content []byte, _ int) (err error) {
	fresh, err := os.CreateTemp(filepath.Dir(f.Name()), ".agent-")
	if err != nil {
		return err
	}
	err = errors.Join(agentHalves(fresh, content), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), f.Name())
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return nil
}
