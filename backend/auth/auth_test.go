package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoold/backend/privsep"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a System of a few users.
type host map[string]privsep.Identity

func (h host) User(name string) (privsep.Identity, error) {
	id, ok := h[name]
	if !ok {
		return id, fs.ErrNotExist
	}
	return id, nil
}

var users = host{
	"alice": {Name: "alice", UID: 1001, GID: 100, Groups: []uint32{8}, Home: "/home/alice"},
	"root":  {Name: "root", Home: "/root"},
}

func mustHash(t testing.TB, password string) string {
	t.Helper()
	h, err := Hash(password, SHA512, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func passwdFile(t testing.TB, text string) (*PasswdFile, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenPasswdFile(path, users, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

// TestHashesOfCrypt checks hashes that libxcrypt's crypt(3) made of "secret word".
func TestHashesOfCrypt(t *testing.T) {
	for name, hash := range cryptVectors {
		t.Run(name, func(t *testing.T) {
			f, _ := passwdFile(t, "alice:"+hash+"\n")
			c := NewChecker(1, f)
			if _, err := c.Check(t.Context(), "alice", "secret word"); err != nil {
				t.Errorf("right password: %v", err)
			}
			if _, err := c.Check(t.Context(), "alice", "secret worD"); !errors.Is(err, privsep.ErrDenied) {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
}

func TestHashIsChecked(t *testing.T) {
	for _, scheme := range []Scheme{Yescrypt, SHA512, Bcrypt} {
		t.Run(string(scheme), func(t *testing.T) {
			hash, err := Hash("päss", scheme, 0)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := passwdFile(t, "alice:"+hash+":::::::\n")
			if _, err := NewChecker(1, f).Check(t.Context(), "alice", "päss"); err != nil {
				t.Errorf("%s: %v", hash, err)
			}
		})
	}
}

func TestCheckIdentity(t *testing.T) {
	h := mustHash(t, "pw")
	f, _ := passwdFile(t, "# mail users\n\n"+
		"alice:"+h+":\n"+
		"bob:"+h+":2000:2001::/srv/bob::\r\n"+
		"root:"+h+"::::::\n"+
		"toor:"+h+":0:5::/root::\n"+
		"ghost:"+h+"::::::\n"+
		"locked:!"+h+":2002:2002::/:\n"+
		"empty::2003:2003::/:\n")
	c := NewChecker(1, f)
	bob := privsep.Identity{Name: "bob", UID: 2000, GID: 2001, Home: "/srv/bob"}
	for _, tt := range []struct {
		name, user, password string
		want                 privsep.Identity
		err                  error
	}{
		{"from the system", "alice", "pw", users["alice"], nil},
		{"from the line", "bob", "pw", bob, nil},
		{"capitals", "Bob", "pw", bob, nil},
		{"wrong password", "bob", "pW", privsep.Identity{}, privsep.ErrDenied},
		{"empty password", "bob", "", privsep.Identity{}, privsep.ErrDenied},
		{"NUL in password", "bob", "pw\x00", privsep.Identity{}, privsep.ErrDenied},
		{"unknown", "carol", "pw", privsep.Identity{}, privsep.ErrDenied},
		{"locked", "locked", "pw", privsep.Identity{}, privsep.ErrDenied},
		{"no password", "empty", "", privsep.Identity{}, privsep.ErrDenied},
		{"root", "root", "pw", privsep.Identity{}, privsep.ErrIdentity},
		{"uid 0 by another name", "toor", "pw", privsep.Identity{}, privsep.ErrIdentity},
		{"nobody of the system", "ghost", "pw", privsep.Identity{}, fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Check(t.Context(), tt.user, tt.password)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
		})
	}
}

// Identify needs no password, and takes no name but the user's own.
func TestIdentify(t *testing.T) {
	f, _ := passwdFile(t, "bob:!:2000:2001::/srv/bob::\ntoor:!:0:5::/root::\n")
	c := NewChecker(1, f)
	got, err := c.Identify("bob")
	if diff := cmp.Diff(privsep.Identity{Name: "bob", UID: 2000, GID: 2001, Home: "/srv/bob"}, got); diff != "" || err != nil {
		t.Errorf("%v, identity (-want +got):\n%s", err, diff)
	}
	for name, want := range map[string]error{"Bob": privsep.ErrDenied, "carol": privsep.ErrDenied, "toor": privsep.ErrIdentity} {
		if got, err := c.Identify(name); !errors.Is(err, want) || got.Name != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestGroupsOfAnotherUID: a mail user who only shares a name with a system user has not his groups.
func TestGroupsOfAnotherUID(t *testing.T) {
	f, _ := passwdFile(t, "alice:"+mustHash(t, "pw")+":5000:5000::/srv/alice:\n")
	got, err := NewChecker(1, f).Check(t.Context(), "alice", "pw")
	if err != nil {
		t.Fatal(err)
	}
	want := privsep.Identity{Name: "alice", UID: 5000, GID: 5000, Home: "/srv/alice"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// counting is a digest that counts how often it is matched, in place of a stopwatch.
type counting struct {
	algorithm.Digest
	matched *int
}

func (c counting) Match(string) bool { *c.matched++; return true }

type countingSource struct{ matched *int }

func (s countingSource) Decoy() algorithm.Digest { return counting{nil, s.matched} }

func (s countingSource) Lookup(name string) (Entry, bool) {
	switch name {
	case "known":
		id := func() (privsep.Identity, error) { return privsep.Identity{Name: name, UID: 1}, nil }
		return Entry{s.Decoy(), id}, true
	case "locked":
		return Entry{}, true
	}
	return Entry{}, false
}

func TestSameWorkForEveryName(t *testing.T) {
	for _, tt := range []struct {
		user string
		err  error
	}{{"known", nil}, {"locked", privsep.ErrDenied}, {"unknown", privsep.ErrDenied}} {
		t.Run(tt.user, func(t *testing.T) {
			matched := 0
			_, err := NewChecker(1, countingSource{&matched}).Check(t.Context(), tt.user, "pw")
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if matched != 1 {
				t.Errorf("%d hashes computed, want 1", matched)
			}
		})
	}
}

// blocking is a source whose checks last until they are let go.
type blocking struct{ begun, end chan struct{} }

func (b blocking) Lookup(string) (Entry, bool) { return Entry{}, false }
func (b blocking) Decoy() algorithm.Digest     { return slow{b: b} }

type slow struct {
	algorithm.Digest
	b blocking
}

func (s slow) Match(string) bool { s.b.begun <- struct{}{}; <-s.b.end; return false }

func TestBoundedConcurrency(t *testing.T) {
	b := blocking{make(chan struct{}), make(chan struct{})}
	c := NewChecker(2, b)
	results := make(chan error)
	for range 2 {
		go func() { _, err := c.Check(context.Background(), "u", "p"); results <- err }()
		<-b.begun
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Check(ctx, "u", "p"); !errors.Is(err, context.Canceled) {
		t.Errorf("third check: %v, want it to wait", err)
	}
	close(b.end)
	for range 2 {
		if err := <-results; !errors.Is(err, privsep.ErrDenied) {
			t.Error(err)
		}
	}
}

func TestReload(t *testing.T) {
	f, path := passwdFile(t, "alice:"+mustHash(t, "old")+"\n")
	c := NewChecker(1, f)
	rewrite := func(text string, age time.Duration) {
		t.Helper()
		when := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	try := func(password string, want error) {
		t.Helper()
		if _, err := c.Check(t.Context(), "alice", password); !errors.Is(err, want) {
			t.Errorf("password %q: %v, want %v", password, err, want)
		}
	}
	try("old", nil)
	rewrite("alice:"+mustHash(t, "new")+"\n", 2*time.Minute)
	try("old", privsep.ErrDenied)
	try("new", nil)
	rewrite("alice:nonsense\n", time.Minute)
	try("new", nil) // the malformed file changes nothing
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	try("new", nil)
}

func TestMalformedFile(t *testing.T) {
	h := mustHash(t, "pw")
	for _, tt := range []struct{ name, text, want string }{
		{"no hash", "alice\n", "line 1: no hash"},
		{"clear text", "alice:secret:\n", "line 1: user alice: not a crypt(3) hash"},
		{"unknown scheme", "alice:$1$abc$def:\n", "line 1: user alice: hash:"},
		{"slash in name", "ok:*\n../etc:" + h + ":\n", "line 2: not a mail user"},
		{"bad uid", "alice:" + h + ":x:\n", `line 1: user alice: uid or gid "x"`},
		{"no-change uid", "alice:" + h + ":4294967295:\n", `line 1: user alice: uid or gid "4294967295"`},
		{"relative home", "alice:" + h + ":1:1::home:\n", `line 1: user alice: home "home"`},
		{"twice", "alice:*\n\nalice:*\n", "line 3: user alice a second time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "passwd")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := OpenPasswdFile(path, users, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestStatic(t *testing.T) {
	s, err := NewStatic(users["alice"], mustHash(t, "pw"))
	if err != nil {
		t.Fatal(err)
	}
	c := NewChecker(1, s)
	got, err := c.Check(t.Context(), "alice", "pw")
	if diff := cmp.Diff(users["alice"], got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := c.Check(t.Context(), "bob", "pw"); !errors.Is(err, privsep.ErrDenied) {
		t.Errorf("another name: %v", err)
	}
}

func TestHashRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, password string
		scheme         Scheme
		rounds         int
	}{
		{"empty", "", SHA512, 0},
		{"line end", "a\nb", SHA512, 0},
		{"too long", strings.Repeat("x", 513), SHA512, 0},
		{"scheme", "pw", "md5", 0},
		{"rounds of yescrypt", "pw", Yescrypt, 5000},
		{"too few rounds", "pw", SHA512, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if h, err := Hash(tt.password, tt.scheme, tt.rounds); err == nil {
				t.Errorf("made %q", h)
			}
		})
	}
}

func TestHostUser(t *testing.T) {
	id, err := Host{}.User("root")
	if err != nil || id.UID != 0 || id.Home == "" {
		t.Errorf("root is %+v, %v", id, err)
	}
	if _, err := (Host{}).User("no such user here"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown user: %v", err)
	}
}

// FuzzParsePasswd: a file that is accepted has every name once, each fit to be a worker's key,
// and its lines can be parsed one by one with the same result.
func FuzzParsePasswd(f *testing.F) {
	h := "$6$rounds=1000$saltsalt$x"
	f.Add("alice:" + h + ":1000:1000:A:/home/alice:/bin/sh:\nbob:*\n")
	f.Add("#c\n\nx:!::::::\r\n")
	d, err := newDecoder()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, decoy, err := parsePasswd(d, []byte(text))
		if err != nil {
			return
		}
		var names []string
		for l := range strings.Lines(text) {
			if l = strings.TrimRight(l, "\r\n"); l == "" || l[0] == '#' {
				continue
			}
			one, err := parseLine(d, l)
			if err != nil {
				t.Fatalf("line %q alone: %v", l, err)
			}
			if privsep.CheckName(one.name) != nil || slices.Contains(names, one.name) {
				t.Fatalf("name %q accepted", one.name)
			}
			names = append(names, one.name)
			if _, ok := got[one.name]; !ok || one.digest != nil && decoy == nil {
				t.Fatalf("line %q lost", l)
			}
		}
		if len(names) != len(got) {
			t.Fatal(fmt.Sprint(names, got))
		}
	})
}

var cryptVectors = map[string]string{
	"yescrypt":           "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$zMa5Bjs1A4gujxsOoVcSW2gqW3d2Z27zEetul1pc3VA",
	"sha512":             "$6$saltsaltsalt$SdcmH7mD.qduBI7bsawv5/x3S8eXsK6Be6e9.ZaF6d/OfOqPpDW7uoRnuEPZ.hzV4tR37Miz2ptgrQDSHGo8G1",
	"sha512 with rounds": "$6$rounds=1000$saltsaltsalt$LV9uhHiH0uV482V2rXq1I..Ko.naYNcZGFy1Z7K4XG0FE2d1bSs4k0AbVsfLtrsS662U9KvH4Voa2/m4XDmds0",
	"sha256":             "$5$saltsaltsalt$4iaQQXtLoV60XjOst9j4eQhnRM89CKCRJFOl1Zl7NL8",
	"bcrypt":             "$2b$05$abcdefghijklmnopqrstuu1C7yeI3ZG3Jm.nHdnKkGJg1xTYKP9Oy",
}
