package spool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// WithinLimit is EFBIG when this process may not write a file up to size (RLIMIT_FSIZE). The kernel says so only at
// the write, also at one that overwrites, which may be too late for a change that consists of several.
func WithinLimit(size int64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return fmt.Errorf("limit of file sizes: %w", err)
	}
	if size > 0 && uint64(size) > limit.Cur {
		return fmt.Errorf("%d bytes, limit is %d: %w", size, limit.Cur, unix.EFBIG)
	}
	return nil
}
