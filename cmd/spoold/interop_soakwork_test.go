package main_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// soakWorker is one of the sessions. It keeps its own view of the mailbox by the untagged
// responses, as a client does, and complains when they do not add up.
type soakWorker struct {
	*ledger
	client *client
	me     int
	rand   *rand.Rand
	view   []uint32 // UID by sequence number, 0 when not told yet
	told   map[uint32]bool
	pace   time.Duration // the longest pause between two commands
}

// task is something that a session does, more often the more it weighs.
type task struct {
	weight int
	do     func() error
}

func (w *soakWorker) tasks() []task {
	if w.crash != nil {
		return w.crashTasks()
	}
	return []task{
		{20, w.fetchOne},
		{10, w.store},
		{10, w.keywordOnOff},
		{6, w.appendOne},
		{4, w.doom},
		{3, w.expungeOne},
		{2, w.expungeAll},
		{3, w.copyOne},
		{2, w.moveOne},
		{6, w.noop},
		{2, w.idle},
		{1, w.reselect},
		{2, w.search},
	}
}

// run works until the end and logs out.
func (w *soakWorker) run(end time.Time) {
	defer w.client.close()
	work := w.tasks()
	total := 0
	for _, k := range work {
		total += k.weight
	}
	err := w.reselect()
	for goesOn(err) && time.Now().Before(end) && !w.halted() {
		n := w.rand.IntN(total)
		for _, k := range work {
			if n -= k.weight; n < 0 {
				err = k.do()
				break
			}
		}
		if w.pace > 0 {
			time.Sleep(rand.N(w.pace))
		}
	}
	if goesOn(err) {
		_, err = w.client.try("LOGOUT")
	}
	if err != nil && !w.mayDie() {
		w.fail("session %d: %v", w.me, err)
	}
}

func goesOn(err error) bool {
	return err == nil || errors.Is(err, errGone) || errors.Is(err, errRefused)
}

// send runs a command that must succeed and follows its untagged responses.
func (w *soakWorker) send(format string, args ...any) (answer, error) {
	a, err := w.client.try(fmt.Sprintf(format, args...))
	if err != nil {
		return a, err
	}
	for _, l := range a.lines {
		w.follow(l)
	}
	switch {
	case a.status == "OK":
		return a, nil
	case a.status == "NO" && code(a.text) == "EXPUNGEISSUED": // another session was faster (RFC 5530)
		w.book("expunge issued", func() {})
		if _, err := w.send("NOOP"); err != nil {
			return a, err
		}
		return a, errGone
	case a.status == "NO" && w.mayRefuse(code(a.text)):
		w.book("refused", func() {})
		return a, errRefused
	case w.rivals && a.status == "NO" && code(a.text) == "INUSE":
		w.book("in use", func() {})
		return a, errInUse
	}
	return a, fmt.Errorf("%.80q: %s %s", fmt.Sprintf(format, args...), a.status, a.text)
}

// errGone is the answer to a command on messages of which some were just expunged.
var errGone = errors.New("expunged meanwhile")

// errRefused is the answer to a command for which there is no room.
var (
	errRefused = errors.New("refused")
	// errInUse is the answer to a command that another program does not let through for so long.
	errInUse = fmt.Errorf("in use: %w", errGone)
)

// mayGo says whether somebody was told to remove a message, as far as one can know which it was.
func (l *ledger) mayGo(uid uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, known := l.byUID[uid]
	return uid == 0 || l.doomed[uid] || l.taken[id] || !known && len(l.taken) > 0
}

// follow keeps the view in step with one response.
func (w *soakWorker) follow(l response) {
	if len(l.fields) < 2 {
		return
	}
	n := int(number(l.fields[0]))
	switch l.fields[1] {
	case "EXPUNGE":
		if n < 1 || n > len(w.view) {
			w.fail("session %d: %s with %d messages", w.me, l.raw, len(w.view))
			return
		}
		uid := w.view[n-1]
		w.book("told gone", func() {})
		if !w.mayGo(uid) {
			w.fail("session %d: UID %d was expunged and nobody had asked for that", w.me, uid)
		}
		w.view = slices.Delete(w.view, n-1, n)
	case "EXISTS":
		if n < len(w.view) {
			w.fail("session %d: %s with %d messages", w.me, l.raw, len(w.view))
			return
		}
		for len(w.view) < n {
			w.view = append(w.view, 0)
		}
	case "FETCH":
		w.followFetch(n, l)
	}
}

func (w *soakWorker) followFetch(n int, l response) {
	m := parseFetch(l.fields)
	if n < 1 || n > len(w.view) {
		w.fail("session %d: %.100s with %d messages", w.me, l.raw, len(w.view))
		return
	}
	if m.UID == 0 {
		return
	}
	if known := w.view[n-1]; known != 0 && known != m.UID {
		w.fail("session %d: message %d had UID %d and now %d", w.me, n, known, m.UID)
	}
	w.view[n-1] = m.UID
	w.told[m.UID] = true
	if m.Text != "" {
		if id := soakID(m.Text); id == 0 {
			end := m.Text[max(0, len(m.Text)-300):]
			w.fail("session %d: UID %d is damaged (%d octets, the last are %q):\n%.1000s", w.me, m.UID, len(m.Text), end, m.Text)
		} else {
			w.see(m.UID, id)
		}
	}
}

// any is the UID of some message; ok is false when none is known.
func (w *soakWorker) any() (uid uint32, ok bool) {
	if len(w.view) == 0 {
		return 0, false
	}
	uid = w.view[w.rand.IntN(len(w.view))]
	return uid, uid != 0
}

// pickOne runs f on the UID of some message, or asks for the UIDs first.
func (w *soakWorker) pickOne(f func(uid uint32) error) error {
	uid, ok := w.any()
	if !ok {
		_, err := w.send("FETCH 1:* (UID)")
		if len(w.view) == 0 {
			return w.noop()
		}
		return err
	}
	return f(uid)
}

func (w *soakWorker) reselect() error {
	w.view, w.told = nil, map[uint32]bool{}
	a, err := w.send("SELECT INBOX")
	if err != nil {
		return err
	}
	if n, _ := a.counted("EXISTS"); n > 0 {
		_, err = w.send("UID FETCH 1:* (UID FLAGS)")
	}
	w.book("select", func() {})
	return err
}

func (w *soakWorker) noop() error {
	_, err := w.send("NOOP")
	w.book("noop", func() {})
	return err
}

// fetchOne reads a message whole: the ledger compares it with what it ever was.
func (w *soakWorker) fetchOne() error {
	return w.pickOne(func(uid uint32) error {
		_, err := w.send("UID FETCH %d (UID FLAGS BODY.PEEK[])", uid)
		w.book("fetch", func() {})
		return err
	})
}

func (w *soakWorker) store() error {
	return w.pickOne(func(uid uint32) error {
		sign := []string{"+", "-"}[w.rand.IntN(2)]
		flag := []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`}[w.rand.IntN(4)]
		_, err := w.send("UID STORE %d %sFLAGS (%s)", uid, sign, flag)
		w.book("store", func() {})
		return err
	})
}

// keywordOnOff turns this session's own keyword on or off: nobody else may undo that.
func (w *soakWorker) keywordOnOff() error {
	return w.pickOne(func(uid uint32) error {
		on := w.rand.IntN(2) == 0
		sign := map[bool]string{true: "+", false: "-"}[on]
		w.book("keyword", func() { delete(w.keyword[uid], w.me) }) // either, until it is acknowledged
		_, err := w.send("UID STORE %d %sFLAGS.SILENT (%s)", uid, sign, soakKeyword(w.me))
		if err == nil {
			w.book("keyword", func() {
				if w.keyword[uid] == nil {
					w.keyword[uid] = map[int]word{}
				}
				w.keyword[uid][w.me] = word{on, time.Now()}
			})
		}
		return err
	})
}

func (w *soakWorker) appendOne() error {
	id, text := w.newMessage(w.rand)
	text = strings.ReplaceAll(text, "\n", "\r\n")
	w.mayShrink.RLock() // it cuts off blank lines first
	a, err := w.send("APPEND INBOX (\\Seen) {%d+}\r\n%s", len(text), text)
	w.mayShrink.RUnlock()
	if errors.Is(err, errInUse) {
		w.book("append refused", func() { w.refused[id] = true })
	}
	if err != nil {
		return err
	}
	var validity, uid uint32
	if _, err := fmt.Sscanf(code(a.text), "APPENDUID %d %d", &validity, &uid); err != nil {
		return fmt.Errorf("APPEND: %s: %w", a.text, err)
	}
	w.book("append", func() { w.expected[id] = true })
	w.see(uid, id)
	return nil
}

// markDeleted sets \Deleted; from then on any session's EXPUNGE may remove it.
func (w *soakWorker) markDeleted(uid uint32) error {
	if err := w.learn(uid); err != nil {
		return err
	}
	w.book("doom", func() { w.doomed[uid] = true })
	w.deleting(uid)
	_, err := w.send(`UID STORE %d +FLAGS (\Deleted)`, uid)
	return err
}

// learn makes sure that the ledger knows which message a UID is before it may go.
func (w *soakWorker) learn(uid uint32) error {
	w.mu.Lock()
	_, known := w.byUID[uid]
	w.mu.Unlock()
	if known {
		return nil
	}
	_, err := w.send("UID FETCH %d (UID BODY.PEEK[])", uid)
	return err
}

func (w *soakWorker) doom() error { return w.pickOne(w.markDeleted) }

func (w *soakWorker) expungeOne() error {
	return w.pickOne(func(uid uint32) error {
		if err := w.markDeleted(uid); err != nil {
			return err
		}
		w.mayShrink.RLock()
		defer w.mayShrink.RUnlock()
		_, err := w.send("UID EXPUNGE %d", uid)
		if err != nil {
			return err
		}
		if slices.Contains(w.view, uid) {
			return w.stays(uid)
		}
		w.book("uid expunge", func() { w.gone[uid] = true })
		return nil
	})
}

// stays is for a message that UID EXPUNGE left where it is. Another program may have taken \Deleted from it: mutt
// overwrites flags that were set while it had the mailbox open.
func (w *soakWorker) stays(uid uint32) error {
	w.book("not expunged", func() {})
	if !w.rivals {
		w.fail("session %d: UID %d was not expunged", w.me, uid)
	}
	return nil
}

func (w *soakWorker) expungeAll() error {
	w.mayShrink.RLock()
	defer w.mayShrink.RUnlock()
	_, err := w.send("EXPUNGE")
	w.book("expunge", func() {})
	return err
}

// copyOne copies to the folder that nobody has selected; COPYUID says where it went.
func (w *soakWorker) copyOne() error {
	return w.pickOne(func(uid uint32) error {
		if err := w.learn(uid); err != nil {
			return err
		}
		w.copying(uid)
		a, err := w.send("UID COPY %d Other", uid)
		if err == nil {
			w.bookCopy("copy", uid, a.text)
		}
		return err
	})
}

func (w *soakWorker) moveOne() error {
	return w.pickOne(func(uid uint32) error {
		if err := w.learn(uid); err != nil {
			return err
		}
		w.book("move", func() { w.doomed[uid] = true })
		w.moving(uid)
		w.mayShrink.RLock()
		defer w.mayShrink.RUnlock()
		a, err := w.send("UID MOVE %d Other", uid)
		if err != nil {
			return err
		}
		text := a.text
		if moved, ok := a.untagged("COPYUID"); ok {
			text = "[COPYUID " + moved + "]"
		}
		if w.bookCopy("moved", uid, text) {
			w.book("gone", func() { w.gone[uid] = true })
		}
		return nil
	})
}

// bookCopy books the copy that a COPYUID code tells; there is none when another session
// expunged the message before.
func (w *soakWorker) bookCopy(op string, uid uint32, text string) bool {
	var validity, from, to uint32
	if _, err := fmt.Sscanf(code(text), "COPYUID %d %d %d", &validity, &from, &to); err != nil || from != uid {
		w.book(op+" of none", func() {})
		return false
	}
	w.book(op, func() { w.copies[to] = w.byUID[uid] })
	return true
}

// idle waits a moment for what others do.
func (w *soakWorker) idle() error {
	c := w.client
	c.tag++
	tag := fmt.Sprintf("t%d", c.tag)
	if _, err := fmt.Fprintf(c.w, "%s IDLE\r\n", tag); err != nil {
		return err
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return fmt.Errorf("IDLE: %w", err)
		}
		if strings.HasPrefix(line, "+") {
			break
		}
		w.follow(parseResponse(line))
	}
	time.Sleep(time.Duration(w.rand.IntN(100)) * time.Millisecond)
	if _, err := fmt.Fprint(c.w, "DONE\r\n"); err != nil {
		return err
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return fmt.Errorf("DONE: %w", err)
		}
		if strings.HasPrefix(line, tag+" ") {
			w.book("idle", func() {})
			return nil
		}
		w.follow(parseResponse(line))
	}
}

func (w *soakWorker) search() error {
	a, err := w.send("UID SEARCH KEYWORD %s", soakKeyword(w.me))
	for _, uid := range a.search() {
		if !w.told[uid] && !slices.Contains(w.view, 0) {
			w.fail("session %d: SEARCH finds UID %d, which it was never told", w.me, uid)
		}
	}
	w.book("search", func() {})
	return err
}
