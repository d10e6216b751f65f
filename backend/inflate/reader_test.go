package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// partial is what zlib makes of five commands, each ended by a partial flush, as mutt does.
var partial = []struct{ packed, text string }{
	{"4a3454f0f3f70fe0e50208", "a1 NOOP\r\n"},
	{"a044238560571f57e710054f3f27ff085e2e8000", "a2 SELECT INBOX\r\n"},
	{"4a345670730d71f65030b4d252d070f371740fd6e4e50208", "a3 FETCH 1:* (FLAGS)\r\n"},
	{"a04413a87a8000", "a4 NOOP\r\n"},
	{"4a3455f0f177f70f0de1e50208", "a5 LOGOUT\r\n"},
}

// stepwise gives one piece after the other, and fails when it is asked for more than it has.
type stepwise struct {
	t       *testing.T
	present []byte
}

func (s *stepwise) Read(p []byte) (int, error) {
	if len(s.present) == 0 {
		s.t.Error("more is asked for than is needed")
		return 0, io.EOF
	}
	n := copy(p, s.present)
	s.present = s.present[n:]
	return n, nil
}

// TestPartialFlush reads each command before the next one is there.
func TestPartialFlush(t *testing.T) {
	src := &stepwise{t: t}
	r := NewReader(src)
	for _, c := range partial {
		packed, err := hex.DecodeString(c.packed)
		if err != nil {
			t.Fatal(err)
		}
		src.present = packed
		got := make([]byte, len(c.text))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != c.text {
			t.Fatalf("%q, %v; want %q", got, err, c.text)
		}
	}
}

// TestSyncFlush does the same with what compress/flate writes, at all its levels.
func TestSyncFlush(t *testing.T) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		src := &stepwise{t: t}
		r := NewReader(src)
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, level)
		if err != nil {
			t.Fatal(err)
		}
		for size := 1; size < 200_000; size *= 3 {
			text := sample(size)
			if _, err := w.Write(text); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			src.present = bytes.Clone(packed.Bytes())
			packed.Reset()
			got := make([]byte, size)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("level %d: %d octets differ, %v", level, size, err)
			}
			src.present = append(src.present, 0, 0, 0, 0xff, 0xff) // so that the last flush is read
		}
	}
}

// sample is text with repetitions near and far.
func sample(size int) []byte {
	random := rand.New(rand.NewPCG(uint64(size), 7))
	var b []byte
	for len(b) < size {
		if n := random.IntN(300); len(b) > 0 && n > 20 {
			from := random.IntN(len(b))
			b = append(b, b[from:min(len(b), from+n)]...)
			continue
		}
		b = append(b, byte(random.IntN(256)))
	}
	return b[:size]
}

// both decompresses with compress/flate and with ours, and compares. Ours gives out more of what is cut off: it wants no
// more bits than it needs.
func both(t *testing.T, packed []byte) {
	t.Helper()
	const most = 1 << 20
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), most))
	got, gotErr := io.ReadAll(io.LimitReader(NewReader(iotest.HalfReader(bytes.NewReader(packed))), most))
	if !bytes.HasPrefix(got, want) || wantErr == nil && len(got) > len(want) {
		t.Errorf("%d octets, compress/flate: %d", len(got), len(want))
	}
	if (wantErr == nil) != (gotErr == nil) {
		t.Errorf("error %v, compress/flate: %v", gotErr, wantErr)
	}
}

func TestDamaged(t *testing.T) {
	for name, packed := range map[string]string{
		"nothing":             "",
		"block of no kind":    "07",
		"stored length":       "010500fffe61",
		"stored, cut":         "010500faff61",
		"too far back":        "030200",
		"fixed, no such word": "63fcffff",
		"plain text":          hex.EncodeToString([]byte("a NOOP\r\n")),
		"dynamic, no end":     "050000000000",
		"dynamic, zeros":      "0400000000000000000000000000000000",
		"dynamic, ones":       "fdffffffffffffffffffffffffffffffff",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(packed)
			if err != nil {
				t.Fatal(err)
			}
			both(t, b)
			r := NewReader(bytes.NewReader(b))
			_, first := io.ReadAll(r)
			if _, again := r.Read(make([]byte, 1)); first == nil || again != first {
				t.Errorf("errors %v and %v", first, again)
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level += 2 {
		for _, size := range []int{0, 10, 1000, 70_000} {
			var packed bytes.Buffer
			w, err := flate.NewWriter(&packed, level)
			if err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write(sample(size)); err != nil {
				f.Fatal(err)
			}
			if err := w.Close(); err != nil {
				f.Fatal(err)
			}
			f.Add(packed.Bytes())
			f.Add(packed.Bytes()[:packed.Len()/2])
		}
	}
	f.Add([]byte("\x4b\x04\x12\x00"))
	f.Fuzz(func(t *testing.T, packed []byte) { both(t, packed) })
}

func BenchmarkReader(b *testing.B) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(string(sample(50_000)), 20)
	if _, err := io.WriteString(w, text); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if n, err := io.Copy(io.Discard, NewReader(bytes.NewReader(packed.Bytes()))); err != nil || n != int64(len(text)) {
			b.Fatal(n, err)
		}
	}
}
