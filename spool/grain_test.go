package spool

import "testing"

func TestFineStamps(t *testing.T) {
	for release, want := range map[string]bool{
		"6.13.0": true, "6.18.44-fc": true, "7.0": true, "6.12.9-amd64": false, "5.10.0": false, "odd": false, "": false,
	} {
		if got := fineStamps(release); got != want {
			t.Errorf("%q: %v, want %v", release, got, want)
		}
	}
}
