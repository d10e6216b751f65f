package mboxtest

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewIsRepeatable(t *testing.T) {
	o := Options{Seed: 7, Messages: 30, Style: UW}
	if a, b := New(o), New(o); !bytes.Equal(a.Bytes, b.Bytes) {
		t.Error("the same options made different mailboxes")
	}
	o2 := o
	o2.Seed++
	if bytes.Equal(New(o).Bytes, New(o2).Bytes) {
		t.Error("another seed made the same mailbox")
	}
}

func TestMessagesVerify(t *testing.T) {
	for name, o := range map[string]Options{
		"delivered": {Style: Delivered},
		"uw":        {Style: UW},
		"pseudo":    {Style: UWPseudo},
		"dovecot":   {Style: Dovecot},
		"mutt":      {Style: Mutt},
		"crlf":      {Style: UW, CRLF: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Messages = 50
			box := New(o)
			var got []string
			for _, m := range box.Messages {
				if !bytes.HasPrefix(box.Bytes[m.Off:], []byte("From ")) {
					t.Errorf("no separator at %d", m.Off)
				}
				name, err := Verify(m.Stored)
				if err != nil {
					t.Error(err)
				}
				got = append(got, name)
			}
			if d := cmp.Diff(box.Names(), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestVerifyNotices(t *testing.T) {
	msg := Seal("a", []byte("Subject: x\nStatus: RO\n\nbody\n>From it\n"))
	same := map[string][]byte{
		"as made":         msg,
		"CRLF":            bytes.ReplaceAll(msg, []byte("\n"), []byte("\r\n")),
		"no final LF":     msg[:len(msg)-1],
		"status changed":  bytes.Replace(msg, []byte("Status: RO"), []byte("X-Status: D"), 1),
		"quote taken off": bytes.Replace(msg, []byte(">From"), []byte("From"), 1),
	}
	for name, m := range same {
		if _, err := Verify(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := map[string][]byte{
		"octet changed": bytes.Replace(msg, []byte("body"), []byte("bodx"), 1),
		"cut":           msg[:len(msg)-4],
		"line more":     append(bytes.Clone(msg), '\n'),
		"header gone":   bytes.Replace(msg, []byte("Subject: x\n"), nil, 1),
		"no check":      []byte("Subject: x\n\n"),
	}
	for name, m := range other {
		if _, err := Verify(m); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
