package mboxstore

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"spoold/spool"
)

// A move record is a file of its own in the journal, ID.move, where ID is random. It is one record, durable before the
// first byte of a copy is written, and gone before the move is acknowledged. One that is torn was never acted on.

const (
	moveSuffix = ".move"

	recMove recordKind = 'm'
)

// moveRecord says what is about to be moved.
type moveRecord struct {
	id             planID
	source, target movePlace
	pairs          []movedMessage
}

// movePlace is a mailbox as UIDs need it.
type movePlace struct {
	path        string
	uidValidity uint32
}

// movedMessage is a message and its copy.
type movedMessage struct {
	from, to UID
	sum      messageSum
}

// messageSum is the first half of the SHA-256 of a message as served.
type messageSum [16]byte

func (r *moveRecord) add(from UID, sum hash.Hash) {
	r.pairs = append(r.pairs, movedMessage{from: from, sum: messageSum(sum.Sum(nil)[:len(messageSum{})])})
}

// number gives the copies their UIDs.
func (r *moveRecord) number(first UID) {
	for i := range r.pairs {
		r.pairs[i].to = first + UID(i)
	}
}

func (r *moveRecord) name() string { return hex.EncodeToString(r.id[:]) + moveSuffix }

func (r *moveRecord) encode() []byte {
	var b []byte
	for _, p := range []movePlace{r.source, r.target} {
		b = binary.LittleEndian.AppendUint32(appendBytes(b, []byte(p.path)), p.uidValidity)
	}
	b = appendInt(b, int64(len(r.pairs)))
	for _, p := range r.pairs {
		b = binary.LittleEndian.AppendUint32(b, p.from)
		b = binary.LittleEndian.AppendUint32(b, p.to)
		b = append(b, p.sum[:]...)
	}
	return b
}

func decodeMove(id planID, body []byte) (*moveRecord, error) {
	r := recordReader{b: body}
	m := &moveRecord{id: id}
	for _, p := range []*movePlace{&m.source, &m.target} {
		p.path = string(r.bytes(r.int()))
		p.uidValidity = r.sum()
	}
	for range r.int() {
		p := movedMessage{from: r.sum(), to: r.sum()}
		copy(p.sum[:], r.bytes(int64(len(p.sum))))
		if r.bad {
			break
		}
		m.pairs = append(m.pairs, p)
	}
	if r.bad || len(r.b) > 0 {
		return nil, ErrJournal
	}
	return m, nil
}

// writeMove puts r in force, durably.
func (j *journal) writeMove(r *moveRecord) error {
	body := r.encode()
	if len(body) > maxRecord {
		return fmt.Errorf("move of %d messages: %w", len(r.pairs), ErrTooLarge)
	}
	r.id = randomID()
	f, err := j.dir.Open(r.name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(appendRecord(nil, recMove, r.id, 0, body), 0)
	if err == nil && j.keeps(ruleMoveRecord) {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && j.keeps(ruleMoveRecord) {
		err = j.dir.Sync()
	}
	return err
}

// removeMove ends a move. It is no error when the record was never written.
func (j *journal) removeMove(r *moveRecord) error {
	if r.id == (planID{}) {
		return nil
	}
	return removeMove(j.dir, r)
}

func removeMove(dir spool.Dir, r *moveRecord) error {
	err := dir.Remove(r.name())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return dir.Sync()
}

// readMove reads the record in the file name.
func readMove(dir spool.Dir, name string) (*moveRecord, error) {
	f, err := dir.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	h, body, err := readRecord(f, headSize)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r, err := decodeMove(h.id, body)
	if err == nil && (h.kind != recMove || r.name() != name) {
		err = ErrJournal
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// moveRecords lists the moves in the journal, and removes those that were never begun.
func moveRecords(dir spool.Dir) ([]*moveRecord, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var records []*moveRecord
	var errs []error
	for _, name := range names {
		if !strings.HasSuffix(name, moveSuffix) {
			continue
		}
		r, err := readMove(dir, name)
		switch {
		case err == nil:
			records = append(records, r)
		case errors.Is(err, errTornRecord), errors.Is(err, io.ErrUnexpectedEOF):
			errs = append(errs, dir.Remove(name))
		default:
			errs = append(errs, err)
		}
	}
	return records, errors.Join(errs...)
}
