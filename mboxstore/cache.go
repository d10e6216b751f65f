package mboxstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"

	"spoold/spool"
)

// The index cache is one file a mailbox in the state directory: what the index knew when the mailbox was closed, and
// the stamp of the file it belongs to. With an equal stamp it is the index. With another one it still tells which
// messages were known, and which flags have not been written yet. It is never needed to read mail: a cache that is
// missing, torn, of another version or of another mailbox is as good as none.

const (
	cacheMagic   = "spoold index\n"
	cacheVersion = 4
)

func (m *Mailbox) cacheName() string {
	sum := sha256.Sum256([]byte(m.sp.Path()))
	return hex.EncodeToString(sum[:12]) + ".index"
}

// saveCache writes the cache; durably when sync, and when it takes the place of one that is all that tells of UIDs. The
// caller holds op.
func (m *Mailbox) saveCache(sync bool) error {
	m.mu.RLock()
	b := m.encodeCache()
	base, file := m.index.base, m.index.onFile
	m.mu.RUnlock()
	if m.o.State == nil || base.UIDValidity == 0 {
		return nil
	}
	told := file.UIDValidity == base.UIDValidity && file.LastUID >= base.LastUID
	return m.writeCache(b, sync || !told)
}

// writeCache keeps the cache of before when an inbox is damaged: what is read then is mixed, and which X-UIDs are ours
// only the cache can tell the repair. The mark remembers the UIDs that are told meanwhile.
func (m *Mailbox) writeCache(b []byte, sync bool) error {
	if m.damaged != nil && m.o.Inbox {
		return nil
	}
	name := m.cacheName()
	f, err := m.o.State.Open(name+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("index cache: %w", err)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil && (sync || m.marks()) { // an inbox always has a whole one: its list goes on from it
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = m.o.State.Rename(name+".new", name)
	}
	if err == nil && sync {
		err = m.o.State.Sync()
	}
	if err == nil && sync {
		m.seen.restart(m.index.base.LastUID)
	}
	if err != nil {
		_ = m.o.State.Remove(name + ".new") // it may not even be there; of a full disk it only takes more
		return fmt.Errorf("index cache: %w", err)
	}
	return nil
}

// loadCache takes over what an earlier index knew, when there is one.
func (m *Mailbox) loadCache() {
	if m.o.State == nil {
		return
	}
	b, err := m.readCache()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = m.decodeCache(b)
	}
	if err != nil {
		m.log.Warn("index cache not used", "err", err)
		m.index = index{words: &interner{}}
		m.stamp = spool.Stamp{}
	}
}

func (m *Mailbox) readCache() ([]byte, error) {
	f, err := m.o.State.Open(m.cacheName(), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size > math.MaxInt32 {
		err = ErrTooLarge
	}
	var b []byte
	if err == nil {
		b = make([]byte, info.Size)
		_, err = f.ReadAt(b, 0)
	}
	return b, errors.Join(err, f.Close())
}

// encodeCache leaves out flags that wait for the file, unless they are to be kept: after a crash they would come back,
// though they may have been written, and changed by others, in between.
func (m *Mailbox) encodeCache() []byte {
	x := &m.index
	w := cacheWriter{b: make([]byte, 0, 256+96*len(x.records))}
	w.b = append(append(w.b, cacheMagic...), cacheVersion)
	w.text(m.sp.Path())
	if m.unfinished.is {
		w.stamp(spool.Stamp{}) // the index is not what the file is now
	} else {
		w.stamp(m.stamp)
	}
	w.base(&x.base)
	w.base(&x.onFile)
	w.int(x.end)
	w.int(x.resume)
	w.text(x.glue)
	w.bool(x.wide)
	w.uint(x.modseq)
	w.bool(x.pseudo != nil)
	if x.pseudo != nil {
		w.record(x.pseudo)
	}
	w.uint(uint64(len(x.records)))
	for i := range x.records {
		r := x.records[i]
		if !m.keeps {
			known := r.believed()
			r.Flags, r.Keywords = known.flags, known.keywords
		}
		w.record(&r)
	}
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli))
}

var errCache = errors.New("not a cache of this mailbox, or torn")

func (m *Mailbox) decodeCache(b []byte) error {
	head := len(cacheMagic) + 1
	if len(b) < head+4 || string(b[:head-1]) != cacheMagic || b[head-1] != cacheVersion {
		return errCache
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return errCache
	}
	x := &index{words: &interner{}}
	r := cacheReader{b: body[head:], words: x.words}
	if r.text() != m.sp.Path() {
		return errCache
	}
	stamp := r.stamp()
	r.base(&x.base)
	r.base(&x.onFile)
	x.end, x.resume, x.glue, x.wide, x.modseq = r.int(), r.int(), r.text(), r.bool(), r.uint()
	if r.bool() {
		x.pseudo = &record{}
		r.record(x.pseudo)
	}
	records := make([]record, min(r.uint(), uint64(len(body))))
	for i := range records {
		r.record(&records[i])
	}
	if r.bad || len(r.b) != 0 {
		return errCache
	}
	x.setRecords(records)
	x.logFrom = x.modseq
	m.index, m.stamp = *x, stamp
	m.keeps = x.flagsWait()
	m.dropStaleStamp()
	return nil
}

// dropStaleStamp keeps the known messages but not their offsets when the file has been written since: an incremental
// look could not tell what changed in between.
func (m *Mailbox) dropStaleStamp() {
	if m.file == nil {
		return
	}
	if info, err := m.file.Stat(); err != nil || info.Stamp() != m.stamp {
		m.stamp = spool.Stamp{}
	}
}

// cacheWriter appends varints.
type cacheWriter struct{ b []byte }

func (w *cacheWriter) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *cacheWriter) int(n int64)   { w.b = binary.AppendVarint(w.b, n) }

func (w *cacheWriter) bool(v bool) {
	if v {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *cacheWriter) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *cacheWriter) words(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *cacheWriter) stamp(s spool.Stamp) {
	w.uint(s.Dev)
	w.uint(s.Ino)
	w.int(s.Size)
	w.int(s.Mtime)
	w.int(s.Ctime)
}

func (w *cacheWriter) base(b *Base) {
	w.uint(uint64(b.UIDValidity))
	w.uint(uint64(b.LastUID))
	w.words(b.Keywords)
}

func (w *cacheWriter) record(r *record) {
	w.uint(uint64(r.UID))
	w.uint(uint64(r.Flags) | uint64(r.onFile.flags)<<8)
	w.words(r.Keywords)
	w.words(r.onFile.keywords)
	w.uint(uint64(r.onFile.uid))
	w.int(r.Size)
	w.int(r.HeaderSize)
	w.uint(r.ModSeq)
	w.uint(r.since)
	w.int(r.date)
	w.int(int64(r.zone))
	w.int(r.off)
	w.int(r.end - r.off)
	w.b = binary.LittleEndian.AppendUint64(w.b, r.digest)
	w.uint(uint64(r.text))
	w.int(int64(r.fromLen))
	w.int(int64(r.hdrLen))
	w.int(int64(r.intOff))
	w.int(int64(r.intLen))
	w.bool(r.split)
	w.bool(r.blank)
	w.bool(r.bogus)
	w.bool(r.stray)
	w.bool(r.displaced)
}

// cacheReader reads what cacheWriter wrote; after the first wrong byte it is bad and gives zeros.
type cacheReader struct {
	b     []byte
	bad   bool
	words *interner
}

func (r *cacheReader) skip(n int) {
	if n <= 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

func (r *cacheReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *cacheReader) int() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *cacheReader) bool() bool { return r.uint() == 1 }

func (r *cacheReader) text() string {
	n := r.uint()
	if n == 0 || n > uint64(len(r.b)) {
		r.bad = r.bad || n > 0
		return ""
	}
	s := string(r.b[:n])
	r.skip(int(n))
	return s
}

func (r *cacheReader) list() []string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	var list []string
	for range n {
		list = append(list, r.text())
	}
	return list
}

func (r *cacheReader) stamp() spool.Stamp {
	return spool.Stamp{Dev: r.uint(), Ino: r.uint(), Size: r.int(), Mtime: r.int(), Ctime: r.int()}
}

func (r *cacheReader) base(b *Base) {
	b.UIDValidity, b.LastUID, b.Keywords = uint32(r.uint()), uint32(r.uint()), r.list()
}

func (r *cacheReader) record(m *record) {
	m.UID = UID(r.uint())
	flags := r.uint()
	m.Flags, m.onFile.flags = Flags(flags), Flags(flags>>8)
	m.Keywords = r.words.list(r.list())
	m.onFile.keywords = r.words.list(r.list())
	m.onFile.uid = UID(r.uint())
	m.Size, m.HeaderSize = r.int(), r.int()
	m.ModSeq, m.since = r.uint(), r.uint()
	m.date, m.zone = r.int(), int16(r.int())
	m.off = r.int()
	m.end = m.off + r.int()
	m.digest, m.text = r.fixed(), uint32(r.uint())
	m.fromLen, m.hdrLen = int32(r.int()), int32(r.int())
	m.intOff, m.intLen = int32(r.int()), int32(r.int())
	m.split, m.blank, m.bogus, m.stray, m.displaced = r.bool(), r.bool(), r.bool(), r.bool(), r.bool()
}

func (r *cacheReader) fixed() uint64 {
	if len(r.b) < 8 {
		r.skip(0)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.skip(8)
	return v
}
