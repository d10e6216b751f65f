//go:build !race

package mboxstore

// See race_test.go.
const raceDetector = false
