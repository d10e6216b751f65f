package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// SubscriptionFile is .mailboxlist, the list of subscribed mailboxes that UW
// imapd and alpine keep in the user's home: one name a line, relative to the
// home, in the order of subscribing. Lines that name nothing of ours (remote
// mailboxes, other directories) are neither shown nor changed.
//
// The others do not lock it. We do among ourselves, by an fcntl lock on the
// file, and replace it by rename.
type SubscriptionFile struct {
	path   string
	prefix string // of our names in the file: "mail/", or "" when the home is the mail root
}

// maxSubscriptions bounds what is read of the file.
const maxSubscriptions = 4 << 20

// OpenSubscriptions describes the list in a home directory. prefix is the mail
// root relative to it, with a trailing "/". Nothing is opened yet.
func OpenSubscriptions(home, prefix string) *SubscriptionFile {
	return &SubscriptionFile{path: filepath.Join(home, ".mailboxlist"), prefix: prefix}
}

// List returns the subscribed mailboxes, each once.
func (s *SubscriptionFile) List() ([]string, error) {
	f, err := s.open(unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := s.read(f)
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for line := range bytes.Lines(content) {
		if name, ok := s.name(line); ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// Add subscribes to a mailbox, which need not exist. Again is no error.
func (s *SubscriptionFile) Add(name string) error {
	line := Inbox
	if !isInbox(name) {
		if err := checkName(name); err != nil {
			return err
		}
		if line = s.prefix + name; line[0] == '#' || line[0] == '{' {
			line = "~/" + line // without it the name would not be one of ours
		}
	}
	return s.edit(func(content []byte) []byte {
		if s.find(content, name) {
			return nil
		}
		if n := len(content); n > 0 && content[n-1] != '\n' {
			content = append(content, '\n')
		}
		return append(append(content, line...), '\n')
	})
}

// Remove unsubscribes from a mailbox. If it is not in the list, that is no error.
func (s *SubscriptionFile) Remove(name string) error {
	return s.edit(func(content []byte) []byte {
		if !s.find(content, name) {
			return nil
		}
		kept := []byte{}
		for line := range bytes.Lines(content) {
			if !s.means(line, name) {
				kept = append(kept, line...)
			}
		}
		return kept
	})
}

func (s *SubscriptionFile) find(content []byte, name string) bool {
	for line := range bytes.Lines(content) {
		if s.means(line, name) {
			return true
		}
	}
	return false
}

func (s *SubscriptionFile) means(line []byte, name string) bool {
	is, ok := s.name(line)
	return ok && (is == name || isInbox(is) && isInbox(name))
}

// name returns the mailbox that a line stands for. "{" begins a remote
// mailbox's name and "#" a namespace's.
func (s *SubscriptionFile) name(line []byte) (string, bool) {
	name := strings.TrimRight(string(line), "\r\n")
	if isInbox(name) {
		return Inbox, true
	}
	if strings.HasPrefix(name, "{") || strings.HasPrefix(name, "#") {
		return "", false
	}
	name, ok := strings.CutPrefix(strings.TrimPrefix(name, "~/"), s.prefix)
	return name, ok && badName(name) == ""
}

// edit replaces the content under the lock. change returns nil for no change.
func (s *SubscriptionFile) edit(change func([]byte) []byte) error {
	f, err := s.locked()
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := s.read(f)
	if err != nil {
		return err
	}
	if content = change(content); content == nil {
		return nil
	}
	target, err := filepath.EvalSymlinks(s.path) // some people keep their dot files elsewhere
	if err == nil {
		err = renameio.WriteFile(target, content, 0o600, renameio.WithTempDir(filepath.Dir(target)))
	}
	if err == nil {
		err = syncDir(filepath.Dir(target))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return nil
}

func (s *SubscriptionFile) open(flag int) (osFile, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = openFD(unix.AT_FDCWD, s.path, flag, 0o600)
		return err
	})
	if err != nil {
		return osFile{}, fmt.Errorf("open %s: %w", s.path, err)
	}
	f := newFile(fd, s.path)
	if info, err := f.Stat(); err != nil || !info.Mode.IsRegular() {
		return osFile{}, errors.Join(fmt.Errorf("open %s: %w", s.path, ErrNotRegular), err, f.Close())
	}
	return f, nil
}

func (s *SubscriptionFile) read(f osFile) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, maxSubscriptions+1))
	if err == nil && len(content) > maxSubscriptions {
		err = errors.New("file is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return content, nil
}

// locked opens the file, made if missing, and locks it. Closing it unlocks.
func (s *SubscriptionFile) locked() (osFile, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		f, err := s.open(unix.O_RDWR | unix.O_CREAT)
		if err != nil {
			return osFile{}, err
		}
		got, err := s.tryLock(f)
		if got && err == nil {
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return osFile{}, fmt.Errorf("lock %s: %w", s.path, err)
		}
		select {
		case <-ctx.Done():
			return osFile{}, &LockedError{Path: s.path, Method: Fcntl, Holder: "another session of this user"}
		case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
		}
	}
}

// tryLock also says no when the file that it locked was replaced meanwhile.
func (s *SubscriptionFile) tryLock(f osFile) (bool, error) {
	if _, got, err := tryFcntl(f, Exclusive); got != yes {
		return false, err
	}
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := statPath(s.path, 0)
	return err == nil && mine.sameFile(named), ignoreMissing(err)
}
