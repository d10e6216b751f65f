package session

import (
	"context"
	"errors"
	"slices"

	"spoold/backend/mime"
	"spoold/backend/wire"
	"spoold/mboxstore"
)

// batch is how many messages are copied out of the index at once. Nothing is locked while their data goes to the client.
const batch = 512

// Row is one message while a command looks at it. What it returns is valid until the next row. It is a search.Target.
type Row struct {
	ctx    context.Context
	v      *View
	num    uint32
	msg    mboxstore.Message
	seen   bool // \Seen was set by this very command
	header []byte
	text   []byte
	root   *mime.Part
}

// Seq is the message's sequence number in this session.
func (r *Row) Seq() uint32 { return r.num }

// Message is what the index says of it.
func (r *Row) Message() *mboxstore.Message { return &r.msg }

// Recent reports whether the message is \Recent in this session.
func (r *Row) Recent() bool { return r.v.isRecent(r.msg.UID) }

// NewlySeen reports whether the command that looks at it has just made it \Seen, which its client must be told.
func (r *Row) NewlySeen() bool { return r.seen }

// AppendFlags appends the message's flags as a list that the client is going to be sent: it knows them then.
func (r *Row) AppendFlags(dst []byte) []byte {
	r.v.know(r.msg.UID, r.msg.ModSeq)
	return AppendFlags(dst, &r.msg, r.Recent() && !r.v.noRecent)
}

// Header reads the header with its blank line.
func (r *Row) Header() ([]byte, error) {
	if r.text != nil {
		return r.text[:r.msg.HeaderSize], nil
	}
	if r.header != nil {
		return r.header, nil
	}
	b, err := r.v.box.Header(r.ctx, r.msg.UID, r.v.header[:0])
	if err != nil {
		return nil, err
	}
	r.v.header, r.header = b, notNil(b)
	return b, nil
}

// Text reads the whole message.
func (r *Row) Text() ([]byte, error) {
	if r.text != nil {
		return r.text, nil
	}
	b, err := r.v.box.Text(r.ctx, r.msg.UID, r.v.text[:0])
	if err != nil {
		return nil, err
	}
	r.v.text, r.text = b, notNil(b)
	return b, nil
}

// notNil tells what was read, be it empty, from what was not.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Root is the MIME structure of the message.
func (r *Row) Root() (*mime.Part, error) {
	if r.root == nil {
		text, err := r.Text()
		if err != nil {
			return nil, err
		}
		r.root = mime.Parse(text)
	}
	return r.root, nil
}

func (r *Row) next(num uint32, m *mboxstore.Message) {
	*r = Row{ctx: r.ctx, v: r.v, num: num, msg: *m}
}

// Rows is a walk over the messages that a command names.
type Rows struct {
	// MarkSeen sets \Seen on each message before it is looked at, as reading a body does (RFC 3501 §6.4.5). Where that
	// cannot be done the message is shown all the same.
	MarkSeen bool

	missing bool
}

// Missing reports whether messages were left out that the client still knows, but that another session has removed
// (RFC 2180 §4.1.2). The command answers NO [EXPUNGEISSUED] then, after the data of the others.
func (r *Rows) Missing() bool { return r.missing }

// ErrMissing is the answer of a command that named messages that are no longer there.
var ErrMissing error = &Refusal{Code: "EXPUNGEISSUED", Text: "Some of the messages are no longer there"}

// FetchRows calls f for each message of nums (from Resolve) that is still there.
func (s *Session) FetchRows(ctx context.Context, nums wire.Set, rows *Rows, f func(*Row) error) error {
	v := s.view
	defer v.shrink()
	size := batch
	if rows.MarkSeen {
		size = seenBatch
	}
	for _, r := range nums {
		for from := int64(r.Start); from <= int64(r.Stop); from += int64(size) {
			to := min(from+int64(size)-1, int64(r.Stop))
			if err := v.batch(ctx, uint32(from), uint32(to), rows, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// seenBatch is smaller than batch, so that a client that goes away in the middle leaves few messages \Seen unread.
const seenBatch = 16

func (v *View) batch(ctx context.Context, from, to uint32, rows *Rows, f func(*Row) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	uids := v.num.uids[from-1 : to]
	v.rows = v.box.Get(uids, v.rows[:0])
	var newly []mboxstore.UID
	if rows.MarkSeen && !v.readOnly {
		newly = v.markSeen(ctx, uids)
	}
	row, at := Row{ctx: ctx, v: v}, 0
	for i, uid := range uids {
		if at == len(v.rows) || v.rows[at].UID != uid {
			rows.missing = true
			continue
		}
		row.next(from+uint32(i), &v.rows[at])
		_, row.seen = slices.BinarySearch(newly, uid)
		at++
		err := f(&row)
		if errors.Is(err, mboxstore.ErrExpunged) {
			rows.missing = true
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// markSeen sets \Seen where it is missing in v.rows, and copies the messages anew.
func (v *View) markSeen(ctx context.Context, uids []mboxstore.UID) (newly []mboxstore.UID) {
	for i := range v.rows {
		if v.rows[i].Flags&mboxstore.FlagSeen == 0 {
			newly = append(newly, v.rows[i].UID)
		}
	}
	if len(newly) == 0 {
		return nil
	}
	op := mboxstore.StoreOp{Mode: mboxstore.StoreAdd, Flags: mboxstore.FlagSeen}
	if v.box.Store(ctx, newly, op) != nil {
		return nil
	}
	v.rows = v.box.Get(uids, v.rows[:0])
	return newly
}

const keepBuffer = 1 << 20

// shrink drops buffers that one large message has made large.
func (v *View) shrink() {
	if cap(v.text) > keepBuffer {
		v.text = nil
	}
	if cap(v.header) > keepBuffer {
		v.header = nil
	}
}
