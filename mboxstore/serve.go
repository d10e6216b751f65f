package mboxstore

import (
	"bytes"
	"slices"
)

// What clients get of a stored message: CRLF lines without any other CR, a NUL as 0x80 (as UW sends it, since a NUL
// may not be in a literal), and a line end and blank line where the file lacks them. The size of this is the
// RFC822.SIZE, and no later change of the file around the message may alter it.

// AppendServedHeader appends the served form of a header: internal lines hidden, the blank line always there.
func AppendServedHeader(dst, h []byte) []byte {
	for l := (headerLines{text: h}); ; {
		line, kind, ok := l.next()
		if !ok {
			return append(dst, '\r', '\n')
		}
		if kind == lineRetained {
			dst = AppendServedBody(dst, line)
		}
	}
}

// AppendServedBody appends the served form of a body, or of any piece of it that ends in LF.
func AppendServedBody(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	start := len(dst)
	var n bodyCount
	n.add(b)
	dst = slices.Grow(dst, int(n.served()))
	if n.cr == n.lf && !n.open && int64(bytes.Count(b, []byte("\r\n"))) == n.lf {
		dst = append(dst, b...) // as it is
	} else {
		dst = appendLines(dst, b, n.cr > 0)
	}
	hideNULs(dst[start:])
	return dst
}

func appendLines(dst, b []byte, hasCR bool) []byte {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		if hasCR {
			dst = appendWithout(dst, line, '\r')
		} else {
			dst = append(dst, line...)
		}
		dst = append(dst, '\r', '\n')
		b = rest
	}
	return dst
}

// hideNULs makes 0x80 of every NUL.
func hideNULs(b []byte) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return
		}
		b[i] = 0x80
		b = b[i+1:]
	}
}

// ServedBodySize is the length of what AppendServedBody appends.
func ServedBodySize(b []byte) int64 {
	var n bodyCount
	n.add(b)
	return n.served()
}

// bodyCount knows the served size of a body that comes in pieces.
type bodyCount struct {
	octets, cr, lf int64
	open           bool // the last line lacks its LF
}

func (n *bodyCount) add(b []byte) {
	if len(b) == 0 {
		return
	}
	n.octets += int64(len(b))
	n.cr += int64(bytes.Count(b, []byte{'\r'}))
	n.lf += int64(bytes.Count(b, []byte{'\n'}))
	n.open = b[len(b)-1] != '\n'
}

// dropLine takes back the last line, one of nothing but CRs and perhaps an LF. What is before it ends in LF.
func (n *bodyCount) dropLine(octets int64) {
	n.octets -= octets
	if n.open {
		n.cr -= octets
	} else {
		n.cr -= octets - 1
		n.lf--
	}
	n.open = false
}

func (n *bodyCount) served() int64 {
	size := n.octets - n.cr + n.lf
	if n.open {
		size += 2
	}
	return size
}
