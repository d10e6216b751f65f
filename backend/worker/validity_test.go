package worker

import (
	"errors"
	"os"
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

func TestValidityNonsense(t *testing.T) {
	dir, err := spool.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := dir.Open(validityName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("-5"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := (&validity{state: dir, now: at(1000)}).next(); err == nil {
		t.Errorf("gave %d without knowing the last", got)
	}
}
