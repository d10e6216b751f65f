//go:build !race

package mboxstore

const raceDetector = false
