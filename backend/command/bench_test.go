package command_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"spoold/backend/command"
	"spoold/backend/imapconn"
	"spoold/backend/session"
	"spoold/mboxstore"
	"spoold/spool"
)

// one is a Store of a single mailbox.
type one struct {
	session.Store
	m *mboxstore.Mailbox
}

func (s one) Open(context.Context, string, bool) (*mboxstore.Mailbox, func(), error) {
	return s.m, func() {}, nil
}

// benchSession is a session on a mailbox of n messages, without a connection.
func benchSession(b *testing.B, n int) *session.Session {
	b.Helper()
	return benchMailbox(b, strings.Repeat(message("bench", "Status: RO\n"), n))
}

// benchMailbox is a session on a mailbox of this content.
func benchMailbox(b *testing.B, content string) *session.Session {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mbox"), []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	state, err := spool.OpenDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	box := spool.NewBox(filepath.Join(dir, "mbox"), uint32(os.Getuid()), spool.LockPolicy{Timeout: time.Second})
	m, err := mboxstore.Open(b.Context(), box, mboxstore.Options{State: state, FlushDelay: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	s := session.New(session.Config{Store: one{m: m}})
	if _, err := s.Select("INBOX", &imap.SelectOptions{}); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkCommands runs commands on a mailbox of 100,000 messages: everything but the network.
func BenchmarkCommands(b *testing.B) {
	s := benchSession(b, 100_000)
	for _, cmd := range []string{
		"NOOP", "UID FETCH 1:* (FLAGS)", "FETCH 1:* (UID RFC822.SIZE FLAGS)", "FETCH 1:* FAST", "UID SEARCH UNSEEN", "UID SEARCH ALL",
		`STORE 1:* +FLAGS.SILENT (\Seen)`, "FETCH 1:1000 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "FETCH 1:1000 (BODY.PEEK[])",
	} {
		b.Run(cmd, func(b *testing.B) {
			for b.Loop() {
				if out := runAlone(b, s, cmd); !strings.Contains(out, " OK ") {
					b.Fatal(out)
				}
			}
		})
	}
}

// runAlone runs one command and returns the end of what it answers.
func runAlone(b *testing.B, s *session.Session, line string) string {
	b.Helper()
	near := &loopback{in: strings.NewReader("t " + line + "\r\n")}
	c := imapconn.New(near, imapconn.Config{Table: command.Table(s), Log: slog.New(slog.DiscardHandler)})
	c.SetState(imapconn.Selected)
	if _, err := c.Read(make([]byte, 4096)); err != nil && err != io.EOF {
		b.Fatal(err)
	}
	if near.tail == "" { // passed to imapserver, of which only Poll takes time
		if err := s.Poll(nil, true); err != nil {
			b.Fatal(err)
		}
		return fmt.Sprint("t OK ", line)
	}
	return near.tail
}

// loopback is a connection whose other end has said all it will say and keeps the last piece it hears.
type loopback struct {
	net.Conn
	in   io.Reader
	tail string
}

func (l *loopback) Read(p []byte) (int, error) { return l.in.Read(p) }
func (l *loopback) Write(p []byte) (int, error) {
	l.tail = string(p[max(0, len(p)-100):])
	return len(p), nil
}
func (l *loopback) Close() error                     { return nil }
func (l *loopback) SetDeadline(time.Time) error      { return nil }
func (l *loopback) SetReadDeadline(time.Time) error  { return nil }
func (l *loopback) SetWriteDeadline(time.Time) error { return nil }
