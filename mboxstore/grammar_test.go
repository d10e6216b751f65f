package mboxstore

import (
	"math/rand/v2"
	"testing"
)

// fragments are what trouble is made of. Files of some of them, one behind the other, reach places that a fuzzer's
// changes of single octets do not.
var fragments = []string{
	sep, sep, sep[:len(sep)-1], "From ", "From", " Thu Nov 29 22:33:52 2001", "\n", "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "\x00", "\x00\n",
	" ", "\t", ">", "a", "A: b\n", "A: b", "hi\n", " c\n", "Status: RO\n", "Status", ":", "X-Status: DFAT\n", "X-UID: 7\n", "X-UID: 8",
	"X-Keywords: a b\n", "X-Keywords:      \n", "X-IMAPbase: 1 2 a b\n", "X-IMAP: 3 4\n", "x-imap", "sTATUS : R\n", "S\rtatus: D\n", "\xfc",
	"Content-Length: 3\n", " remote from x", "+0100",
}

func soup(r *rand.Rand) (b []byte) {
	for range r.IntN(14) {
		b = append(b, fragments[r.IntN(len(fragments))]...)
	}
	return b
}

func TestSoup(t *testing.T) {
	for name, check := range map[string]func(*testing.T, []byte){
		"scan":        checkScan,
		"scan body":   func(t *testing.T, b []byte) { checkScan(t, append([]byte(sep+"\n"), b...)) },
		"scan header": func(t *testing.T, b []byte) { checkScan(t, append([]byte(sep), b...)) },
		"header":      checkHeaderBytes,
		"stored":      func(t *testing.T, b []byte) { checkStored(t, b, 1+len(b)%5) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for i := 0; i < 1500 && !t.Failed(); i++ {
				check(t, soup(r))
			}
		})
	}
}
