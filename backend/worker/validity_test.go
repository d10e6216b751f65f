package worker

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoold/spool"
	"spoold/spool/faultfs"
)

func at(sec int64) func() time.Time { return func() time.Time { return time.Unix(sec, 0) } }

func TestValidity(t *testing.T) {
	dir := faultfs.New(1).Dir("state")
	for _, tt := range []struct {
		name string
		now  int64
		want uint32
	}{
		{"the clock", 1000, 1000},
		{"twice in a second", 1000, 1001},
		{"clock set back", 5, 1002},
		{"clock before 1970", -7, 1003},
		{"later", 2000, 2000},
		{"clock beyond 31 bits", 1 << 40, maxValidity},
	} {
		// A new one each time: what was given must come from the state directory.
		v := &validity{state: dir, now: at(tt.now)}
		if got, err := v.next(); got != tt.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", tt.name, got, err, tt.want)
		}
	}
	v := &validity{state: dir, now: at(3000)}
	if got, err := v.next(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("after the last: %d, %v", got, err)
	}
}

func TestValidityWithoutState(t *testing.T) {
	v := &validity{now: at(1000)}
	a, errA := v.next()
	b, errB := v.next()
	if a != 1000 || b != 1001 || errA != nil || errB != nil {
		t.Errorf("%d %v, %d %v", a, errA, b, errB)
	}
}

// TestValidityCrash: after a power cut at any operation, every value is above all that were given.
func TestValidityCrash(t *testing.T) {
	for n := 1; n <= 20; n++ {
		for mode := range 4 {
			disk := faultfs.New(int64(n))
			var given uint32
			disk.CrashAt(n)
			faultfs.Run(func() {
				v := &validity{state: disk.Dir("state"), now: at(1000)}
				for range 4 {
					got, err := v.next()
					if err != nil {
						t.Fatal(err)
					}
					given = got
				}
			})
			disk.CrashAt(0)
			disk.PowerCut(mode)
			v := &validity{state: disk.Dir("state"), now: at(1000)}
			if got, err := v.next(); err != nil || got <= given {
				t.Errorf("crash at %d, mode %d: %d, %v after %d", n, mode, got, err, given)
			}
		}
	}
}

// TestValidityFull: on a full disk none is given, and none twice afterwards.
func TestValidityFull(t *testing.T) {
	for n := 1; n <= 5; n++ {
		disk := faultfs.New(1)
		v := &validity{state: disk.Dir("state"), now: at(1000)}
		first, err := v.next()
		if err != nil {
			t.Fatal(err)
		}
		disk.FailAt(n, syscall.ENOSPC, true)
		second, err := v.next()
		if err == nil && second <= first || err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("failure at %d: %d, %v after %d", n, second, err, first)
		}
		third, err := v.next()
		if err != nil || third <= max(first, second) {
			t.Errorf("failure at %d: then %d, %v after %d, %d", n, third, err, first, second)
		}
	}
}

// TestValidityNonsense: a damaged file is told in the log and replaced.
func TestValidityNonsense(t *testing.T) {
	for _, text := range []string{"-5", "", "x", "99999999999", "12 34"} {
		path := t.TempDir()
		dir, err := spool.OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(path, validityName), text)
		var log buffer
		for i, now := range []int64{1000, 5} {
			got, err := (&validity{state: dir, now: at(now), log: logTo(&log)}).next()
			if err != nil || got != uint32(1000+i) {
				t.Errorf("%q: then %d, %v", text, got, err)
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%q: %d warnings:\n%s", text, n, log.String())
		}
	}
}
