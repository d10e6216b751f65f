package mboxstore

import (
	"slices"
	"sort"
	"time"
)

// Message is what the index knows of one message, as a copy.
type Message struct {
	UID        UID
	Flags      Flags
	Keywords   []string // in the order of the mailbox's list; shared, not to be changed
	Size       int64    // RFC822.SIZE: octets of the message as served
	HeaderSize int64    // octets of its header as served, with the blank line
	ModSeq     uint64

	date int64 // seconds since 1970
	zone int16 // minutes east of UTC
}

// InternalDate is the date of the separator line with its zone (RFC 9051 §2.3.3).
func (m *Message) InternalDate() time.Time {
	return time.Unix(m.date, 0).In(time.FixedZone("", int(m.zone)*60))
}

// record is one message of the index: what clients see, what the file says, and where.
type record struct {
	Message
	onFile  fileState
	since   uint64 // modseq at which the message came
	off     int64  // of the separator
	end     int64  // of the text; a blank line may follow
	digest  uint64
	text    uint32 // digest of the text
	fromLen int32
	hdrLen  int32 // with the blank line
	intOff  int32 // the internal lines, relative to the header; intLen 0: none
	intLen  int32
	split   bool // internal lines stand in several places
	blank   bool // the header ends in a blank line
	bogus   bool // what the file says of this message is not believed: to be neutralised
	stray   bool // it has a base line though it is not the first message: to be taken away

	listed    bool // known by its digests only, from the list behind the mark (seen.go)
	displaced bool // it stands where its UID does not belong: the next plan moves it (displaced.go)
}

// fileState is what the status headers in the file say of a message.
type fileState struct {
	flags    Flags
	keywords []string
	uid      UID
}

func (r *record) header() int64 { return r.off + int64(r.fromLen) }
func (r *record) body() int64   { return r.header() + int64(r.hdrLen) }

// pending reports whether the file does not yet say what clients were told.
func (r *record) pending() bool {
	return r.bogus || r.stray || r.onFile.uid != r.UID || r.flagsPending() || r.Flags != r.onFile.flags
}

// flagsPending leaves out \Recent, which is nobody's loss.
func (r *record) flagsPending() bool {
	known := r.believed()
	return (r.Flags^known.flags)&^FlagOld != 0 || !slices.Equal(r.Keywords, known.keywords)
}

// believed is what the file says of a message, as far as that is believed.
func (r *record) believed() fileState {
	if r.bogus {
		return fileState{}
	}
	return r.onFile
}

// index is the state of one mailbox, guarded by Mailbox.mu.
type index struct {
	records []record
	uids    []UID // of records; replaced, never changed, so that sessions may keep it
	base    Base  // UIDVALIDITY, last UID given, keywords
	onFile  Base  // as the file has it; UIDValidity 0: not there
	pseudo  *record
	end     int64  // of the mail: NULs may follow; the next append begins here
	resume  int64  // where a scan for new mail begins: end, or the last separator when that message is not closed
	glue    string // to be written at end before the next separator
	modseq  uint64
	log     []change // what came or changed, ascending modseq
	logFrom uint64   // changes up to here have been dropped from log
	gone    []change // what was expunged, never dropped
	claimed map[UID]bool
	grew    uint64 // modseq at which the keyword list grew last
	lost    uint64 // modseq at which UIDVALIDITY changed last
	words   *interner

	displaced int  // records that are
	wide      bool // some separators are only Dovecot's (widefrom.go)
}

// change is one entry of the log of what happened to a message.
type change struct {
	modseq uint64
	uid    UID
}

type changeKind uint8

const (
	cameOrChanged changeKind = iota
	expunged
)

const maxChanges = 1 << 16 // beyond that the records themselves are asked

func (x *index) setEnd(s *scanned) { x.end, x.resume, x.glue, x.wide = s.end, s.resume, s.glue, s.wide }

func (x *index) find(uid UID) (int, bool) { return slices.BinarySearch(x.uids, uid) }

func (x *index) bump(kind changeKind, uids ...UID) {
	x.modseq++
	list := &x.log
	if kind == expunged {
		list = &x.gone
	}
	for _, u := range uids {
		*list = append(*list, change{x.modseq, u})
	}
	if over := len(x.log) - maxChanges; over > maxChanges {
		x.logFrom = x.log[over-1].modseq
		x.log = append([]change(nil), x.log[over:]...)
	}
}

func (x *index) setRecords(records []record) {
	x.records = records
	x.uids = make([]UID, len(records))
	x.displaced = 0
	for i := range records {
		x.uids[i] = records[i].UID
		if records[i].displaced {
			x.displaced++
		}
	}
}

// Status is a summary of a mailbox.
type Status struct {
	Messages, Recent, Unseen, Deleted int
	FirstUnseen                       int   // sequence number, 0: none
	Size                              int64 // octets of all messages as served
	DeletedStored                     int64 // octets that the \Deleted ones have in the file
	UIDNext, UIDValidity              uint32
	ModSeq                            uint64
	Keywords                          []string // shared, not to be changed
}

// Status counts the messages. Recent counts those that no session has claimed.
func (m *Mailbox) Status() Status {
	m.mu.RLock()
	defer m.mu.RUnlock()
	x := &m.index
	s := Status{
		Messages: len(x.records), UIDNext: x.base.LastUID + 1, UIDValidity: x.base.UIDValidity,
		ModSeq: x.modseq, Keywords: x.base.Keywords,
	}
	for i := range x.records {
		s.count(&x.records[i], i, x.claimed)
	}
	return s
}

func (s *Status) count(r *record, i int, claimed map[UID]bool) {
	s.Size += r.Size
	if r.Flags&FlagOld == 0 && !claimed[r.UID] {
		s.Recent++
	}
	if r.Flags&FlagDeleted != 0 {
		s.Deleted++
		s.DeletedStored += r.end - r.off
	}
	if r.Flags&FlagSeen == 0 {
		s.Unseen++
		if s.FirstUnseen == 0 {
			s.FirstUnseen = i + 1
		}
	}
}

// UIDs lists the messages, ascending. The slice is shared and never changes.
func (m *Mailbox) UIDs() []UID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index.uids
}

// Get appends copies of those of uids (ascending) that still exist.
func (m *Mailbox) Get(uids []UID, dst []Message) []Message {
	m.use()
	m.mu.RLock()
	defer m.mu.RUnlock()
	x, at := &m.index, 0
	for _, u := range uids {
		if at < len(x.uids) && x.uids[at] != u {
			i, ok := slices.BinarySearch(x.uids[at:], u)
			at += i
			if !ok {
				continue
			}
		}
		if at == len(x.uids) {
			break
		}
		dst = append(dst, x.records[at].Message)
		at++
	}
	return dst
}

// Changes tells what happened after an earlier state.
type Changes struct {
	ModSeq   uint64
	Expunged []UID // ascending
	Changed  []UID // flags or keywords, ascending
	New      []UID // ascending
	Keywords bool  // the list of keywords grew
	Lost     bool  // UIDVALIDITY is another one: nothing known of this mailbox holds any more
}

// Changes tells what happened since the state with the given ModSeq, an earlier one of Status or Changes.
// Since 0 all messages are new. A message that came and went in between is not told.
func (m *Mailbox) Changes(since uint64) Changes {
	m.mu.RLock()
	defer m.mu.RUnlock()
	x := &m.index
	c := Changes{ModSeq: x.modseq, Keywords: x.grew > since, Lost: since > 0 && x.lost > since}
	switch {
	case since == x.modseq:
		return c
	case since == 0:
		c.New = x.uids
		return c
	case since < x.logFrom:
		x.changesFromRecords(&c, since)
	default:
		x.changesFromLog(&c, since)
	}
	for _, e := range after(x.gone, since) {
		c.Expunged = append(c.Expunged, e.uid)
	}
	slices.Sort(c.Expunged)
	return c
}

func after(log []change, since uint64) []change {
	return log[sort.Search(len(log), func(i int) bool { return log[i].modseq > since }):]
}

func (x *index) changesFromRecords(c *Changes, since uint64) {
	for i := range x.records {
		c.sort(&x.records[i], since)
	}
}

func (x *index) changesFromLog(c *Changes, since uint64) {
	seen := map[UID]bool{}
	for _, e := range after(x.log, since) {
		if i, ok := x.find(e.uid); ok && !seen[e.uid] {
			seen[e.uid] = true
			c.sort(&x.records[i], since)
		}
	}
	slices.Sort(c.New)
	slices.Sort(c.Changed)
}

func (c *Changes) sort(r *record, since uint64) {
	switch {
	case r.since > since:
		c.New = append(c.New, r.UID)
	case r.ModSeq > since:
		c.Changed = append(c.Changed, r.UID)
	}
}

// ClaimRecent claims those of uids that are recent (no O in the file) and that no session has claimed yet, and
// returns them: the caller is the one session to which they are \Recent (RFC 3501 §2.3.2).
func (m *Mailbox) ClaimRecent(uids []UID) []UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var mine []UID
	x := &m.index
	for _, u := range uids {
		i, ok := x.find(u)
		if !ok || x.records[i].Flags&FlagOld != 0 || x.claimed[u] {
			continue
		}
		mine = append(mine, u)
		if m.readOnly() {
			x.claim(u)
			continue
		}
		x.records[i].Flags |= FlagOld
	}
	if len(mine) > 0 && !m.readOnly() {
		m.flush.later(lazy)
	}
	return mine
}

// claim remembers that a message of a mailbox that we may not write is no longer recent.
func (x *index) claim(u UID) {
	if x.claimed == nil {
		x.claimed = map[UID]bool{}
	}
	x.claimed[u] = true
}
