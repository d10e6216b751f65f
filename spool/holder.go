package spool

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockedError finds out what can be known about the holder of a lock. It is
// for people: nothing is decided by it.
func (b *Box) lockedError(f osFile, m Method) *LockedError {
	e := &LockedError{Path: b.path, Method: m}
	switch m {
	case Dotlock:
		e.Holder, e.Age = dotlockHolder(b.path + lockSuffix)
	case Fcntl, Flock:
		e.Holder = kernelHolder(f, m)
	default:
		e.Holder = "another session of this user"
	}
	return e
}

func dotlockHolder(lock string) (string, time.Duration) {
	info, err := statPath(lock, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return "a process that just left", 0
	}
	age := max(time.Since(time.Unix(0, info.Ctime)), 0)
	return "user " + userName(info.UID), age
}

// userName looks in the system's files only; where a name costs a network
// query the number has to do.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func kernelHolder(f osFile, m Method) string {
	info, err := f.Stat()
	if err != nil {
		return "an unknown process"
	}
	table, err := os.Open("/proc/locks")
	if err != nil {
		return "an unknown process"
	}
	defer table.Close()
	return describePID(lockHolder(table, m, info.Dev, info.Ino))
}

// lockHolder searches the table of /proc/locks for the holder of a lock. It
// returns 0 when there is none or when the kernel does not tell: it says -1 for
// OFD locks, and 0 for a process outside our PID namespace.
//
//	1: POSIX  ADVISORY  WRITE 1234 fe:00:868413 0 EOF
//	2: -> FLOCK  ADVISORY  WRITE 1235 fe:00:868413 0 EOF    (this one waits)
func lockHolder(table io.Reader, m Method, dev, ino uint64) int {
	kind := "POSIX"
	if m == Flock {
		kind = "FLOCK"
	}
	where := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) < 8 || w[1] != kind || w[5] != where {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}

func describePID(pid int) string {
	if pid == 0 {
		return "an unknown process"
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	// The process chooses its own name.
	return fmt.Sprintf("process %d (%q)", pid, strings.TrimSpace(string(comm)))
}
