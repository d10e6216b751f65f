package mboxstore

import (
	"fmt"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// twoProcesses opens one mailbox of five messages with two state directories; the third message has room octets more.
func twoProcesses(t *testing.T, room int) (disk *faultfs.FS, words []string, a, b *Mailbox) {
	t.Helper()
	for i := range 8 {
		words = append(words, fmt.Sprintf("keyword-%032d", i))
	}
	third := strings.Replace(delivered(3), "text of", strings.Repeat("x", room)+" text of", 1)
	disk = faultfs.New(1)
	disk.File(modelBox, []byte(strings.Replace(mailbox(5), delivered(3), third, 1)))
	o := Options{User: "u", Hostname: "example.com", State: disk.Dir("/state")}
	a = openOn(t, disk, o)
	// The base line knows the words from now on, so that it stays when they are set again.
	must(t, a.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreAdd, Keywords: words}))
	must(t, a.Flush(t.Context()))
	must(t, a.Store(t.Context(), []UID{1}, StoreOp{Mode: StoreSet}))
	must(t, a.Flush(t.Context()))
	o.State = disk.Dir("/other")
	return disk, words, a, openOn(t, disk, o)
}

// What another process has expunged is gone at the next look, though the last message is where it was, since another
// one has grown by as much, and mail has come in behind it.
func TestExpungeOfAnotherProcessThatLeavesTheEnds(t *testing.T) {
	for room := range 600 {
		disk, words, a, b := twoProcesses(t, room)
		must(t, b.Store(t.Context(), []UID{4}, StoreOp{Mode: StoreAdd, Keywords: words}))
		_, err := b.Remove(t.Context(), []UID{3})
		must(t, err)
		must(t, b.Flush(t.Context()))
		last := len(a.index.records) - 1
		if b.index.records[last-1].off != a.index.records[last].off {
			continue
		}
		if !a.endsStand() {
			t.Fatal("the messages at the ends tell of the change")
		}
		disk.Append(modelBox, []byte(delivered(6)))
		refreshed(t, a)
		wantList(t, a, "1  m1", "2  m2", "4  m4 "+strings.Join(words, " "), "5  m5", "6  m6")
		return
	}
	t.Error("the last message is never where it was")
}

// A delivery, and the change of another process that moves nothing, do not make a mailbox be read from its start.
func TestTailIsReadWhenNothingMoved(t *testing.T) {
	disk, _, a, b := twoProcesses(t, 0)
	must(t, b.Store(t.Context(), []UID{3}, StoreOp{Mode: StoreAdd, Flags: FlagSeen}))
	must(t, b.Flush(t.Context()))
	disk.Append(modelBox, []byte(delivered(6)))
	info, err := a.file.Stat()
	must(t, err)
	s, err := a.scanNews(info)
	must(t, err)
	if !s.tail || len(s.records) != 1 {
		t.Errorf("tail %v, %d messages read", s.tail, len(s.records))
	}
}
