package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spoold/mboxstore"
	"spoold/spool"
)

// From_ lines and what the peers take them for. A file is an mbox for spoold when one of the two reads it.
var firstLines = []string{
	"From a@b Wed Dec  2 05:53:22 1992",
	"From a b Wed Dec  2 05:53:22 1992",
	"From a@b Wed Dec 2 05:53:22 1992",
	"From a@b Wed Dec 2 05:53 1992",
	"From a@b Wed Dec  2 05:53:22 MET DST 1992",
	"From a@b Wed Dec  2 05:53:22 CEST 1992",
	"From a@b Wed, 2 Dec 1992 05:53:22 -0800",
	"From a@b Wed, 02 Dec 1992 05:53 +0100",
	`From "a b"@c Wed Dec 2 05:53:22 1992`,
	"From  Wed Dec 2 05:53:22 1992",
	"From a@b   Wed Dec 2 05:53:22 1992 remote from host",
	"From a b Wed Dec 2 05:53:22 1992",
	"From a@b Wed Dec 2 5:53:22 1992",
	"From a@b Wed Dec 2 05:53:22 92",
	"From a@b Xxx ??? 2 05:53:22 1992",
	"From a@b Wed dEC 0 05:53:22 1992",
	"From a@b Wed Dec 2 05:53:22 1992 +0200",
	"From a@b Wed Dec  2 05:53:22 1992 ",
	"From a@b Wed Dec  2 05:53:22 1992 and more",
	"From a@b Wed Dex 2 05:53:22 1992",
	"From a@b",
}

// TestInteropWideFromLines: a mailbox that only Dovecot reads is read as Dovecot does, and after the first write
// c-client reads it, too, with the same dates.
func TestInteropWideFromLines(t *testing.T) {
	needs(t, mailutil, dovecot)
	only := 0
	for _, line := range firstLines {
		t.Run(line, func(t *testing.T) {
			content := []byte(line + "\nSubject: one\n\nx\n\n" + line + "\nSubject: two\n\ny\n\n")
			cclient, dove := readCclient(t, content), readDovecot(t, content)
			file := filepath.Join(t.TempDir(), "box")
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			n, dates, err := rewritten(t, file)
			usual := len(cclient.Mails) == 2 // of what is no mbox c-client makes one text
			if refused := !usual && dove.Refused != ""; refused != (err != nil) {
				t.Fatalf("spoold: %v; c-client %d messages, Dovecot %q", err, len(cclient.Mails), dove.Refused)
			}
			if err != nil || usual {
				return
			}
			only++
			if n != len(dove.Mails) {
				t.Errorf("%d messages, Dovecot finds %d", n, len(dove.Mails))
			}
			after := readCclient(t, readFile(t, file))
			if after.Refused != "" || after.Warnings != "" || len(after.Mails) != n {
				t.Fatalf("c-client afterwards: %+v", after)
			}
			for i, m := range after.Mails {
				got, err := time.Parse("_2-Jan-2006 15:04:05 -0700", m.Date)
				if err != nil || !got.Equal(dates[i]) {
					t.Errorf("c-client says %s, %v; spoold %s", m.Date, err, dates[i])
				}
			}
		})
	}
	if only < 5 {
		t.Errorf("%d lines that only Dovecot takes", only)
	}
}

// rewritten opens a mailbox, lets its UIDs be written and gives the dates that it had before.
func rewritten(t *testing.T, file string) (n int, dates []time.Time, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	state, err := spool.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	box := spool.NewBox(file, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: time.Second})
	m, err := mboxstore.Open(ctx, box, mboxstore.Options{State: state})
	if err != nil {
		return 0, nil, err
	}
	for _, msg := range m.Get(m.UIDs(), nil) {
		dates = append(dates, msg.InternalDate())
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(readFile(t, file), []byte("X-UID: 1\n")) {
		t.Error(fmt.Errorf("%s has not been written", file))
	}
	return len(dates), dates, nil
}
