package mboxstore

import (
	"os"
	"slices"

	"spoold/spool"
)

// told is the last UID that an append was acknowledged with, under which UIDVALIDITY. The base line in the file follows
// within a second. When a crash comes first and another program removes a message then, a UID above the base line is
// believed up to here. It rides in the head of the intent's record, which an append clears anyway; so it costs no sync.
type told struct {
	uidValidity uint32
	lastUID     UID
}

func (t told) pack() uint64 { return uint64(t.uidValidity)<<32 | uint64(t.lastUID) }

func unpackTold(n uint64) told { return told{uint32(n >> 32), UID(n)} }

// acknowledge clears the intent of an append and keeps what the client is going to be told.
func (j *journal) acknowledge(box identity, last told) error {
	before := j.told
	j.told = last
	err := j.clearIntent(box)
	if err != nil {
		j.told = before
	}
	return err
}

// recallTold learns from the journal what was told of the mailbox f. Where that cannot be read nothing was told.
func (j *journal) recallTold(f spool.File) error {
	if j.dir == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	id := identityOf(info)
	if j.toldOf != id {
		j.told, j.toldOf, j.wrote = told{}, id, planID{}
	}
	return j.mergeTold(id)
}

// mergeTold learns what another process has told of the mailbox box since: what it acknowledged is never taken back. A
// record of our own tells nothing new, and may be one that could not be made durable.
func (j *journal) mergeTold(box identity) error {
	r, err := j.dir.Open(box.name()+intentSuffix, os.O_RDONLY, 0)
	if err != nil {
		return ignoreMissing(err)
	}
	defer r.Close()
	b := make([]byte, headSize)
	if err := readFull(r, b, 0); err != nil {
		return ignoreEnd(err)
	}
	h, err := decodeHead(b)
	if err != nil || h.id == j.wrote {
		return nil // a torn head tells nothing
	}
	switch other := unpackTold(h.seq); {
	case j.told.uidValidity == other.uidValidity:
		j.told.lastUID = max(j.told.lastUID, other.lastUID)
	case j.told.uidValidity == 0:
		j.told = other
	}
	return nil
}

// told reports whether the UID that r claims is one that we gave it, though the base line does not tell of it yet.
func (a *adoption) told(r *record) bool {
	if a.m.o.Inbox {
		return a.ours(r)
	}
	t := a.m.journal.told
	return t.uidValidity == a.x.base.UIDValidity && r.onFile.uid <= t.lastUID
}

// lastTold is the number of the last message that has a UID which only we can have given it; -1: none.
func (a *adoption) lastTold() int {
	t := a.m.journal.told
	for i := range slices.Backward(a.s.records) {
		if uid := a.s.records[i].onFile.uid; uid > a.before.LastUID && uid <= t.lastUID {
			return i
		}
	}
	return -1
}

// passTold is called for the messages behind it. What was told and has gone would else be given again.
func (a *adoption) passTold() {
	if t := a.m.journal.told; t.uidValidity == a.x.base.UIDValidity {
		a.x.base.LastUID = max(a.x.base.LastUID, t.lastUID)
	}
}
