package mboxstore

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"spoold/spool/faultfs"
)

// seenTrial is a life of an inbox up to a crash, and what its clients were told.
type seenTrial struct {
	t       *testing.T
	rng     *rand.Rand
	disk    *faultfs.FS
	o       Options
	m       *Mailbox
	n       int // messages that came, told or not
	told    map[string]UID
	flags   map[string]Flags // that somebody may have set
	sure    map[string]bool  // has its UID in the file, durably
	forged  int
	early   int // forged mails that came before the crash
	removed int
}

// TestUIDsAndForgeryAfterAnyCrash: whatever an inbox was about when the process or the power ended, and whatever another
// program takes out of the middle then and strangers send, each message that is left has the UID that was told, no
// UID is given twice, and no stranger's flags are believed.
func TestUIDsAndForgeryAfterAnyCrash(t *testing.T) {
	seeds := 1000
	if raceDetector {
		seeds = 200
	}
	removals := 0
	for seed := range seeds {
		s := seenTrial{t: t, rng: rand.New(rand.NewPCG(uint64(seed), 7)), told: map[string]UID{}, flags: map[string]Flags{}, sure: map[string]bool{}}
		if s.run(seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		removals += s.removed
	}
	t.Logf("%d lives, mail removed after %d crashes", seeds, removals)
	if removals < seeds/3 {
		t.Errorf("only %d of %d", removals, seeds)
	}
}

func (s *seenTrial) run(seed int) {
	s.disk, s.o = simMailbox(s.t, int64(seed), true, true)
	s.n = 5
	for i := range s.n {
		s.told[fmt.Sprintf("m%d", i+1)], s.sure[fmt.Sprintf("m%d", i+1)] = UID(i+1), true
	}
	s.m = openOn(s.t, s.disk, s.o)
	for range 2 {
		mode := s.rng.IntN(5) - 1
		s.disk.CrashAt(s.rng.IntN(120)) // 0: between two steps
		for range 1 + s.rng.IntN(12) {
			if faultfs.Run(s.step) {
				break
			}
		}
		die(s.disk, mode)
		s.early = s.forged
		s.others()
		s.o = refresh(s.disk, s.o)
		s.m = openOn(s.t, s.disk, s.o)
		s.check(mode >= 0)
		maps.DeleteFunc(s.told, func(name string, _ UID) bool { return mode >= 0 && !s.sure[name] })
		s.note(false)
	}
	s.early = s.forged
	must(s.t, s.m.writePending(s.t.Context(), true))
	s.check(false)
	must(s.t, s.m.Close(s.t.Context()))
}

// step is one thing that happens to the inbox. The panic of a crash leaves the mailbox as it is.
func (s *seenTrial) step() {
	ctx, m := s.t.Context(), s.m
	switch s.rng.IntN(8) {
	case 0, 1:
		s.n++
		name := fmt.Sprintf("m%d", s.n)
		s.flags[name] = Flags(s.rng.IntN(2)) * FlagSeen
		_, uids, err := m.Append(ctx, []NewMessage{{Text: strings.NewReader("Subject: " + name + "\r\n\r\nx\r\n"), Flags: s.flags[name]}})
		must(s.t, err)
		s.told[name], s.sure[name] = uids[0], true
	case 2:
		s.n++
		s.disk.Append(modelBox, []byte(delivered(s.n)))
		if s.rng.IntN(2) == 0 {
			s.disk.Append(modelBox, []byte(s.forge()))
		}
	case 3:
		must(s.t, m.Refresh(ctx))
		s.note(false)
	case 4:
		must(s.t, m.Refresh(ctx))
		must(s.t, m.writePending(ctx, true))
		s.note(true)
	case 5:
		uids := m.UIDs()
		uid := uids[len(uids)-1]
		s.flags[s.subject(uid)] |= FlagFlagged
		must(s.t, m.Store(ctx, []UID{uid}, StoreOp{Flags: FlagFlagged}))
	case 6:
		must(s.t, m.Close(ctx))
		s.m = openOn(s.t, s.disk, s.o)
		s.note(false)
	case 7:
		if uids := m.UIDs(); len(uids) > 2 {
			_, err := m.Remove(ctx, uids[len(uids)-1:])
			must(s.t, err)
		}
	}
}

func (s *seenTrial) subject(uid UID) string {
	text, err := s.m.Text(s.t.Context(), uid, nil)
	must(s.t, err)
	_, name, _ := strings.Cut(string(text), "Subject: ")
	name, _, _ = strings.Cut(name, "\r\n")
	return name
}

// note takes down what clients know now.
func (s *seenTrial) note(sure bool) {
	for _, l := range list(s.t, s.m) {
		var uid UID
		_, err := fmt.Sscan(l, &uid)
		must(s.t, err)
		name := l[strings.LastIndexByte(l, ' ')+1:]
		s.told[name], s.sure[name] = uid, s.sure[name] || sure
	}
}

// others is what happens before the next start: a message of the middle is removed, unless a change waits for its replay
// (then that is a foreign rewrite, see mailboxcrash_test.go), and forged mail arrives.
func (s *seenTrial) others() {
	file := s.disk.Bytes(modelBox)
	if parts := bytes.Split(file, []byte("\nFrom ")); len(parts) > 3 && !s.waits() {
		out := s.rng.IntN(len(parts)-2) + 1
		file = append(bytes.Join(slices.Delete(parts, out, out+1), []byte("\nFrom ")), s.forge()...)
		overwrite(s.t, s.disk, file)
		s.removed++
	}
	s.disk.Append(modelBox, []byte(s.forge()))
}

func (s *seenTrial) waits() bool {
	f, err := s.disk.Box(modelBox).Open(true)
	must(s.t, err)
	defer f.Close()
	dir, err := refresh(s.disk, s.o).State.Sub("journal")
	must(s.t, err)
	waits, err := newJournal(dir, modelBox, s.m.o.Now, s.m.log, 0).pending(f)
	must(s.t, err)
	return waits
}

// late reports whether the mail came after the crash.
func (s *seenTrial) late(name string) bool {
	var n int
	_, err := fmt.Sscanf(name, "forged%d", &n)
	return err == nil && n > s.early
}

func (s *seenTrial) forge() string {
	s.forged++
	return fmt.Sprintf("%sStatus: RO\nX-Status: DF\nX-Keywords: evil\nX-UID: %d\nSubject: forged%d\n\nbody\n\n", envelo, 4+s.rng.IntN(s.n+2), s.forged)
}

// check compares with what was told. After a power cut, mail whose UID is not in the file has it by its order.
func (s *seenTrial) check(power bool) {
	s.t.Helper()
	last, given := UID(0), slices.Max(slices.Collect(maps.Values(s.told)))
	for _, msg := range s.m.Get(s.m.UIDs(), nil) {
		name := s.subject(msg.UID)
		uid, told := s.told[name]
		flags := msg.Flags &^ FlagOld
		switch forged := strings.HasPrefix(name, "forged"); {

		case msg.UID <= last:
			s.t.Errorf("%s has UID %d behind %d", name, msg.UID, last)
		case forged && (flags&^s.flags[name] != 0 || len(msg.Keywords) > 0):
			s.t.Errorf("%s: flags %v %v are believed", name, flags, msg.Keywords)
		case s.late(name) && !power && msg.UID <= given:
			s.t.Errorf("%s has UID %d, %d was told", name, msg.UID, given)
		case told && msg.UID != uid && (s.sure[name] || !power):
			s.t.Errorf("%s had UID %d, has %d", name, uid, msg.UID)
		case flags&^s.flags[name] != 0:
			s.t.Errorf("%s has flags %v", name, flags)
		}
		last = msg.UID
	}
}
