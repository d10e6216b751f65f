package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoold/backend/wire/strict"
)

// The peers that spoold is compared with, run as programs on a mailbox file: c-client
// (mailutil) and Dovecot (its imap process, pre-authenticated on a pipe).

// reading is what one program makes of a mailbox file.
type reading struct {
	Refused     string // why it is no mailbox for this program
	UIDValidity uint32
	Recent      int
	Mails       []mail
	Warnings    string
}

// needs skips a test with peers outside of `make interop`, so that the other runs take as long everywhere; there a
// peer that is missing is a failure.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv("SPOOLD_INTEROP") != "1" {
		t.Skipf("compares with %s: make interop runs it", strings.Join(programs, ", "))
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is not installed (make interop installs it)", p)
		}
	}
}

const (
	mailutil = "mailutil"
	dovecot  = "/usr/lib/dovecot/imap"
)

// person is who owns the mail in these tests: the caller, or nobody when that is root,
// because neither spoold nor Dovecot serves root.
type person struct {
	name     string
	uid, gid int
}

func mailOwner() person {
	if os.Getuid() == 0 {
		return person{"nobody", 65534, 65534}
	}
	return person{os.Getenv("USER"), os.Getuid(), os.Getgid()}
}

// own gives a file or folder to p when that takes root.
func (p person) own(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Chown(path, p.uid, p.gid); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs as p with home as folder and $HOME, in UTC, for some minutes at most.
func (p person) command(home, program string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(5*time.Minute, cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + home, "USER=" + p.name, "LOGNAME=" + p.name, "TZ=UTC", "LC_ALL=C"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.gid)}}
	}
	return cmd
}

// folder makes a short-lived directory that every user may pass (t.TempDir is private).
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spoold-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// homeFolder is a folder of p's own.
func homeFolder(t testing.TB, p person) string {
	t.Helper()
	dir := folder(t)
	p.own(t, dir)
	return dir
}

func writeFile(t testing.TB, p person, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.own(t, path)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// runMailutil runs mailutil in home and returns its output. Anything on
// stderr that is not a progress note (in brackets) is a warning, and a status that is
// not 0, except from prune, which never ends with another.
func runMailutil(t testing.TB, p person, home string, args ...string) (out, warnings string) {
	t.Helper()
	cmd := p.command(home, mailutil, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(stderr.String()) {
		if !strings.HasPrefix(line, "[") {
			warnings += line
		}
	}
	if err != nil && args[0] != "prune" {
		warnings += fmt.Sprintf("%v\n", err)
	}
	return stdout.String(), warnings
}

// checkLine is what `mailutil check` prints.
var checkLine = regexp.MustCompile(`^(No|\d+) new message(?:s|\(s\))(?: \(\d+ unseen\))?, \d+ total`)

// cclientUpdates makes c-client open a mailbox for writing: it assigns UIDs, and its
// checkpoint at the end writes them. The criteria match nothing.
func cclientUpdates(t testing.TB, p person, home, name string) (warnings string) {
	t.Helper()
	_, warnings = runMailutil(t, p, home, "prune", name, `SUBJECT "no message has this subject"`)
	return warnings
}

// readCclient is what c-client makes of content. Counts are those of `mailutil check`;
// flags, keywords, dates and texts those of a copy in mbx format, which has a field for
// each; UIDs those that its own checkpoint writes into the file.
func readCclient(t testing.TB, content []byte) reading {
	t.Helper()
	p := mailOwner()
	home := homeFolder(t, p)
	file := filepath.Join(home, "box")
	writeFile(t, p, file, content)

	out, warnings := runMailutil(t, p, home, "check", "box")
	m := checkLine.FindStringSubmatch(out)
	if m == nil {
		return reading{Refused: out + warnings}
	}
	r := reading{Warnings: warnings}
	r.Recent, _ = strconv.Atoi(m[1]) // "No" is none
	if _, warnings := runMailutil(t, p, home, "copy", "-kw", "box", "#driver.mbx/box.mbx"); strings.Contains(warnings, "exit status") {
		return reading{Refused: warnings}
	}
	r.Mails = parseMbx(t, readFile(t, filepath.Join(home, "box.mbx")))
	r.Warnings += cclientUpdates(t, p, home, "box")
	var uids []uint32
	r.UIDValidity, uids = storedUIDs(readFile(t, file))
	if len(uids) != len(r.Mails) {
		r.Warnings += fmt.Sprintf("%d messages but %d UIDs\n", len(r.Mails), len(uids))
		return r
	}
	for i, uid := range uids {
		r.Mails[i].UID = uid
	}
	return r
}

var (
	baseLine  = regexp.MustCompile(`(?m)^X-IMAP(?:base)?: *(\d+) +\d+`)
	separator = regexp.MustCompile(`^From .* \d\d:\d\d(:\d\d)?( [A-Z]{3}| [-+]\d{4})? \d{4}( [A-Z]{3}| [-+]\d{4})?( remote from .*)?\r?\n$`)
)

// storedUIDs finds the UIDs in the headers of a file that c-client has just checkpointed.
func storedUIDs(file []byte) (validity uint32, uids []uint32) {
	if m := baseLine.FindSubmatch(file); m != nil {
		validity = number(string(m[1]))
	}
	header := true
	for line := range strings.Lines(string(file)) {
		uid, isUID := strings.CutPrefix(line, "X-UID:")
		switch {
		case header && isUID:
			uids = append(uids, number(strings.TrimSpace(uid)))
		case strings.TrimRight(line, "\r\n") == "":
			header = false
		case !header:
			header = separator.MatchString(line)
		}
	}
	return validity, uids
}

// mbxFlags are c-client's bits in an mbx message line.
var mbxFlags = map[uint64]string{1: `\Seen`, 2: `\Deleted`, 4: `\Flagged`, 8: `\Answered`, 0x20: `\Draft`}

// mbxLine is an mbx message line: date, size, keyword bits, system flags, UID.
var mbxLine = regexp.MustCompile(`^([ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [-+]\d{4}),(\d+);([0-9a-f]{8})([0-9a-f]{4})-[0-9a-f]{8}\r\n`)

// parseMbx reads a mailbox in c-client's mbx format.
func parseMbx(t testing.TB, file []byte) []mail {
	t.Helper()
	if len(file) < 2048 || !bytes.HasPrefix(file, []byte("*mbx*\r\n")) {
		t.Fatalf("no mbx header: %.60q", file)
	}
	keywords := strings.Split(string(file[25:2038]), "\r\n")
	var out []mail
	for rest := file[2048:]; len(rest) > 0; {
		m := mbxLine.FindSubmatch(rest)
		if m == nil {
			t.Fatalf("no mbx message line: %.80q", rest)
		}
		size, _ := strconv.Atoi(string(m[2]))
		rest = rest[len(m[0]):]
		out = append(out, mail{
			Seq: uint32(len(out) + 1), Date: string(m[1]), Size: size,
			Text:  strings.ReplaceAll(string(rest[:size]), "\x00", "\x80"), // as UW's imapd sends it (1.4)
			Flags: parseMbxFlags(string(m[3]), string(m[4]), keywords),
		})
		rest = rest[size:]
	}
	return out
}

func parseMbxFlags(user, system string, keywords []string) []string {
	var flags []string
	k, _ := strconv.ParseUint(user, 16, 32)
	for i := range 30 {
		if k&(1<<i) != 0 {
			flags = append(flags, keywords[i])
		}
	}
	s, _ := strconv.ParseUint(system, 16, 16)
	for bit, name := range mbxFlags {
		if s&bit != 0 {
			flags = append(flags, name)
		}
	}
	slices.Sort(flags)
	return flags
}

// patient gives every read of a connection its own deadline.
type patient struct {
	io.Reader
	setDeadline func(time.Time) error
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.setDeadline(time.Now().Add(deadline)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return 0, err
	}
	return p.Reader.Read(b)
}

func patientConn(c net.Conn) io.Reader { return patient{c, c.SetReadDeadline} }

// startPiped runs a pre-authenticated IMAP server on a pair of pipes. Only ours is judged.
func startPiped(t testing.TB, cmd *exec.Cmd, ours bool) *client {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	end := func() {
		_ = in.Close() // the process may have closed it by ending
		kill := time.AfterFunc(deadline, func() {
			t.Errorf("%s does not end", cmd.Path)
			_ = cmd.Process.Kill() // unless it just did
		})
		if err := cmd.Wait(); err != nil {
			t.Logf("%s: %v", cmd.Path, err)
		}
		kill.Stop()
		_ = out.Close() // read to the end
		if t.Failed() {
			t.Logf("%s: %s", cmd.Path, stderr.String())
		}
	}
	var r io.Reader = patient{out, out.SetReadDeadline}
	var send io.Writer = in
	if ours {
		r, send = strict.Pipes(r, in, violation(t))
	}
	c := newClient(t, r, send, end)
	t.Cleanup(c.close)
	return c
}

// startDovecot runs Dovecot's imap on home/box as INBOX and home/mail as folders.
func startDovecot(t testing.TB, p person, home, box string) *client {
	t.Helper()
	conf := filepath.Join(home, "dovecot.conf")
	writeFile(t, p, conf, fmt.Appendf(nil, `
base_dir = %[1]s/dovecot
state_dir = %[1]s/dovecot
mail_location = mbox:~/mail:INBOX=~/%[2]s
log_path = %[1]s/dovecot.log
ssl = no
first_valid_uid = 1
stats_writer_socket_path =
default_internal_user = %[3]s
default_login_user = %[3]s
mbox_write_locks = dotlock fcntl
`, home, box, p.name))
	for _, dir := range []string{"dovecot", "mail"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		p.own(t, filepath.Join(home, dir))
	}
	return startPiped(t, p.command(home, dovecot, "-c", conf), false)
}

// dovecotWarnings are the lines of its log that are not notes.
func dovecotWarnings(t testing.TB, home string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(home, "dovecot.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, ": Info: ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// readDovecot is what Dovecot makes of content.
func readDovecot(t testing.TB, content []byte) reading {
	t.Helper()
	p := mailOwner()
	home := homeFolder(t, p)
	writeFile(t, p, filepath.Join(home, "box"), content)
	c := startDovecot(t, p, home, "box")
	defer c.close()
	a, err := c.try("SELECT INBOX")
	if err != nil {
		return reading{Refused: err.Error()}
	}
	if a.status != "OK" {
		return reading{Refused: a.text}
	}
	r := c.read("SELECT", "INBOX")
	recent, _ := a.counted("RECENT") // the second SELECT has none any more
	c.logout()
	return reading{UIDValidity: r.UIDValidity, Recent: recent, Mails: r.Mails, Warnings: dovecotWarnings(t, home)}
}
