package mboxstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"spoold/spool"
)

// The mark of an inbox says how far its mail was looked at, not which messages that were: others may remove some after a
// crash, and what was delivered since comes to stand among ours. So each message that gets a UID is listed behind the
// mark, in the same file, with the digests by which it is found again; until the index cache, which knows it too, has
// been saved durably. After a crash the listed messages are known ones, wherever they stand, and all others are
// deliveries (promise 7).
type seenList struct {
	messages map[UID]seenEntry // listed, and not expunged since
	fresh    []seenEntry       // not written yet
	written  uint32            // entries in the file
	from     UID               // the last one that the cache knows
	last     UID               // the last one of the list, expunged or not
	gen      uint32            // of the list: entries of an earlier one may still be in the file
	whole    bool              // it tells of every message that got a UID since the cache was saved durably
	due      bool              // the cache is to be saved, so that there is a whole list
	shared   bool              // another process writes the mark, too
}

// seenEntry says that a message got its UID, or that it is gone.
type seenEntry struct {
	uid     UID
	key     digestKey
	guessed bool  // its sender has written the UID that it got, and these flags
	flags   Flags // of a guessed one
}

const (
	seenOff      = sectorSize // of the entries in the mark's file
	seenLen      = 32         // none crosses a sector
	seenSize     = 1<<48 - 1  // what there is room for: behind it stand the flags
	maxSeen      = 4096
	seenNowhere  = 1<<32 - 1 // where a list begins that is not whole
	sizeUnknown  = -1        // of a message that is about to be appended
	sizeOfNobody = -2        // the message is gone
)

// encode gives an entry of the list that began with k.
func (e *seenEntry) encode(k mark) []byte {
	b, guessed := make([]byte, 0, seenLen), uint64(0)
	if e.guessed {
		guessed = 1
	}
	b = binary.LittleEndian.AppendUint32(b, k.gen)
	b = binary.LittleEndian.AppendUint32(b, e.uid)
	b = binary.LittleEndian.AppendUint64(b, e.key.header)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.key.size)&seenSize|uint64(e.flags)<<48|guessed<<56)
	b = binary.LittleEndian.AppendUint32(b, e.key.text)
	return binary.LittleEndian.AppendUint32(b, crc32.Update(k.uidValidity, castagnoli, b))
}

func decodeSeen(b []byte, k mark) (e seenEntry, ok bool) {
	sum := binary.LittleEndian.Uint32(b[seenLen-4:])
	if binary.LittleEndian.Uint32(b) != k.gen || crc32.Update(k.uidValidity, castagnoli, b[:seenLen-4]) != sum {
		return e, false
	}
	e.uid = binary.LittleEndian.Uint32(b[4:])
	size := binary.LittleEndian.Uint64(b[16:])
	e.guessed, e.flags = size>>56 == 1, Flags(size>>48)
	e.key = digestKey{binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint32(b[24:]), int64(size<<16) >> 16}
	return e, true
}

// load reads the list that belongs to the mark k. After a power cut the last entries, which were not durable, may be
// missing. None of their messages has its UID in the file then: they get them by their order, as when they were told.
func (l *seenList) load(f spool.File, k mark) error {
	l.gen = k.gen
	if k.listedFrom == seenNowhere {
		return nil
	}
	b := make([]byte, maxSeen*seenLen)
	n, err := f.ReadAt(b, seenOff)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	l.messages = map[UID]seenEntry{}
	for b = b[:n]; len(b) >= seenLen; b = b[seenLen:] {
		e, ok := decodeSeen(b, k)
		if !ok {
			break
		}
		l.enter(e)
		l.written++
	}
	l.from, l.last, l.whole, l.due = k.listedFrom, max(k.listedFrom, l.last), true, false
	return nil
}

func (l *seenList) enter(e seenEntry) {
	l.last = max(l.last, e.uid)
	if e.key.size == sizeOfNobody {
		delete(l.messages, e.uid)
	} else {
		l.messages[e.uid] = e
	}
}

// add lists what is to be written with the next mark.
func (l *seenList) add(e seenEntry) {
	if _, known := l.messages[e.uid]; !l.whole || e.key.size == sizeOfNobody && !known {
		return
	}
	if int(l.written)+len(l.fresh) == maxSeen {
		l.lose()
		return
	}
	l.enter(e)
	l.fresh = append(l.fresh, e)
}

// lose gives the list up until the cache has been saved.
func (l *seenList) lose() {
	*l = seenList{gen: l.gen, shared: l.shared, due: !l.shared}
}

// restart begins a new list: the cache has been saved durably, and knows the UIDs up to last.
func (l *seenList) restart(last UID) {
	*l = seenList{gen: l.gen + 1, from: last, last: last, shared: l.shared, whole: !l.shared, messages: map[UID]seenEntry{}}
}

// flush writes what has been added since the last mark k.
func (l *seenList) flush(f spool.File, k mark) error {
	if len(l.fresh) == 0 {
		return nil
	}
	k.gen = l.gen
	var b []byte
	for i := range l.fresh {
		b = append(b, l.fresh[i].encode(k)...)
	}
	if _, err := f.WriteAt(b, seenOff+int64(l.written)*seenLen); err != nil {
		return err
	}
	l.written += uint32(len(l.fresh))
	l.fresh = nil
	return nil
}

// start is what the mark says of the list.
func (l *seenList) start() UID {
	if !l.whole {
		return seenNowhere
	}
	return l.from
}

// above lists the messages above last as the index would know them, ascending.
func (l *seenList) above(last UID) []record {
	var list []record
	for uid, e := range l.messages {
		if uid > last {
			list = append(list, record{
				Message: Message{UID: uid, Size: e.key.size}, digest: e.key.header, text: e.key.text, off: -1,
				onFile: fileState{flags: e.flags, uid: uid}, bogus: e.guessed, listed: true,
			})
		}
	}
	slices.SortFunc(list, func(a, b record) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

// listAhead lists the messages of b, which is about to be appended.
func (m *Mailbox) listAhead(b *batch) {
	x := &m.index
	for i := range b.items {
		it := &b.items[i]
		m.seen.add(seenEntry{uid: x.base.LastUID + UID(i) + 1, key: digestKey{it.header, it.digest.solid, sizeUnknown}})
	}
}

// retract takes back what was said ahead of n messages that could not be appended: or the next one would be told a UID
// that a crash forgets.
func (m *Mailbox) retract(n int) {
	last := m.index.base.LastUID
	for i := range n {
		m.unlist([]UID{last + UID(i) + 1})
	}
	m.moveMark(last, m.index.end, true)
}

// list lists those of uids that the index has.
func (m *Mailbox) list(uids ...UID) {
	x := &m.index
	for _, u := range uids {
		if i, ok := x.find(u); ok {
			r := &x.records[i]
			e := seenEntry{uid: u, key: key(r), guessed: r.bogus && r.onFile.uid == u}
			if e.guessed {
				e.flags = r.onFile.flags
			}
			m.seen.add(e)
		}
	}
}

// unlist takes off the list what is gone.
func (m *Mailbox) unlist(uids []UID) {
	for _, u := range uids {
		m.seen.add(seenEntry{uid: u, key: digestKey{size: sizeOfNobody}})
	}
}

// listed gives the listed messages that the index does not know, for it is older than a crash. What they were told to be
// is as certain then as the index itself: no UID up to the last of them is given again.
func (a *adoption) listed() []record {
	m, x := a.m, a.x
	if !m.o.Inbox || a.first || !m.seen.whole || m.mark.uidValidity != x.base.UIDValidity {
		return nil
	}
	a.whole = true
	list := m.seen.above(x.base.LastUID)
	if given := m.seen.last; given > x.base.LastUID {
		x.base.LastUID, a.before.LastUID = given, given
		a.skipped = true
	}
	return list
}
