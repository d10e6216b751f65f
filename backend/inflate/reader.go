package inflate

import (
	"bufio"
	"errors"
	"io"
)

// ErrDamaged says that the input is not DEFLATE.
var ErrDamaged = errors.New("damaged DEFLATE data")

// window is how far a copy reaches back.
const window = 32 << 10

// Reader decompresses what it reads.
type Reader struct {
	src  *bufio.Reader
	err  error
	bits uint64 // octets of src that are not used up, the next bit lowest
	have uint   // number of bits

	text    [window]byte // the last that came out, round and round
	at      int          // where in text the next octet goes
	out     int          // where in text the next that is to be given out stands
	full    bool         // all of text has been written
	waiting int          // octets from out that are not given out

	step  func(*Reader) error
	final bool // the block is the last
	left  int  // octets of a stored block that are to come
	// length and distance of a copy that did not fit
	length, distance int

	literals, distances code
}

// NewReader returns a Reader over src.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: bufio.NewReader(src), step: (*Reader).header}
}

// Read gives out what there is. It reads on only when there is nothing.
func (r *Reader) Read(p []byte) (int, error) {
	for r.waiting == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.err = r.step(r)
	}
	n := copy(p, r.text[r.out:min(window, r.out+r.waiting)])
	r.waiting -= n
	r.out = (r.out + n) % window
	return n, nil
}

// need makes n bits available.
func (r *Reader) need(n uint) error {
	for r.have < n {
		c, err := r.src.ReadByte()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		r.bits |= uint64(c) << r.have
		r.have += 8
	}
	return nil
}

// drop uses n bits up, which are available.
func (r *Reader) drop(n uint) int {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.have -= n
	return int(v)
}

// take reads a number of n bits.
func (r *Reader) take(n uint) (int, error) {
	if err := r.need(n); err != nil {
		return 0, err
	}
	return r.drop(n), nil
}

// put writes one octet of text, for which there is room.
func (r *Reader) put(c byte) {
	r.text[r.at] = c
	r.waiting++
	if r.at++; r.at == window {
		r.at, r.full = 0, true
	}
}

// header reads the head of a block (RFC 1951 §3.2.3).
func (r *Reader) header() error {
	if r.final {
		return io.EOF
	}
	head, err := r.take(3)
	if err != nil {
		return err
	}
	r.final = head&1 != 0
	switch head >> 1 {
	case 0:
		return r.stored()
	case 1:
		r.literals, r.distances = fixedLiterals, fixedDistances
	case 2:
		if err := r.dynamic(); err != nil {
			return err
		}
	default:
		return ErrDamaged
	}
	r.step = (*Reader).symbols
	return nil
}

// stored begins a block of plain text, at a whole octet (RFC 1951 §3.2.4).
func (r *Reader) stored() error {
	r.drop(r.have % 8)
	size, err := r.take(16)
	if err != nil {
		return err
	}
	check, err := r.take(16)
	if err != nil {
		return err
	}
	if size != check^0xffff {
		return ErrDamaged
	}
	r.left, r.step = size, (*Reader).plain
	return nil
}

// plain copies text from a stored block.
func (r *Reader) plain() error {
	for ; r.left > 0 && r.waiting < window; r.left-- {
		c, err := r.take(8)
		if err != nil {
			return err
		}
		r.put(byte(c))
	}
	if r.left == 0 {
		r.step = (*Reader).header
	}
	return nil
}

// symbols decodes a block until it ends or the window is full (RFC 1951 §3.2.5).
func (r *Reader) symbols() error {
	for r.waiting < window {
		if r.length > 0 {
			r.back()
			continue
		}
		s, err := r.symbol(&r.literals)
		switch {
		case err != nil:
			return err
		case s < 256:
			r.put(byte(s))
		case s == 256:
			r.step = (*Reader).header
			return nil
		default:
			if err := r.reach(s - 257); err != nil {
				return err
			}
		}
	}
	return nil
}

// reach reads the rest of a copy whose length has this symbol.
func (r *Reader) reach(s int) error {
	if s >= len(lengths) {
		return ErrDamaged
	}
	extra, err := r.take(lengths[s].extra)
	if err != nil {
		return err
	}
	length := lengths[s].base + extra
	s, err = r.symbol(&r.distances)
	if err != nil {
		return err
	}
	if s >= len(reaches) {
		return ErrDamaged
	}
	if extra, err = r.take(reaches[s].extra); err != nil {
		return err
	}
	distance := reaches[s].base + extra
	if !r.full && distance > r.at {
		return ErrDamaged
	}
	r.length, r.distance = length, distance
	return nil
}

// back copies as much as there is room for.
func (r *Reader) back() {
	for ; r.length > 0 && r.waiting < window; r.length-- {
		r.put(r.text[(r.at-r.distance+window)%window])
	}
}
