package mboxstore

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"spoold/spool/faultfs"
)

// fataler is *testing.T or *rapid.T.
type fataler interface{ Fatal(...any) }

// split cuts a mailbox file into its messages.
func split(t fataler, content string) (messages []string) {
	_, err := Scan(strings.NewReader(content), 0, int64(len(content)), func(sp Span) error {
		messages = append(messages, content[sp.Off:sp.Next])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// permuted gives the messages of a file in another order; 0 is a new message, negative numbers leave the final blank
// line out.
func permuted(t *testing.T, content string, order ...int) string {
	messages := split(t, content)
	var b strings.Builder
	for _, n := range order {
		switch {
		case n == 0:
			b.WriteString(delivered(9))
		case n < 0:
			b.WriteString(strings.TrimRight(messages[-n-1], "\n"))
		default:
			b.WriteString(messages[n-1])
		}
	}
	return b.String()
}

// Messages that another program put elsewhere keep their UIDs, and the file gets its order back.
func TestDisplacedMessages(t *testing.T) {
	five := []string{"1 R m1", "2 R m2", "3 R m3", "4 R m4", "5 R m5"}
	inserted := append(slices.Clone(five), "6  m9")
	for name, c := range map[string]struct {
		order []int
		want  []string
	}{
		"inserted in the middle":       {[]int{1, 2, 0, 3, 4, 5}, inserted},
		"inserted at the front":        {[]int{0, 1, 2, 3, 4, 5}, inserted},
		"inserted, last not closed":    {[]int{1, 0, 2, 3, 4, -5}, inserted},
		"sorted backwards":             {[]int{5, 4, 3, 2, 1}, five},
		"first one last":               {[]int{2, 3, 4, 5, -1}, five},
		"last one first":               {[]int{5, 1, 2, 3, 4}, five},
		"shuffled, with one new":       {[]int{3, 1, 0, 5, 4, 2}, inserted},
		"shuffled, with one gone":      {[]int{3, 1, 5, 2}, []string{"1 R m1", "2 R m2", "3 R m3", "5 R m5"}},
		"one copied beside itself":     {[]int{1, 2, 2, 3, 4, 5}, append(slices.Clone(five), "6 R m2")},
		"one replaced by a new one":    {[]int{1, 2, 0, 4, 5}, []string{"1 R m1", "2 R m2", "4 R m4", "5 R m5", "6  m9"}},
		"first one replaced by a new":  {[]int{0, 2, 3, 4, 5}, []string{"2 R m2", "3 R m3", "4 R m4", "5 R m5", "6  m9"}},
		"two new ones between the old": {[]int{1, 0, 2, 3, 4, 0, 5}, append(slices.Clone(inserted), "7  m9")},
	} {
		for _, pseudo := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", pseudo message ", pseudo), func(t *testing.T) {
				w := numberedWorld(t, pseudo)
				m := w.open()
				before := m.Status()
				head := w.content()[:len(w.content())-len(strings.Join(split(t, w.content())[first(pseudo):], ""))]
				w.overwrite(head + permuted(t, w.content()[len(head):], c.order...))
				refreshed(t, m)
				wantList(t, m, c.want...)
				must(t, m.Flush(t.Context()))
				wantList(t, m, c.want...)
				must(t, m.relook(t.Context()))
				wantList(t, m, c.want...)
				if m.index.displaced != 0 || m.index.ordered() != m.index.end {
					t.Errorf("not in order after a flush:\n%s", w.content())
				}
				w.close(m)
				w.o.State = nil
				m = w.open()
				wantList(t, m, c.want...)
				if got := m.Status().UIDValidity; got != before.UIDValidity {
					t.Errorf("UIDVALIDITY %d, was %d", got, before.UIDValidity)
				}
				if n := strings.Count(w.content(), "\nX-IMAP"); n != 1 {
					t.Errorf("%d base lines:\n%s", n, w.content())
				}
			})
		}
	}
}

func first(pseudo bool) int {
	if pseudo {
		return 1
	}
	return 0
}

// numberedWorld is a folder of five messages, seen, with UIDs in the file.
func numberedWorld(t *testing.T, pseudo bool) *world {
	content := mailbox(5)
	if pseudo {
		content = string(AppendPseudo(nil, Base{UIDValidity: 77}, "example.com", time.Unix(1e9, 0), false)) + content
	}
	w := newWorld(t, content)
	m := w.open()
	must(t, m.Store(t.Context(), m.UIDs(), StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	w.close(m)
	return w
}

// As long as the file has the wrong order, everything works as usual, and the index survives a restart.
func TestWorkOnDisplacedMessages(t *testing.T) {
	w := numberedWorld(t, false)
	m := w.open()
	w.overwrite(permuted(t, w.content(), 4, 1, 0, 2, 5, 3))
	refreshed(t, m)
	_, uids, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: m7\r\n\r\nx\r\n"), Flags: FlagSeen}})
	must(t, err)
	if diff := cmp.Diff([]UID{7}, uids); diff != "" {
		t.Errorf("appended (-want +got):\n%s", diff)
	}
	must(t, m.Store(t.Context(), []UID{1, 4, 6}, StoreOp{Mode: StoreAdd, Flags: FlagFlagged}))
	w.deliver(delivered(8))
	refreshed(t, m)
	want := []string{"1 RF m1", "2 R m2", "3 R m3", "4 RF m4", "5 R m5", "6 F m9", "7 R m7", "8  m8"}
	wantList(t, m, want...)
	if m.index.displaced == 0 {
		t.Error("written before it was asked for")
	}
	must(t, m.keepPending())
	m.flush.stop() // killed
	m = w.open()
	wantList(t, m, want...)
	gone, err := m.Remove(t.Context(), []UID{1, 4})
	must(t, err)
	if diff := cmp.Diff([]UID{1, 4}, gone); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	want = []string{"2 R m2", "3 R m3", "5 R m5", "6 F m9", "7 R m7", "8  m8"}
	wantList(t, m, want...)
	w.close(m)
	w.o.State = nil
	wantList(t, w.open(), want...)
}

// More than the bound, read-only, without state directory: new UIDs in file order, as ever.
func TestDisplacedWithoutRoom(t *testing.T) {
	want := []string{"1 R m1", "3 R m3", "6 R m2", "7 R m4", "8 R m5"}
	for name, set := range map[string]func(w *world) *Mailbox{
		"bound":              func(w *world) *Mailbox { m := w.open(); m.displace = 10; return m },
		"read-only":          func(w *world) *Mailbox { w.o.ReadOnly = true; return w.open() },
		"no state directory": func(w *world) *Mailbox { w.o.State = nil; return w.open() },
	} {
		t.Run(name, func(t *testing.T) {
			w := numberedWorld(t, false)
			m := set(w)
			validity := m.Status().UIDValidity
			w.overwrite(permuted(t, w.content(), 1, 3, 2, 4, 5))
			refreshed(t, m)
			wantList(t, m, want...)
			if got := m.Status().UIDValidity; got != validity {
				t.Errorf("UIDVALIDITY %d, was %d", got, validity)
			}
		})
	}
}

func TestHeaviestRun(t *testing.T) {
	run := func(uids []int, sizes ...int64) (stays []int) {
		var records []record
		var found []*record
		for i, u := range uids {
			records = append(records, record{end: sizes[i]})
			var old *record
			if u > 0 {
				old = &record{Message: Message{UID: UID(u)}}
			}
			found = append(found, old)
		}
		marks := heaviestRun(records, found)
		for i := range uids {
			if marks == nil || marks[i] {
				stays = append(stays, uids[i])
			}
		}
		return stays
	}
	for _, c := range []struct {
		uids  []int
		sizes []int64
		want  []int
	}{
		{[]int{1, 2, 3, 0, 0}, []int64{1, 1, 1, 1, 1}, []int{1, 2, 3, 0, 0}},
		{[]int{1, 0, 2, 3}, []int64{1, 1, 1, 1}, []int{1, 2, 3}},
		{[]int{1, 0, 2, 3}, []int64{1, 9, 1, 1}, []int{1, 0}},
		{[]int{5, 4, 3, 2, 1}, []int64{1, 1, 7, 1, 1}, []int{3}},
		{[]int{2, 3, 1, 5, 4, 6}, []int64{1, 1, 1, 1, 2, 1}, []int{2, 3, 4, 6}},
	} {
		if diff := cmp.Diff(c.want, run(c.uids, c.sizes...)); diff != "" {
			t.Errorf("%v %v (-want +got):\n%s", c.uids, c.sizes, diff)
		}
	}
}

// TestHeaviestRunIsHeaviest compares with trying every choice.
func TestHeaviestRunIsHeaviest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uids := rapid.SliceOfNDistinct(rapid.IntRange(1, 30), 1, 9, rapid.ID[int]).Draw(t, "uids")
		records, found := make([]record, len(uids)), make([]*record, len(uids))
		for i, u := range uids {
			records[i].end = int64(rapid.IntRange(1, 9).Draw(t, "size"))
			found[i] = &record{Message: Message{UID: UID(u)}}
		}
		best := int64(0)
		for set := range 1 << len(uids) {
			best = max(best, runWeight(uids, records, func(i int) bool { return set>>i&1 == 1 }))
		}
		stays := heaviestRun(records, found)
		got := runWeight(uids, records, func(i int) bool { return stays == nil || stays[i] })
		if got != best {
			t.Fatalf("run of %d octets, the heaviest has %d", got, best)
		}
	})
}

// runWeight is 0 for what does not ascend.
func runWeight(uids []int, records []record, in func(int) bool) (n int64) {
	last := 0
	for i, u := range uids {
		if !in(i) {
			continue
		}
		if u < last {
			return 0
		}
		last = u
		n += records[i].end - records[i].off
	}
	return n
}

// TestCrashWhileMessagesAreMovedBack: after a crash at any moment between the foreign change and the file in order,
// every message is there once and has the UID that was told; also when the state directory is lost once the file is
// in order.
func TestCrashWhileMessagesAreMovedBack(t *testing.T) {
	step := 3
	if os.Getenv("SPOOLD_CRASH") == "full" {
		step = 1
	}
	crashes := 0
	for name, order := range map[string][]int{
		"inserted": {1, 0, 2, 3, 4, 5}, "backwards": {5, 4, 3, 2, 1}, "last not closed": {2, 0, 1, 3, 5, -4},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at += step {
				done := true
				for mode := -1; mode <= 3; mode++ {
					if reorderCrash(t, order, at, mode) {
						done = false
						crashes++
					}
				}
				if done || t.Failed() {
					break
				}
			}
		})
	}
	t.Logf("%d crashes", crashes)
}

// rewriteOn gives the mailbox file other content, as another program does that is done before we look.
func rewriteOn(t fataler, disk *faultfs.FS, content string) {
	f := disk.File(modelBox, nil)
	_, err := f.WriteAt([]byte(content), 0)
	if err == nil {
		err = f.Truncate(int64(len(content)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func reorderCrash(t *testing.T, order []int, at, mode int) (crashed bool) {
	disk, o := simMailbox(t, int64(at*7+mode), true, at%2 == 0)
	m := openOn(t, disk, o)
	content := permuted(t, string(disk.Bytes(modelBox)), order...)
	rewriteOn(t, disk, content)
	var told []string
	disk.CrashAt(at)
	crashed = faultfs.Run(func() {
		must(t, m.Refresh(t.Context()))
		told = list(t, m)
		must(t, m.Flush(t.Context()))
		must(t, m.writePending(t.Context(), true))
	})
	die(disk, mode)
	if at%3 == 0 {
		disk.CrashAt(1 + at%13)
		faultfs.Run(func() {
			if m, err := Open(t.Context(), disk.Box(modelBox), refresh(disk, o)); err == nil {
				m.flush.stop()
				_ = m.writePending(t.Context(), true) // it is cut short
			}
		})
		die(disk, mode)
	}
	o = refresh(disk, o)
	m = openOn(t, disk, o)
	got := list(t, m)
	if told != nil && !slices.Equal(got, told) {
		t.Errorf("crash at %d (%v), mode %d: got %q, told %q\n%s", at, crashed, mode, got, told, strings.Join(disk.Log(), "\n"))
	}
	if len(got) != len(order) {
		t.Errorf("crash at %d, mode %d: %q", at, mode, got)
	}
	must(t, m.Close(t.Context()))
	must(t, o.State.Remove(m.cacheName()))
	m = openOn(t, disk, o)
	if again := list(t, m); !slices.Equal(got, again) {
		t.Errorf("crash at %d, mode %d: without cache %q, with %q\n%s", at, mode, again, got, disk.Bytes(modelBox))
	}
	return crashed
}

// foreignModel is a mailbox that others rearrange at will: what has to hold is that a message that stays as it is
// keeps its UID.
type foreignModel struct {
	tb       *testing.T
	fs       *faultfs.FS
	o        Options
	m        *Mailbox
	uids     map[string]UID // by subject
	last     UID
	next     int
	validity uint32
}

func newForeignModel(t *testing.T, inbox bool) *foreignModel {
	f := &foreignModel{tb: t, fs: faultfs.New(1), uids: map[string]UID{}}
	f.o = Options{Inbox: inbox, State: f.fs.Dir("/state"), User: "u", Hostname: "example.com"}
	f.fs.File(modelBox, nil)
	f.reopen()
	f.validity = f.m.Status().UIDValidity
	return f
}

func (f *foreignModel) reopen() { f.m = openOn(f.tb, f.fs, f.o) }

func (f *foreignModel) subject() string {
	f.next++
	return fmt.Sprintf("s%d", f.next)
}

func (f *foreignModel) flush(t *rapid.T) {
	if err := f.m.writePending(context.Background(), rapid.Bool().Draw(t, "sync")); err != nil {
		t.Fatal(err)
	}
}

func (f *foreignModel) refresh(t *rapid.T) {
	if err := f.m.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestForeignRewritesModel runs random rewrites by another program, and work of ours in between.
func TestForeignRewritesModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newForeignModel(t, rapid.Bool().Draw(rt, "inbox"))
		defer func() { _ = f.m.Close(context.Background()) }() // the check has spoken already
		rt.Repeat(map[string]func(*rapid.T){
			"": f.check, "rewrite": f.rewrite, "deliver": f.deliver, "flush": f.flush, "restart": f.restart,
			"expunge": f.expunge, "append": f.append,
		})
	})
}

func (f *foreignModel) subjects() []string { return slices.Sorted(maps.Keys(f.uids)) }

// rewrite deletes, edits, inserts and rearranges messages.
func (f *foreignModel) rewrite(t *rapid.T) {
	f.check(t)
	content := string(f.fs.Bytes(modelBox))
	messages := split(t, content)
	head := 0
	if f.m.index.pseudo != nil {
		head = 1
	}
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		i := rapid.IntRange(head, max(head, len(messages)-1)).Draw(t, "place")
		switch rapid.SampledFrom([]string{"insert", "delete", "edit", "move", "crlf"}).Draw(t, "edit") {
		case "insert":
			messages = slices.Insert(messages, min(i, len(messages)), f.mail())
		case "delete":
			if i < len(messages) {
				delete(f.uids, subjectOf(messages[i]))
				messages = slices.Delete(messages, i, i+1)
			}
		case "edit": // as many octets as before
			if i < len(messages) && strings.Contains(messages[i], "Subject: s") {
				delete(f.uids, subjectOf(messages[i]))
				messages[i] = strings.Replace(messages[i], "Subject: s", "Subject: t", 1)
			}
		case "move":
			if j := rapid.IntRange(head, max(head, len(messages)-1)).Draw(t, "to"); i < len(messages) && j < len(messages) {
				messages[i], messages[j] = messages[j], messages[i]
			}
		case "crlf":
			for k, c := range messages {
				messages[k] = strings.ReplaceAll(strings.ReplaceAll(c, "\r\n", "\n"), "\n", "\r\n")
			}
		}
	}
	rewriteOn(t, f.fs, strings.Join(messages, ""))
}

func (f *foreignModel) mail() string {
	return "From mda Wed Dec  2 05:53:22 1992\nSubject: " + f.subject() + "\n\ntext\n\n"
}

func (f *foreignModel) deliver(t *rapid.T) {
	f.check(t)
	f.fs.Append(modelBox, []byte(f.mail()))
}

func (f *foreignModel) append(t *rapid.T) {
	msg := NewMessage{Text: strings.NewReader("Subject: " + f.subject() + "\r\n\r\ntext\r\n")}
	if _, _, err := f.m.Append(context.Background(), []NewMessage{msg}); err != nil {
		t.Fatal(err)
	}
}

func (f *foreignModel) expunge(t *rapid.T) {
	f.check(t)
	if len(f.uids) == 0 {
		return
	}
	subject := rapid.SampledFrom(f.subjects()).Draw(t, "subject")
	if _, err := f.m.Remove(context.Background(), []UID{f.uids[subject]}); err != nil {
		t.Fatal(err)
	}
	delete(f.uids, subject)
}

func (f *foreignModel) restart(t *rapid.T) {
	f.refresh(t)
	if err := f.m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "cache lost") {
		if err := f.o.State.Remove(f.m.cacheName()); err != nil {
			t.Fatal(err)
		}
	}
	f.reopen()
}

// check learns the UIDs of new messages.
func (f *foreignModel) check(t *rapid.T) {
	f.refresh(t)
	seen := map[string]UID{}
	for _, m := range f.m.Get(f.m.UIDs(), nil) {
		text, err := f.m.Text(context.Background(), m.UID, nil)
		if err != nil || int64(len(text)) != m.Size {
			t.Fatalf("message %d: %d octets of %d, %v", m.UID, len(text), m.Size, err)
		}
		seen[subjectOf(string(text))] = m.UID
	}
	for subject, uid := range f.uids {
		if seen[subject] != uid {
			t.Fatalf("%s has UID %d, had %d\n%q", subject, seen[subject], uid, f.fs.Bytes(modelBox))
		}
	}
	if n := len(f.m.UIDs()); n != len(seen) {
		t.Fatalf("%d messages, %d subjects\n%q", n, len(seen), f.fs.Bytes(modelBox))
	}
	for subject, uid := range seen {
		if uid <= f.last && f.uids[subject] == 0 {
			t.Fatalf("%s has UID %d, which was given away before", subject, uid)
		}
	}
	f.uids, f.last = seen, f.m.Status().UIDNext-1
	if v := f.m.Status().UIDValidity; v != f.validity {
		t.Fatalf("UIDVALIDITY %d, was %d", v, f.validity)
	}
}

func subjectOf(message string) string {
	_, rest, _ := strings.Cut(message, "Subject: ")
	subject, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(subject, "\r")
}

// The message that goes is the last of the file, and what stays is in order without it: it must be cut all the same.
func TestRemoveDisplacedLast(t *testing.T) {
	w := numberedWorld(t, false)
	m := w.open()
	w.overwrite(permuted(t, w.content(), 1, 3, 4, 5, 2))
	refreshed(t, m)
	_, err := m.Remove(t.Context(), []UID{2})
	must(t, err)
	must(t, m.relook(t.Context()))
	wantList(t, m, "1 R m1", "3 R m3", "4 R m4", "5 R m5")
}

// Of two messages with the same bytes, the one that keeps the order is taken.
func TestRecogniseEqualMessages(t *testing.T) {
	known := []record{{Message: Message{UID: 5, Size: 9}}, {Message: Message{UID: 6, Size: 1}}, {Message: Message{UID: 7, Size: 9}}}
	scan := []record{{Message: Message{Size: 1}}, {Message: Message{Size: 9}}, {Message: Message{Size: 9}}, {Message: Message{Size: 9}}}
	var got []UID
	for _, r := range recall(known).recognise(scan, func(*record) bool { return false }) {
		if r == nil {
			r = &record{}
		}
		got = append(got, r.UID)
	}
	if diff := cmp.Diff([]UID{6, 7, 5, 0}, got); diff != "" {
		t.Errorf("recognised (-want +got):\n%s", diff)
	}
}
