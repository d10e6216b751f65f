package session

import (
	"context"
	"slices"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// View is the selected mailbox as this client knows it.
type View struct {
	name     string
	box      *mboxstore.Mailbox
	release  func()
	readOnly bool

	num      numbering
	modseq   uint64          // all changes up to here are told, or in num.gone
	recent   []mboxstore.UID // \Recent in this session, ascending
	told     []toldFlags     // flags told beyond modseq, ascending by uid
	keywords []string        // of the mailbox, as told
	exists   int             // the last EXISTS, less the EXPUNGEs since
	recents  int             // the last RECENT
	saved    wire.Set        // the UIDs that "$" stands for (RFC 5182)
	live     []*liveSearch   // whose results are kept up to date (RFC 5267)
	noRecent bool            // the client speaks IMAP4rev2, where nothing is \Recent

	rows   []mboxstore.Message // of the batch at hand
	header []byte              // buffers for the message at hand
	text   []byte
}

// toldFlags says that the client knows a message's flags as they were at a ModSeq.
type toldFlags struct {
	uid    mboxstore.UID
	modseq uint64
}

// ReadOnly reports whether the client may change nothing.
func (v *View) ReadOnly() bool { return v.readOnly }

// openView takes the state of a mailbox at one moment, together with what Status says of it. The two cannot be asked for
// at once; when the mailbox keeps changing in between, the numbers of the later state are good enough once they are cut
// to the messages of the earlier.
func openView(name string, m *mboxstore.Mailbox, readOnly bool) (*View, mboxstore.Status) {
	v := &View{name: name, box: m, readOnly: readOnly}
	var st mboxstore.Status
	for range 3 {
		changes := m.Changes(0)
		st = m.Status()
		v.modseq = changes.ModSeq
		v.num = numbering{uids: changes.New}
		if st.ModSeq == changes.ModSeq {
			break
		}
	}
	if st.FirstUnseen > v.num.len() {
		st.FirstUnseen = 0
	}
	v.keywords = st.Keywords
	v.recent = v.claim(v.num.uids)
	v.exists, v.recents = v.num.len(), len(v.recent)
	st.Messages, st.Recent = v.exists, v.recents
	return v, st
}

// claim makes new messages \Recent in this session, if in no other yet. A read-only session must not take their
// recency away (RFC 3501 §6.3.2): it sees as recent what nobody has claimed, and so do others after it.
func (v *View) claim(uids []mboxstore.UID) []mboxstore.UID {
	if !v.readOnly {
		return v.box.ClaimRecent(uids)
	}
	var recent []mboxstore.UID
	for part := range slices.Chunk(uids, batch) {
		v.rows = v.box.Get(part, v.rows[:0])
		for i := range v.rows {
			if v.rows[i].Flags&mboxstore.FlagOld == 0 {
				recent = append(recent, v.rows[i].UID)
			}
		}
	}
	return recent
}

func (v *View) isRecent(uid mboxstore.UID) bool {
	if len(v.recent) == 0 || uid < v.recent[0] {
		return false
	}
	_, ok := slices.BinarySearch(v.recent, uid)
	return ok
}

// know notes that the client knows a message's flags as of modseq, so that they are not told again.
func (v *View) know(uid mboxstore.UID, modseq uint64) {
	if modseq > v.modseq {
		v.told = append(v.told, toldFlags{uid, modseq})
	}
}

func (v *View) knows(m *mboxstore.Message) bool {
	i, ok := slices.BinarySearchFunc(v.told, m.UID, func(t toldFlags, uid mboxstore.UID) int {
		return int(int64(t.uid) - int64(uid))
	})
	return ok && v.told[i].modseq == m.ModSeq
}

// close writes what is pending into the file, and lets go of the mailbox.
func (v *View) close(ctx context.Context) error {
	defer v.release()
	if v.readOnly {
		return nil
	}
	return v.box.Flush(ctx)
}
