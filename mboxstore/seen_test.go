package mboxstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// appendMessages appends messages with the subjects m<from> to m<to>.
func appendMessages(t *testing.T, m *Mailbox, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		text := fmt.Sprintf("Subject: m%d\r\n\r\n%s", n, strings.Repeat("long\r\n", 99))
		_, _, err := m.Append(t.Context(), []NewMessage{{Text: strings.NewReader(text)}})
		must(t, err)
	}
}

// separatorOf is the offset of the message with the subject m<n>.
func separatorOf(file []byte, n int) int {
	i := bytes.Index(file, fmt.Appendf(nil, "\nSubject: m%d\n", n))
	return bytes.LastIndex(file[:i], []byte("\nFrom ")) + 1
}

// TestForgeryInFrontOfTheMarksEnd: after a crash another program removes mail that we know, and what was delivered since
// comes to stand in front of where the mark ends. Its UID and flags are its sender's all the same; and what we had
// numbered keeps its UID and its flags.
func TestForgeryInFrontOfTheMarksEnd(t *testing.T) {
	for mode := -1; mode < 4; mode++ {
		for _, forged := range []string{"Status: RO\nX-Status: DF\nX-UID: 8\n", "X-UID: 9\nX-Status: D\n", "X-Status: D\nX-Keywords: evil\n", "Status: RO\nX-UID: 6\n"} {
			t.Run(fmt.Sprintf("mode %d, %.9q", mode, forged), func(t *testing.T) {
				disk, o := simMailbox(t, 1, true, true)
				m := openOn(t, disk, o)
				appendMessages(t, m, 6, 8)
				must(t, m.Store(t.Context(), []UID{7}, StoreOp{Flags: FlagSeen}))
				must(t, m.Store(t.Context(), []UID{8}, StoreOp{Flags: FlagDeleted}))
				must(t, m.writePending(t.Context(), true))
				_, err := m.Expunge(t.Context(), nil, true)
				must(t, err)
				die(disk, mode)
				file := disk.Bytes(modelBox)
				file = slices.Concat(file[:separatorOf(file, 6)], file[separatorOf(file, 7):], []byte(envelo+forged+"Subject: forged\n\nbody\n\n"))
				overwrite(t, disk, file)
				m = openOn(t, disk, refresh(disk, o))
				wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7 R m7", "9  forged")
				must(t, m.Close(t.Context()))
			})
		}
	}
}

// TestCrashBetweenTellingAndNumbering: mail is delivered and told; a crash comes before it has its UIDs in the file, and
// another program removes the first of it. The others keep what was told.
func TestCrashBetweenTellingAndNumbering(t *testing.T) {
	disk, o := simMailbox(t, 1, true, true)
	m := openOn(t, disk, o)
	disk.Append(modelBox, []byte(delivered(6)+delivered(7)+delivered(8)))
	must(t, m.Refresh(t.Context()))
	wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7  m7", "8  m8")
	die(disk, -1)
	file := disk.Bytes(modelBox)
	i := bytes.Index(file, []byte(delivered(6)))
	overwrite(t, disk, slices.Concat(file[:i], file[i+len(delivered(6)):], []byte(delivered(9))))
	m = openOn(t, disk, refresh(disk, o))
	wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7  m7", "8  m8", "9  m9")
	must(t, m.Close(t.Context()))
}

// TestSortAfterCrash: another program sorts the mailbox between a crash and the next start.
func TestSortAfterCrash(t *testing.T) {
	for mode := -1; mode < 4; mode++ {
		disk, o := simMailbox(t, 1, true, true)
		m := openOn(t, disk, o)
		appendMessages(t, m, 6, 8)
		must(t, m.Store(t.Context(), []UID{7}, StoreOp{Flags: FlagSeen}))
		must(t, m.writePending(t.Context(), true))
		die(disk, mode)
		file := disk.Bytes(modelBox)
		six, seven, eight := separatorOf(file, 6), separatorOf(file, 7), separatorOf(file, 8)
		overwrite(t, disk, slices.Concat(file[:six], file[eight:], file[seven:eight], file[six:seven], []byte(delivered(9))))
		m = openOn(t, disk, refresh(disk, o))
		wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "7 R m7", "8  m8", "9  m9")
		must(t, m.Close(t.Context()))
	}
}

// TestListOfSeenBegins: a list that is full, and one that another process has written to, tell nothing until the cache has
// been saved; then there is a new one.
func TestListOfSeenBegins(t *testing.T) {
	disk, o := simMailbox(t, 1, true, true)
	m := openOn(t, disk, o)
	if !m.seen.whole || m.seen.due {
		t.Fatalf("after the mailbox was closed: %+v", m.seen)
	}
	text := strings.NewReader("Subject: m\r\n\r\nx\r\n")
	many := make([]NewMessage, maxSeen+1)
	for i := range many {
		many[i].Text = strings.NewReader(fmt.Sprintf("Subject: m%d\r\n\r\nx\r\n", i+6))
	}
	_, _, err := m.Append(t.Context(), many)
	must(t, err)
	if m.seen.whole || !m.seen.due {
		t.Fatalf("%d messages listed", len(m.seen.messages))
	}
	must(t, m.writePending(t.Context(), true))
	if !m.seen.whole || m.seen.due || len(m.seen.messages) > 0 {
		t.Fatalf("after the cache was saved: whole %v, due %v, %d messages", m.seen.whole, m.seen.due, len(m.seen.messages))
	}
	_, _, err = m.Append(t.Context(), []NewMessage{{Text: text}})
	must(t, err)
	other := openOn(t, disk, refresh(disk, o))
	_, _, err = other.Append(t.Context(), []NewMessage{{Text: strings.NewReader("Subject: n\r\n\r\nx\r\n")}})
	must(t, err)
	must(t, m.Refresh(t.Context()))
	if m.seen.whole || !m.seen.shared {
		t.Errorf("two processes: whole %v, shared %v", m.seen.whole, m.seen.shared)
	}
}

// TestExpungedComesBackAfterCrash: a message that was expunged before a crash is sent once more, with the UID that it had.
func TestExpungedComesBackAfterCrash(t *testing.T) {
	disk, o := simMailbox(t, 1, true, true)
	m := openOn(t, disk, o)
	sent := envelo + "Status: RO\nX-Status: F\nX-UID: 6\nSubject: forged\n\nbody\n\n"
	disk.Append(modelBox, []byte(sent))
	must(t, m.Refresh(t.Context()))
	_, err := m.Remove(t.Context(), []UID{6})
	must(t, err)
	die(disk, -1)
	disk.Append(modelBox, []byte(sent))
	m = openOn(t, disk, refresh(disk, o))
	wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "7  forged")
}

// TestCacheThatIsNotDurable: the index cache is saved when the mailbox is closed, and a power cut takes it back. What was
// listed until then is still known.
func TestCacheThatIsNotDurable(t *testing.T) {
	for mode := range 4 {
		disk, o := simMailbox(t, 1, true, true)
		m := openOn(t, disk, o)
		appendMessages(t, m, 6, 6)
		must(t, m.Close(t.Context()))
		m = openOn(t, disk, o)
		appendMessages(t, m, 7, 8)
		die(disk, mode)
		file := disk.Bytes(modelBox)
		overwrite(t, disk, append(file[:separatorOf(file, 7)], file[separatorOf(file, 8):]...))
		m = openOn(t, disk, refresh(disk, o))
		wantList(t, m, "1  m1", "2  m2", "3  m3", "4  m4", "5  m5", "6  m6", "8  m8")
		must(t, m.Close(t.Context()))
	}
}
