package wire

import (
	"bytes"
	"math"
)

// announcement is what the client says of a literal that it is about to send.
type announcement struct {
	size    int64 // saturated at the largest int64
	nonSync bool  // "+": the client does not wait for a prompt
	binary  bool  // "~": literal8
}

// trailing finds the announcement at the end of a line. Only the end counts:
// RFC 9051 section 4.3 puts the line end directly behind the brace.
func trailing(line []byte) (a announcement, ok bool) {
	rest, ok := bytes.CutSuffix(line, []byte("}"))
	if !ok {
		return a, false
	}
	rest, a.nonSync = bytes.CutSuffix(rest, []byte("+"))
	digits := len(rest)
	for digits > 0 && isDigit(rest[digits-1]) {
		digits--
	}
	if digits == 0 || digits == len(rest) || rest[digits-1] != '{' {
		return announcement{}, false
	}
	a.size = saturated(rest[digits:])
	a.binary = digits > 1 && rest[digits-2] == '~'
	return a, true
}

// leading reads an announcement, with its line end, at the start of b. It
// returns the announcement's length.
func leading(b []byte) (a announcement, n int, ok bool) {
	i := 0
	if i < len(b) && b[i] == '~' {
		i++
	}
	if i >= len(b) || b[i] != '{' {
		return a, 0, false
	}
	end := bytes.IndexByte(b, '\r')
	if end < 0 || end+1 >= len(b) || b[end+1] != '\n' {
		return a, 0, false
	}
	a, ok = trailing(b[:end])
	if !ok || bytes.LastIndexByte(b[:end], '{') != i {
		return announcement{}, 0, false
	}
	return a, end + 2, true
}

func saturated(digits []byte) int64 {
	var n int64
	for _, c := range digits {
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return math.MaxInt64
		}
		n = n*10 + d
	}
	return n
}
