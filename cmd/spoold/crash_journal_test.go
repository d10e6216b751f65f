package main_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a crash leaves behind, only to tell whether the crashes hit anything: nothing else in these tests knows what a
// journal looks like.

// unfinished are the changes that wait in a journal.
type unfinished struct {
	plans    int // rewrites
	dead     int // of them, those that leave ranges to the file system to take out
	taking   int // of those, the ones that have come to it
	intents  int // appends and edits
	unsolved int // crashes that left any of these
}

func (u *unfinished) add(v unfinished) {
	u.plans += v.plans
	u.dead += v.dead
	u.taking += v.taking
	u.intents += v.intents
	u.unsolved += min(1, v.plans+v.intents)
}

func (u unfinished) String() string {
	return fmt.Sprintf("%d left something unfinished: %d rewrites (%d with ranges for the file system to take out, %d while it did), %d appends or edits",
		u.unsolved, u.plans, u.dead, u.taking, u.intents)
}

// lookUnfinished looks into a journal, also while somebody works with it.
func lookUnfinished(t testing.TB, dir string) (u unfinished) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return u // not there yet
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if ext != ".plan" && ext != ".intent" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.Fatal(err)
		case ext == ".plan":
			u.lookPlan(b)
		case len(b) > 8 && (b[8] == 'A' || b[8] == 'F'):
			u.intents++
		}
	}
	return u
}

// lookPlan reads the head of a plan, its body as far as there are segments, and the sector that says that all windows
// are written (mboxstore/record.go).
func (u *unfinished) lookPlan(b []byte) {
	const head, sector, dead = 64, 512, -2
	u.plans++
	if len(b) < head {
		return
	}
	id, length := b[16:32], int64(binary.LittleEndian.Uint64(b[40:]))
	if length > int64(len(b)-head) {
		return
	}
	body := b[head:][:length]
	next := func() (n int64) {
		n = int64(binary.LittleEndian.Uint64(body))
		body = body[8:]
		return n
	}
	body = body[3*8:]
	body = body[next():]   // path
	body = body[5*8+4:]    // sizes, checksum
	body = body[4*next():] // checksums of what marks overwrite
	body = body[4*next():] // checksums of windows
	for len(body) > 0 {
		switch src, n := next(), next(); src {
		case dead:
			u.dead++
			at := (head+length+sector-1)/sector*sector + sector
			if at+head <= int64(len(b)) && b[at+8] == 'T' && bytes.Equal(b[at+16:at+32], id) {
				u.taking++
			}
			return
		case -1:
			body = body[n:]
		}
	}
}

// collapses counts what the server's log tells of ranges that the file system took out, and of collapses that a
// replay finished.
func (h *host) collapses() (n, bytes, finished int) {
	log := h.log.String()
	for _, m := range collapsedField.FindAllStringSubmatch(log, -1) {
		if size := int(number(m[1])); size > 0 {
			n++
			bytes += size
		}
	}
	return n, bytes, strings.Count(log, "finishing an interrupted collapse")
}

var collapsedField = regexp.MustCompile(`mailbox written.* collapsed=(\d+)`)

// spooldCheck runs `spoold check` on both mailboxes as their owner and returns its exit status and what it says.
func (h *host) spooldCheck(user string) (status int, says string) {
	h.t.Helper()
	args := []string{"check", "--state", filepath.Join(h.states, user), h.file(user, "INBOX"), h.file(user, "Other")}
	out, err := h.owner.command(h.home(user), spooldProgram(h.t), args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("spoold check: %v", err)
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return status, string(out)
}
