package spool

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Grain is how old a file's change time has to be before it can be told from
// that of a later change: two changes within it may carry the same stamp.
// Since Linux 6.13 a change after a look always gets a stamp of its own; older
// kernels count in clock ticks, and network file systems ask another clock.
func (b *Box) Grain(f File) time.Duration {
	of, ok := f.(osFile)
	if !ok || onNetwork(of) {
		return 2 * time.Second
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil && fineStamps(unix.ByteSliceToString(u.Release[:])) {
		return 0
	}
	return 20 * time.Millisecond
}

func fineStamps(release string) bool {
	var major, minor int
	_, err := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return err == nil && (major > 6 || major == 6 && minor >= 13)
}
