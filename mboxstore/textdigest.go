package mboxstore

import (
	"bytes"
	"hash/crc32"
)

// textDigest tells texts apart that come in pieces. CRs do not count, nor does what of blanks, line ends and NULs
// stands at the end: another program may convert the line ends of a whole file, and what closes a message before the
// next separator is no part of it.
type textDigest struct {
	all, solid uint32 // of everything; of everything up to the last octet that counts
}

func (d *textDigest) add(b []byte) {
	core := bytes.TrimRight(b, " \t\r\n\x00")
	if len(core) > 0 {
		d.update(core)
		d.solid = d.all
	}
	d.update(b[len(core):])
}

func (d *textDigest) Write(b []byte) (int, error) {
	d.add(b)
	return len(b), nil
}

func (d *textDigest) update(b []byte) {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\r'})
		d.all = crc32.Update(d.all, castagnoli, line)
		b = rest
	}
}
