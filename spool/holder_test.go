package spool

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const lockTable = `1: FLOCK  ADVISORY  WRITE 511 fe:00:868413 0 EOF
2: POSIX  ADVISORY  WRITE 512 fe:00:868413 0 EOF
2: -> POSIX  ADVISORY  WRITE 513 fe:00:868413 0 EOF
3: OFDLCK ADVISORY  WRITE -1 fe:00:868414 0 EOF
4: POSIX  ADVISORY  READ -1 fe:00:868415 0 EOF
5: POSIX  ADVISORY  READ 514 fe:00:868415 128 128
6: LEASE  ACTIVE    READ 515 fe:00:868416 0 EOF
`

func TestLockHolder(t *testing.T) {
	dev := unix.Mkdev(0xfe, 0)
	for _, c := range []struct {
		name   string
		method Method
		dev    uint64
		ino    uint64
		want   int
	}{
		{"flock", Flock, dev, 868413, 511},
		{"fcntl", Fcntl, dev, 868413, 512},
		{"waiter does not count", Fcntl, dev, 868412, 0},
		{"open file description", Fcntl, dev, 868414, 0},
		{"second holder is known", Fcntl, dev, 868415, 514},
		{"lease is no lock", Fcntl, dev, 868416, 0},
		{"other device", Flock, unix.Mkdev(8, 1), 868413, 0},
	} {
		if got := lockHolder(strings.NewReader(lockTable), c.method, c.dev, c.ino); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Whatever the table holds, a lock that is put in front of it is found.
func FuzzLockHolder(f *testing.F) {
	f.Add(lockTable, 17, uint64(4711))
	f.Add("", 1, uint64(0))
	f.Add("1: POSIX ADVISORY WRITE x 00:00:0 0 EOF", 2, uint64(0))
	f.Fuzz(func(t *testing.T, table string, pid int, ino uint64) {
		if pid <= 0 {
			return
		}
		line := fmt.Sprintf("1: FLOCK  ADVISORY  WRITE %d 08:01:%d 0 EOF\n", pid, ino)
		if got := lockHolder(strings.NewReader(line+table), Flock, unix.Mkdev(8, 1), ino); got != pid {
			t.Errorf("found %d, want %d", got, pid)
		}
	})
}
