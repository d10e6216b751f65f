package mboxstore

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoold/spool"
	"spoold/spool/faultfs"
)

func TestNormalFrom(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.FixedZone("", 2*3600)
	for line, want := range map[string]string{ // "" for what Dovecot does not take either
		"From a@b Wed Dec 2 05:53:22 1992":                                      "From a@b Wed Dec  2 05:53:22 1992 +0200",
		"From a@b Wed Dec 2 05:53 1992":                                         "From a@b Wed Dec  2 05:53:00 1992 +0200",
		"From a@b Wed Dec  2 05:53:22 CEST 1992":                                "From a@b Wed Dec  2 05:53:22 1992 +0200",
		"From a@b Wed, 2 Dec 1992 05:53:22 -0800":                               "From a@b Wed Dec  2 05:53:22 1992 -0800",
		"From a@b Wed, 02 Dec 1992 05:53 +0100":                                 "From a@b Wed Dec  2 05:53:00 1992 +0100",
		`From "a b"@c Wed Dec 2 05:53:22 1992`:                                  "From a_b@c Wed Dec  2 05:53:22 1992 +0200",
		`From "a \" b"@c Wed Dec 2 05:53:22 1992`:                               "From a__b@c Wed Dec  2 05:53:22 1992 +0200",
		"From  Wed Dec 2 05:53:22 1992":                                         "From MAILER-DAEMON Wed Dec  2 05:53:22 1992 +0200",
		"From a@b   Wed Dec 2 05:53:22 1992 remote from me":                     "From a@b Wed Dec  2 05:53:22 1992 +0200",
		"From a@b Wed Dec 2 05:53:22 1992 +0130":                                "From a@b Wed Dec  2 04:23:22 1992 +0000",
		"From a@b Wed Dec 2 05:53:22 GMT 1992 ":                                 "From a@b Wed Dec  2 05:53:22 1992 +0000",
		"From a@b Wed Dec  2 05:53:22 1992 trailing":                            "From a@b Wed Dec  2 05:53:22 1992 +0200",
		"From a@b Xxx ??? 2 05:53:22 1992":                                      "From a@b Thu Jan  2 05:53:22 1992 +0200",
		"From a@b Wed dEC 0 05:53:22 1992":                                      "From a@b Tue Dec  1 05:53:22 1992 +0200",
		"From a@b Wed Dec 39 05:53:22 1992":                                     "From a@b Fri Jan  8 05:53:22 1993 +0200",
		"From a b Wed Dec 2 05:53:22 1992":                                      "",
		"From a@b Wed Dec 2 5:53:22 1992":                                       "",
		"From a@b Wed Dec 2 05:53:22 92":                                        "",
		"From a@b Wed Dec  2 05:53:22 MET DST 1992":                             "",
		"From a@b Wed Dex 2 05:53:22 1992":                                      "",
		"From a@b Wed Dec 2 05:53:22":                                           "",
		"From a@b":                                                              "",
		"From a@b Wed\x00Dec 2 05:53:22 1992":                                   "",
		"From here on, 1 Dec is 2 hours 10:20 late":                             "",
		">From a@b Wed Dec 2 05:53:22 1992":                                     "",
		"From " + strings.Repeat("a", maxFromLine) + " Wed Dec 2 05:53:22 1992": "",
	} {
		for _, end := range []string{"\n", "\r\n"} {
			got, _ := normalFrom([]byte(line + end))
			if strings.TrimSuffix(got, "\n") != want {
				t.Errorf("%.60q becomes %q, want %q", line+end, got, want)
			}
			if _, ok := ParseFromLine([]byte(got)); ok != (want != "") {
				t.Errorf("%q: separator %v", got, ok)
			}
		}
	}
}

// FuzzNormalFrom: what comes out is a separator with the time that came in.
func FuzzNormalFrom(f *testing.F) {
	f.Add([]byte("From a@b Wed Dec 2 05:53:22 1992\n"))
	f.Add([]byte("From \"a b\"@c Wed, 2 Dec 1992 05:53:22 -0800\r\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		normal, ok := normalFrom(line)
		if !ok {
			return
		}
		if len(normal) > firstLine || strings.Count(normal, "\n") != 1 {
			t.Errorf("%q", normal)
		}
		if from, ok := ParseFromLine([]byte(normal)); !ok {
			t.Errorf("%q from %q is no separator", normal, line)
		} else if _, ok := from.Time(nil); !ok {
			t.Errorf("%q from %q has no time", normal, line)
		}
	})
}

const (
	wideLine   = "From a@b Wed Dec 2 05:53:22 1992 +0100\n"
	wideLine2  = "From \"a b\"@c Thu, 3 Dec 1992 05:53:22 -0800\n"
	narrowLine = "From c d Fri Dec  4 05:53:22 1992 +0100\n" // Dovecot takes no blank in a sender
)

// wideMailbox is a file that c-client does not read.
func wideMailbox() string {
	return wideLine + "Subject: m1\n\nx\nFrom a line of text, 1 Dec 1992\n\n" +
		wideLine2 + "Subject: m2\n\ny\n\n" + narrowLine + "Subject: m3\n\nz\n\n" + wideLine + "Subject: m4\n\nlast\n"
}

var wideList = []string{"1  m1", "2  m2", "3  m3", "4  m4"}

// narrowOnly reports whether the usual grammar finds the file to be a mailbox.
func narrowOnly(content string) bool {
	_, ok := ParseFromLine([]byte(content))
	return ok
}

func dates(m *Mailbox) (list []string) {
	for _, msg := range m.Get(m.UIDs(), nil) {
		list = append(list, msg.InternalDate().Format(time.RFC3339))
	}
	return list
}

func TestWideMailboxIsReadAndNormalised(t *testing.T) {
	want := []string{"1992-12-02T05:53:22+01:00", "1992-12-03T05:53:22-08:00", "1992-12-04T05:53:22+01:00", "1992-12-02T05:53:22+01:00"}
	change := map[string]func(m *Mailbox) error{
		"flush": func(m *Mailbox) error { return m.writePending(context.Background(), true) },
		"flag": func(m *Mailbox) error {
			must(t, m.Store(context.Background(), []UID{2}, StoreOp{Mode: StoreAdd, Flags: FlagDraft}))
			must(t, m.Flush(context.Background()))
			return m.Store(context.Background(), []UID{2}, StoreOp{Mode: StoreRemove, Flags: FlagDraft})
		},
		"close": func(*Mailbox) error { return nil },
	}
	for name, do := range change {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, wideMailbox())
			if narrowOnly(w.content()) {
				t.Fatal("the usual grammar takes it")
			}
			m := w.open()
			wantList(t, m, wideList...)
			if got := dates(m); !slices.Equal(got, want) {
				t.Errorf("dates %q, want %q", got, want)
			}
			must(t, do(m))
			wantList(t, m, wideList...)
			must(t, m.relook(t.Context()))
			wantList(t, m, wideList...)
			w.close(m)
			w.o.State = nil
			m = w.open()
			wantList(t, m, wideList...)
			if got := dates(m); m.index.wide || !slices.Equal(got, want) {
				t.Errorf("wide %v, dates %q, want %q", m.index.wide, got, want)
			}
			if c := w.content(); !narrowOnly(c) || !strings.Contains(c, "From a_b@c Thu Dec  3 05:53:22 1992 -0800\n") || !strings.Contains(c, narrowLine) {
				t.Errorf("file:\n%s", c)
			}
		})
	}
}

// What others deliver, in either form, and what we add is found by both grammars.
func TestWideMailboxGrows(t *testing.T) {
	w := newWorld(t, wideMailbox())
	m := w.open()
	w.deliver("\n" + wideLine2 + "Subject: m5\n\nd\n\n" + delivered(6))
	refreshed(t, m)
	want := append(slices.Clone(wideList), "5  m5", "6  m6")
	wantList(t, m, want...)
	_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m7\r\n\r\nnew\r\n")}})
	must(t, err)
	want = append(want, "7  m7")
	wantList(t, m, want...)
	if !narrowOnly(w.content()) {
		t.Errorf("file:\n%s", w.content())
	}
	must(t, m.relook(t.Context()))
	wantList(t, m, want...)
	gone, err := m.Remove(t.Context(), []UID{1})
	if err != nil || len(gone) != 1 {
		t.Fatal(gone, err)
	}
	wantList(t, m, want[1:]...)
}

func TestWideMailboxRefusesWhatItCannotDo(t *testing.T) {
	for name, set := range map[string]func(w *world){
		"no state directory": func(w *world) { w.o.State = nil },
		"read-only":          func(w *world) { w.o.ReadOnly = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, wideMailbox())
			set(w)
			box, err := Open(t.Context(), spool.NewBox(w.path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: time.Second}), w.o) // it cannot be closed without an error
			must(t, err)
			t.Cleanup(box.flush.stop)
			wantList(t, box, wideList...)
			if _, _, err := box.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m5\n\nx\n")}}); err == nil {
				t.Error("appended")
			}
			if c := w.content(); c != wideMailbox() {
				t.Errorf("file:\n%s", c)
			}
			wantList(t, box, wideList...)
		})
	}
}

// The first line goes before the others are normalised: the index knows what they are, also after a restart.
func TestWideMailboxIsRemembered(t *testing.T) {
	w := newWorld(t, wideMailbox())
	m := w.open()
	m.flush.stop()
	must(t, m.saveCache(true))
	_, rest, _ := strings.Cut(wideMailbox(), narrowLine)
	w.overwrite(narrowLine + rest)
	m = w.open()
	wantList(t, m, "3  m3", "4  m4")
	must(t, m.writePending(t.Context(), true))
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), "3  m3", "4  m4")
}

// In a file that c-client reads, a line that only Dovecot takes is text.
func TestWideLineInAnOrdinaryMailbox(t *testing.T) {
	w := newWorld(t, mailbox(1)+wideLine+"Subject: text\n\n"+delivered(2))
	m := w.open()
	wantList(t, m, "1  m1", "2  m2")
	w.deliver(wideLine + "Subject: text\n\n")
	refreshed(t, m)
	wantList(t, m, "1  m1", "3  m2") // one with a longer text
}

func TestCopyFromWideMailbox(t *testing.T) {
	w, d := newWorld(t, wideMailbox()), newWorld(t, mailbox(1))
	m, dst := w.open(), d.open()
	_, _, _, err := m.CopyTo(t.Context(), dst, []UID{2, 4})
	must(t, err)
	must(t, dst.relook(t.Context()))
	wantList(t, dst, "1  m1", "2  m2", "3  m4")
}

// TestWideMailboxModel: after the first write the usual grammar finds what the wide one found.
func TestWideMailboxModel(t *testing.T) {
	lines := []string{wideLine, wideLine2, narrowLine, "From x Wed Dec 2 05:53 1992\n", "From x\n", "text\n", "\n", "From x Wed Dec  2 05:53:22 1992", "\r\n"}
	rapid.Check(t, func(rt *rapid.T) {
		var content strings.Builder
		content.WriteString(wideLine + "Subject: s0\n\n")
		for i := range rapid.IntRange(0, 12).Draw(rt, "lines") {
			line := rapid.SampledFrom(lines).Draw(rt, "line")
			if content.WriteString(line); strings.HasPrefix(line, fromPrefix) && rapid.Bool().Draw(rt, "header") {
				content.WriteString(fmt.Sprintf("Subject: s%d\n\n", i+1))
			}
		}
		disk := faultfs.New(1)
		disk.File(modelBox, []byte(content.String()))
		m := openOn(t, disk, Options{State: disk.Dir("/state")})
		before := list(t, m)
		if err := m.writePending(context.Background(), true); err != nil {
			rt.Fatal(err)
		}
		var after []string
		raw := string(disk.Bytes(modelBox))
		_, err := scanAs(strings.NewReader(raw), 0, int64(len(raw)), false, func(sp Span) error {
			if _, ok := ParseFromLine(sp.FromLine); !ok {
				rt.Fatalf("%q is left", sp.FromLine)
			}
			after = append(after, "")
			return nil
		})
		if err != nil || len(after) != len(before) {
			rt.Fatalf("%d messages, %d before, %v\n%q\n%q", len(after), len(before), err, content.String(), raw)
		}
		if err := m.relook(context.Background()); err != nil || !slices.Equal(list(t, m), before) {
			rt.Fatalf("%q, before %q, %v\n%q", list(t, m), before, err, raw)
		}
		if err := m.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestCrashWhileAWideMailboxIsNormalised: at any moment either grammar that applies finds all messages.
func TestCrashWhileAWideMailboxIsNormalised(t *testing.T) {
	step, crashes := 3, 0
	if os.Getenv("SPOOLD_CRASH") == "full" {
		step = 1
	}
	for at := 1; ; at += step {
		for mode := -1; mode <= 3; mode++ {
			disk := faultfs.New(int64(at*5 + mode))
			o := Options{State: disk.Dir("/state"), Inbox: at%2 == 0}
			disk.File(modelBox, []byte(wideMailbox()))
			m := openOn(t, disk, o)
			must(t, m.saveCache(true))
			disk.CrashAt(at)
			crashed := faultfs.Run(func() { must(t, m.writePending(t.Context(), true)) })
			if die(disk, mode); !crashed {
				t.Logf("%d crashes", crashes)
				return
			}
			crashes++
			m = openOn(t, disk, refresh(disk, o))
			if got := list(t, m); !slices.Equal(got, wideList) {
				t.Fatalf("crash at %d, mode %d: %q\n%s\n%q", at, mode, got, strings.Join(disk.Log(), "\n"), disk.Bytes(modelBox))
			}
		}
	}
}
