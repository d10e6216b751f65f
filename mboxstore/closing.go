package mboxstore

// closingRoom is how many octets before a separator are looked at; a line end there may have several CRs.
const closingRoom = 64

// closing is how many octets between a text and the next separator stay: the line end that the text itself may lack,
// and one blank line. A single octet is one of the two.
func (w *planner) closing(r *record, next int64) int64 {
	gap := next - r.end
	if gap <= 1 {
		return max(gap, 0)
	}
	b := make([]byte, min(gap, closingRoom)+1)
	if _, err := w.file.ReadAt(b, r.end-1); err != nil {
		return gap
	}
	n := int64(0)
	if b[0] != '\n' {
		if n = lineEnd(b[1:]); n == 0 {
			return gap // a line end longer than we look: nothing is dropped
		}
	}
	if m := lineEnd(b[1+n:]); m > 0 {
		return n + m
	}
	if len(b) > 1+int(n) && b[1+n] == '\r' {
		return gap
	}
	return n
}

// lineEnd is the length of the line end that b begins with, CRs and an LF; 0 when it does not.
func lineEnd(b []byte) int64 {
	i := 0
	for i < len(b) && b[i] == '\r' {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		return int64(i) + 1
	}
	return 0
}
