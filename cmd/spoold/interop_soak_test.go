package main_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The soak: eight sessions of one user work on one INBOX at random while agents deliver
// into it. Each message carries its number and a checksum of itself. A ledger books what
// was acknowledged; at the end every message must be accounted for: none lost, none
// doubled, none with another UID than it ever had.

const (
	soakSessions = 8
	soakAgents   = 2
	soakInitial  = 50
)

// soakTime is how long; SPOOLD_SOAK sets it.
func soakTime(t testing.TB) time.Duration {
	t.Helper()
	s := os.Getenv("SPOOLD_SOAK")
	switch {
	case s == "" && os.Getenv("SPOOLD_INTEROP") == "1":
		return time.Minute
	case s == "":
		return 5 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("SPOOLD_SOAK: %v", err)
	}
	return d
}

func TestSoak(t *testing.T) {
	runSoak(t, deliver)
}

func TestInteropSoakProcmail(t *testing.T) {
	needs(t, "procmail")
	runSoak(t, procmail(t))
}

// procmail delivers by procmail.
func procmail(t testing.TB) func(path, message string) error {
	home := homeFolder(t, mailOwner())
	return func(path, message string) error {
		rc := filepath.Join(home, filepath.Base(path)+".rc")
		if _, err := os.Stat(rc); err != nil {
			writeFile(t, mailOwner(), rc, []byte("LOCKSLEEP=1\nLOCKTIMEOUT=60\n:0:\n"+path+"\n"))
		}
		cmd := mailOwner().command(home, "procmail", "-m", rc)
		cmd.Stdin = strings.NewReader("From mda@example.org " + time.Now().UTC().Format(time.ANSIC) + "\n" + message)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("procmail: %w\n%s", err, out)
		}
		return nil
	}
}

// ledger books what is promised about each message, by its number.
type ledger struct {
	mu       sync.Mutex
	next     int
	expected map[int]bool            // delivered or appended, acknowledged
	doomed   map[uint32]bool         // UIDs that were told to be \Deleted: they may go
	gone     map[uint32]bool         // UIDs whose expunge was acknowledged
	byUID    map[uint32]int          // which message a UID is
	keyword  map[uint32]map[int]word // last acknowledged state of each session's own keyword
	copies   map[uint32]int          // UIDs in the other folder
	ops      map[string]int
	failures []string
	crash    *crashBook // not nil: the server may end at any instant, or be refused what it needs

	uidOf   map[int]uint32 // which UID a message is
	user    string         // whose mailboxes these are
	rivals  bool           // other programs rewrite the mailbox too: they may have it for themselves for a time
	refused map[int]bool   // refused for good when they were to be delivered or appended: they may not be there
	taken   map[int]bool   // other programs were told to remove them: they may go
	removed map[int]bool   // other programs said that they did

	mayShrink sync.RWMutex // held by a session while the file may become smaller, and by who cannot have that for a time
}

// word is a keyword that was set or removed, and when that was acknowledged.
type word struct {
	on bool
	at time.Time
}

func newLedger() *ledger {
	return &ledger{
		expected: map[int]bool{}, doomed: map[uint32]bool{}, gone: map[uint32]bool{}, byUID: map[uint32]int{},
		keyword: map[uint32]map[int]word{}, copies: map[uint32]int{}, ops: map[string]int{},
		uidOf: map[int]uint32{}, user: "soak", refused: map[int]bool{}, taken: map[int]bool{}, removed: map[int]bool{},
	}
}

// book runs f with the ledger to itself.
func (l *ledger) book(op string, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops[op]++
	f()
}

// fail keeps what went wrong, up to a number that one can read.
func (l *ledger) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 20 {
		l.failures = append(l.failures, fmt.Sprintf(format, args...))
	}
}

// newMessage is the next message: its number, and its text with LF line ends.
func (l *ledger) newMessage(r *rand.Rand) (id int, text string) {
	l.mu.Lock()
	l.next++
	id = l.next
	l.mu.Unlock()
	var body strings.Builder
	for range r.IntN(60) {
		body.WriteString(strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(70)) + "\n")
	}
	if r.IntN(4) == 0 {
		body.WriteString("\nFrom the other side\n\n\n")
	}
	if l.crash != nil {
		l.crash.fill(&body, r)
	}
	body.WriteString("end\n")
	return id, fmt.Sprintf("Subject: soak %d.\nMessage-ID: <%[1]d@soak.example.org>\nX-Soak: %[1]d %s\n\n%s", id, soakSum(id, body.String()), body.String())
}

// soakSum does not depend on line ends and on the quoting of From_ lines.
func soakSum(id int, body string) string {
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\n>From ", "\nFrom ")
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d %s", id, body)))[:16]
}

var soakField = regexp.MustCompile(`(?m)^X-Soak: (\d+) ([0-9a-f]{16})\r?$`)

// soakID is the number of a whole message, 0 when it is not as it was sent.
func soakID(text string) int {
	m := soakField.FindStringSubmatch(text)
	_, body, ok := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	if m == nil || !ok || soakSum(int(number(m[1])), body) != m[2] {
		return 0
	}
	return int(number(m[1]))
}

// see books that a UID is a message, for ever, and that the message has no other.
func (l *ledger) see(uid uint32, id int) {
	l.mu.Lock()
	before, known := l.byUID[uid]
	other, seen := l.uidOf[id]
	l.byUID[uid], l.uidOf[id] = id, uid
	l.mu.Unlock()
	if known && before != id {
		l.fail("UID %d was message %d and is now %d", uid, before, id)
	}
	if seen && other != uid {
		l.fail("message %d had UID %d and has now %d", id, other, uid)
	}
}

func runSoak(t *testing.T, deliver func(path, message string) error) {
	h := newHost(t, "soak")
	l := newLedger()
	h.put("soak", "INBOX", soakMailbox(l))
	h.serve()
	validity := soakSetup(h)
	l.work(h, time.Now().Add(soakTime(t)), 1, deliver).Wait()
	t.Logf("%v", l.ops)
	l.account(t, h, validity)
}

// soakSetup makes the folder for copies and returns the UIDVALIDITY of the INBOX.
func soakSetup(h *host) uint32 {
	h.t.Helper()
	setup := h.login("soak")
	defer setup.logout()
	setup.ok("CREATE Other")
	return setup.open("SELECT", "INBOX").UIDValidity
}

// work starts the sessions and the agents.
func (l *ledger) work(h *host, end time.Time, seed uint64, deliver func(path, message string) error) *sync.WaitGroup {
	var wg sync.WaitGroup
	l.startSessions(&wg, h, end, seed, soakSessions)
	l.startAgents(&wg, h, end, seed, deliver)
	return &wg
}

func (l *ledger) startSessions(wg *sync.WaitGroup, h *host, end time.Time, seed uint64, n int) {
	for i := range n {
		w := &soakWorker{ledger: l, client: h.login("soak"), me: i, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(func() { w.run(end) })
	}
}

func (l *ledger) startAgents(wg *sync.WaitGroup, h *host, end time.Time, seed uint64, deliver func(path, message string) error) {
	for i := range soakAgents {
		r := rand.New(rand.NewPCG(seed+1<<32, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(end) && !l.halted() {
				id, text := l.newMessage(r)
				err := deliver(h.file("soak", "INBOX"), text)
				if l.mayFail(err) {
					l.book("delivery refused", func() {})
					continue
				}
				if err != nil {
					l.fail("delivery of %d: %v", id, err)
					return
				}
				l.book("deliver", func() { l.expected[id] = true })
				time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
			}
		})
	}
}

// soakMailbox is what is there before the start.
func soakMailbox(l *ledger) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	var out strings.Builder
	for range soakInitial {
		id, text := l.newMessage(r)
		l.expected[id] = true
		out.WriteString("From mda@example.org Mon Nov  2 10:00:00 2026\n" + strings.ReplaceAll(text, "\nFrom ", "\n>From ") + "\n")
	}
	return []byte(out.String())
}

// account compares the ledger with what is left: by a server that goes on, by one that
// was started again, and by one that has lost its state directory after a clean end.
func (l *ledger) account(t *testing.T, h *host, validity uint32) {
	t.Helper()
	for _, f := range l.failures {
		t.Error(f)
	}
	c := h.login(l.user)
	first := c.read("SELECT", "INBOX")
	for i := range first.Mails {
		first.Mails[i].Recent = false // it ends with this session
	}
	l.checkInbox(t, l.sure(), first.Mails)
	l.checkOther(t, c.read("SELECT", "Other").Mails)
	c.logout()

	for _, when := range []string{"after a restart", "after a restart without the state directory"} {
		h.stop(syscall.SIGTERM)
		if strings.Contains(when, "without") {
			if err := os.RemoveAll(filepath.Join(h.states, l.user)); err != nil {
				t.Fatal(err)
			}
		}
		h.serve()
		c := h.login(l.user)
		again := c.read("SELECT", "INBOX")
		if again.UIDValidity != validity || again.Recent != 0 {
			t.Errorf("%s: UIDVALIDITY %d, was %d; %d recent", when, again.UIDValidity, validity, again.Recent)
		}
		if diff := cmp.Diff(first.Mails, again.Mails); diff != "" {
			t.Errorf("%s (-before +now):\n%.4000s", when, diff)
		}
		c.logout()
	}
	h.stop(syscall.SIGTERM)
	if _, err := exec.LookPath(mailutil); err == nil {
		theirs := asReadBy("c-client", readCclient(t, readFile(t, h.file(l.user, "INBOX"))))
		ours := reading{UIDValidity: validity, Mails: first.Mails}
		if aspects, detail := differences(ours, theirs, time.Time{}.Add(1<<62)); len(aspects) > 0 {
			t.Errorf("c-client reads other %v (-spoold +c-client):\n%.4000s", aspects, detail)
		}
	}
}

// sure are the messages that must be there now, unless they were expunged.
func (l *ledger) sure() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.expected))
}

// checkInbox compares what is there with what was sure before it was read.
func (l *ledger) checkInbox(t *testing.T, sure []int, mails []mail) {
	t.Helper()
	uidOf := map[int]uint32{}
	for _, m := range mails {
		id := soakID(m.Text)
		if id == 0 && l.mayBeTorn(m.Text) {
			continue
		}
		if id == 0 {
			t.Errorf("UID %d is damaged:\n%.2000s", m.UID, m.Text)
			continue
		}
		if other, ok := uidOf[id]; ok {
			t.Errorf("message %d is there twice, UIDs %d and %d", id, other, m.UID)
		}
		uidOf[id] = m.UID
		l.see(m.UID, id)
		if l.gone[m.UID] {
			t.Errorf("UID %d is there though its expunge was acknowledged", m.UID)
		}
		if l.removed[id] || l.refused[id] {
			t.Errorf("message %d is there though another program removed it (%v) or it was refused (%v)", id, l.removed[id], l.refused[id])
		}
		for session, want := range l.keyword[m.UID] {
			if got := slices.Contains(m.Flags, soakKeyword(session)); got != want.on {
				t.Errorf("UID %d: keyword of session %d is %v, acknowledged was %v %v ago", m.UID, session, got, want.on, time.Since(want.at))
			}
		}
	}
	mayBeGone := maps.Clone(l.taken)
	for uid := range l.doomed {
		mayBeGone[l.byUID[uid]] = true
	}
	for _, id := range sure {
		if _, there := uidOf[id]; !there && !mayBeGone[id] {
			t.Errorf("message %d is lost", id)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.failures {
		t.Error(f)
	}
}

func (l *ledger) checkOther(t *testing.T, mails []mail) {
	t.Helper()
	got := map[uint32]int{}
	for _, m := range mails {
		got[m.UID] = soakID(m.Text)
	}
	if l.crash != nil {
		maps.DeleteFunc(got, func(uid uint32, id int) bool { return id != 0 && l.copies[uid] == 0 })
	}
	if diff := cmp.Diff(l.copies, got); diff != "" {
		t.Errorf("copies by UID (-acknowledged +there):\n%.4000s", diff)
	}
}

func soakKeyword(session int) string { return fmt.Sprintf("S%d", session) }
