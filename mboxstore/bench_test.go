package mboxstore

import (
	"os"
	"strings"
	"testing"
	"time"

	"spoold/mboxstore/mboxtest"
	"spoold/spool"
)

// benchMailbox opens a mailbox of realistic mail on the disk.
func benchMailbox(b *testing.B, messages int) *Mailbox {
	b.Helper()
	dir := b.TempDir()
	content := mboxtest.New(mboxtest.Options{Seed: 1, Messages: messages}).Bytes
	if err := os.WriteFile(dir+"/mbox", content, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Mkdir(dir+"/state", 0o700); err != nil {
		b.Fatal(err)
	}
	state, err := spool.OpenDir(dir + "/state")
	if err != nil {
		b.Fatal(err)
	}
	methods := []spool.Method{spool.Fcntl, spool.Dotlock, spool.Flock}
	box := spool.NewBox(dir+"/mbox", uint32(os.Getuid()), spool.LockPolicy{Methods: methods, Timeout: time.Minute, Stale: time.Hour})
	m, err := Open(b.Context(), box, Options{State: state, FlushDelay: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close(b.Context()) }) // the directory goes with it
	b.SetBytes(int64(len(content)))
	return m
}

func BenchmarkOpen(b *testing.B) {
	m := benchMailbox(b, 2000)
	for b.Loop() {
		if _, err := m.scan(0, m.index.end); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend4K(b *testing.B) {
	m := benchMailbox(b, 10)
	text := "Subject: x\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog.\r\n", 90)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := m.Append(b.Context(), []NewMessage{{Text: strings.NewReader(text)}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStoreOneAndFlush(b *testing.B) {
	m := benchMailbox(b, 2000)
	if err := m.writePending(b.Context(), true); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(0)
	mode := StoreAdd
	for b.Loop() {
		if err := m.Store(b.Context(), []UID{1000}, StoreOp{Mode: mode, Flags: FlagSeen}); err != nil {
			b.Fatal(err)
		}
		if err := m.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		mode = StoreAdd + StoreRemove - mode
	}
}

func BenchmarkReadAll(b *testing.B) {
	m := benchMailbox(b, 2000)
	var buf []byte
	for b.Loop() {
		for _, u := range m.UIDs() {
			var err error
			if buf, err = m.Text(b.Context(), u, buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
