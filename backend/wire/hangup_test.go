package wire

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// tcp makes a connection over TCP.
func tcp(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// What the client sends while we hang up does not cost him our last words.
func TestHangUp(t *testing.T) {
	for name, later := range map[string]string{"nothing": "", "behind it": "a2 LOGOUT\r\n"} {
		t.Run(name, func(t *testing.T) {
			client, server := tcp(t)
			if _, err := io.WriteString(client, strings.Repeat("a1 NOOP\r\n", 1000)); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Read(make([]byte, 1)); err != nil { // the rest waits in the socket
				t.Fatal(err)
			}
			if _, err := io.WriteString(server, "* BYE enough\r\n"); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() { closed <- HangUp(server) }()
			line := make([]byte, 14)
			if _, err := io.ReadFull(client, line); err != nil || string(line) != "* BYE enough\r\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if _, err := io.WriteString(client, later); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
				t.Errorf("after the last words: %q, %v", rest, err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			begin := time.Now()
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > lingerTime/2 {
				t.Errorf("HangUp took %v after the client was gone", took)
			}
		})
	}
}

// A client that stays is left after a while.
func TestHangUpOnStayingClient(t *testing.T) {
	_, server := tcp(t)
	begin := time.Now()
	if err := HangUp(server); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < lingerTime/2 || took > 20*lingerTime {
		t.Errorf("HangUp took %v", took)
	}
}
