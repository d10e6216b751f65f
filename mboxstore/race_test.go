//go:build race

package mboxstore

// raceDetector is whether the tests run under the race detector, which makes them five times as long. The seeded crash
// tests have one goroutine and a disk in memory: it has little to find there, so it gets fewer seeds of them.
const raceDetector = true
