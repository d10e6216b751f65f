package mboxstore

import (
	"bytes"
	"errors"
	"testing"
)

func samplePlan() *rewritePlan {
	return &rewritePlan{
		id: planID{1, 2}, gen: 3, box: identity{ino: 4, birth: 5}, path: "/mail/box",
		layout:  layout{oldSize: 100, start: 10, segs: []segment{literal([]byte("abc")), {src: 20, n: 80}}},
		extSize: 125, window: 64, slot: 2048, sums: []uint32{7, 8},
	}
}

func FuzzDecodePlan(f *testing.F) {
	encoded := func(p *rewritePlan) []byte {
		var b bytes.Buffer
		_ = p.encode(&b) // a buffer takes everything
		return b.Bytes()
	}
	f.Add(encoded(samplePlan()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodePlan(recordHead{kind: recPlan}, body)
		if err != nil {
			return
		}
		if got := encoded(p); !bytes.Equal(body, got) {
			t.Errorf("want %q, got %q", body, got)
		}
	})
}

func FuzzDecodeIntent(f *testing.F) {
	box := identity{ino: 4, birth: 5}
	f.Add(uint64(recAppend), (&intent{kind: recAppend, box: box, path: "/x", at: 500, n: 20, sums: []uint32{1, 2}, before: 3}).encode())
	f.Add(uint64(recEdits), (&intent{kind: recEdits, box: box, path: "/x", edits: []edit{{off: 5, old: []byte("ab"), new: []byte("cd"), after: []byte("X-UID: 1\n")}}}).encode())
	f.Add(uint64(0), []byte{})
	f.Fuzz(func(t *testing.T, kind uint64, body []byte) {
		i, ok := decodeIntent(recordKind(kind), body)
		if !ok {
			return
		}
		if got := i.encode(); !bytes.Equal(body, got) {
			t.Errorf("want %q, got %q", body, got)
		}
	})
}

func TestDecodeHead(t *testing.T) {
	good := appendRecord(nil, recPlan, planID{9}, 4, []byte("body"))
	h, err := decodeHead(good)
	if err != nil || h.kind != recPlan || h.id != (planID{9}) || h.seq != 4 || h.length != 4 || h.sum != h.id.bodySum([]byte("body")) {
		t.Errorf("got %+v, %v", h, err)
	}
	for i := range headSize {
		b := bytes.Clone(good)
		b[i] ^= 1
		if _, err := decodeHead(b); !errors.Is(err, errTornRecord) {
			t.Errorf("byte %d changed: want %v, got %v", i, errTornRecord, err)
		}
	}
	if _, err := decodeHead(good[:headSize-1]); !errors.Is(err, errTornRecord) {
		t.Errorf("short head: %v", err)
	}
}
