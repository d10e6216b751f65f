package imapconn

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spoold/backend/wire"
)

func newLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// iOS 18 sends its next commands together with DONE.
func TestIdlePipelined(t *testing.T) {
	s := ready(t)
	s.send("a IDLE\r\nDONE\r\nb NOOP\r\nc SEARCH {3+}\r\nabc\r\nd IDLE\r\ndone\r\ne NOOP\r\n")
	s.expect("+ idling", "a OK IDLE completed", "b OK NOOP completed", "c OK SEARCH 1 3", "+ idling", "d OK IDLE completed", "e OK NOOP completed")
}

func TestIdleWake(t *testing.T) {
	s := ready(t)
	s.send("a IDLE\r\n")
	s.expect("+ idling")
	for range 3 {
		s.wake <- struct{}{}
		s.expect("* 4 EXISTS")
	}
	if _, err := io.WriteString(s.client, "DO"); err != nil { // a part of a line does not end the waiting
		t.Fatal(err)
	}
	s.wake <- struct{}{}
	s.expect("* 4 EXISTS")
	s.send("NE\r\nb NOOP\r\n")
	s.expect("a OK IDLE completed", "b OK NOOP completed")
}

func TestIdleBogus(t *testing.T) {
	s := ready(t)
	s.send("a IDLE\r\nb NOOP\r\nc NOOP\r\nd IDLE\r\n" + strings.Repeat("x", 20000) + "\r\ne NOOP\r\n")
	s.expect("+ idling", "a BAD Bogus IDLE continuation", "c OK NOOP completed", "+ idling", "d BAD Line too long", "e OK NOOP completed")
}

// A source of events that has ended does not end IDLE, nor make it spin.
func TestIdleWakeClosed(t *testing.T) {
	s := ready(t)
	close(s.wake)
	s.send("a IDLE\r\n")
	s.expect("+ idling", "* 4 EXISTS")
	s.send("DONE\r\n")
	s.expect("a OK IDLE completed")
}

func TestIdleHangUp(t *testing.T) {
	s := ready(t)
	s.send("a IDLE\r\n")
	s.expect("+ idling")
	s.client.Close()
	<-s.conn.ctx.Done() // imapserver has closed the connection
}

func TestCloseInIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ready(t)
		s.send("a IDLE\r\n")
		s.expect("+ idling")
		if err := s.conn.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n, err := s.conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("Read after Close: %d, %v", n, err)
		}
		if log := s.log.String(); log != "" {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestAwaitCancelled(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Table["WAIT"] = Entry{Run: func(ctx context.Context, c *Conn, cmd *wire.Command) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if _, err := c.Await(ctx, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			c.OK(cmd, "", "waited")
			return nil
		}}
	})
	s.expect("* PREAUTH…")
	s.send("a WAIT\r\n")
	s.expect("a OK waited")
	s.send("b NOOP\r\n")
	s.expect("b OK NOOP completed")
}

func TestAwaitWakeFails(t *testing.T) {
	s := start(t, func(cfg *Config) {
		wake := make(chan struct{}, 1)
		wake <- struct{}{}
		cfg.Table["WAIT"] = Entry{Run: func(ctx context.Context, c *Conn, cmd *wire.Command) error {
			_, err := c.Await(ctx, wake, func() error { return io.ErrNoProgress })
			return err
		}}
	})
	s.expect("* PREAUTH…")
	s.send("a WAIT\r\n")
	s.expect("a NO [INUSE] known error")
	s.send("b NOOP\r\n")
	s.expect("b OK NOOP completed")
}

func TestShutdown(t *testing.T) {
	for _, tt := range []struct{ name, in, before string }{
		{"between commands", "a NOOP\r\n", "a OK NOOP completed"},
		{"in idle", "a IDLE\r\n", "+ idling"},
		{"inside a literal", "a APPEND x {9}\r\nabc", "+ Ready for literal data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ready(t)
			s.send(tt.in)
			s.expect(tt.before)
			s.conn.Shutdown("Server shutting down")
			s.conn.Shutdown("Server shutting down again")
			s.expect("* BYE Server shutting down", "end: EOF")
		})
	}
}

// Commands that have arrived already are not run after Shutdown.
func TestShutdownPipelined(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Table["KICK"] = Entry{Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			c.Shutdown("enough")
			c.OK(cmd, "", "KICK completed")
			return nil
		}}
	})
	s.line()
	s.send("a KICK\r\nb NOOP\r\nc NOOP\r\n")
	s.expect("a OK KICK completed", "* BYE enough", "end: EOF")
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		before   []string
		after    time.Duration
		want     string
	}{
		{"between commands", "a NOOP\r\n", []string{"a OK NOOP completed"}, 30 * time.Minute, "* BYE Autologout (idle for too long)"},
		{"in idle", "a IDLE\r\n", []string{"+ idling"}, 30 * time.Minute, "* BYE Autologout (idle for too long)"},
		{"inside a line", "a NOO", nil, 5 * time.Minute, "* BYE Autologout"},
		{"inside a literal", "a APPEND x {9}\r\nabc", []string{"+ Ready for literal data"}, 5 * time.Minute, "* BYE Autologout"},
		{"before a literal", "a SEARCH {9}\r\n", []string{"+ Ready for argument"}, 5 * time.Minute, "* BYE Autologout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := ready(t)
				s.send(tt.in)
				s.expect(tt.before...)
				begin := time.Now()
				s.expect(tt.want, "end: EOF")
				if took := time.Since(begin); took != tt.after {
					t.Errorf("after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// Each piece of a literal starts the clock again.
func TestSlowLiteral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ready(t)
		s.send("a APPEND x {20+}\r\n")
		for range 20 {
			time.Sleep(4 * time.Minute)
			if _, err := io.WriteString(s.client, "x"); err != nil {
				t.Fatal(err)
			}
		}
		s.send("\r\n")
		s.expect("a OK appended 20")
	})
}

// A client that does not read is cut off after the write time-out, in IDLE too.
func TestStuckPeer(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"command", "a NOOP\r\n"},
		{"idle", "a IDLE\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := ready(t)
				s.send(tt.in)
				begin := time.Now()
				if tt.name == "idle" {
					s.expect("+ idling")
					s.wake <- struct{}{}
				}
				<-s.conn.ctx.Done()
				if took := time.Since(begin); took != time.Minute {
					t.Errorf("cut after %v", took)
				}
			})
		})
	}
}

func TestCloseStuckPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ready(t)
		s.send("a NOOP\r\n")
		time.Sleep(time.Second) // the answer is being written by now
		begin := time.Now()
		if err := errors.Join(s.conn.Close(), s.conn.Close()); err != nil {
			t.Error(err)
		}
		<-s.conn.ctx.Done()
		synctest.Wait()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if _, err := s.conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
	})
}

// The same over sockets, as the login role hands them over.
func TestOverSocket(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, client, peer, func(cfg *Config) { cfg.WriteTimeout = 50 * time.Millisecond })
	s.expect("* PREAUTH…")
	s.send("a IDLE\r\n")
	s.expect("+ idling")
	s.wake <- struct{}{}
	s.expect("* 4 EXISTS")
	s.send("DONE\r\nb IDLE\r\n")
	s.expect("a OK IDLE completed", "+ idling")
	for i := 0; s.conn.ctx.Err() == nil; i++ { // nobody reads until the socket's buffer is full
		select {
		case s.wake <- struct{}{}:
		case <-s.conn.ctx.Done():
		}
	}
}

// A command that comes too late does not cost the client the answers before it, nor the BYE.
func TestShutdownResetsNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	late := make(chan struct{})
	s := startOn(t, client, peer, func(cfg *Config) {
		cfg.Table["BUSY"] = Entry{Run: func(_ context.Context, c *Conn, cmd *wire.Command) error {
			c.Shutdown("enough")
			<-late
			c.OK(cmd, "", "BUSY completed")
			return nil
		}}
	})
	s.expect("* PREAUTH…")
	for _, line := range []string{"a BUSY\r\n", "b LOGOUT\r\n"} {
		if _, err := io.WriteString(s.client, line); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // so that it is a read of its own
	}
	close(late)
	<-s.conn.ctx.Done() // it closes
	if _, err := io.WriteString(s.client, "c NOOP\r\n"); err != nil {
		t.Fatal(err)
	}
	s.expect("a OK BUSY completed", "* BYE enough", "end: EOF")
}
