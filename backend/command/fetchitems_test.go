package command

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoold/backend/wire"
)

func TestAppendDateTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "minutes east"))
		at := time.Unix(rapid.Int64Range(-30_000_000_000, 250_000_000_000).Draw(t, "seconds"), 0).In(zone)
		var want bytes.Buffer
		w := wire.NewWriter(&want)
		w.DateTime(at)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := string(appendDateTime(nil, at)); got != want.String() {
			t.Errorf("got %s, want %s", got, want.String())
		}
	})
}
