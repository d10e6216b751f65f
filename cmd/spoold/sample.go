package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// samplePassword is the password of every user of testdata/sample.
const samplePassword = "secret"

// nobody owns the copy of the sample when root serves it: root is not a mail user.
const nobody = 65534

// sample is a copy of a sample host, laid out as
//
//	passwd          passwd-file; uid, gid and home are filled in
//	spool/USER      inboxes
//	home/USER/mail  folders
//
// and served from a configuration like any other.
type sample struct {
	dir   string
	users []string
}

// newSample copies from into a new directory, to be served at listen.
func newSample(from, listen string) (_ *sample, err error) {
	dir, err := os.MkdirTemp("", "spoold-sample-")
	if err != nil {
		return nil, fmt.Errorf("copy sample: %w", err)
	}
	s := &sample{dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy sample: %w", errors.Join(err, s.remove()))
		}
	}()
	for _, part := range []string{"spool", "home"} {
		src := filepath.Join(from, part)
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(src)); err != nil {
			return nil, fmt.Errorf("%s: %w", src, err) // CopyFS knows names below src only
		}
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	if err := s.own(uid, gid); err != nil {
		return nil, err
	}
	if err := s.writePasswd(filepath.Join(from, "passwd"), uid, gid); err != nil {
		return nil, err
	}
	return s, s.writeConfig(listen)
}

// own gives the mail to the user who serves it, and lets him reach it.
func (s *sample) own(uid, gid int) error {
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == s.dir {
			return err
		}
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return errors.Join(os.Chmod(path, mode), os.Lchown(path, uid, gid))
	})
	// Below it root makes each user's state directory.
	return errors.Join(err, os.Mkdir(filepath.Join(s.dir, "state"), 0o755))
}

// writePasswd copies the passwd-file and makes every user one who exists here.
func (s *sample) writePasswd(from string, uid, gid int) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		s.users = append(s.users, f[0])
		fmt.Fprintf(&out, "%s:%s:%d:%d::%s::\n", f[0], f[1], uid, gid, filepath.Join(s.dir, "home", f[0]))
	}
	if len(s.users) == 0 {
		return fmt.Errorf("%s: no users", from)
	}
	return os.WriteFile(filepath.Join(s.dir, "passwd"), []byte(out.String()), 0o600)
}

func (s *sample) config() string { return filepath.Join(s.dir, "spoold.toml") }

func (s *sample) writeConfig(listen string) error {
	text := fmt.Sprintf(`[[listen]]
address = %[2]q
tls = "none"

[mail]
inbox = "%[1]s/spool/%%u"
root = "%%h/mail"
state = "%[1]s/state/%%u"

[auth]
sources = ["passwd-file:%[1]s/passwd"]
`, s.dir, listen)
	return os.WriteFile(s.config(), []byte(text), 0o600)
}

// invite tells how to look at the sample.
func (s *sample) invite(addresses []string) string {
	return fmt.Sprintf("Serving a copy of the sample in %s. Users: %s. Password: %s\n%s",
		s.dir, strings.Join(s.users, ", "), samplePassword, curlLine(addresses, s.users[0], samplePassword))
}

func (s *sample) remove() error { return os.RemoveAll(s.dir) }
