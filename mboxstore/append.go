package mboxstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// NewMessage is a message on its way into a mailbox.
type NewMessage struct {
	Text     io.Reader // RFC 5322, CRLF or LF lines
	Date     time.Time // INTERNALDATE; zero: now
	Flags    Flags
	Keywords []string
}

const maxNewHeader = 8 << 20 // octets of the header of a message that is added

// item is a message in stored form: all but its status headers, which need a UID, and so the locks.
type item struct {
	from      []byte // separator
	flags     Flags
	keywords  []string
	at        int64 // in the spill: the retained header lines, and behind them the text
	headerLen int64
	textLen   int64
	header    uint64     // digest of the header
	digest    textDigest // of the text
	ending    string     // what the text lacks of its last line's end
}

// batch is what one command adds: all of it or nothing.
type batch struct {
	spill spill
	items []item

	// intend, if not nil, is told the UIDVALIDITY and the first of the ascending UIDs before anything is written.
	intend func(uidValidity uint32, first UID) error
}

// Append adds messages, all or none, and is durable when it returns. New keywords join the mailbox's list. A missing
// file is made. It returns UIDVALIDITY and the UIDs in order. Errors: ErrReadOnly, ErrKeyword, ErrTooLarge,
// spool.ErrLocked, those of the file system and of Text; then nothing has changed.
func (m *Mailbox) Append(ctx context.Context, msgs []NewMessage) (uidValidity uint32, uids []UID, err error) {
	in := m.Receive()
	defer in.Close()
	for i := range msgs {
		copyText := func(w io.Writer) error {
			_, err := io.Copy(w, msgs[i].Text)
			return err
		}
		if err := in.Add(&msgs[i], copyText); err != nil {
			return 0, nil, err
		}
	}
	return in.Commit(ctx)
}

// take1 brings a message into stored form, without any lock.
func (m *Mailbox) take1(b *batch, n *NewMessage, write func(io.Writer) error) error {
	if err := checkKeywords(n.Keywords); err != nil {
		return err
	}
	date := n.Date
	if date.IsZero() {
		date = m.o.Now()
	}
	sender := m.o.User
	if sender != "" {
		sender += "@" + m.o.Hostname
	}
	at := b.spill.size
	var digest textDigest
	split := headerSplitter{head: &b.spill, rest: io.MultiWriter(&b.spill, &digest)}
	w := NewStoredWriter(&split)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	b.items = append(b.items, item{
		from: []byte(FormatFromLine(sender, date)), flags: n.Flags &^ FlagOld, keywords: n.Keywords,
		at: at, headerLen: split.lines, textLen: b.spill.size - at - split.lines, header: split.digest, digest: digest,
	})
	return nil
}

// headerSplitter passes a stored message on without the blank line behind its header.
type headerSplitter struct {
	header bytes.Buffer // until its end has come
	done   bool
	lines  int64     // octets of the header
	digest uint64    // of the header
	head   io.Writer // for the header
	rest   io.Writer
}

func (s *headerSplitter) Write(p []byte) (int, error) {
	if s.done {
		return s.rest.Write(p)
	}
	from := max(s.header.Len()-1, 0)
	s.header.Write(p)
	end := s.headerEnd(from)
	if end < 0 {
		if s.header.Len() > maxNewHeader {
			return 0, fmt.Errorf("header of more than %d octets: %w", maxNewHeader, ErrTooLarge)
		}
		return len(p), nil
	}
	s.done, s.lines = true, int64(end-1)
	all := s.header.Bytes()
	s.digest = ParseHeader(all[:end]).Digest
	if _, err := s.head.Write(all[:end-1]); err != nil {
		return 0, err
	}
	if _, err := s.rest.Write(all[end:]); err != nil {
		return 0, err
	}
	s.header = bytes.Buffer{}
	return len(p), nil
}

// headerEnd is the offset behind the blank line, -1 when it has not come yet.
func (s *headerSplitter) headerEnd(from int) int {
	h := s.header.Bytes()
	if len(h) > 0 && h[0] == '\n' {
		return 1
	}
	if i := bytes.Index(h[from:], []byte("\n\n")); i >= 0 {
		return from + i + 2
	}
	return -1
}

// add writes a batch behind the last message.
func (m *Mailbox) add(ctx context.Context, b *batch) (uidValidity uint32, uids []UID, err error) {
	m.op.Lock()
	defer m.op.Unlock()
	if m.ReadOnly() {
		return 0, nil, ErrReadOnly
	}
	if len(b.items) == 0 {
		return m.index.base.UIDValidity, nil, nil
	}
	if m.file == nil {
		if err := m.makeFile(); err != nil {
			return 0, nil, err
		}
	}
	release, err := m.lock(ctx)
	if err != nil {
		return 0, nil, err
	}
	if m.file == nil {
		return 0, nil, fmt.Errorf("%s: %w", m.sp.Path(), fs.ErrNotExist)
	}
	err = m.lookLocked()
	if err == nil && m.ReadOnly() {
		err = ErrReadOnly
	}
	if err == nil {
		uids, err = m.addLocked(b)
	}
	m.release(release)
	if err != nil {
		return 0, nil, err
	}
	m.news.tell()
	m.flush.later(lazy)
	return m.index.base.UIDValidity, uids, nil
}

// makeFile creates the missing mailbox file; another program may be faster.
func (m *Mailbox) makeFile() error {
	f, err := m.sp.NewFile(0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", m.sp.Path(), err)
	}
	return m.reopen()
}

// addLocked writes the batch under the locks, on an index that is up to date.
func (m *Mailbox) addLocked(b *batch) ([]UID, error) {
	if err := m.normalise(); err != nil {
		return nil, err
	}
	if err := m.cutTail(); err != nil {
		return nil, err
	}
	before, err := m.file.Stat()
	if err != nil {
		return nil, err
	}
	uids, err := m.addBytes(b)
	if err != nil {
		return nil, err
	}
	m.restamp(before, true)
	m.setMark()
	return uids, nil
}

// addBytes writes the batch and takes it into the index.
func (m *Mailbox) addBytes(b *batch) ([]UID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := &m.index
	for i := range b.items {
		x.growKeywords(b.items[i].keywords)
	}
	open, n := m.stream(b)
	last := told{x.base.UIDValidity, x.base.LastUID + UID(len(b.items))}
	m.listAhead(b)
	m.markAhead(last.lastUID, x.end+n)
	if b.intend != nil {
		if err := b.intend(x.base.UIDValidity, x.base.LastUID+1); err != nil {
			m.retract(len(b.items))
			return nil, err
		}
	}
	if err := m.journal.append(m.file, x.end, open, n, last); err != nil {
		if !errors.Is(err, ErrPending) {
			m.retract(len(b.items))
		}
		return nil, m.writeFailedLocked(fmt.Errorf("append to %s: %w", m.sp.Path(), err), x.end)
	}
	return m.enter(b, x.end+n)
}

// cutTail removes the NULs that UW leaves behind the last message, so that an append begins where the mail ends.
func (m *Mailbox) cutTail() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	if info.Size <= m.index.end {
		return nil
	}
	if err := errors.Join(m.writable(), m.mayMove()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.journal.rewrite(m.file, &layout{oldSize: info.Size, start: m.index.end}); err != nil {
		return m.writeFailedLocked(err, m.index.end)
	}
	return nil
}

// stream gives the bytes to write at the end of the mail, as often as they are asked for, and how many they are.
func (m *Mailbox) stream(b *batch) (open func() io.Reader, n int64) {
	x := &m.index
	first := x.pseudo == nil && len(x.records) == 0
	base := x.base
	base.LastUID += uint32(len(b.items))
	status := func(i int) []byte {
		it := &b.items[i]
		st := StatusBlock{Flags: it.flags, Keywords: x.known(it.keywords), UID: x.base.LastUID + uint32(i) + 1}
		if first && i == 0 {
			st.Base = &base
		}
		return append(statusLines(st, 0), '\n')
	}
	n = int64(len(x.glue))
	for i := range b.items {
		it := &b.items[i]
		n += int64(len(it.from)) + it.headerLen + int64(len(status(i))) + it.textLen + int64(len(it.ending)) + 1
	}
	return func() io.Reader {
		return &batchReader{piece: strings.NewReader(x.glue), left: b.items, spill: &b.spill, status: status}
	}, n
}

// batchReader reads a batch message by message: there may be very many.
type batchReader struct {
	piece  io.Reader
	next   int
	left   []item
	spill  *spill
	status func(i int) []byte // the status headers of the i-th message, and the blank line
}

func (r *batchReader) Read(p []byte) (int, error) {
	for {
		n, err := r.piece.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		if len(r.left) == 0 {
			return 0, io.EOF
		}
		it := &r.left[0]
		r.piece = io.MultiReader(
			bytes.NewReader(it.from), r.spill.reader(it.at, it.headerLen), bytes.NewReader(r.status(r.next)),
			r.spill.reader(it.at+it.headerLen, it.textLen), strings.NewReader(it.ending+"\n"),
		)
		r.left, r.next = r.left[1:], r.next+1
	}
}

// enter takes the written messages into the index. The caller holds mu.
func (m *Mailbox) enter(b *batch, size int64) ([]UID, error) {
	x := &m.index
	empty := x.pseudo == nil && len(x.records) == 0
	s, err := m.scan(x.end, size)
	if err != nil {
		return nil, err
	}
	if len(s.records) != len(b.items) {
		return nil, fmt.Errorf("%s: %d messages written, %d found", m.sp.Path(), len(b.items), len(s.records))
	}
	uids := make([]UID, len(s.records))
	for i := range s.records {
		r := &s.records[i]
		x.base.LastUID++
		r.UID, r.Flags, r.Keywords = x.base.LastUID, r.onFile.flags, x.known(r.onFile.keywords)
		r.onFile.keywords = r.Keywords
		uids[i] = r.UID
	}
	x.bump(cameOrChanged, uids...)
	for i := range s.records {
		s.records[i].since, s.records[i].ModSeq = x.modseq, x.modseq
	}
	if empty {
		x.onFile = x.base
	}
	x.setRecords(append(x.records, s.records...))
	x.setEnd(s)
	return uids, nil
}

// CopyTo appends copies of the messages of uids that still exist to dst, which may be m itself: separator, header
// and text byte for byte, flags and keywords by name. It returns dst's UIDVALIDITY and the UIDs of originals and copies, pairwise.
// Errors: as Append, and those of reading; then dst is as it was.
func (m *Mailbox) CopyTo(ctx context.Context, dst *Mailbox, uids []UID) (uidValidity uint32, from, to []UID, err error) {
	b := batch{spill: spill{dir: dst.o.State}}
	defer b.spill.close()
	for _, u := range uids {
		err := m.copyOut(ctx, &b, u, nil)
		if errors.Is(err, ErrExpunged) {
			continue
		}
		if err != nil {
			return 0, nil, nil, err
		}
		from = append(from, u)
	}
	uidValidity, to, err = dst.add(ctx, &b)
	if err != nil {
		return 0, nil, nil, err
	}
	return uidValidity, from, to, nil
}

// copyOut reads one message as it is stored, and writes what clients get of it to served, unless that is nil.
func (m *Mailbox) copyOut(ctx context.Context, b *batch, uid UID, served io.Writer) error {
	var rec record
	var raw []byte
	err := m.stable(ctx, uid, func(r *record) (err error) {
		rec = *r
		raw, err = m.read(raw, r.off, r.end)
		if err == nil && !m.isHeader(raw[r.fromLen:r.body()-r.off], r) {
			err = errMoved
		}
		return err
	})
	if err != nil {
		return m.readError(uid, err)
	}
	header := raw[rec.fromLen : rec.body()-rec.off]
	text := raw[rec.body()-rec.off:]
	it := item{
		from: storedFrom(raw[:rec.fromLen]), flags: rec.Flags &^ FlagOld, keywords: rec.Keywords,
		at: b.spill.size, textLen: int64(len(text)),
	}
	retained := AppendRetained(nil, header)
	it.headerLen, it.header = int64(len(retained)), ParseHeader(append(slices.Clip(retained), '\n')).Digest
	if len(text) > 0 && text[len(text)-1] != '\n' {
		it.ending = lineEndFor(text[bytes.LastIndexByte(text, '\n')+1:])
	}
	it.digest.add(text)
	_, err = b.spill.Write(retained)
	if err == nil {
		_, err = b.spill.Write(text)
	}
	b.items = append(b.items, it)
	if err == nil && served != nil {
		err = writeServed(served, header, text)
	}
	return err
}
