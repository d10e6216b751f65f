//go:build race

package mboxstore

// raceDetector reports whether the tests run under the race detector, which slows them down ten times. The seeded
// crash tests have one goroutine and a disk in memory: it has little to find there.
const raceDetector = true
