package privsep

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

func pair(t testing.TB) (a, b *Conn) {
	t.Helper()
	a, far, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	b, err = FileConn(far)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestMessageArrives(t *testing.T) {
	a, b := pair(t)
	want := Message{Kind: Hand, ID: 7, Count: 3, Login: &Login{Tag: "x", Remote: "[::1]", Mechanism: "PLAIN", Unread: []byte{0, '\r', '\n', 0xff}}}
	near, far := clientConn(t)
	if err := a.Send(want, far); err != nil {
		t.Fatal(err)
	}
	got, err := b.Receive()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.FileConn(got.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(nc.Close(), got.File.Close(), far.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(near); string(text) != "hello" || err != nil {
		t.Errorf("read %q, %v through the descriptor", text, err)
	}
	got.File = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestSendRefusesLongMessage(t *testing.T) {
	a, _ := pair(t)
	err := a.Send(Message{Kind: Hand, Login: &Login{Unread: make([]byte, maxMessage)}}, nil)
	if !errors.Is(err, ErrMessage) {
		t.Errorf("error %v, want ErrMessage", err)
	}
}

func TestReceiveRefuses(t *testing.T) {
	idle := `{"kind":"idle"}`
	devNull := func(t *testing.T) int {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return int(f.Fd())
	}
	for _, tt := range []struct {
		name, text string
		fds        int
	}{
		{"no JSON", "hello", 0},
		{"wrong type", `{"kind":5}`, 0},
		{"longer than a message", `{"kind":"` + strings.Repeat("x", maxMessage) + `"}`, 0},
		{"descriptor where none belongs", idle, 1},
		{"two descriptors", `{"kind":"hand"}`, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t)
			var oob []byte
			if tt.fds > 0 {
				fds := make([]int, tt.fds)
				for i := range fds {
					fds[i] = devNull(t)
				}
				oob = unix.UnixRights(fds...)
			}
			before := openFiles(t)
			if err := a.write([]byte(tt.text), oob); err != nil {
				t.Fatal(err)
			}
			if m, err := b.Receive(); !errors.Is(err, ErrMessage) {
				t.Errorf("received %+v, %v", m, err)
			}
			if after := openFiles(t); after != before {
				t.Errorf("%d descriptors open, %d before", after, before)
			}
		})
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestReceiveTellsTheEnd(t *testing.T) {
	a, b := pair(t)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Receive(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
}

func TestFileConnWantsPacketSocket(t *testing.T) {
	_, far := clientConn(t)
	f, err := far.File()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FileConn(f); err == nil {
		t.Error("took a TCP connection for a role's socket")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := FileConn(r); err == nil {
		t.Error("took a pipe for a role's socket")
	}
}

// FuzzDecode: what is accepted says the same again after another round.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"kind":"hand","login":{"tag":"a","remote":"x","unread":"AAE="}}`), 0)
	f.Add([]byte(`{"kind":"reply","id":18446744073709551615,"error":"exists"}`), 0)
	f.Add([]byte(`{"kind":"setup","body":{"a":[1,2,{}]}}`), unix.MSG_TRUNC)
	f.Fuzz(func(t *testing.T, b []byte, flags int) {
		m, err := decode(b, flags)
		if err != nil {
			return
		}
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			t.Fatal("a cut message was accepted")
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		n, err := decode(again, 0)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		m.Body, n.Body = nil, nil // its spelling may differ
		if diff := cmp.Diff(m, n, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("second round (-first +second):\n%s", diff)
		}
	})
}
