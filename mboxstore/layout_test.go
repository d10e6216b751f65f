package mboxstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memFile is a file in memory.
type memFile []byte

func (m memFile) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(b, off)
}

// inPlace carries l out window by window, the way a commit does: a source that was overwritten too early shows.
func inPlace(t *testing.T, l layout, old []byte, limit int64) []byte {
	t.Helper()
	file := append(slices.Clone(old), make([]byte, max(0, l.newSize()-l.oldSize))...)
	for i, w := range l.windows(limit) {
		if w.n > limit || w.n == 0 {
			t.Fatalf("window %d has %d bytes, limit %d", i, w.n, limit)
		}
		var content []byte
		err := w.content(memFile(file), 100, func(b []byte) error {
			content = append(content, b...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range w.extents() {
			copy(file[e.off:], content[:e.n])
			content = content[e.n:]
		}
	}
	return file[:l.newSize()]
}

func FuzzWindows(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, uint16(1+seed*7%900))
	}
	f.Fuzz(func(t *testing.T, seed uint64, limit uint16) {
		r := rand.New(rand.NewPCG(seed, 1))
		old := text(r, r.IntN(4000))
		_, l := randomLayout(r, int64(len(old)))
		if err := l.check(); err != nil {
			t.Fatal(err)
		}
		want := l.apply(old)
		l.simplify()
		if diff := cmp.Diff(string(want), string(l.apply(old))); diff != "" {
			t.Fatalf("simplify changed the layout (-want +got):\n%s", diff)
		}
		if got := inPlace(t, l, old, 1+int64(limit)); !bytes.Equal(want, got) {
			t.Fatalf("%+v: want %q, got %q", l, want, got)
		}
	})
}

func TestLayoutCheck(t *testing.T) {
	tests := []struct {
		name string
		l    layout
		want error
	}{
		{"nothing", layout{}, nil},
		{"cut", layout{oldSize: 9, start: 4}, nil},
		{"in order", layout{oldSize: 9, segs: []segment{{src: 1, n: 2}, literal([]byte("x")), {src: 3, n: 6}}}, nil},
		{"start behind the end", layout{oldSize: 3, start: 4}, errLayout},
		{"out of order", layout{oldSize: 9, segs: []segment{{src: 3, n: 2}, {src: 1, n: 2}}}, errLayout},
		{"twice", layout{oldSize: 9, segs: []segment{{src: 3, n: 2}, {src: 4, n: 2}}}, errLayout},
		{"before start", layout{oldSize: 9, start: 4, segs: []segment{{src: 3, n: 2}}}, errLayout},
		{"behind the end", layout{oldSize: 9, segs: []segment{{src: 3, n: 7}}}, errLayout},
		{"negative", layout{oldSize: 9, segs: []segment{{src: 3, n: -1}}}, errLayout},
		{"overflow", layout{oldSize: 9, segs: []segment{{src: 3, n: 1<<63 - 1}}}, errLayout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.l.check(); !errors.Is(err, tt.want) {
				t.Errorf("want %v, got %v", tt.want, err)
			}
		})
	}
}

func TestSimplify(t *testing.T) {
	l := layout{oldSize: 30, start: 2, segs: []segment{
		{src: 2, n: 3}, literal(nil), {src: 5, n: 1}, literal([]byte("a")), literal([]byte("b")), {src: 8, n: 2}, {src: 10, n: 20},
	}}
	l.simplify()
	want := layout{oldSize: 30, start: 6, segs: []segment{literal([]byte("ab")), {src: 8, n: 22}}}
	if diff := cmp.Diff(want, l, cmp.AllowUnexported(layout{}, segment{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := l.written(); n != 2 {
		t.Errorf("the unmoved tail is written: %d bytes", n)
	}
}
